"""Texts from CSV and TSV files."""

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hashslide._interface import setting
from hashslide._os_errors import StrPath

from .._repairs import fault
from ..sources import open_text
from ..tables.csv import checked_delimiter
from ..tables.options import check_columns
from .lines import refuse_empty
from .rows import TextRows, columns_remedy

__all__ = ["read_delimited"]


def __dir__() -> list[str]:
    return __all__


_SURROGATES = "surrogateescape"


class _Lines:
    """The lines of a file for the parser, which remembers those that are not UTF-8."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self.number = 0
        self.undecoded: int | None = None

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            try:
                text = line.decode()
            except UnicodeDecodeError:
                self.undecoded = self.number
                text = line.decode(errors=_SURROGATES)
            yield text


def read_delimited(path: StrPath, rows: TextRows, delimiter: str | None) -> None:
    """Read a file whose first line names the columns.

    Raises
    ------
    DataFileError
        A column is missing, or a row is not acceptable.
    """
    delimiter = checked_delimiter(path, delimiter)
    with open_text(path) as source, source.utf8_file() as file, _long_fields():
        lines = _Lines(file)
        parser = csv.reader(lines, delimiter=delimiter, strict=True)
        header = _header(path, parser, lines)
        check_columns(path, rows.texts.used, header, _remedy(rows, header, delimiter))
        columns = [header.index(column) for column in rows.texts.columns]
        labels = None if rows.texts.labels is None else header.index(rows.texts.labels)
        empty: list[int] = []
        for number, cells in _rows(parser, lines, rows):
            if not cells:
                empty.append(number)
                continue
            refuse_empty(rows, empty)
            if len(cells) != len(header):
                found = f"{len(cells)} fields, but the first line names {len(header)} columns"
                remedy = f"put cells that hold {delimiter!r} into double quotes"
                rows.refuse("field-count", number, found, remedy)
            else:
                rows.add(number, [cells[i] for i in columns], None if labels is None else cells[labels])


def _header(path: StrPath, parser: Iterator[list[str]], lines: _Lines) -> list[str]:
    try:
        names = next(parser, [])
    except csv.Error as error:
        raise fault(path, "line 1", str(error), "name the columns in the first line") from None
    if lines.undecoded is not None:
        raise fault(path, "line 1", "not UTF-8 text", "convert the file to UTF-8")
    if not any(names):
        raise fault(path, "", "the file is empty", "check that it was written or downloaded completely")
    return names


def _remedy(rows: TextRows, header: list[str], delimiter: str) -> str:
    remedy = columns_remedy(rows.texts)
    if len(header) > 1:
        return remedy
    return f"{remedy}, and what stands between two cells, {delimiter!r} here, with {setting('delimiter')}"


def _rows(parser: Iterator[list[str]], lines: _Lines, rows: TextRows) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row, and the number of the line in which it begins."""
    while True:
        first = lines.number + 1
        try:
            cells = next(parser, None)
        except csv.Error as error:
            _refuse_quoting(rows, first, lines.number, str(error))
            continue
        if cells is None:
            return
        if lines.undecoded is None:
            yield first, cells
        else:
            found = f"what stands in line {lines.undecoded} is not UTF-8 text"
            lines.undecoded = None
            rows.refuse("not-utf8", first, found, "convert the file to UTF-8")


def _refuse_quoting(rows: TextRows, first: int, last: int, error: str) -> None:
    """Refuse a row; one that has swallowed further lines is never left out, as they may be whole rows."""
    remedy = 'write a cell with quotes as "a 5"" nail", with all quotes inside doubled'
    if last <= first:
        rows.refuse("broken-quoting", first, f"broken quoting ({error})", remedy)
        return
    found = f"a quoted cell begins in this row, and goes wrong in line {last} ({error})"
    raise fault(rows.path, f"line {first}", found, remedy)


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let the parser take cells of any length, which is a setting of the whole process."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
