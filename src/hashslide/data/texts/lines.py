"""Texts from lines: JSON lines and fastText's."""

import json
from collections.abc import Iterator
from typing import Any

from hashslide._os_errors import StrPath

from .._repairs import fault
from ..sources import open_text
from .rows import TextRows, columns_remedy

__all__ = ["LABEL", "read_fasttext", "read_json_lines", "refuse_empty"]


def __dir__() -> list[str]:
    return __all__


LABEL = "__label__"  # before each name of a label, as fastText has it by default


def _decoded(lines: Iterator[bytes], rows: TextRows) -> Iterator[tuple[int, str]]:
    """Yield lines with their ends, and their numbers, from 1; what is not UTF-8 is refused."""
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            found = f"byte {error.start} of the line is not UTF-8 text"
            rows.refuse("not-utf8", number, found, "convert the file to UTF-8")
            continue
        yield number, text


def read_json_lines(path: StrPath, rows: TextRows) -> None:
    """Read a file with a JSON object in each line.

    Raises
    ------
    DataFileError
        A line holds something else, or a column is in no object.
    """
    names: dict[str, None] = {}  # of the first objects
    seen: set[str] = set()
    for number, line in _filled_lines(path, rows):
        row = _json_object(number, line, rows)
        if row is None:
            continue
        if len(names) < 1000:
            names.update(dict.fromkeys(row))
        seen.update(name for name in rows.texts.used if name in row)
        labels = None if rows.texts.labels is None else row.get(rows.texts.labels)
        if number == 1 and not rows.lenient:  # a missing value were a fault anyway
            _check_keys(path, rows, seen, names)
        rows.add(number, [row.get(column) for column in rows.texts.columns], labels)
    if names:
        _check_keys(path, rows, seen, names)


def _check_keys(path: StrPath, rows: TextRows, seen: set[str], names: dict[str, None]) -> None:
    """Refuse a file whose objects all lack a column."""
    missing = [column for column in rows.texts.used if column not in seen]
    if missing:
        found = f"no column {missing[0]!r}; there are: {', '.join(names)}"
        raise fault(path, "", found, columns_remedy(rows.texts))


def _json_object(number: int, line: str, rows: TextRows) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        found, remedy = f"not JSON ({error})", "write one JSON object in each line"
        if number == 1 and line.lstrip()[:1] in "[{":
            remedy += ", not one array or an object over many lines"
        rows.refuse("no-object", number, found, remedy)
        return None
    if not isinstance(value, dict):
        found = f"a JSON {type(value).__name__}, not an object"
        rows.refuse("no-object", number, found, 'write one object in each line, such as {"title": "..."}')
        return None
    return value


def read_fasttext(path: StrPath, rows: TextRows) -> None:
    """Read a file whose lines hold words, and labels as words with a prefix before their names.

    Raises
    ------
    DataFileError
        A line has no label, or an empty one, and labels are wanted.
    """
    prefix = rows.texts.labels or LABEL
    for number, line in _filled_lines(path, rows):
        words, labels = [], []
        for word in line.split():
            if word.startswith(prefix):
                labels.append(word[len(prefix) :])
            else:
                words.append(word)
        rows.add(number, [" ".join(words)], labels)


def _filled_lines(path: StrPath, rows: TextRows) -> Iterator[tuple[int, str]]:
    """Yield the lines; empty ones are refused, except at the end of the file."""
    empty: list[int] = []
    with open_text(path) as source, source.utf8_file() as file:
        for number, line in _decoded(file, rows):
            if not line.strip():
                empty.append(number)
                continue
            refuse_empty(rows, empty)
            yield number, line


def refuse_empty(rows: TextRows, empty: list[int]) -> None:
    """Refuse empty lines that others follow."""
    for number in empty:
        rows.refuse("field-count", number, "the line is empty, but more follow", "delete the line")
    empty.clear()
