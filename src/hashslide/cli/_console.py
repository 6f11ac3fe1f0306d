"""What the commands print: results on standard output, everything else on standard error."""

import json
import math
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

NOTES = Console(stderr=True, highlight=False, soft_wrap=True)
RESULTS = Console(highlight=False, soft_wrap=True)


def note(message: str) -> None:
    """Print one remark for the user on standard error."""
    NOTES.print(escape(message))


def print_json(value: Any) -> None:
    """Print a value as one line of JSON; numbers that JSON lacks become null."""
    sys.stdout.write(json.dumps(_without_nan(value), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_facts(title: str, facts: Iterable[tuple[str, Any]]) -> None:
    """Print names and values in two columns."""
    table = Table(title=escape(title), title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(escape(name), escape(_readable(value)))
    RESULTS.print(table)


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print rows under headings; numbers are aligned to the right."""
    rows = [tuple(row) for row in rows]
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False, header_style="cyan")
    for i, column in enumerate(columns):
        is_number = all(isinstance(row[i], int | float) for row in rows)
        table.add_column(escape(column), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(_readable(value)) for value in row))
    RESULTS.print(table)


def readable_bytes(count: float) -> str:
    """Return a number of bytes with a unit, such as ``1.5 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def _readable(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_readable(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_readable, value))
    return "-" if value is None else str(value)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(part) for part in value]
    return value
