"""Estimate what a training costs, and print it."""

import time
from typing import Any

from hashslide.cli._console import note, print_facts, print_json, readable_bytes
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import part_path
from hashslide.cli.inputs.texts import holds_texts, learn_text_part
from hashslide.estimator import SlideClassifier
from hashslide.estimator.parameters import PARAMETERS
from hashslide.planning import Estimate
from hashslide.planning.machine import memory_of_machine

__all__ = ["readable_seconds", "run", "show"]


def __dir__() -> list[str]:
    return __all__


def run(options: dict[str, Any], reader: Reader) -> None:
    """Print the estimate; the options are those of the command."""
    started = time.perf_counter()
    if holds_texts(options, reader):
        part = learn_text_part(options, reader)
    else:
        part = reader.load_examples(part_path(options["source"], "train"))
    loading = time.perf_counter() - started
    given = {name: options[name] for name in PARAMETERS if name in options}
    found = SlideClassifier(**given, n_jobs=options["jobs"]).estimate(
        part.X,
        part.Y,
        total_examples=options["total_examples"],
        total_features=options["total_features"],
        total_labels=options["total_labels"],
        seconds=options["seconds"],
    )
    loading *= found.shape.n_examples / part.X.shape[0]
    if options["json"]:
        print_json({"data": str(part.path), "loading_seconds": loading} | found.to_dict())
    else:
        show(found, loading)


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


def readable_seconds(seconds: float) -> str:
    """Return a time with a unit, such as ``1.5 s`` or ``2 h 05 min``."""
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds >= 0.1 else f"{1000 * seconds:.0f} ms"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"
