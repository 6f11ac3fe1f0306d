"""``hashslide inspect``: what a model file holds."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from hashslide import model_file
from hashslide.cli._console import print_facts, print_json, print_table, readable_bytes
from hashslide.cli._options import Jobs, Json, ModelArgument, reader
from hashslide.cli.inputs.reader import Reader, reads_data
from hashslide.cli.inspect_tables import inspect_tables
from hashslide.errors import InputError
from hashslide.settings import Settings
from hashslide.settings.hash_families import HASH
from hashslide.settings.plain import from_plain

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
        inspect_tables(model, source, hash, queries or 300, plot, jobs, json, reader)
        return
    for name, value in (("DATA", source), ("--hash", hash), ("--queries", queries), ("--plot", plot)):
        if value is not None:
            raise InputError(f"{name} goes with --tables only. Add --tables, or leave it out.")
    summary = model_file.inspect(model, verify)
    if json:
        print_json(_as_json(summary) | {"verified": verify})
        return
    facts = {
        "file": model,
        "size": readable_bytes(summary.file_bytes),
        "written by": f"hashslide {summary.library_version}, format version {summary.format_version}",
    }
    if verify:
        facts["verified"] = "all tensors match their checksums"
    _print_metadata("", facts | _readable(summary.metadata))
    rows = [(t.name, str(t.dtype), str(t.shape), readable_bytes(t.nbytes)) for t in summary.tensors]
    print_table("\ntensors", ("name", "dtype", "shape", "size"), rows)


def _readable(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a classifier with a line for each layer; those of other files as they are."""
    network, parameters = metadata.get("network"), metadata.get("parameters")
    if not (isinstance(network, dict) and isinstance(parameters, dict) and "hidden" in network):
        return metadata
    try:
        given = {name: _as_text(value) for name, value in parameters.items()}
        hidden = [from_plain(layer) for layer in network["hidden"]]
        rows = [(f"hidden {i}", layer.width, _neurons(layer)) for i, layer in enumerate(hidden, 1)]
        chosen = SimpleNamespace(sampler=from_plain(network["sampler"]), hash=from_plain(network["hash"]))
        rows.append(("output", network["n_labels"], _neurons(chosen)))
        plain = {
            name: _as_text(v) for name, v in network.items() if name not in ("hidden", "hash", "sampler")
        }
    except (InputError, TypeError, KeyError, AttributeError):
        return metadata
    layers = [dict(zip(("layer", "width", "neurons"), row, strict=True)) for row in rows]
    return metadata | {"parameters": given, "network": plain, "layers": layers}


def _as_text(value: Any) -> Any:
    """Return a setting as it is written in Python."""
    found = from_plain(value)
    return repr(found) if isinstance(found, Settings | list) else found


def _neurons(layer: Any) -> str:
    """Return in words how a layer chooses its neurons and how many stay."""
    if layer.sampler is None:
        return "all"
    tables = "" if layer.hash is None else f" of {layer.hash!r}"
    winners = f", {layer.winners} winners" if getattr(layer, "winners", 0) else ""
    return f"{layer.sampler!r}{tables}{winners}"


def _print_metadata(title: str, values: dict[str, Any]) -> None:
    """Print plain values together, then each dict and each list of records under its own title."""
    sections = {name: value for name, value in values.items() if _is_section(value)}
    print_facts(title, ((name, value) for name, value in values.items() if name not in sections))
    for name, value in sections.items():
        if isinstance(value, dict):
            _print_metadata(f"\n{name}", value)
        else:
            print_table(f"\n{name}", value[0], (record.values() for record in value))


def _is_section(value: Any) -> bool:
    is_records = (
        isinstance(value, list) and len(value) > 0 and all(isinstance(record, dict) for record in value)
    )
    return isinstance(value, dict) or is_records


def _as_json(summary: model_file.ModelSummary) -> dict[str, Any]:
    fields = {field.name: getattr(summary, field.name) for field in dataclasses.fields(summary)}
    sums = fields.pop("checksums") or {}
    tensors = [
        {"name": t.name, "dtype": str(t.dtype), "shape": t.shape, "bytes": t.nbytes}
        | ({"crc32": f"{sums[t.name]:08x}"} if sums else {})
        for t in summary.tensors
    ]
    return fields | {"path": str(summary.path), "tensors": tensors}
