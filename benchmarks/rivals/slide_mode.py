"""The published system's setting, here: SLIDE's own mode beside full softmax and this package's default.

    python -m benchmarks.rivals.slide_mode --data DIR --rival-python rivals/bin/python --out slide_mode.json

DIR is debian-depends (75,193 points, 38.7 features a point), its label space padded to 114,000 with labels
that no point has. "SLIDE mode" trains as Chen et al. (2020) do: 128 ReLU units, softmax, batches of 256,
and for each example an active set of its own: its labels, `--budget` neurons from 50 DWTA tables of 6
hashes, and `--uniform` uniform draws. Each training has a process of its own. CPU seconds are those of the
whole process during training; evaluations on a validation part, after each epoch, do not count.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

from hashslide import DWTA, Dense, Negatives, SlideClassifier, Vanilla

from ..common.harness import Curve, Record, Report, cell, middle, say, stored, table
from ..common.matrices import load_matrices
from ..common.processes import fresh, peak_mb
from .curves import torch_curve

# Measured by us on 2 cores with the published code (SLIDE, and the optimised SLIDE of MLSys 2021), at 114,000
# labels, 84,000 points, 38 features a point, 128 hidden units, batches of 256, K = 6, L = 50, 1,000 active.
PUBLISHED = {
    "SLIDE, published code": {"cpu": "≈ 390", "memory": "9,000", "rehash": "1.6 to 3.2"},
    "optimised SLIDE, published code": {"cpu": "85 to 97", "memory": "7,600", "rehash": "1.6 to 3.2"},
}
TITLES = {
    "slide": "SLIDE mode",
    "default": "our default",
    "all": "full softmax, ours",
    "torch-full": "full softmax, PyTorch",
}
REHASHES = 5


def parameters(method: str, setting: Record) -> dict[str, Any]:
    """Return the classifier's parameters."""
    published = {
        "hidden": Dense(setting["hidden"], "relu"),
        "loss": "softmax",
        "batch_size": 256,
        "ranker": False,
    }
    if method == "slide":
        return published | {
            "active": "per_example",
            "hash": DWTA(tables=50, hashes=6, bucket_size=128, rehash_every=setting["rehash_every"]),
            "sampler": Vanilla(budget=setting["budget"]),
            "negatives": setting["uniform"],
        }
    if method == "all":
        return published | {
            "hidden": Dense(setting["hidden"], "relu", length=0.0),
            "negatives": Negatives(uniform=0, popular=setting["labels"]),
            "example_power": 0.0,
        }
    return {}


def train(method: str, folder: str, setting: Record, seed: int) -> Record:
    """Train once and measure; runs in a process of its own."""
    X, Y = load_matrices(Path(folder), "train")
    threads = setting["threads"]
    curve = Curve(load_matrices(Path(folder), "validation"), threads)
    model = SlideClassifier(
        epochs=setting["epochs"],
        n_jobs=threads,
        random_state=seed,
        callbacks=[curve],
        **parameters(method, setting),
    ).fit(X, Y)
    measured = {
        "points": curve.points,
        "active": model.history_[-1]["active"],
        "peak_mb": peak_mb(),
        "stages": model.network_.stage_seconds,
    }
    return measured | tables(model, threads)


def tables(model: SlideClassifier, threads: int) -> Record:
    """Return memory and rebuilding time of the hash tables, if there are any."""
    network = model.network_
    if not network.table_bytes:
        return {}
    seconds = []
    for _ in range(REHASHES):
        begin = time.perf_counter()
        network.rebuild_tables(threads)
        seconds.append(time.perf_counter() - begin)
    return {"tables_mb": sum(network.table_bytes.values()) / 1e6, "rehash_s": median(seconds)}


def run_once(method: str, folder: str, setting: Record, seed: int, python: str) -> Record:
    """Return one run's measurements, with seconds an epoch."""
    if method == "torch-full":
        job = {
            "folder": folder,
            "sampled": False,
            "loss": "softmax",
            "hidden": setting["hidden"],
            "seed": seed,
        }
        limits = {"epochs": setting["epochs"], "seconds": 0, "marks": [1e9, 2], "threads": setting["threads"]}
        result = torch_curve(python, job | limits)
    else:
        result = fresh(train, method, folder, setting, seed)
    return result if "error" in result else result | by_epoch(result["points"])


def by_epoch(points: list[Record]) -> Record:
    """Return the seconds of the first epoch and of a later one, and P@1 at the end."""
    first, last = points[0], points[-1]
    later = {}
    if len(points) > 1:
        later = {key: (last[key] - first[key]) / (len(points) - 1) for key in ("cpu", "wall")}
    return {"first_cpu": first["cpu"], "first_wall": first["wall"], "P@1": last["P@1"]} | later


def rows(report: Report, methods: list[str]) -> list[list[str]]:
    """Return the lines of the table: medians, and the published figures."""
    lines = []
    for method in methods:
        done = report.select(method=method)
        numbers = [
            (key, digits)
            for key, digits in zip(
                ("first_cpu", "cpu", "wall", "active", "tables_mb", "rehash_s", "peak_mb"),
                (1, 1, 1, 0, 0, 3, 0),
                strict=True,
            )
        ]
        curve = ", ".join(
            cell(middle([run["points"][i] for run in done], "P@1"), 3) for i in range(n_points(done))
        )
        lines.append([TITLES[method], *(cell(middle(done, key), digits) for key, digits in numbers), curve])
    for name, known in PUBLISHED.items():
        memory = known["memory"] + " (process)"
        lines.append([name, "n/a", known["cpu"], "n/a", "1,000", "n/a", known["rehash"], memory, "n/a"])
    return lines


def n_points(done: list[Record]) -> int:
    """Return the evaluations that all of some runs have."""
    return min((len(run["points"]) for run in done), default=0)


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.txt.gz or train.txt")
    parser.add_argument(
        "--methods", nargs="+", choices=list(TITLES), default=["slide", "default", "torch-full"]
    )
    parser.add_argument("--labels", type=int, default=114_000)
    parser.add_argument("--examples", type=int, default=0, help="size of the training part; 0: all")
    parser.add_argument("--validation", type=int, default=5_000)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--uniform", type=int, default=250)
    parser.add_argument(
        "--rehash-every", type=int, default=200, help="steps between two re-hashes of changed neurons"
    )
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument(
        "--runs", type=int, default=3, help="of the methods that are not full softmax, which run once"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rival-python", default="python", help="Python that has PyTorch")
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    report = Report(arguments.out, arguments)
    setting = {k: v for k, v in vars(arguments).items() if isinstance(v, int)}
    with stored(arguments.data, arguments.examples, arguments.validation, arguments.labels) as folder:
        for seed in range(arguments.runs):
            for method in arguments.methods:
                if seed and method in ("all", "torch-full"):
                    continue
                result = run_once(method, folder, setting, seed, arguments.rival_python)
                report.add({"method": method, "run": seed} | result)
                say(
                    f"run {seed + 1}  {method}: "
                    + str({k: v for k, v in result.items() if k not in ("points", "stages")})
                )
    head = [
        "method",
        "CPU s, first epoch",
        "CPU s an epoch",
        "s an epoch",
        "active",
        "tables MB",
        "re-hash s",
        "peak MB",
    ]
    print(table([*head, "P@1 after each epoch"], rows(report, arguments.methods)))


if __name__ == "__main__":
    main()
