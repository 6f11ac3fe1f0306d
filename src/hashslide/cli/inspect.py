"""``hashslide inspect``: what a model file holds."""

import dataclasses
from typing import Any

from hashslide import model_file
from hashslide.cli._console import print_facts, print_json, print_table, readable_bytes
from hashslide.cli._options import Json, ModelArgument


def inspect(model: ModelArgument, json: Json = False) -> None:
    """Show what a model file holds: settings and tensors. Weights are not read.

    [bold]Examples[/bold]

    \b
        hashslide inspect mesh.hashslide
        hashslide inspect mesh.hashslide --json
    """
    summary = model_file.inspect(model)
    if json:
        print_json(_as_json(summary))
        return
    facts = {
        "file": model,
        "size": readable_bytes(summary.file_bytes),
        "written by": f"hashslide {summary.library_version}, format version {summary.format_version}",
    }
    _print_metadata("", facts | summary.metadata)
    rows = [(t.name, str(t.dtype), str(t.shape), readable_bytes(t.nbytes)) for t in summary.tensors]
    print_table("\ntensors", ("name", "dtype", "shape", "size"), rows)


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
    tensors = [
        {"name": t.name, "dtype": str(t.dtype), "shape": t.shape, "bytes": t.nbytes} for t in summary.tensors
    ]
    return fields | {"path": str(summary.path), "tensors": tensors}
