"""Kill processes at random moments: files must stay whole, and a resumed training must give the same file.

    python tests/tools/kill.py [--rounds 100] [--trainings 40] [--seed N]

A round is a process that saves models, data, names and checkpoints of a training into one folder until it is
killed; half of the rounds write as on file systems that know no files without names. See
docs/how/robustness.md.

Then a training from a pack with a checkpoint after every few batches is killed about twice an epoch, and
resumed, until it has been killed so often. The file of its model must be that of an undisturbed training,
byte for byte.
"""

import argparse
import os
import re
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
from scipy import sparse

from hashslide import SlideClassifier, _atomic, data, model_file
from hashslide.callbacks import Checkpoint
from hashslide.callbacks.checkpoint import checkpoint_files

LONGEST = 0.3  # seconds that a process lives
NAMES = [f"name {i}" for i in range(20_000)]
ROWS = 300
ROWS_TRAINED, BATCH, BATCHES_BETWEEN = 4000, 100, 7


def save_all(folder: Path, number: int) -> None:
    """Write into the folder until the process is killed; the number decides how, and where it begins."""
    if number % 2:
        _atomic._Temporary._open_unnamed = lambda self, mode: None
    X = sparse.random(ROWS, 200, 0.1, "csr", np.float32, random_state=0)
    Y = sparse.random(ROWS, 500, 0.02, "csr", np.float32, random_state=1, data_rvs=np.ones)
    weight = np.random.default_rng(number).random(500_000, np.float32)
    model = SlideClassifier(hidden=16, epochs=5, callbacks=[Checkpoint(folder, 1, keep=1)], n_jobs=1)
    writers = [
        lambda: model_file.save_model(folder / "arrays", {"a": weight, "b": weight}, {}),
        lambda: data.save(folder / "data.txt.gz", X, Y),
        lambda: data.save_names(folder / "names.txt", NAMES),
        lambda: model.fit(X, Y),
    ]
    for i in count(number // 2):
        writers[i % len(writers)]()


def check(folder: Path) -> None:
    """Read every file that is there."""
    for path in folder.iterdir():
        match path.name:
            case "arrays":
                arrays, _ = model_file.load_model(path, verify=True)
                np.testing.assert_array_equal(arrays["a"], arrays["b"])
            case name if name.startswith("epoch-"):
                SlideClassifier.load(path, verify=True)
            case "data.txt.gz":
                assert data.load(path)[0].shape == (ROWS, 200)
            case "names.txt":
                assert data.load_names(path).tolist() == NAMES
            case name:
                assert _atomic._TEMPORARY.fullmatch(name), f"{name} was left behind"


def run(rounds: int, seed: int) -> str:
    """Return how many processes were killed, and what was found of them."""
    moments, remains = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i in range(rounds):
            child = os.fork()
            if child == 0:
                try:
                    save_all(folder, i)
                finally:
                    os._exit(1)
            time.sleep(moments.uniform(0, LONGEST))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status), "the process ended by itself: see its traceback above"
            hidden = [name for name in os.listdir(folder) if name.startswith(".")]
            assert len(hidden) <= 1, f"more than the last process left remains: {hidden}"
            remains += len(hidden)
            check(folder)
        data.save_names(folder / "names.txt", NAMES)
        found = sorted(os.listdir(folder))
        assert not any(re.match(r"\.", name) for name in found), f"remains were not removed: {found}"
    return (
        f"{rounds} processes killed, {remains} hidden files reclaimed, every file whole: {', '.join(found)}"
    )


def train(folder: Path, number: int) -> None:
    """Train from the last checkpoint to the end, and save the model; the number decides how."""
    if number % 2:
        _atomic._Temporary._open_unnamed = lambda self, mode: None
    states = folder / "states"
    callbacks = [Checkpoint(states, f"{BATCHES_BETWEEN * BATCH} examples")]
    model = SlideClassifier(64, epochs=20, batch_size=BATCH, random_state=0, n_jobs=1, callbacks=callbacks)
    model.fit(data.Pack.open(folder / "train.pack"), resume_from=states).save(folder / "model")


def in_child(action: Callable[[], None], seconds: float) -> bool:
    """Do something in a process that is killed after so many seconds; tell whether it was."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    ended, end = 0, time.monotonic() + seconds
    while not ended and time.monotonic() < end:
        time.sleep(0.001)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or status == 0, "the process failed: see its traceback above"
    return os.WIFSIGNALED(status)


def run_trainings(kills: int, seed: int) -> str:
    """Return how many trainings were killed, after how many steps, and what came of them."""
    mesh, moments = data.builtin("pubmed-mesh"), np.random.default_rng(seed)
    n_killed = n_in_saves = n_starts = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data.Pack.build([(mesh.X_train[:ROWS_TRAINED], mesh.Y_train[:ROWS_TRAINED])], folder / "train.pack")
        started = time.monotonic()
        in_child(lambda: train(folder, 0), 3600)
        longest = 1.5 * (time.monotonic() - started) / 20
        expected = (folder / "model").read_bytes()
        (folder / "model").unlink()
        for path in (folder / "states").iterdir():
            path.unlink()
        places = []
        while n_killed < kills or not (folder / "model").exists():
            n_starts += 1
            seconds = moments.uniform(0, longest) if n_killed < kills else 3600
            if in_child(lambda number=n_starts: train(folder, number), seconds):
                n_killed += 1
                n_in_saves += any(name.startswith(".") for name in os.listdir(folder / "states"))
                places += [path.stem for path in checkpoint_files(folder / "states")[:1]]
            elif n_killed < kills:  # came to its end before
                (folder / "model").unlink()
                checkpoint_files(folder / "states")[0].unlink()
        assert (folder / "model").read_bytes() == expected, "the model is another one"
    return (
        f"{n_killed} trainings killed, {n_in_saves} of them seen in a save, at {len(set(places))} places; "
        "the model's file is that of the undisturbed training"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32, help="of the moments")
    parser.add_argument("--trainings", type=int, default=40, help="trainings that are killed")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    print(run(arguments.rounds, arguments.seed))
    print(run_trainings(arguments.trainings, arguments.seed))
