"""What does everything around the epochs of a fit cost, in seconds and in peak memory?

    python -m benchmarks.speed.setup_cost                       41K rows x 161K features x 203K labels
    python -m benchmarks.speed.setup_cost --shrink 8 --json     an eighth of each
    python -m benchmarks.speed.setup_cost --halves              one kind of items, learned both ways

The set is generated: a recommendation set's shape, where a row has some hundred features and as many labels,
of power-law popularity. There the pairs of a feature and a label that occur together are a hundred times as
many as the entries of the data, so that a stage whose memory follows the pairs is found out.

Prints for each stage of `SlideClassifier.fit` its seconds and the peak of the resident memory within it, and
the bound that every fit has to keep: data + 2 x model + 300 MB.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from hashslide import SlideClassifier

ROWS, FEATURES, LABELS = 41_000, 161_000, 203_000
LONGEST = 400  # entries of a row
SLACK = (
    300e6  # bytes of the bound that neither data nor model explain: the interpreter, the libraries, the work
)

# Functions of the package by what they do in a fit; one that runs within another counts there.
STAGES = {
    "check_examples": "check and convert the data",
    "encode": "encode the labels",
    "warn_of_outlier": "look for outliers",
    "unit_scale": "measure the scale",
    "label_counts": "count the labels",
    "set_label_prior": "set the priors",
    "Network.__init__": "make the network",
    "_train_epoch": "train an epoch",
    "learn_moments": "learn the moments",
    "make_candidates": "learn the candidate lists",
    "make_ranker": "learn the ranker",
    "weigh": "weigh the ranker",
    "tune": "tune approximate prediction",
}


def generated(
    n_rows: int = ROWS, n_features: int = FEATURES, n_labels: int = LABELS, seed: int = 0
) -> tuple[csr_matrix, csr_matrix]:
    """Return features (rows of length 1) and labels of the same numbers for each row, some 50 to 200.

    Parameters
    ----------
    n_rows, n_features, n_labels
    seed
        The same for the same seed, on every machine.
    """
    rng = np.random.default_rng(seed)
    lengths = np.clip(np.exp(rng.normal(np.log(110), 0.55, n_rows)), 20, LONGEST).astype(np.int64)
    X, Y = (popular(rng, lengths, n) for n in (n_features, n_labels))
    X.data = np.repeat(1 / np.sqrt(np.diff(X.indptr)), np.diff(X.indptr)).astype(np.float32)
    return X, Y


def halves(n_rows: int, n_items: int, seed: int = 0) -> tuple[csr_matrix, csr_matrix]:
    """Return the same as `generated` for one kind of items: of each row a half is given, the other wanted."""
    given, _ = generated(n_rows, n_items, n_items, seed)
    wanted = given.copy()
    is_given = np.random.default_rng([seed, 1]).random(given.nnz) < 0.5
    for half, is_kept in ((given, is_given), (wanted, ~is_given)):
        half.data *= is_kept
        half.eliminate_zeros()
    wanted.data[:] = 1
    return given, wanted


def popular(rng: np.random.Generator, lengths: np.ndarray, width: int) -> csr_matrix:
    """Return rows of about these lengths whose columns are drawn by (30 + rank) to the power of -0.8."""
    ends = np.cumsum(np.arange(31.0, width + 31) ** -0.8)
    names = rng.permutation(width).astype(np.int32)
    rows = []
    for length in lengths:
        ranks = np.searchsorted(ends, rng.random(length + length // 8) * ends[-1])
        distinct = np.unique(ranks)
        rows.append(np.sort(names[distinct[rng.permutation(len(distinct))[:length]]]))
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    indices = np.concatenate(rows)
    return csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(lengths), width))


class Stages:
    """A profiler of whole stages: their seconds and peaks of memory, in the order in which they came."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, float]] = {}
        self._running: tuple[FrameType, str, float, float] | None = None

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Be told of a call or a return, by `sys.setprofile`."""
        if event == "call" and self._running is None:
            stage = STAGES.get(frame.f_code.co_qualname) or STAGES.get(frame.f_code.co_name)
            if stage and "hashslide" in frame.f_code.co_filename:
                reset_peak()
                self._running = frame, stage, time.perf_counter(), time.process_time()
        elif event == "return" and self._running is not None and self._running[0] is frame:
            _, stage, wall, cpu = self._running
            self._running = None
            record = self.records.setdefault(stage, dict.fromkeys(("runs", "seconds", "cpu", "peak_mb"), 0.0))
            record["runs"] += 1
            record["seconds"] += time.perf_counter() - wall
            record["cpu"] += time.process_time() - cpu
            record["peak_mb"] = max(record["peak_mb"], peak_mb())


def reset_peak() -> None:
    """Start a new peak of the resident memory (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """Return the peak of the resident memory since `reset_peak`, in MB (10^6 bytes)."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024 / 1e6


def measure(X: csr_matrix, Y: csr_matrix, **settings: Any) -> dict[str, Any]:
    """Return the stages of one fit, its peak and its bound."""
    stages, model = Stages(), SlideClassifier(random_state=0, **settings)
    started = time.perf_counter()
    sys.setprofile(stages)
    try:
        model.fit(X, Y)
    finally:
        sys.setprofile(None)
    seconds = time.perf_counter() - started
    peak = max(record["peak_mb"] for record in stages.records.values())
    data = sum(a.nbytes for m in (X, Y) for a in (m.data, m.indices, m.indptr)) / 1e6
    parameters = sum(array.nbytes for array in model.network_.state().values()) / 1e6
    return {
        "stages": stages.records,
        "seconds": seconds,
        "peak_mb": peak,
        "data_mb": data,
        "model_mb": parameters,
        "bound_mb": data + 2 * parameters + SLACK / 1e6,
    }


def report(result: dict[str, Any]) -> str:
    """Return the result as text."""
    lines = ["| stage | runs | s | CPU s | peak MB |", "| --- | --: | --: | --: | --: |"]
    for stage, record in result["stages"].items():
        seconds = f"{record['seconds']:.2f} | {record['cpu']:.2f}"
        lines.append(f"| {stage} | {record['runs']:.0f} | {seconds} | {record['peak_mb']:.0f} |")
    lines += [
        "",
        f"fit: {result['seconds']:.1f} s, peak {result['peak_mb']:.0f} MB; data {result['data_mb']:.0f} MB, "
        f"model {result['model_mb']:.0f} MB, bound {result['bound_mb']:.0f} MB",
    ]
    return "\n".join(lines)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shrink", type=int, default=1, help="divide rows, features and labels by this")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--approximate", action="store_true", help="make candidate lists even for few labels")
    parser.add_argument("--early-stopping", action="store_true", help="hold out examples")
    parser.add_argument("--halves", action="store_true", help="features and labels are the same items")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rows, features, labels = (n // arguments.shrink for n in (ROWS, FEATURES, LABELS))
    X, Y = halves(rows, labels) if arguments.halves else generated(rows, features, labels)
    result = measure(
        X,
        Y,
        hidden=arguments.hidden,
        epochs=arguments.epochs,
        n_jobs=arguments.threads,
        approximate=arguments.approximate or "auto",
        early_stopping=arguments.early_stopping,
    )
    print(json.dumps(result) if arguments.json else report(result))


if __name__ == "__main__":
    main()
