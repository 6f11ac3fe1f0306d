"""``hashslide data``: the built-in sets, facts about a data file, conversion between formats."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hashslide.cli._options import DataArgument, Json, Seed, data_argument
from hashslide.cli.inputs.reader import Reader, reads_data

__all__ = ["PartName", "convert", "describe", "list_sets", "pack"]


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
    from hashslide.cli.actions.data import list_sets  # not before: --help need not wait for it

    list_sets([str(part) for part in PartName], json)


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
    from hashslide.cli.actions.data import describe

    describe(source, part, json, reader)


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
        .parquet .arrow         lists of ids; pip install 'hashslide\\[arrow]'

    [bold]Examples[/bold]

    \b
        hashslide data convert train.svm train.npz
        hashslide data convert train.txt.gz train.parquet
    """
    from hashslide.cli.actions.data import convert

    convert(source, target, json, reader)


@reads_data
def pack(
    sources: Annotated[
        list[str], data_argument("SOURCES...", "Files, folders or built-in sets; - is standard input.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PACK", help="The file to write.")],
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="What may be held in memory meanwhile.")
    ] = "2GB",
    window: Annotated[str, typer.Option(metavar="SIZE", help="What a training will hold at once.")] = "256MB",
    seed: Seed = 0,
    json: Json = False,
    *,
    reader: Reader,
) -> None:
    """Write training data to a pack, from which a model is trained in bounded memory.

    The examples of all sources are shuffled, so that their order does not matter.
    Of folders and built-in sets, the training part is packed.

    [bold]Examples[/bold]

    \b
        hashslide data pack day1.parquet day2.parquet -o train.pack
        zcat logs.svm.gz | hashslide data pack - --format svmlight -o train.pack
        hashslide train train.pack -o m.hashslide
    """
    from hashslide.cli.actions.data import pack

    pack(sources, output, {"memory": memory, "window": window, "seed": seed}, json, reader)
