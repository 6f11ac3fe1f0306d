"""Are models of several workers as accurate as those of one process? P@1 of the same settings and seeds.

    python -m benchmarks.machines.accuracy pubmed-mesh debian-depends wordnet-hypernyms --runs 3

Every arm trains on the same pack and is measured on the test part; the table holds means over the seeds and
the difference to one process, with its standard error over the seeds. In the last arm, of four replicas of
Downpour one is killed after a quarter of the time that the undisturbed training took, and another one is
stopped for ten seconds.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from hashslide import SlideClassifier, data

from ..common.harness import Report, say, table
from ..common.matrices import load_xmc, part_file
from .commands import below, started
from .steps import pack_of

STOPPED_S = 10.0
ARMS: dict[str, list[object]] = {
    "one process": [],
    "activations, 2 workers": ["--workers", 2, "--protocol", "activations"],
    "rows, 2 workers": ["--workers", 2, "--protocol", "rows"],
    "rows, 4 workers": ["--workers", 4, "--protocol", "rows", "--jobs", 1],
    "downpour, 4 replicas": ["--workers", 4, "--protocol", "downpour", "--engine", "ray", "--jobs", 1],
}
DISTURBED = "downpour, one killed, one stopped"


def replicas(training: int) -> list[int]:
    """Return the processes of the replicas of a training."""
    found = []
    for process in below(training):
        with suppress(OSError):
            if Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::Replica"):
                found.append(process)
    return sorted(found)


def disturb(training: subprocess.Popen[str], after: float) -> None:
    """Kill a replica and stop another one for some seconds, some time after all four have started."""
    while training.poll() is None and len(found := replicas(training.pid)) < 4:
        time.sleep(0.1)
    time.sleep(after)
    if training.poll() is not None:
        raise RuntimeError("the training was over before it could be disturbed")
    os.kill(found[0], signal.SIGKILL)
    os.kill(found[1], signal.SIGSTOP)
    time.sleep(STOPPED_S)
    with suppress(ProcessLookupError):
        os.kill(found[1], signal.SIGCONT)


def main() -> None:
    """Train and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", default=["pubmed-mesh"], help="folders, or built-in sets")
    parser.add_argument("--runs", type=int, default=2, help="seeds")
    parser.add_argument("--epochs", default="auto")
    parser.add_argument("--arms", nargs="*", default=[*ARMS, DISTURBED], choices=[*ARMS, DISTURBED])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    report, rows = Report(options.out, options), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in options.data:
            pack, model = pack_of(source, folder), folder / "model"
            place = data.builtin_path(source) if source in data.builtin_names() else Path(source)
            X, Y = load_xmc(part_file(place, "test"))
            scores: dict[str, list[float]] = {arm: [] for arm in options.arms}
            lasted: dict[str, float] = {}
            for seed in range(options.runs):
                for arm in options.arms:
                    own = ARMS["downpour, 4 replicas" if arm == DISTURBED else arm]
                    begun = time.monotonic()
                    training = started(pack, model, "--seed", seed, "--epochs", options.epochs, *own)
                    if arm == DISTURBED:
                        disturb(training, lasted.get("downpour, 4 replicas", 20.0) / 4)
                    said = training.communicate()[1]
                    if training.returncode:
                        raise RuntimeError(f"{arm}: {said[-2000:]}")
                    lasted[arm] = time.monotonic() - begun
                    scores[arm].append(float(SlideClassifier.load(model).score(X, Y)))
                    say(f"{place.name} {arm} {scores[arm][-1]:.4f} {lasted[arm]:.0f} s")
                    report.add({"data": place.name, "arm": arm, "seed": seed, "P@1": scores[arm][-1]})
            for arm, found in scores.items():
                change = np.subtract(found, scores[options.arms[0]])
                error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else float("nan")
                figures = [f"{np.mean(found):.4f}", f"{change.mean():+.4f}", f"{error:.4f}"]
                rows.append([place.name, arm, *figures])
    print(table(["data", "training", "P@1", "difference", "standard error"], rows, 2))


if __name__ == "__main__":
    main()
