"""Validation accuracy against training time: full softmax, sampled softmax, SLIDE mode, our default.

    python -m benchmarks.rivals.time_to_accuracy --data DIR --rival-python rivals/bin/python \
        --plot curve.png --out curve.json

DIR is npm-deps-2016 (75,849 labels). PyTorch's trainings end after `--epochs`, or after `--seconds`, its
learning rate falling linearly over whichever is shorter. Every training has a process of its own and is
evaluated on the same validation part after 0.5, 0.75, 1.1, ... seconds and after each epoch; evaluations do
not count. The table says when a method first reached the best P@1 of PyTorch's full softmax, and by what
factor that was sooner.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hashslide import DWTA, SlideClassifier, Vanilla

from ..common.harness import (
    FIRST_MARK,
    MARK_GROWTH,
    Curve,
    Record,
    Report,
    cell,
    say,
    stored,
    table,
)
from ..common.matrices import load_matrices
from ..common.processes import fresh
from .curves import torch_curve

TITLES = {
    "torch-full": "PyTorch, full softmax",
    "torch-sampled": "PyTorch, sampled softmax",
    "slide": "SLIDE mode",
    "default": "our default",
}
REFERENCE = "torch-full"
SLIDE = {
    "active": "per_example",
    "hash": DWTA(tables=50, hashes=6),
    "sampler": Vanilla(budget=500),
    "negatives": 500,
}


def train(method: str, folder: str, setting: Record, seed: int) -> Record:
    """Train one of our own methods; runs in a process of its own."""
    X, Y = load_matrices(Path(folder), "train")
    curve = Curve(load_matrices(Path(folder), "validation"), setting["threads"], by_time=True)
    parameters: dict[str, Any] = SLIDE if method == "slide" else {}
    SlideClassifier(
        epochs=setting["epochs"],
        n_jobs=setting["threads"],
        random_state=seed,
        callbacks=[curve],
        **parameters,
    ).fit(X, Y)
    return {"points": curve.points}


def run_once(method: str, folder: str, setting: Record, loss: str, seed: int, python: str) -> Record:
    """Return the points of one training."""
    if not method.startswith("torch"):
        return fresh(train, method, folder, setting, seed)
    job = {"folder": folder, "sampled": method == "torch-sampled", "loss": loss, "hidden": 256, "seed": seed}
    limits = {key: setting[key] for key in ("epochs", "seconds", "threads")}
    return torch_curve(python, job | limits | {"marks": [FIRST_MARK, MARK_GROWTH]})


def seconds_to(points: Iterable[Record], goal: float) -> float | None:
    """Return the training seconds at the first evaluation that reached `goal`."""
    return next((point["wall"] for point in points if point["P@1"] >= goal), None)


def median_run(results: list[Record]) -> list[Record]:
    """Return the points of the run whose last evaluation took the median time."""
    order = sorted(results, key=lambda result: result["points"][-1]["wall"])
    return order[(len(order) - 1) // 2]["points"]


def rows(report: Report, methods: list[str]) -> list[list[str]]:
    """Return the lines of the table."""
    curves = {m: median_run(report.select(method=m)) for m in methods if report.select(method=m)}
    goal = max(point["P@1"] for point in curves[REFERENCE]) if REFERENCE in curves else np.inf
    reference = seconds_to(curves.get(REFERENCE, []), goal)
    lines = []
    for method, points in curves.items():
        best = max(points, key=lambda point: point["P@1"])
        reached = seconds_to(points, goal)
        factor = reference / reached if reference and reached else None
        lines.append(
            [
                TITLES[method],
                cell(best["P@1"], 4),
                cell(best["wall"], 1),
                cell(points[-1]["epoch"], 2),
                cell(points[-1]["wall"], 1),
                cell(reached, 1),
                cell(factor, 1),
            ]
        )
    return lines


def plot(report: Report, methods: list[str], path: Path) -> None:
    """Draw the curves."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for method in methods:
        if done := report.select(method=method):
            points = median_run(done)
            axes.plot(
                [p["wall"] for p in points], [p["P@1"] for p in points], marker=".", label=TITLES[method]
            )
    axes.set_xscale("log")
    axes.set_xlabel("training time, seconds")
    axes.set_ylabel("P@1 on validation data")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.txt.gz or train.txt")
    parser.add_argument("--methods", nargs="+", choices=list(TITLES), default=list(TITLES))
    parser.add_argument("--examples", type=int, default=0, help="size of the training part; 0: all")
    parser.add_argument("--validation", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=480, help="of training, at most, for PyTorch")
    parser.add_argument(
        "--loss", choices=["softmax", "bce"], default="softmax", help="of PyTorch's trainings"
    )
    parser.add_argument("--runs", type=int, default=3, help=f"of all but {REFERENCE}, which runs once")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rival-python", default="python", help="Python that has PyTorch")
    parser.add_argument("--plot", type=Path, help="write the curves there as PNG")
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    report = Report(arguments.out, arguments)
    setting = {key: getattr(arguments, key) for key in ("epochs", "seconds", "threads")}
    with stored(arguments.data, arguments.examples, arguments.validation) as folder:
        for seed in range(arguments.runs):
            for method in arguments.methods:
                if seed and method == REFERENCE:
                    continue
                result = run_once(method, folder, setting, arguments.loss, seed, arguments.rival_python)
                report.add({"method": method, "run": seed} | result)
                say(f"run {seed + 1}  {method}: {result['points'][-1] if 'points' in result else result}")
    head = ["method", "best P@1", "after s", "epochs", "s in all", "s to full softmax's best", "times faster"]
    print(table(head, rows(report, arguments.methods)))
    if arguments.plot:
        plot(report, arguments.methods, arguments.plot)


if __name__ == "__main__":
    main()
