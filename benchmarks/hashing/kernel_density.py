"""How few kernels must be computed for a density with a relative error of 10 %, and in what time?

    python -m benchmarks.hashing.kernel_density FOLDER

Builds three sets of points in the folder. A density is given as the mean kernel over all points; for each
typical one there is a bandwidth with which it is the median over points that are held out. The methods of
`hashslide.estimate.KernelDensity` estimate the densities there. Scikit-learn's trees get the largest rtol of
some with which their mean error is no larger than that of the first method. An error is
|estimate / exact - 1|; evaluations are distances, which trees count themselves. "times faster" is against the
exact sum of the same core.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KernelDensity as TreeDensity

from hashslide.estimate import KernelDensity

from ..common.harness import Report, say
from .density_sets import SETS, Points, load

METHODS = ("auto", "cells", "uniform", "hashing")
TREE_RTOLS = (10.0, 1.0, 0.1)
RTOL = 0.1


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a call returns, and its seconds."""
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def bandwidth_of(density: float, queries: Points, points: Points, kernel: str) -> float:
    """Return the bandwidth with which the median of the mean kernel over some queries is `density`."""
    some = points[:: max(1, len(points) // 200_000)]
    squares = np.maximum(
        (queries**2).sum(1)[:, None] + (some**2).sum(1) - 2 * queries @ some.T, 0, dtype=np.float32
    )
    low, high = 1e-3, 1e3
    for _ in range(24):
        middle = (low * high) ** 0.5
        logs = -squares / (2 * middle**2) if kernel == "gaussian" else -np.sqrt(squares) / middle
        too_wide = np.median(np.exp(logs).mean(axis=1)) > density
        low, high = (low, middle) if too_wide else (middle, high)
    return middle


def measured(log_density: NDArray, exact: NDArray) -> dict[str, float]:
    """Return the mean error and the share of errors within RTOL."""
    error = np.abs(np.expm1(log_density - exact))
    return {"error": float(error.mean()), "within": float((error <= RTOL).mean())}


def estimate(
    method: str, points: Points, queries: Points, bandwidth: float, args: argparse.Namespace
) -> dict[str, Any]:
    """Fit and estimate once; return the log densities and what they cost."""
    model = KernelDensity(
        bandwidth,
        kernel=args.kernel,
        method=method,
        rtol=RTOL,
        confidence=args.confidence,
        random_state=args.seed,
        n_jobs=args.threads,
    )
    _, fitting = timed(lambda: model.fit(points))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the table says it
        found, seconds = timed(lambda: model.score_samples(queries))
    return {
        "log": found,
        "evaluations": float(model.evaluations_.mean()),
        "ms": 1e3 * seconds / len(queries),
        "fit": fitting,
    }


def by_trees(
    tree: TreeDensity, queries: Points, exact: NDArray, bandwidth: float, wanted: float
) -> dict[str, Any]:
    """Return the figures of the largest rtol that is accurate enough, or of the smallest."""
    tree.bandwidth_ = bandwidth
    for rtol in TREE_RTOLS:
        tree.rtol = rtol
        tree.tree_.reset_n_calls()
        found, seconds = timed(lambda: tree.score_samples(queries))
        figures = measured(found, exact) | {
            "evaluations": tree.tree_.get_n_calls() / len(queries),
            "ms": 1e3 * seconds / len(queries),
            "rtol": rtol,
        }
        if figures["error"] <= wanted:
            break
    return figures


def parsed() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the sets are built, unless they are there")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--densities", type=float, nargs="+", default=[1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
    parser.add_argument("--kernel", choices=("gaussian", "exponential"), default="gaussian")
    parser.add_argument("--methods", nargs="+", default=["auto", "uniform"], choices=METHODS)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--points", type=int, default=10**6, help="most points of a set")
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--tree-queries", type=int, default=4, help="0: no trees")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def row(*cells: object) -> None:
    """Print a row of the table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def run(name: str, args: argparse.Namespace, report: Report) -> None:
    """Print the rows of one set."""
    every = load(name, args.folder)[: args.points + args.queries]
    queries, points = every[: args.queries], every[args.queries :]
    few = queries[: args.tree_queries]
    tree = None
    if args.tree_queries:
        tree, seconds = timed(lambda: TreeDensity(kernel=args.kernel, rtol=1.0).fit(points))
        say(f"{name}: the trees took {seconds:.1f} s")
    for density in args.densities:
        bandwidth = bandwidth_of(density, queries[:40], points, args.kernel)
        exact = estimate("exact", points, queries, bandwidth, args)
        common = {"set": name, "points": len(points), "width": points.shape[1]}
        common |= {"density": density, "bandwidth": bandwidth}
        arms = {method: estimate(method, points, queries, bandwidth, args) for method in args.methods}
        arms = {method: arm | measured(arm.pop("log"), exact["log"]) for method, arm in arms.items()}
        if tree is not None:
            wanted = arms[args.methods[0]]["error"]
            arms["trees"] = by_trees(tree, few, exact["log"][: len(few)], bandwidth, wanted)
        for method, arm in arms.items():
            report.add(common | {"method": method} | arm)
            label = f"trees, rtol={arm['rtol']:g}" if method == "trees" else method
            row(
                name,
                f"{density:.0e}",
                label,
                f"{100 * arm['error']:.1f}",
                f"{100 * arm['within']:.0f}",
                f"{arm['evaluations']:,.0f}",
                f"{len(points) / arm['evaluations']:.0f}",
                f"{arm['ms']:.2f}",
                f"{exact['ms'] / arm['ms']:.0f}",
            )


def main() -> None:
    """Print the table."""
    args = parsed()
    report = Report(args.out, args)
    row(
        "set",
        "density",
        "method",
        "mean error, %",
        "within 10 %, %",
        "evaluations",
        "times fewer",
        "ms",
        "times faster",
    )
    print("|---|---|---|--:|--:|--:|--:|--:|--:|")
    for name in args.sets:
        run(name, args, report)


if __name__ == "__main__":
    main()
