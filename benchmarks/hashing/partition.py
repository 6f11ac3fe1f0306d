"""How few logits give a softmax layer's partition function to 10 % or 1 %, and in what time?

    python -m benchmarks.hashing.partition npm-deps-2016

Trains a classifier with the loss "softmax" on a folder in the XMC repository's format, or a built-in set, and
estimates the partition functions of test examples from its output layer. An error is |estimate / exact - 1|;
evaluations are logits, the centres of cells and the directions of hashes included. The exact value is a
product of matrices of 256 queries (or of one) with all labels, and the sum of the exponentials; the last two
columns say how many times as long it takes as the estimate.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashslide import SlideClassifier
from hashslide.data import builtin, load_xmc
from hashslide.estimate import PartitionEstimator

from ..common.harness import Report, say
from ..common.matrices import part_file

METHODS = ("auto", "cells", "uniform", "hashing")


def trained(args: argparse.Namespace) -> tuple[NDArray, NDArray, NDArray]:
    """Return the output layer of a trained classifier, and the activations of test examples."""
    if Path(args.data).is_dir():
        X, Y = load_xmc(part_file(Path(args.data), "train"))
        X_test, _ = load_xmc(part_file(Path(args.data), "test"))
    else:
        found = builtin(args.data)
        X, Y, X_test = found.X_train, found.Y_train, found.X_test
    rows = np.random.default_rng(args.seed).permutation(X.shape[0])[: args.examples or None]
    model = SlideClassifier(
        loss="softmax",
        epochs=args.epochs,
        random_state=args.seed,
        n_jobs=args.threads,
    )
    start = time.perf_counter()
    model.fit(X[rows], Y[rows])
    network = model.network_
    say(f"{Y.shape[1]:,} labels, trained in {time.perf_counter() - start:.0f} s")
    weights, bias = network.label_rows(np.arange(Y.shape[1]))
    return weights, bias, network.hidden(X_test[: args.queries], args.threads)


def exact(weights: NDArray, bias: NDArray, H: NDArray, batch: int) -> tuple[NDArray, float]:
    """Return log Z by products of matrices, and the milliseconds of a query."""
    out, start = [], time.perf_counter()
    for first in range(0, len(H), batch):
        z = H[first : first + batch] @ weights.T
        z += bias
        largest = z.max(axis=1, keepdims=True)
        z -= largest
        np.exp(z, out=z)
        out.append(np.log(z.sum(axis=1, dtype=np.float64)) + largest[:, 0])
    return np.concatenate(out), 1e3 * (time.perf_counter() - start) / len(H)


def parsed() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", help="folder in the XMC repository's format, or a built-in set")
    parser.add_argument("--rtols", type=float, nargs="+", default=[0.1, 0.01])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--examples", type=int, default=0, help="for training; 0: all")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--queries", type=int, default=512)
    parser.add_argument("--most", type=int, default=0, help="most evaluations of a query; 0: the default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    args = parsed()
    report = Report(args.out, args)
    weights, bias, H = trained(args)
    truth, batched = exact(weights, bias, H, 256)
    _, single = exact(weights, bias, H[:64], 1)
    n = len(weights)
    row(
        "wanted, %",
        "method",
        "mean error, %",
        "within, %",
        "evaluations",
        "times fewer",
        "ms",
        "256 at once",
        "one by one",
    )
    print("|--:|---|--:|--:|--:|--:|--:|--:|--:|")
    row("", "exact", 0, 100, f"{n:,}", 1, f"{batched:.2f} / {single:.2f}", 1, 1)
    for rtol in args.rtols:
        for method in args.methods:
            layer = PartitionEstimator(
                rtol=rtol,
                method=method,
                confidence=args.confidence,
                random_state=args.seed,
                n_jobs=args.threads,
                max_evaluations=args.most or "auto",
            )
            layer.fit(weights, bias)
            start = time.perf_counter()
            found = layer.estimate(H)
            ms = 1e3 * (time.perf_counter() - start) / len(H)
            error = np.abs(np.expm1(found.log_value - truth))
            figures = {
                "rtol": rtol,
                "method": method,
                "error": float(error.mean()),
                "within": float((error <= rtol).mean()),
                "evaluations": float(found.evaluations.mean()),
                "ms": ms,
            }
            report.add(figures | {"labels": n, "batched": batched, "single": single})
            row(
                f"{100 * rtol:g}",
                method,
                f"{100 * figures['error']:.2f}",
                f"{100 * figures['within']:.0f}",
                f"{figures['evaluations']:,.0f}",
                f"{n / figures['evaluations']:.1f}",
                f"{ms:.2f}",
                f"{batched / ms:.1f}",
                f"{single / ms:.1f}",
            )


def row(*cells: object) -> None:
    """Print a row of the table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
