"""What does a step cost on a network with a delay and a bandwidth? Hosts are network namespaces.

    python -m benchmarks.machines.network pubmed-mesh --delay 1ms --network 1Gbit

Each rank runs on a host of its own, between which packets take time (`benchmarks.machines.hosts`). The table
holds the median seconds of a step, what the formulas of `hashslide.distributed.costs` expect from steps that
were measured on one rank alone, and how much faster a step is with overlap of exchange and computation than
without, where the protocol has the option. It also says what the network was measured to do. As root on
Linux; where that is not possible, it says so and measures on this machine alone.
"""

from __future__ import annotations

import argparse
import inspect
import tempfile
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from statistics import median

from hashslide.distributed.costs import Link, parse_bandwidth, parse_delay
from hashslide.distributed.costs.phases import step_seconds

from ..common.harness import Report, say, table
from .hosts import Hosts, missing
from .ranks import run
from .steps import KINDS, expected, pack_of


def measured(
    pack: Path, ranks: int, protocol: str, batch: int, hosts: Hosts | None, options: argparse.Namespace
) -> list[list[float]]:
    """Return the median seconds of a step in each run: as it is, or without and with overlap."""
    has_overlap = "overlap" in inspect.signature(KINDS[protocol]).parameters
    arms = [{"overlap": False}, {"overlap": True}] if has_overlap else [{}]
    times: list[list[float]] = [[] for _ in arms]
    for _ in range(options.runs):
        for own, arm in zip(times, arms, strict=True):
            arguments = {
                "pack": str(pack),
                "protocol": protocol,
                "settings": {"random_state": 0},
                "batch": batch,
                "steps": options.steps,
                "options": arm,
            }
            found = run(ranks, "benchmarks.machines.steps:run_steps", arguments, hosts=hosts)
            own.append(median(found[0]["seconds"]))
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="?", default="pubmed-mesh", help="a folder, or a built-in set")
    parser.add_argument("--ranks", type=int, nargs="+", default=[2])
    parser.add_argument("--batch", type=int, nargs="+", default=[256, 1024], help="of all ranks")
    parser.add_argument("--network", default="1Gbit")
    parser.add_argument("--delay", default="1ms")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    report, rows, links = Report(options.out, options), [], []
    why = missing()
    if why is not None:
        say(f"Skipped: hosts with a delay and a bandwidth, because {why}.")
    between = f"{options.network}, {options.delay}"
    speed, delay = parse_bandwidth(options.network), parse_delay(options.delay)
    cases = [(n, name) for n in options.ranks for name in ("loopback", *([] if why else [between]))]
    with tempfile.TemporaryDirectory() as folder:
        pack = pack_of(options.data, Path(folder))
        costs = expected(pack, {"random_state": 0})
        for ranks, name in cases:
            with nullcontext() if name == "loopback" else Hosts(ranks, speed, delay) as hosts:
                link = Link(**run(ranks, "benchmarks.machines.steps:link_of", {}, hosts=hosts)[0])
                links.append([name, str(ranks), f"{link.bandwidth / 1e6:,.0f}", f"{1e3 * link.delay:.3f}"])
                for protocol, batch in product(KINDS, options.batch):
                    times = measured(pack, ranks, protocol, batch, hosts, options)
                    plain = median(times[0])
                    formula = step_seconds(costs.phases(protocol, ranks, batch), link, ranks)
                    gains = [a / b for a, b in zip(*times, strict=True)] if len(times) == 2 else []
                    rows.append(
                        [
                            *(name, protocol, str(ranks), str(batch), f"{1e3 * plain:.2f}"),
                            *(f"{1e3 * formula:.2f}", f"{formula / plain:.2f}"),
                            f"{median(gains):.2f}" if gains else "-",
                        ]
                    )
                    say(" ".join(rows[-1]))
                    facts = {"network": name, "protocol": protocol, "ranks": ranks, "batch": batch}
                    report.add(facts | {"seconds": times, "formula": formula})
    print(table(["network", "ranks", "MB/s", "small message ms"], links))
    head = ["network", "protocol", "ranks", "batch", "step ms", "formula ms", "formula / step"]
    print("\n" + table([*head, "overlap gains"], rows, 2))


if __name__ == "__main__":
    main()
