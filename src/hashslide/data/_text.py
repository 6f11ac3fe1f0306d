"""Text formats: the bytes of a file, plain or gzip, through the C++ parser; its faults as sentences."""

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from scipy.sparse import csr_matrix

from hashslide._atomic import atomic_write_text
from hashslide._core import XmcError, XmcParser, format_rows
from hashslide.selection import MAX_IDS

from ._pairs import checked_pair, pair_from_rows
from ._repairs import LENIENT, fault, id_range, warn_repairs

_PIECE = 1 << 20  # bytes: stays in the cache between reading and parsing
_ROWS_PER_PIECE = 4096

# Kind of fault: (what was found, remedy). {found} is the text at that place, {number} a number.
_FAULTS = {
    "empty-file": ("the file is empty", "check that it was written or downloaded completely"),
    "header": (
        "the first line must be three counts, 'points features labels', but is {found}",
        "write that header, or use load_svmlight if the file has none by design",
    ),
    "header-size": (
        f"the header gives {{number}} as a number of ids; at most {MAX_IDS} are possible",
        "check the header: it reads 'points features labels'",
    ),
    "blank-line": (
        "the line is empty, but points follow",
        "write one space for a point without labels and features, or delete the line",
    ),
    "feature-first": (
        "the line begins with the feature {found}",
        "begin the line of a point without labels with a space",
    ),
    "bad-label": (
        "{found} is not a list of label ids",
        "write non-negative integers, 'l1,l2,...', before the first space",
    ),
    "label-range": ("label id in {found} is out of range; accepted is {label_range}", "{label_remedy}"),
    "unsorted-labels": ("label id {number} follows a larger one", f"sort the labels of each line, {LENIENT}"),
    "repeated-label": ("label id {number} is repeated", f"name each label once, {LENIENT}"),
    "bad-feature": (
        "{found} is not a feature 'id:value'",
        "write features as 'id:value' with one space between them",
    ),
    "feature-range": (
        "feature id in {found} is out of range; accepted is {feature_range}",
        "{feature_remedy}",
    ),
    "unsorted-features": (
        "feature id {number} follows a larger one",
        f"sort the features of each line by id, {LENIENT}",
    ),
    "repeated-feature": (
        "feature id {number} is repeated",
        f"give each feature one value, {LENIENT} to sum them",
    ),
    "bad-value": (
        "the value in {found} is not a number",
        "write the value as a decimal number such as 0.25 or 1e-3",
    ),
    "not-finite": (
        "the value in {found} is NaN, infinite or beyond the range of float32",
        "replace or drop it",
    ),
    "sum-overflow": (
        "values of a repeated feature add up to more than float32 holds",
        "give each feature one value",
    ),
    "truncated-line": (
        "the line breaks off after {found}",
        "check that the file was written or downloaded completely",
    ),
    "truncated-file": (
        "the file ends inside a line after {number} of the {points} points that the header promises",
        "check that the file was written or downloaded completely",
    ),
    "too-few-rows": (
        "the header promises {points} points, but the file ends after {number}",
        f"correct the header, {LENIENT}",
    ),
    "too-many-rows": (
        "the header promises {points} points, but more follow",
        f"correct the header, {LENIENT}",
    ),
}


def read_text(path: str | os.PathLike, **options) -> tuple[csr_matrix, csr_matrix]:
    """Read X and Y from a text file; `options` are those of ``XmcParser``."""
    parser = XmcParser(**options)
    try:
        for piece in _pieces(path):
            parser.feed(piece)
        parser.finish()
    except XmcError as error:
        raise _explain(path, parser, options, *error.args) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        found = f"the compressed data is damaged or cut off after point {parser.n_rows} ({error})"
        raise fault(path, "", found, "download or copy the file again") from None
    warn_repairs(path, parser.repairs, "line")
    return pair_from_rows(parser.take(), parser.n_features, parser.n_labels)


def write_text(path: str | os.PathLike, X, Y, header: bool, feature_base: int) -> None:
    """Write X and Y to a text file, compressed if the name ends in ``.gz``; atomic."""
    x, y = checked_pair(X, Y)
    rows = x.indptr, x.indices, x.data, y.indptr, y.indices
    with atomic_write_text(path) as file:
        if header:
            file.write(f"{x.n_rows} {x.n_columns} {y.n_columns}\n".encode())
        for begin in range(0, x.n_rows, _ROWS_PER_PIECE):
            file.write(format_rows(*rows, begin, min(begin + _ROWS_PER_PIECE, x.n_rows), feature_base))


def is_gzip(path: str | os.PathLike) -> bool:
    """Whether the file begins with gzip's magic number, whatever its name says."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _pieces(path: str | os.PathLike) -> Iterator[memoryview]:
    buffer = bytearray(_PIECE)
    view = memoryview(buffer)
    opener = gzip.open if is_gzip(path) else open
    with opener(path, "rb") as file:
        while size := file.readinto(buffer):
            yield view[:size]


def _explain(path: str | os.PathLike, parser: XmcParser, options: dict, kind: str, line: int, raw: bytes):
    base = options.get("feature_base", 0)
    header = options.get("header", True)
    found, remedy = _FAULTS[kind]
    text = raw.decode("ascii", "backslashreplace")
    origin = "the header counts from 0: correct the ids or the header"
    feature_remedy = origin if header else "pass zero_based=True if ids start at 0, or a larger n_features"
    fields = {
        "found": repr(text),
        "number": text,
        "points": parser.n_rows_promised,
        "label_range": id_range(parser.n_labels),
        "label_remedy": origin if header else "labels are ids from 0: correct them or pass a larger n_labels",
        "feature_range": id_range(parser.n_features, base),
        "feature_remedy": feature_remedy,
    }
    place = f"line {line}" if line else ""
    return fault(Path(path), place, found.format(**fields), remedy.format(**fields))
