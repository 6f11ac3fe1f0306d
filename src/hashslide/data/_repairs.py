"""What the lenient readers say about the repairs they made."""

import os
import sys
import warnings
from pathlib import Path

from hashslide._interface import setting
from hashslide._os_errors import StrPath
from hashslide.errors import DataFileError

Repairs = list[tuple[str, int, int]]  # kind, number of lines or rows, the first one

_PACKAGE = str(Path(__file__).parent) + os.sep

# Kind of repair: (what was found, what was done), as used in one sentence per file.
_REPAIRS = {
    "unsorted-labels": ("labels out of order", "sorted"),
    "repeated-label": ("repeated labels", "kept once"),
    "zero-label": ("labels with the value 0", "dropped"),
    "unsorted-features": ("features out of order", "sorted"),
    "repeated-feature": ("repeated features", "values summed"),
    "row-count": ("a wrong number of rows in the header", "number taken from the rows"),
    "missing-number": ("missing numbers", "taken as 0"),
    "null-list": ("lists that are null", "read as empty"),
    "field-count": ("a wrong number of fields", "row skipped"),
    "broken-quoting": ("broken quoting", "row skipped"),
    "not-utf8": ("bytes that are not UTF-8", "row skipped"),
    "no-object": ("something else than a JSON object", "row skipped"),
    "no-text": ("something else than a text", "row skipped"),
    "null-text": ("texts that are null or missing", "read as empty"),
    "no-label": ("no labels", "row skipped"),
    "bad-label": ("something else than labels", "row skipped"),
    "unknown-name": ("names that are not in the given list", "dropped"),
}


class RepairWarning(UserWarning):
    """Something in a data file was repaired, as the caller allowed it to be."""


def joined(repairs: Repairs) -> Repairs:
    """Return the repairs of several blocks of one file, each kind once."""
    kinds: dict[str, tuple[int, int]] = {}
    for kind, count, first in repairs:
        before, earliest = kinds.get(kind, (0, first))
        kinds[kind] = before + count, earliest
    return [(kind, *counts) for kind, counts in kinds.items()]


def warn_repairs(path: StrPath, repairs: Repairs, unit: str) -> None:
    """One warning for all `repairs`, at the line that called this package; `unit` is "line" or "row"."""
    if not repairs:
        return
    parts = [
        f"{found} ({done}) in {count} {unit}{'s' if count != 1 else ''}, first {unit} {first}"
        for (found, done), count, first in ((_REPAIRS[kind], count, first) for kind, count, first in repairs)
    ]
    warn(f"{os.fspath(path)}: repaired {'; '.join(parts)}.")


def warn(message: str) -> None:
    """Give a `RepairWarning` at the line that called this package."""
    warnings.warn(message, RepairWarning, stacklevel=_callers_level())


def _callers_level() -> int:
    """Level of the first frame outside this package, as ``warnings.warn`` of the calling function counts."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level


def or_lenient() -> str:
    """The end of a remedy that the reader itself can apply."""
    return f"or read the file with {setting('lenient', True)}"


def id_range(n: int, first: int = 0) -> str:
    """The ids of n things, in words."""
    return f"{first} to {first + n - 1}" if n > 0 else "none"


def fault(path: StrPath, place: str, found: str, remedy: str) -> DataFileError:
    """The exception for a fault of a data file: file, place, what was found, remedy."""
    return DataFileError(f"{os.fspath(path)}{f', {place}' if place else ''}: {found}. Remedy: {remedy}.")
