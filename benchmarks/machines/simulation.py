"""How would trainings of 8 to 512 machines go, with machines that are slow now and then?

    python -m benchmarks.machines.simulation plot pubmed-mesh --plot docs/_static/many_machines.svg
    python -m benchmarks.machines.simulation check pubmed-mesh

"plot" measures what steps cost on this machine, at the sizes that they have on so many machines, and
simulates trainings with them, event by event (`hashslide.distributed.costs.simulation`): synchronous ones
with each protocol, and Downpour, with 10^7 and 10^8 labels, with and without stragglers. Every machine has
`--rows` examples of each batch. "check" trains with 2 and 4 real processes here, and prints how long a step
took beside how long it takes in the simulation, which is given the network as it was measured between the
processes, and their shares of this machine's cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from hashslide import SlideClassifier
from hashslide.csr import as_csr, as_pattern
from hashslide.distributed.costs import (
    Costs,
    Link,
    Run,
    Stragglers,
    parse_bandwidth,
    parse_delay,
    simulate_downpour,
    simulate_synchronous,
)
from hashslide.distributed.costs.memory import machine_bytes
from hashslide.distributed.costs.phases import Phase
from hashslide.distributed.costs.stragglers import NONE, USUAL
from hashslide.distributed.costs.traffic import activations
from hashslide.estimator.parameters import check_parameters
from hashslide.estimator.preparing import decide_settings, network_config, training_data
from hashslide.planning import Sizes

from ..common.harness import Report, say, table
from ..common.matrices import load_xmc, part_file
from .ranks import run
from .steps import KINDS, expected, pack_of

NAMES = {"activations": "activations", "rows": "rows, synchronous", "downpour": "rows, Downpour"}
COLOURS = {"activations": "tab:orange", "rows": "tab:blue", "downpour": "tab:green"}


def simulated(
    protocol: str,
    phases: list[Phase],
    link: Link,
    machines: int,
    batch: float,
    stragglers: Stragglers,
    seed: int = 0,
) -> Run:
    """Return what a training with a protocol does."""
    if protocol == "downpour":
        steps = max(20, 20_000 // machines)
        return simulate_downpour(
            phases, link, machines, batch / machines, batches=steps, stragglers=stragglers, seed=seed
        )
    return simulate_synchronous(phases, link, machines, batch, steps=2000, stragglers=stragglers, seed=seed)


def plot(options: argparse.Namespace, report: Report) -> None:
    """Simulate, print and draw."""
    from hashslide.data import builtin_names, builtin_path

    folder = builtin_path(options.data) if options.data in builtin_names() else Path(options.data)
    X, Y = load_xmc(part_file(folder, "train"))
    x, y = as_csr(X), as_pattern(Y)
    settings = decide_settings(check_parameters(SlideClassifier()), training_data(x, y), True)
    link = Link(bandwidth=parse_bandwidth(options.network), delay=parse_delay(options.delay))
    found: dict[tuple[int, str, str], list[float]] = {}
    memory: dict[int, list[float]] = {}
    rows = []
    sizes = Sizes(partial(network_config, settings))
    for n_labels in options.labels:
        costs = Costs(network_config(settings, x.n_columns, n_labels), x, y, 1, options.seconds)
        alone = options.rows / costs.compute(options.rows).seconds
        for machines in options.machines:
            batch = machines * options.rows
            sent = sum(activations(costs.size(machines, batch)).values())
            parts = machine_bytes(sizes, x.n_columns, n_labels, machines, sent)
            memory.setdefault(n_labels, []).append(sum(parts.values()) / 1e9)
            for protocol in NAMES:
                phases = costs.phases(protocol, machines, batch)
                for name, stragglers in (("even", NONE), ("stragglers", USUAL)):
                    result = simulated(protocol, phases, link, machines, batch, stragglers)
                    speed_up = result.examples_per_second / alone
                    found.setdefault((n_labels, protocol, name), []).append(speed_up)
                    rows.append(
                        [
                            *(f"{n_labels:.0e}", protocol, name, str(machines)),
                            *(f"{result.examples_per_second:,.0f}", f"{speed_up:.1f}"),
                            *(f"{result.staleness:.1f}", f"{result.busy:.0%}"),
                        ]
                    )
                    report.add(
                        dict(
                            zip(("labels", "protocol", "machines are", "machines"), rows[-1][:4], strict=True)
                        )
                        | {"speed_up": speed_up, "staleness": result.staleness, "busy": result.busy}
                    )
            say(f"{n_labels:.0e} labels, {machines} machines")
    head = ["labels", "protocol", "machines are", "machines", "examples/s", "speed-up", "staleness", "busy"]
    print(table(head, rows, 3))
    if options.plot:
        draw(options, found, memory)


def draw(
    options: argparse.Namespace,
    found: dict[tuple[int, str, str], list[float]],
    memory: dict[int, list[float]],
) -> None:
    """Draw the speed-ups with the most labels, and the memory of a machine."""
    from matplotlib import pyplot

    pyplot.rcParams["svg.hashsalt"] = "hashslide"
    figure, (ax, of_memory) = pyplot.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    n_labels = options.labels[-1]
    for protocol, name in NAMES.items():
        colour = COLOURS[protocol]
        even, slow = (found[n_labels, protocol, kind] for kind in ("even", "stragglers"))
        ax.plot(options.machines, even, color=colour, marker="o", markersize=3, label=name)
        ax.plot(options.machines, slow, color=colour, marker="o", markersize=3, linestyle="--")
    ax.plot(options.machines, options.machines, color="grey", linewidth=0.8, label="as many as machines")
    ax.plot([], [], color="black", linestyle="--", label="with stragglers")
    ax.set_ylabel("speed-up against one machine")
    ax.set_title(f"Training with {n_labels:,} labels (simulated)", fontsize=10)
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter("{x:g}")
    for labels, sizes in memory.items():
        of_memory.plot(options.machines, sizes, marker="o", markersize=3, label=f"{labels:,} labels")
    of_memory.set_yscale("log", base=2)
    of_memory.yaxis.set_major_formatter("{x:g}")
    of_memory.set_ylabel("GB")
    of_memory.set_title("Memory of a machine (calculated)", fontsize=10)
    for each in (ax, of_memory):
        each.set_xscale("log", base=2)
        each.set_xticks(options.machines, [str(n) for n in options.machines])
        each.set_xlabel("machines")
        each.grid(alpha=0.3)
        each.legend(fontsize=8)
    figure.savefig(options.plot, metadata={"Date": None})


def check(options: argparse.Namespace, report: Report) -> None:
    """Compare the simulation with real processes."""
    rows: list[list[str]] = []
    settings: dict[str, Any] = {"random_state": 0}
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        pack = pack_of(options.data, Path(name))
        costs = expected(pack, settings, seconds=options.seconds)
        for machines in options.ranks:
            link = Link(**run(machines, "benchmarks.machines.steps:link_of", {})[0])
            sharing = max(1.0, machines / cores)
            for protocol in KINDS:
                for batch in options.batch:
                    arguments = {"pack": str(pack), "protocol": protocol, "settings": settings}
                    arguments |= {"batch": batch, "steps": options.steps}
                    times = []
                    for _ in range(options.runs):
                        of_ranks = run(machines, "benchmarks.machines.steps:run_steps", arguments)
                        times.append(median(of_ranks[0]["seconds"]))
                    phases = [
                        Phase(compute=sharing * p.compute, n_bytes=p.n_bytes, messages=p.messages)
                        for p in costs.phases(protocol, machines, batch)
                    ]
                    result = simulated(protocol, phases, link, machines, batch, NONE)
                    step = batch / result.examples_per_second
                    rows.append(
                        [
                            *(pack.stem, protocol, str(machines), str(batch)),
                            *(f"{1e3 * median(times):.2f}", f"{1e3 * step:.2f}"),
                            f"{step / median(times):.2f}",
                        ]
                    )
                    say(" ".join(rows[-1]))
                    report.add(
                        {
                            "protocol": protocol,
                            "ranks": machines,
                            "batch": batch,
                            "step": times,
                            "simulated": step,
                        }
                    )
    head = ["data", "protocol", "processes", "batch", "step ms", "simulated ms", "simulated / step"]
    print(table(head, rows, 2))


def main() -> None:
    """Simulate, or check the simulation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="what", required=True)
    of_plot, of_check = commands.add_parser("plot"), commands.add_parser("check")
    for command in (of_plot, of_check):
        command.add_argument("data", nargs="?", default="pubmed-mesh", help="a folder, or a built-in set")
        command.add_argument("--seconds", type=float, default=0.5, help="for measuring a kind of step")
        command.add_argument("--out", type=Path, help="the figures as JSON")
    count = {"type": lambda text: int(float(text)), "nargs": "+"}
    of_plot.add_argument("--labels", **count, default=[10**7, 10**8])
    of_plot.add_argument("--machines", **count, default=[8, 16, 32, 64, 128, 256, 512])
    of_plot.add_argument("--rows", type=int, default=256, help="examples of a batch on each machine")
    of_plot.add_argument("--network", default="10Gbit")
    of_plot.add_argument("--delay", default="0.1ms")
    of_plot.add_argument("--plot", type=Path, help="the figure to draw, such as simulation.svg")
    of_check.add_argument("--ranks", **count, default=[2, 4])
    of_check.add_argument("--batch", **count, default=[256, 1024])
    of_check.add_argument("--steps", type=int, default=60)
    of_check.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    {"plot": plot, "check": check}[options.what](options, Report(options.out, options))


if __name__ == "__main__":
    main()
