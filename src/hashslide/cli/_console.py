"""What the commands print: results on standard output, everything else on standard error.

What an output cannot show is escaped: characters that its encoding lacks, and those that move the cursor or
change the colours of a terminal, which labels and file names of others may hold.
"""

import json
import math
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

NOTES = Console(stderr=True, highlight=False, soft_wrap=True)
RESULTS = Console(highlight=False, soft_wrap=True)

# Control characters, line and paragraph separators, changes of the writing direction, halves of characters.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class _Log:
    """Standard error that forgets what it cannot write: a log on a full disk ends no training."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with _unwritten_forgotten():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with _unwritten_forgotten():
            self._stream.flush()


@contextmanager
def _unwritten_forgotten() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader has seen enough
        raise
    except OSError:
        pass


def prepare_streams() -> None:
    """Let both outputs take every character, and a closed one take anything."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.stderr = _Log(sys.stderr)


def drop_unwritten() -> None:
    """Forget what standard output does not take: it would be tried again, and fail, when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def visible(text: str) -> str:
    """Return text on one line, in which what cannot be seen is escaped as in Python."""
    return _INVISIBLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def note(message: str) -> None:
    """Print a remark for the user, of one or more lines, on standard error."""
    NOTES.print(escape("\n".join(map(visible, message.split("\n")))))


def print_line(text: str) -> None:
    """Print text as it is, on as many lines as it has."""
    RESULTS.print(escape("\n".join(map(visible, text.split("\n")))))


def print_json(value: Any) -> None:
    """Print a value as one line of JSON; numbers that JSON lacks become null."""
    is_unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    line = json.dumps(_without_nan(value), ensure_ascii=not is_unicode)
    sys.stdout.write(_INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", line) + "\n")
    sys.stdout.flush()


def print_facts(title: str, facts: Iterable[tuple[str, Any]]) -> None:
    """Print names and values in two columns."""
    table = Table(title=escape(title), title_justify="left", show_header=False, box=None, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(_cell(name), _cell(value))
    RESULTS.print(table)


def print_table(title: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Print rows under headings; numbers are aligned to the right."""
    lines = [tuple(row) for row in rows]
    table = Table(title=escape(title), title_justify="left", box=None, pad_edge=False, header_style="cyan")
    for i, column in enumerate(columns):
        is_number = all(isinstance(line[i], int | float) for line in lines)
        table.add_column(_cell(column), justify="right" if is_number else "left", overflow="fold")
    for line in lines:
        table.add_row(*map(_cell, line))
    RESULTS.print(table)


def readable_bytes(count: float) -> str:
    """Return a number of bytes with a unit, such as ``1.5 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def _cell(value: Any) -> str:
    return escape(visible(_readable(value)))


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
