"""``hashslide inspect``: what a model file holds."""

from pathlib import Path
from typing import Annotated

import typer

from hashslide.cli._options import Jobs, Json, ModelArgument, reader
from hashslide.cli.inputs.reader import Reader, reads_data
from hashslide.errors import InputError
from hashslide.settings.hash_families import HASH

__all__ = ["PANEL", "inspect"]


def __dir__() -> list[str]:
    return __all__


PANEL = "With --tables"


@reads_data
def inspect(
    model: ModelArgument,
    source: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="With --tables: what to look up.", show_default=False),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all tensors and compare them with their checksums.")
    ] = False,
    tables: Annotated[
        bool, typer.Option("--tables", help="What the hash tables hold and, with DATA, find.")
    ] = False,
    hash: Annotated[
        str | None,
        typer.Option(
            parser=reader("hash", HASH),
            metavar="FAMILY",
            help="Build tables of this family over the output layer instead.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Rows of DATA to look up (300).", rich_help_panel=PANEL),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw to FILE.png, or to one page FILE.html.", rich_help_panel=PANEL
        ),
    ] = None,
    jobs: Jobs = None,
    json: Json = False,
    *,
    reader: Reader,
) -> None:
    """Show what a model file holds: settings and tensors.

    Weights are not read, except with --verify.

    With --tables: for each layer with hash tables, how its neurons fill the
    buckets; with DATA also how many of the true best neurons are found, against
    the share of the neurons that have to be scored for it.

    [bold]Examples[/bold]

    \b
        hashslide inspect mesh.hashslide
        hashslide inspect mesh.hashslide --json
        hashslide inspect mesh.hashslide --verify
        hashslide inspect mesh.hashslide pubmed-mesh --tables --hash kmeans
    """
    if tables:
        if verify:
            raise InputError("--verify does not go with --tables. Call the command once for each.")
        from hashslide.cli.actions.inspect_tables import (
            show_tables,  # not before: --help need not wait for it
        )

        show_tables(model, source, hash, queries or 300, plot, jobs, json, reader)
        return
    for name, value in (("DATA", source), ("--hash", hash), ("--queries", queries), ("--plot", plot)):
        if value is not None:
            raise InputError(f"{name} goes with --tables only. Add --tables, or leave it out.")
    from hashslide.cli.actions.inspect import run

    run(model, verify, json)
