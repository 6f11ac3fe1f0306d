"""``hashslide data``: the built-in sets, facts about a data file, conversion between formats."""

import gzip
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hashslide import data
from hashslide.cli._console import note, print_facts, print_json, print_table, readable_bytes
from hashslide.cli._options import DataArgument, Json, data_argument
from hashslide.cli.inputs.reader import Reader, reads_data
from hashslide.cli.inputs.sources import part_path

__all__ = ["PartName", "convert", "describe", "list_sets"]


def __dir__() -> list[str]:
    return __all__


class PartName(StrEnum):
    """Parts of a folder or built-in set."""

    train = "train"
    test = "test"


def list_sets(json: Json = False) -> None:
    """List the built-in data sets.

    [bold]Examples[/bold]

    \b
        hashslide data list
        hashslide data describe pubmed-mesh
    """
    sets = [_built_in_facts(name, part) for name in data.builtin_names() for part in PartName]
    if json:
        print_json(sets)
    else:
        columns = ("name", "part", "points", "features", "labels")
        print_table("", columns, ([facts[column] for column in columns] for facts in sets))
        note("Use the name wherever a command asks for DATA, such as: hashslide data describe pubmed-mesh")


@reads_data
def describe(
    source: DataArgument,
    part: Annotated[PartName, typer.Option(help="Which part of a folder or built-in set.")] = PartName.train,
    json: Json = False,
    *,
    reader: Reader,
) -> None:
    """Print facts about a data file: counts, the tail of rare labels, memory.

    [bold]Examples[/bold]

    \b
        hashslide data describe pubmed-mesh --part test
        hashslide data describe train.txt.gz --json
    """
    loaded = reader.load(part_path(source, part))
    facts = {"file": str(loaded.path)} | data.describe(loaded.X, loaded.Y)
    if json:
        print_json(facts)
    else:
        facts["bytes"] = readable_bytes(facts["bytes"])
        print_facts("", ((name.replace("_", " "), value) for name, value in facts.items()))


@reads_data
def convert(
    source: Annotated[str, data_argument("SOURCE", "The file to read.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The file to write.", show_default=False)],
    json: Json = False,
    *,
    reader: Reader,
) -> None:
    """Convert a data file to another format; the suffixes choose the formats.

    \b
        .txt .xmc               XMC repository, ids from 0; also .gz
        .svm .svmlight .libsvm  svmlight, feature ids from 1; also .gz
        .npz                    two CSR matrices; the fastest to read
        .parquet .arrow         lists of ids; pip install 'hashslide[arrow]'

    [bold]Examples[/bold]

    \b
        hashslide data convert train.svm train.npz
        hashslide data convert train.txt.gz train.parquet
    """
    X, Y = reader.convert(part_path(source, "train"), target)
    facts: dict[str, Any] = {"file": str(target), "bytes": target.stat().st_size}
    facts |= {"points": X.shape[0], "features": X.shape[1], "labels": Y.shape[1]}
    if json:
        print_json(facts)
    else:
        counts = f"{X.shape[0]:,} points, {X.shape[1]:,} features, {Y.shape[1]:,} labels"
        note(f"Wrote {target}: {counts}, {readable_bytes(facts['bytes'])}.")


def _built_in_facts(name: str, part: str) -> dict[str, Any]:
    path = part_path(name, part)
    with gzip.open(path) as file:
        points, features, labels = map(int, file.readline().split())
    counts = {"points": points, "features": features, "labels": labels}
    return {"name": name, "part": str(part)} | counts | {"file": str(path)}
