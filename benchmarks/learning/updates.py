"""How the tables and the updates are kept: hogwild or owner, FIFO or reservoir, samplers, rebuild schedules.

    python -m benchmarks.learning.updates --data DIR --examples 30000 --out updates.json

Variants of one training on a part of the data, taking turns, each in a process of its own; the tables hold
medians. `--groups` picks among the comparisons:

- updates: one thread to each row, or several without locks, with 1 and 2 threads, for both kinds of active
  sets
- buckets: which members of a full bucket a look-up sees
- samplers: the neurons of an example, chosen in different ways, at an equal budget
- rebuilds: when the tables are first built, how fast the intervals between rebuilds grow, how often neurons
  that have changed are re-hashed
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from hashslide import DWTA
from hashslide.settings.samplers import SAMPLERS

from ..common.harness import KS, Record, Report, cell, middle, say, stored, table, train_measured
from ..common.processes import fresh

Parameters = dict[str, Any]


def per_example(options: Record, sampler: str = "vanilla", **changes: Any) -> Parameters:
    """Return the classifier's parameters in SLIDE mode, with another sampler or changes of the tables."""
    kind = SAMPLERS[sampler]
    return {
        "active": "per_example",
        "hash": DWTA(**{"tables": 50, "hashes": 6} | changes) if kind.looks_up else None,
        "sampler": kind(budget=options["budget"]),
        "negatives": options["uniform"],
    }


def update_variants(options: Record) -> dict[str, Parameters]:
    """Return the variants of the group: name -> parameters."""
    kinds = {"per batch": {}, "per example": per_example(options)}
    return {
        f"{kind}, {update}, {threads} thread{'s'[: threads - 1]}": settings
        | {"update": update, "n_jobs": threads}
        for kind, settings in kinds.items()
        for update in ("owner", "hogwild")
        for threads in (1, 2)
    }


def bucket_variants(options: Record) -> dict[str, Parameters]:
    """Return the variants of the group."""
    return {
        f"{policy}, {size} members seen": per_example(options, bucket_policy=policy, bucket_size=size)
        for size in (16, 128)
        for policy in ("fifo", "reservoir")
    }


def sampler_variants(options: Record) -> dict[str, Parameters]:
    """Return the variants of the group."""
    variants = {
        name: per_example(options, sampler=name) for name in ("vanilla", "top", "threshold", "scored")
    }
    for name in ("uniform", "exact"):
        variants[f"{name} (reference)"] = per_example(options, sampler=name)
    return variants


def rebuild_variants(options: Record) -> dict[str, Parameters]:
    """Return the variants of the group."""
    schedules = [
        (50, 2.0, 20),
        (10, 2.0, 20),
        (200, 2.0, 20),
        (50, 1.2, 20),
        (50, 1e9, 20),
        (50, 2.0, 5),
        (50, 2.0, 100),
    ]
    return {
        f"first {first}, growth {growth:g}, every {every}": per_example(
            options, rehash_first=first, rehash_growth=growth, rehash_every=every
        )
        for first, growth, every in schedules
    }


GROUPS = {
    "updates": update_variants,
    "buckets": bucket_variants,
    "samplers": sampler_variants,
    "rebuilds": rebuild_variants,
}


def train(parameters: Parameters, folder: str, options: Record, seed: int) -> Record:
    """Train once and measure; runs in a process of its own."""
    model, curve, _ = train_measured(parameters, Path(folder), options, seed)
    stages = model.network_.stage_seconds
    measured = {name: stages[name] for name in ("active_set", "rehash")} | {"in_stages": sum(stages.values())}
    return curve.points[-1] | measured | {"active": model.history_[-1]["active"]}


def speed(wall: float, group: str, name: str, times: dict[str, float]) -> float:
    """Return the time of the group's first variant (in "updates": with the same active sets) over `wall`."""
    same_kind = [other for other in times if other.split(",")[0] == name.split(",")[0]]
    return times[same_kind[0] if group == "updates" else next(iter(times))] / wall


def rows(report: Report, group: str, names: list[str]) -> list[list[str]]:
    """Return the lines of a group's table."""
    times = {name: middle(report.select(group=group, variant=name), "wall") for name in names}
    lines = []
    for name in names:
        done = report.select(group=group, variant=name)
        wall = times[name]
        numbers = [cell(wall, 2), cell(speed(wall, group, name, times) if math.isfinite(wall) else None, 2)]
        numbers += [
            cell(middle(done, "cpu"), 2),
            cell(middle(done, "active_set"), 2),
            cell(middle(done, "rehash"), 2),
        ]
        numbers += [cell(middle(done, "active"), 0), *(cell(middle(done, f"P@{k}"), 4) for k in KS)]
        lines.append([name, *numbers])
    return lines


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.txt.gz or train.txt")
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--examples", type=int, default=30_000, help="size of the training part; 0: all")
    parser.add_argument("--validation", type=int, default=5_000)
    parser.add_argument("--budget", type=int, default=250)
    parser.add_argument("--uniform", type=int, default=250)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help='but for "updates"')
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    report = Report(arguments.out, arguments)
    options = {k: v for k, v in vars(arguments).items() if isinstance(v, int)}
    variants = {group: GROUPS[group](options) for group in arguments.groups}
    with stored(arguments.data, arguments.examples, arguments.validation) as folder:
        for seed in range(arguments.runs):
            for group, named in variants.items():
                for name, parameters in named.items():
                    result = fresh(train, parameters, folder, options, seed)
                    report.add({"group": group, "variant": name, "run": seed} | result)
                    say(f"run {seed + 1}  {group}, {name}: {result['wall']:.1f} s, P@1 {result['P@1']:.4f}")
    head = ["s", "speed", "CPU s", "active set s", "re-hash s", "active", *(f"P@{k}" for k in KS)]
    for group, named in variants.items():
        print(table([group, *head], rows(report, group, list(named))) + "\n")


if __name__ == "__main__":
    main()
