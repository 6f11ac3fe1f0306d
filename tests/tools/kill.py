"""Kill processes at random moments while they save: every file must stay whole, and nothing else may stay.

    python tests/tools/kill.py [--rounds 100] [--seed N]

A round is a process that saves models, data, names and checkpoints of a training into one folder until it is
killed; half of the rounds write as on file systems that know no files without names. See
docs/how/robustness.md.
"""

import argparse
import os
import re
import signal
import tempfile
import time
from itertools import count
from pathlib import Path

import numpy as np
from scipy import sparse

from hashslide import SlideClassifier, _atomic, data, model_file
from hashslide.callbacks import Checkpoint

LONGEST = 0.3  # seconds that a process lives
NAMES = [f"name {i}" for i in range(20_000)]
ROWS = 300


def save_all(folder: Path, number: int) -> None:
    """Write into the folder until the process is killed; the number decides how, and where it begins."""
    if number % 2:
        _atomic._Temporary._open_unnamed = lambda self, mode: None
    X = sparse.random(ROWS, 200, 0.1, "csr", np.float32, random_state=0)
    Y = sparse.random(ROWS, 500, 0.02, "csr", np.float32, random_state=1, data_rvs=np.ones)
    weight = np.random.default_rng(number).random(500_000, np.float32)
    model = SlideClassifier(hidden=16, epochs=5, callbacks=[Checkpoint(folder / "checkpoint")], n_jobs=1)
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
            case "checkpoint":
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32, help="of the moments")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    print(run(arguments.rounds, arguments.seed))
