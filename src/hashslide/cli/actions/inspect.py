"""Show the settings and tensors of a model file."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hashslide import model_file
from hashslide.cli._console import print_facts, print_json, print_table, readable_bytes
from hashslide.errors import InputError
from hashslide.precision import dtype_name
from hashslide.settings import Settings
from hashslide.settings.plain import from_plain

__all__ = ["run"]


def __dir__() -> list[str]:
    return __all__


def run(model: Path, verify: bool, json: bool) -> None:
    """Print what the file holds; the parameters are those of the command."""
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
    rows = [(t.name, dtype_name(t.dtype), str(t.shape), readable_bytes(t.nbytes)) for t in summary.tensors]
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
        training = dict(metadata["training"])
        settings = [record | {"value": _as_text(record["value"])} for record in training["settings"]]
        training["settings"] = settings
        plain = {
            name: _as_text(v) for name, v in network.items() if name not in ("hidden", "hash", "sampler")
        }
    except (InputError, TypeError, KeyError, AttributeError):
        return metadata
    layers = [dict(zip(("layer", "width", "neurons"), row, strict=True)) for row in rows]
    return {**metadata, "parameters": given, "network": plain, "layers": layers, "training": training}


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
        {"name": t.name, "dtype": dtype_name(t.dtype), "shape": t.shape, "bytes": t.nbytes}
        | ({"crc32": f"{sums[t.name]:08x}"} if sums else {})
        for t in summary.tensors
    ]
    return fields | {"path": str(summary.path), "tensors": tensors}
