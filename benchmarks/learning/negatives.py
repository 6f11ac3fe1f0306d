"""Does it pay? Where the negatives of a training should come from, at equal time and at equal steps.

    python -m benchmarks.learning.negatives --data npm-owner --data DIR --data DIR --out negatives.json

Every method starts from the defaults and differs in its active set: the labels of the batch alone; with
uniform draws (the default), with and without the correction for sampling; with hard negatives from hash
tables, each family at several budgets (per example); with the exact best wrong labels, whose search is the
full cost of scoring all labels. "Equal time": every method trains for as many seconds as the default takes
for `--epochs`, its learning rate falling linearly over them, through the shuffled data again and again.
"Equal steps": `--epochs`, whatever they take; exact negatives are left out there unless asked for by
`--exact-steps`. Accuracy is that of a validation part of the training file. Data with one label for every
point are trained as single-label. Each training has a process of its own.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from hashslide import Exact, Negatives, Scored, SlideClassifier
from hashslide.estimator.preparing import prepare

from ..common.harness import KS, Record, Report, cell, middle, precisions, say, stored, table
from ..common.matrices import load_matrices
from ..common.processes import fresh

DEFAULT = "+ 250 uniform (default)"
FAMILIES = ("kmeans", "simhash", "dwta", "minhash")


def methods(budgets: list[int]) -> dict[str, dict[str, Any]]:
    """Return the parameters of every method."""
    all_methods: dict[str, dict[str, Any]] = {
        DEFAULT: {},
        "labels only": {"negatives": 0},
        "+ 250 uniform, no correction": {"negatives": Negatives(prior_correction=0.0)},
    }
    for family in FAMILIES:
        for budget in budgets:
            all_methods[f"+ {budget} hashed, {family}"] = {"hash": family, "sampler": Scored(budget=budget)}
    for budget in budgets:
        all_methods[f"+ {budget} exact"] = {"sampler": Exact(budget=budget)}
    return all_methods


def train(parameters: dict[str, Any], folder: str, options: Record, seconds: float, seed: int) -> Record:
    """Train for `seconds`, or for the epochs if they are 0; runs in a process of its own."""
    X, Y = load_matrices(Path(folder), "train")
    model = SlideClassifier(n_jobs=options["threads"], random_state=seed, **parameters)
    is_single = bool((np.diff(Y.indptr) == 1).all())
    labels = np.unique(Y.indices) if is_single else np.arange(Y.shape[1])
    prepared = prepare(model, X, Y.indices if is_single else Y)
    network, data, settings = prepared.network, prepared.data, prepared.settings
    n_steps = options["epochs"] * math.ceil(X.shape[0] / settings.batch_size)
    begin, step, active = time.perf_counter(), 0, 0
    for rows in batches(data.rows, settings.batch_size, seed):
        elapsed = time.perf_counter() - begin
        progress = elapsed / seconds if seconds else step / n_steps
        if progress >= 1:
            break
        rate = settings.learning_rate * (1 - progress)
        active += network.train_batch(data.x, data.y, rows, rate, None, options["threads"])[1]
        step += 1
    X_validation, Y_validation = load_matrices(Path(folder), "validation")
    topk, _ = network.predict_topk(X_validation, max(KS), options["threads"])
    measured = {
        "wall": elapsed,
        "epochs": step / n_steps * options["epochs"],
        "active": active / max(1, step),
    }
    stages = {name: network.stage_seconds[name] for name in ("active_set", "rehash")}
    return measured | stages | precisions(Y_validation, labels[topk])


def batches(rows: np.ndarray, size: int, seed: int):
    """Yield shuffled batches without end."""
    rng = np.random.default_rng(seed)
    while True:
        order = rows[rng.permutation(len(rows))]
        yield from (order[begin : begin + size] for begin in range(0, len(order), size))


def run_data(data: Path, arguments: argparse.Namespace, report: Report, seed: int) -> None:
    """Train every method once on one data set."""
    options = {"threads": arguments.threads, "epochs": arguments.epochs}
    with stored(data, arguments.examples, arguments.validation) as folder:
        default_s = 0.0
        for name, parameters in methods(arguments.budgets).items():
            for mode in ("steps", "time"):
                is_slow = "exact" in name and not arguments.exact_steps
                wanted = mode in arguments.modes and not (mode == "steps" and is_slow)
                if name == DEFAULT and mode == "time":
                    continue  # its time is the measure
                if not wanted and name != DEFAULT:
                    continue
                result = fresh(train, parameters, folder, options, default_s if mode == "time" else 0.0, seed)
                if name == DEFAULT:
                    default_s = result["wall"]
                    report.add({"data": data.name, "method": name, "mode": "time", "run": seed} | result)
                report.add({"data": data.name, "method": name, "mode": mode, "run": seed} | result)
                say(f"run {seed + 1}  {data.name}, {name}, equal {mode}: " + brief(result))


def brief(result: Record) -> str:
    """Return the main figures of a result as text."""
    return f"{result['wall']:.1f} s, {result['epochs']:.2f} epochs, P@1 {result['P@1']:.4f}"


def rows_of(report: Report, data: str, mode: str, budgets: list[int]) -> list[list[str]]:
    """Return the lines of one table."""
    lines = []
    for name in methods(budgets):
        if done := report.select(data=data, method=name, mode=mode):
            digits = {"epochs": 2, "wall": 1, "active_set": 1, "rehash": 1, "active": 0}
            figures = [cell(middle(done, f"P@{k}"), 4) for k in KS]
            lines.append([name, *figures, *(cell(middle(done, key), d) for key, d in digits.items())])
    return lines


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", action="append", required=True, type=Path, help="folder of train.txt.gz or train.txt"
    )
    parser.add_argument("--modes", nargs="+", choices=["time", "steps"], default=["time", "steps"])
    parser.add_argument(
        "--budgets", type=int, nargs="+", default=[1, 5, 20], help="hard negatives of each example"
    )
    parser.add_argument(
        "--exact-steps", action="store_true", help="exact negatives at equal steps, too: very slow"
    )
    parser.add_argument("--examples", type=int, default=100_000, help="size of the training part; 0: all")
    parser.add_argument("--validation", type=int, default=5_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    report = Report(arguments.out, arguments)
    for seed in range(arguments.runs):
        for data in arguments.data:
            run_data(data, arguments, report, seed)
    head = [*(f"P@{k}" for k in KS), "epochs", "s", "active set s", "re-hash s", "active"]
    for data in arguments.data:
        for mode in arguments.modes:
            lines = rows_of(report, data.name, mode, arguments.budgets)
            print(table([f"{data.name}, equal {mode}", *head], lines) + "\n")


if __name__ == "__main__":
    main()
