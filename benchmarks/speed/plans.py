"""Does what is planned happen? Estimates of time, memory and disk against the training that follows.

    python -m benchmarks.speed.plans --data DIR DIR --generated 1000000

For each set `SlideClassifier.estimate` is asked, then a process of its own trains on the same data, saves
and predicts. Prints the ratios of the estimates to what happened; several `--runs` are medians. A generated
set has the given number of labels, of which each example has one to five.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from hashslide import SlideClassifier

from ..common.harness import table
from ..common.matrices import load_xmc, part_file
from ..common.processes import fresh, peak_mb
from .setup_cost import popular

ROWS, FEATURES = 60_000, 50_000


def generated(n_labels: int) -> tuple[csr_matrix, csr_matrix]:
    """Return examples of 20 to 60 features and 1 to 5 labels, of power-law popularity."""
    rng = np.random.default_rng(0)
    X = popular(rng, rng.integers(20, 61, ROWS), FEATURES)
    Y = popular(rng, rng.integers(1, 6, ROWS), n_labels)
    X.data = np.repeat(1 / np.sqrt(np.diff(X.indptr)), np.diff(X.indptr)).astype(np.float32)
    return X, Y


def load(name: str) -> tuple[csr_matrix, csr_matrix]:
    """Return the training part of a folder, or a generated set of so many labels."""
    return generated(int(name)) if name.isdigit() else load_xmc(part_file(Path(name), "train"))


def planned(name: str, threads: int) -> dict[str, float]:
    """Return the estimates."""
    found = SlideClassifier(random_state=0, n_jobs=threads).estimate(*load(name))
    return {
        "time": found.training_seconds,
        "memory": found.training_bytes,
        "file": found.file_bytes,
        "prediction": found.prediction_seconds,
    }


def happened(name: str, threads: int) -> dict[str, float]:
    """Return what a training and predictions take."""
    X, Y = load(name)
    begun = time.perf_counter()
    model = SlideClassifier(random_state=0, n_jobs=threads).fit(X, Y)
    seconds = time.perf_counter() - begun
    peak = 1e6 * peak_mb()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save(path)
        size = path.stat().st_size
    times = []
    for _ in range(6):
        begun = time.perf_counter()
        model.predict_topk(X[:1000], 5)
        times.append(time.perf_counter() - begun)
    return {"time": seconds, "memory": peak, "file": size, "prediction": median(times[1:])}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="*", default=[], help="folders of train.txt(.gz)")
    parser.add_argument("--generated", nargs="*", default=[], help="numbers of labels of generated sets")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rows: list[list[Any]] = []
    for name in [*options.data, *options.generated]:
        runs = [
            (fresh(planned, name, options.threads), fresh(happened, name, options.threads))
            for _ in range(options.runs)
        ]
        ratios = [f"{median(p[part] / h[part] for p, h in runs):.2f}" for part in runs[0][0]]
        rows.append([Path(name).name, *ratios])
    print(table(["planned / happened", *runs[0][0]], rows))


if __name__ == "__main__":
    main()
