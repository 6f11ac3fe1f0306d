"""What do the ranks send in a step, beside the formulas and beside what dense gradients would take?

    python -m benchmarks.machines.traffic pubmed-mesh npm-deps-2016 --labels 1e6

For each set, protocol and number of ranks, real processes train some steps over gloo and count the bytes of
all messages; the formulas are those of `hashslide.distributed.costs`, with rows that batches of the data
touch. The last column is the traffic of adding up dense gradients over all ranks, as PyTorch's
DistributedDataParallel and BOLT do: by formula. `--labels` adds labels that no example has. The table below
shows for how many labels the formula is right: there DistributedDataParallel really trains a model of an
embedding bag and a linear layer, and the bytes of its gradient buckets are counted, of which a ring sends 2
(W - 1) / W. Another table shows how evenly the virtual shards and the ranks are loaded.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hashslide.data import Pack
from hashslide.distributed.costs import Costs
from hashslide.distributed.costs.traffic import activations, dense_all_reduce, gathered_rows, rows
from hashslide.distributed.exchange import Exchange

from ..common.harness import Report, say, table
from .ranks import run
from .steps import SHARDS, expected, pack_of

FORMULAS = {"activations": activations, "rows": rows}
ARMS = (("activations", 4), ("activations", 2), ("rows", 4))  # with bytes of a number on the way
SETTINGS = {"random_state": 0}


def ddp(exchange: Exchange, pack: str, width: int, batch: int, steps: int) -> dict[str, Any]:
    """Train with DistributedDataParallel; return the bytes of the gradients that it reduces in a step."""
    import torch
    from torch import nn
    from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

    opened = Pack.open(Path(pack))

    class Bags(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = nn.EmbeddingBag(opened.n_features, width, mode="sum")
            self.output = nn.Linear(width, opened.n_labels)

        def forward(self, ids: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
            return self.output(self.hidden(ids, starts))

    parallel = nn.parallel.DistributedDataParallel(Bags())
    counted = {"bytes": 0}

    def hook(state, bucket):  # torch refuses annotations but its own
        counted["bytes"] += bucket.buffer().nbytes
        return allreduce_hook(state, bucket)

    parallel.register_comm_hook(None, hook)
    optimizer = torch.optim.Adagrad(parallel.parameters(), 0.05)
    own = batch // exchange.size
    for step in range(steps):
        first = (step * exchange.size + exchange.rank) * own
        x, y = opened.examples(first, first + own)
        ids, starts = torch.from_numpy(x.indices.astype(np.int64)), torch.from_numpy(x.indptr[:-1].copy())
        target = torch.zeros(own, opened.n_labels)
        target[np.repeat(np.arange(own), np.diff(y.indptr)), y.indices.astype(np.int64)] = 1
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(parallel(ids, starts), target).backward()
        optimizer.step()
    return {"bytes": counted["bytes"] / steps}


def of_protocol(
    pack: Path, costs: Costs, ranks: int, protocol: str, wire: int, options: argparse.Namespace
) -> tuple[list[str], list[str], dict[str, Any]]:
    """Train some steps; return the rows of the tables of traffic and of loads, and the figures."""
    n_labels = costs.config.n_labels
    arguments = {
        "pack": str(pack),
        "protocol": protocol,
        "settings": SETTINGS,
        "steps": options.steps,
        "n_labels": n_labels,
        "options": {"wire": "bfloat16"} if wire == 2 else {},
    }
    found = run(ranks, "benchmarks.machines.steps:run_steps", arguments)
    step = replace(costs.size(ranks, found[0]["batch"]), wire_bytes=wire)
    figures = {
        "counted": float(np.mean([sum(of_rank["sent"].values()) for of_rank in found])),
        "formula": sum(FORMULAS[protocol](step).values()),
        "gathered": gathered_rows(step),
        "dense": dense_all_reduce(step),
    }
    name = f"{protocol}, bfloat16" if wire == 2 else protocol
    place = [pack.stem, f"{n_labels:,}", str(ranks)]
    ratios = figures["counted"] / figures["formula"], figures["dense"] / figures["counted"]
    row = [place[0], name, *place[1:], *(f"{n_bytes / 1e6:,.2f}" for n_bytes in figures.values())]
    loads = [found[0][of][over] for of in ("load", "label_load") for over in ("shards", "ranks")]
    facts = {"data": pack.stem, "labels": n_labels, "ranks": ranks, "protocol": name, "loads": loads}
    row += [f"{ratios[0]:.3f}", f"{ratios[1]:,.0f}"]
    return row, [*place, *(f"{load:.3f}" for load in loads)], facts | figures


def of_ddp(pack: Path, costs: Costs, ranks: int) -> list[str]:
    """Train with DistributedDataParallel; return the row of the table."""
    batch = 64 * ranks
    arguments = {"pack": str(pack), "width": costs.config.width, "batch": batch, "steps": 2}
    reduced = run(ranks, "benchmarks.machines.traffic:ddp", arguments)[0]["bytes"]
    counted = 2 * (ranks - 1) / ranks * reduced
    formula = dense_all_reduce(costs.size(ranks, batch))
    figures = f"{counted / 1e6:,.1f}", f"{formula / 1e6:,.1f}", f"{counted / formula:.3f}"
    return [pack.stem, f"{costs.config.n_labels:,}", str(ranks), *figures]


def compare(options: argparse.Namespace, folder: Path, report: Report) -> None:
    """Print the tables."""
    sent, dense, loads = [], [], []
    for name in options.data:
        pack = pack_of(name, folder)
        n_labels = Pack.open(pack).n_labels
        for labels in dict.fromkeys((n_labels, max(n_labels, options.labels))):
            costs = expected(pack, SETTINGS, labels)
            for ranks in options.ranks:
                for protocol, wire in ARMS:
                    row, load, facts = of_protocol(pack, costs, ranks, protocol, wire, options)
                    sent.append(row)
                    report.add(facts)
                    say(" ".join(row))
                loads.append(load)
                if labels == n_labels <= options.most_dense:
                    dense.append(of_ddp(pack, costs, ranks))
                    report.add({"ddp": dense[-1]})
    head = ["data", "protocol", "labels", "ranks", "counted MB", "formula MB", "gathered rows MB", "dense MB"]
    print("bytes that a rank sends in a step\n")
    print(table([*head, "counted / formula", "dense / counted"], sent, 2))
    print("\nDistributedDataParallel, dense gradients\n")
    print(table(["data", "labels", "ranks", "counted MB", "formula MB", "counted / formula"], dense))
    print(f"\nlargest load / mean, of {SHARDS} virtual shards and of the ranks\n")
    heads = [f"{of}, {over}" for of in ("features", "labels") for over in ("shards", "ranks")]
    print(table(["data", "labels", "ranks", *heads], loads))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", default=["pubmed-mesh"], help="folders, or built-in sets")
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--labels", type=lambda text: int(float(text)), default=10**6, help="at least")
    parser.add_argument("--steps", type=int, default=20, help="that are counted")
    parser.add_argument(
        "--most-dense", type=int, default=20_000, help="labels up to which dense gradients are trained"
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(options, Path(folder), Report(options.out, options))


if __name__ == "__main__":
    main()
