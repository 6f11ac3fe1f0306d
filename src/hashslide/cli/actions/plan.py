"""Estimate what a training costs, and print it."""

import time
from typing import TYPE_CHECKING, Any

from hashslide.cli._console import note, print_facts, print_json, print_line, print_table, readable_bytes
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import part_path
from hashslide.cli.inputs.texts import holds_texts, learn_text_part
from hashslide.data.formats import format_of
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.parameters import PARAMETERS
from hashslide.planning import Estimate
from hashslide.planning.machine import memory_of_machine

if TYPE_CHECKING:
    from hashslide.distributed.costs import MachinesEstimate

__all__ = ["readable_seconds", "run", "show", "show_machines"]


def __dir__() -> list[str]:
    return __all__


_COLUMNS = ("protocol", "batch", "sent", "compute", "network", "training", "speed-up", "slowed")


def run(options: dict[str, Any], reader: Reader) -> None:
    """Print the estimate; the options are those of the command."""
    started = time.perf_counter()
    options, reader = _labels_counted(options, reader)
    if holds_texts(options, reader):
        part = learn_text_part(options, reader)
    else:
        part = reader.load_examples(part_path(options["source"], "train"))
    loading = time.perf_counter() - started
    given = {name: options[name] for name in PARAMETERS if name in options}
    model = SlideClassifier(**given, n_jobs=options["jobs"])
    asked = {name: options[name] for name in ("total_examples", "total_features", "total_labels", "seconds")}
    together = None
    if options["machines"] is not None:
        from hashslide.distributed.costs import estimate_machines

        network = {name: options[name] for name in ("machines", "network", "delay")}
        together = estimate_machines(model, part.X, part.Y, **network, **asked)
    found = model.estimate(part.X, part.Y, **asked)
    loading *= found.shape.n_examples / part.X.shape[0]
    if options["json"]:
        of_machines = {} if together is None else {"together": together.to_dict()}
        print_json({"data": str(part.path), "loading_seconds": loading} | found.to_dict() | of_machines)
    else:
        show(found, loading)
        if together is not None:
            show_machines(together, found)


def _labels_counted(options: dict[str, Any], reader: Reader) -> tuple[dict[str, Any], Reader]:
    """Take ``--labels 1e8`` for the number of labels where DATA is no table, whose column it would name."""
    try:
        count = float(reader.labels or "")
    except ValueError:
        return options, reader
    if not (count.is_integer() and 1 <= count < 2**63) or options["text"]:
        return options, reader
    form = None if reader.format is None else str(reader.format)
    if format_of(part_path(options["source"], "train"), form).names:
        return options, reader
    if options["total_labels"] is not None:
        raise InputError("--labels and --total-labels both say how many labels there are. Give one of them.")
    return options | {"total_labels": int(count)}, reader._replace(labels=None)


def show(found: Estimate, loading: float) -> None:
    """Print an estimate for people."""
    shape, seconds, memory = found.shape, found.seconds, found.memory
    print_facts(
        "data",
        {
            "examples": f"{shape.n_examples:,}",
            "features": f"{shape.n_features:,}, {shape.features_per_example:.1f} of an example",
            "labels": f"{shape.n_labels:,}, {shape.labels_per_example:.1f} of an example",
            "trained on for this estimate": f"{found.pilot_examples:,} examples",
        }.items(),
    )
    print_facts(
        "\ntraining",
        {
            "time": readable_seconds(found.training_seconds + loading),
            "of it reading the data": readable_seconds(loading),
            f"of it {found.epochs} epochs": readable_seconds(seconds["steps"]),
            "of it ranker and candidate lists": readable_seconds(seconds["finish"]),
            "memory": readable_bytes(found.training_bytes),
        }.items(),
    )
    print_facts("\nof the memory", {name: readable_bytes(size) for name, size in memory.items()}.items())
    print_facts(
        "\nmodel",
        {
            "file": readable_bytes(found.file_bytes),
            "predicting 1,000 examples": readable_seconds(found.prediction_seconds),
            "memory for predictions": readable_bytes(found.prediction_bytes),
        }.items(),
    )
    there = memory_of_machine()
    if there and found.training_bytes > 0.9 * there:
        note(f"\nThis machine has {readable_bytes(there)} of memory, which is too little for this training.")


def show_machines(found: "MachinesEstimate", alone: Estimate) -> None:
    """Print what training on many machines costs, for people."""
    link, memory = found.link, found.memory
    first = found.first_bytes + alone.memory["lists"] + alone.memory["work"]
    print_facts(
        f"\n{found.machines:,} machines like this one",
        {
            "network": f"{readable_bytes(link.bandwidth)}/s, delay {readable_seconds(link.delay)}",
            "memory of a machine": readable_bytes(found.machine_bytes),
            "of it its part of the model": readable_bytes(memory["model"]),
            "of it where all rows are": readable_bytes(memory["places"]),
            "of the first one, which writes the file": readable_bytes(first),
            "the model on one machine": readable_bytes(found.one_bytes),
        }.items(),
    )
    n = alone.epochs * alone.shape.n_learned
    print_table(
        "\nsteps of all machines together",
        _COLUMNS,
        [
            [
                p.protocol,
                p.batch,
                readable_bytes(p.sent),
                readable_seconds(p.compute),
                readable_seconds(p.exchange),
                readable_seconds(n / p.examples_per_second),
                f"{p.speed_up:.1f}",
                f"{p.speed_up * p.straggling / p.examples_per_second:.1f}",
            ]
            for p in found.protocols
        ],
    )
    share, exponent = found.stragglers.share, found.stragglers.exponent
    print_line(
        "\nEach machine sends so much in a step, while adding up all gradients would send "
        f"{readable_bytes(found.dense_bytes)}.\n"
        f"Slowed: the speed-up where {share:.0%} of a machine's steps take longer, and one of "
        f"{round(10**exponent / share):,} ten times as long.\n"
        f"--protocol auto takes {found.choice.protocol} for a batch of {found.protocols[0].batch:,}, "
        f"because {found.choice.reason}."
    )


def readable_seconds(seconds: float) -> str:
    """Return a time with a unit, such as ``1.5 s`` or ``2 h 05 min``."""
    if seconds < 0.1:
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
