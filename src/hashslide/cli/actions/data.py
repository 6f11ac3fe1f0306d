"""List the built-in sets, describe data files, convert them."""

import gzip
from pathlib import Path
from typing import Any

from hashslide import data
from hashslide.cli._console import note, print_facts, print_json, print_table, readable_bytes
from hashslide.cli.inputs.reader import Reader
from hashslide.cli.inputs.sources import part_path

__all__ = ["convert", "describe", "list_sets", "pack"]


def __dir__() -> list[str]:
    return __all__


def list_sets(parts: list[str], json: bool) -> None:
    """Print facts about the parts of the built-in sets."""
    sets = [_built_in_facts(name, part) for name in data.builtin_names() for part in parts]
    if json:
        print_json(sets)
    else:
        columns = ("name", "part", "examples", "features", "labels")
        print_table("", columns, ([facts[column] for column in columns] for facts in sets))
        note("Use the name wherever a command asks for DATA, such as: hashslide data describe pubmed-mesh")


def describe(source: str, part: str, json: bool, reader: Reader) -> None:
    """Print facts about a data file."""
    loaded = reader.load(part_path(source, part))
    facts = {"file": str(loaded.path)} | data.describe(loaded.X, loaded.Y)
    if json:
        print_json(facts)
    else:
        facts["bytes"] = readable_bytes(facts["bytes"])
        print_facts("", ((name.replace("_", " "), value) for name, value in facts.items()))


def convert(source: str, target: Path, json: bool, reader: Reader) -> None:
    """Convert a data file to another format."""
    X, Y = reader.convert(part_path(source, "train"), target)
    facts: dict[str, Any] = {"file": str(target), "bytes": target.stat().st_size}
    facts |= {"examples": X.shape[0], "features": X.shape[1], "labels": Y.shape[1]}
    if json:
        print_json(facts)
    else:
        counts = f"{X.shape[0]:,} examples, {X.shape[1]:,} features, {Y.shape[1]:,} labels"
        note(f"Wrote {target}: {counts}, {readable_bytes(facts['bytes'])}.")


def pack(sources: list[str], output: Path, settings: dict[str, Any], json: bool, reader: Reader) -> None:
    """Write a pack."""
    paths = [Path("/dev/stdin") if source == "-" else part_path(source, "train") for source in sources]
    options = reader.options() | {"format": reader.format, "lenient": reader.lenient}
    packed = data.Pack.build(paths, output, **settings, **options)
    facts: dict[str, Any] = {"file": str(output), "bytes": output.stat().st_size}
    facts |= {"examples": len(packed), "features": packed.n_features, "labels": packed.n_labels}
    if json:
        print_json(facts | {"values": packed.x.nnz})
    else:
        counts = f"{len(packed):,} examples, {packed.n_features:,} features, {packed.n_labels:,} labels"
        note(f"Wrote {output}: {counts}, {readable_bytes(facts['bytes'])}.")


def _built_in_facts(name: str, part: str) -> dict[str, Any]:
    path = part_path(name, part)
    with gzip.open(path) as file:
        examples, features, labels = map(int, file.readline().split())
    counts = {"examples": examples, "features": features, "labels": labels}
    return {"name": name, "part": str(part)} | counts | {"file": str(path)}
