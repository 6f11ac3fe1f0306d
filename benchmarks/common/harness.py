"""What the comparisons of training methods share: data, clocks, reports."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from scipy.sparse import csr_matrix

from hashslide import SlideClassifier
from hashslide.callbacks import Callback
from hashslide.data import load_xmc
from hashslide.metrics import precision_at_k

from .matrices import load_matrices, part_file, save_matrices
from .processes import machine

KS = (1, 3, 5)
FIRST_MARK, MARK_GROWTH = 0.5, 1.5  # training seconds of the first evaluation, and factor to the next
Pair = tuple[csr_matrix, csr_matrix]
Record = dict[str, Any]


def divided(folder: Path, examples: int, validation: int, labels: int = 0) -> tuple[Pair, Pair]:
    """Return a training and a validation part of a data set's training file, both drawn at random.

    Parameters
    ----------
    folder
        Holds train.txt or train.txt.gz.
    examples
        Size of the training part; 0: all that are left.
    validation
        Size of the validation part; never more than a tenth of the file.
    labels
        If there are fewer, labels that no point has are added.
    """
    X, Y = load_xmc(part_file(folder, "train"))
    if labels > Y.shape[1]:
        Y = csr_matrix((Y.data, Y.indices, Y.indptr), shape=(Y.shape[0], labels))
    order = np.random.default_rng(0).permutation(X.shape[0])
    n_held_out = min(validation, len(order) // 10)
    held_out, kept = order[:n_held_out], order[n_held_out:]
    kept = kept[:examples] if examples else kept
    return (X[kept], Y[kept]), (X[held_out], Y[held_out])


def stored(folder: Path, examples: int, validation: int, labels: int = 0) -> tempfile.TemporaryDirectory:
    """Store the parts of :func:`divided` as "train" and "validation" for ``load_matrices``."""
    scratch = tempfile.TemporaryDirectory()
    for split, pair in zip(
        ("train", "validation"), divided(folder, examples, validation, labels), strict=True
    ):
        save_matrices(*pair, Path(scratch.name), split)
    return scratch


def precisions(Y: csr_matrix, topk: np.ndarray) -> Record:
    """Return P@k for each of KS."""
    return {f"P@{k}": float(precision_at_k(Y, topk, k)) for k in KS}


class Curve(Callback):
    """P@k of a validation part against training time, which evaluations do not count towards.

    Parameters
    ----------
    validation
        The part (X, Y).
    threads
        Of the evaluations.
    by_time
        Evaluate after FIRST_MARK seconds of training, after MARK_GROWTH as many, ..., and after each epoch;
        False: only after each epoch.

    Attributes
    ----------
    points : list of dict
        "epoch", "wall" and "cpu" (training seconds since the object was made) and P@k of each evaluation.
    """

    def __init__(self, validation: Pair, threads: int, by_time: bool = False):
        self.validation, self.threads = validation, threads
        self.points: list[Record] = []
        self._mark = FIRST_MARK if by_time else np.inf
        self._wall = self._cpu = 0.0
        self._start()

    def on_batch_end(self, estimator, context) -> None:
        """Evaluate if it is time."""
        if self._wall + time.perf_counter() - self._wall_start >= self._mark:
            self._evaluate(context, context.epoch + context.batch / context.n_batches)

    def on_epoch_end(self, estimator, context) -> None:
        """Evaluate."""
        self._evaluate(context, context.epoch + 1)

    def _start(self) -> None:
        self._wall_start, self._cpu_start = time.perf_counter(), time.process_time()

    def _evaluate(self, context, epoch: float) -> None:
        self._wall += time.perf_counter() - self._wall_start
        self._cpu += time.process_time() - self._cpu_start
        while self._mark <= self._wall:
            self._mark *= MARK_GROWTH
        X, Y = self.validation
        topk, _ = context.network.predict_topk(X, max(KS), self.threads)
        self.points.append({"epoch": epoch, "wall": self._wall, "cpu": self._cpu} | precisions(Y, topk))
        self._start()


def train_measured(
    parameters: Record, folder: Path, options: Record, seed: int
) -> tuple[SlideClassifier, Curve, Pair]:
    """Train once on stored data with the options "threads" and "epochs"; return the data, too."""
    X, Y = load_matrices(folder, "train")
    curve = Curve(load_matrices(folder, "validation"), options["threads"])
    settings = {
        "n_jobs": options["threads"],
        "epochs": options["epochs"],
        "random_state": seed,
        "callbacks": [curve],
    }
    return SlideClassifier(**settings | parameters).fit(X, Y), curve, (X, Y)


class Report:
    """Results of a benchmark, written to a file after each of them.

    Parameters
    ----------
    out
        The JSON file; None: none.
    settings
        The command line's options.
    """

    def __init__(self, out: Path | None, settings: argparse.Namespace):
        plain = {k: v if isinstance(v, int | float | list) else str(v) for k, v in vars(settings).items()}
        self.out = out
        self.content: Record = {"machine": machine(), "settings": plain, "results": []}

    def add(self, result: Record) -> None:
        """Keep one more result."""
        self.content["results"].append(result | {"load": os.getloadavg()[0]})
        if self.out:
            self.out.write_text(json.dumps(self.content, indent=1, default=str) + "\n")

    def select(self, **wanted: Any) -> list[Record]:
        """Return the results with these values that are no errors."""
        return [
            result
            for result in self.content["results"]
            if "error" not in result and all(result.get(key) == value for key, value in wanted.items())
        ]


def middle(results: Iterable[Record], key: str) -> float:
    """Return the median of one number over several results, NaN if there is none."""
    values = [result[key] for result in results if result.get(key) is not None]
    return float(np.median(values)) if values else float("nan")


def cell(value: Any, digits: int) -> str:
    """Return a number as text, n/a where there is none."""
    return "n/a" if value is None or not np.isfinite(value) else f"{value:,.{digits}f}"


def as_words() -> AbstractContextManager[Any]:
    """Let no features be taken for measurements: they are learned as they are, like words."""
    learning = "hashslide.estimator.features.learning"
    return mock.patch.multiple(learning, DENSE=2.0, FEWEST_EXAMPLES=2**62)  # a share of all values; too many


def table(head: list[str], rows: list[list[str]], texts: int = 1) -> str:
    """Return a Markdown table whose first `texts` columns are text."""
    rule = ["---"] * texts + ["--:"] * (len(head) - texts)
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def say(text: str) -> None:
    """Report progress."""
    print(text, file=sys.stderr, flush=True)
