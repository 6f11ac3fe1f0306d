"""Text formats: the bytes of a file through the C++ parser; its faults as sentences."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from hashslide._atomic import atomic_write_text
from hashslide._core import XmcError, XmcParser, format_rows
from hashslide._interface import setting, wording
from hashslide._os_errors import StrPath
from hashslide.csr import Csr, as_csr
from hashslide.errors import DataFileError, InputError
from hashslide.settings.limits import MAX_IDS

from ._foreign import check_raw_text
from ._pairs import checked_pair, pair_from_rows
from ._repairs import Repairs, fault, id_range, joined, or_lenient, warn_repairs
from ._rows import NamedData, pattern
from .sources import open_text

_ROWS_PER_PIECE = 4096

_TWO_COUNTS = re.compile(r"\s*\d+\s+\d+\s*")

# Kind of fault: (what was found, remedy). {found} is the text at that place, {number} a number, {entry} what
# the columns of the matrix are, {lenient} how to have the fault repaired.
_FAULTS = {
    "empty-file": ("the file is empty", "check that it was written or downloaded completely"),
    "header": (
        "the first line must be {counts}, but is {found}",
        "{header_remedy}",
    ),
    "header-size": (
        f"the header gives {{number}} as a number of ids; at most {MAX_IDS} are possible",
        "check the header: it holds {counts}",
    ),
    "blank-line": (
        "the line is empty, but more follow",
        "write one space for an example without labels and features, or delete the line",
    ),
    "feature-first": (
        "the line begins with the feature {found}",
        "begin the line of an example without labels with a space",
    ),
    "bad-label": (
        "{found} is not a list of label ids",
        "write non-negative integers, 'l1,l2,...', before the first space",
    ),
    "label-range": ("label id in {found} is out of range; accepted is {label_range}", "{label_remedy}"),
    "unsorted-labels": ("label id {number} follows a larger one", "sort the labels of each line, {lenient}"),
    "repeated-label": ("label id {number} is repeated", "name each label once, {lenient}"),
    "bad-feature": (
        "{found} is not a {entry} 'id:value'",
        "write {entry}s as 'id:value' with one space between them",
    ),
    "feature-range": (
        "{entry} id in {found} is out of range; accepted is {feature_range}",
        "{feature_remedy}",
    ),
    "unsorted-features": (
        "{entry} id {number} follows a larger one",
        "sort the {entry}s of each line by id, {lenient}",
    ),
    "repeated-feature": (
        "{entry} id {number} is repeated",
        "give each {entry} one value, {lenient}",
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
        "values of a repeated {entry} add up to more than float32 holds",
        "give each {entry} one value",
    ),
    "truncated-line": (
        "the line breaks off after {found}",
        "check that the file was written or downloaded completely",
    ),
    "truncated-file": (
        "the file ends inside a line after {number} of the {examples} rows that the header promises",
        "check that the file was written or downloaded completely",
    ),
    "too-few-rows": (
        "the header promises {examples} rows, but the file ends after {number}",
        "correct the header, {lenient}",
    ),
    "too-many-rows": (
        "the header promises {examples} rows, but more follow",
        "correct the header, {lenient}",
    ),
}


def read_text(path: StrPath, limit: int | None = None, **options: Any) -> Iterator[NamedData]:
    """Yield X and Y of a text file, in blocks; `options` are those of ``XmcParser``.

    limit: about the number of ids in a block; None: all in one. Only the last block has the final widths.
    """
    parser = XmcParser(**options)
    for rows in _parse(parser, path, "feature", options, limit):
        yield NamedData(*pair_from_rows(rows, *_widths(rows)), None, None)
    warn_repairs(path, parser.repairs, "line")
    yield NamedData(*pair_from_rows(parser.take(), parser.n_features, parser.n_labels), None, None)


def read_matrix(path: StrPath, entry: str, lenient: bool, limit: int | None = None) -> Iterator[csr_matrix]:
    """Yield one matrix in blocks: a header ``rows columns``, then ``column:value`` for each value of a row.

    `entry` is "feature" or "label"; labels become ones. limit: as in `read_text`.
    """
    options = {"labels": False, "lenient": lenient}
    parser, first = XmcParser(**options), 2
    of_labels: Repairs = []

    def block(rows: tuple[Any, ...]) -> csr_matrix:
        matrix, _ = pair_from_rows(rows, parser.n_features, 0)
        return pattern(path, matrix, lenient, of_labels, "line", first) if entry == "label" else matrix

    for rows in _parse(parser, path, entry, options, limit):
        yield block(rows)
        first += len(rows[0]) - 1
    last = block(parser.take())
    repairs = [(kind.replace("feature", entry), n, line) for kind, n, line in parser.repairs]
    warn_repairs(path, repairs + joined(of_labels), "line")
    yield last


def _parse(
    parser: XmcParser, path: StrPath, entry: str, options: dict[str, Any], limit: int | None
) -> Iterator[tuple[Any, ...]]:
    """Parse a file; yield the rows so far whenever there are enough. What is left in the end stays there."""
    head = b""
    try:
        with open_text(path) as source:
            for piece in source.pieces():
                head = head or bytes(piece[:100])
                parser.feed(piece)  # type: ignore[arg-type]  # nanobind takes any buffer
                if limit is not None and parser.n_entries >= limit:
                    yield parser.take()
        parser.finish()
    except XmcError as error:
        check_raw_text(path, head)
        raise _explain(path, parser, entry, options, *error.args) from None


def _widths(rows: tuple[Any, ...]) -> tuple[int, int]:
    """Return how many features and labels there are at least."""
    return int(rows[1].max(initial=-1)) + 1, int(rows[4].max(initial=-1)) + 1


def write_text(path: StrPath, X: Any, Y: Any, header: bool, feature_base: int) -> None:
    """Write X and Y to a text file, compressed if the name ends in ``.gz``; atomic."""
    x, y = checked_pair(X, Y)
    if not header and x.n_rows == 0:  # it would be empty, as a download that failed
        raise InputError(
            f"{os.fspath(path)}: there are no rows, which svmlight cannot say. Write .txt, .npz or .parquet."
        )
    with atomic_write_text(path) as file:
        if header:
            file.write(f"{x.n_rows} {x.n_columns} {y.n_columns}\n".encode())
        for lines in _formatted(x, y, feature_base):
            file.write(lines)


def write_matrices(path: StrPath, labels_path: StrPath, X: Any, Y: Any) -> None:
    """Write X and Y to a text file each, in the form that `read_matrix` reads; each is atomic."""
    x, y = checked_pair(X, Y)
    no_labels = Csr(np.zeros(x.n_rows + 1, np.int64), np.empty(0, np.int32), None, 0)
    for name, matrix in ((path, x), (labels_path, as_csr(y, name="Y"))):
        with atomic_write_text(name) as file:
            file.write(f"{matrix.n_rows} {matrix.n_columns}\n".encode())
            for lines in _formatted(matrix, no_labels, 0):
                file.write(lines[1:].replace(b"\n ", b"\n"))  # the space that stands for no labels


def _formatted(x: Csr, y: Csr, feature_base: int) -> Iterator[bytes]:
    rows = x.indptr, x.indices, x.values, y.indptr, y.indices
    for begin in range(0, x.n_rows, _ROWS_PER_PIECE):
        yield format_rows(*rows, begin, min(begin + _ROWS_PER_PIECE, x.n_rows), feature_base)


def _explain(
    path: StrPath,
    parser: XmcParser,
    entry: str,
    options: dict[str, Any],
    kind: str,
    line: int,
    raw: bytes,
) -> DataFileError:
    text = raw.decode("utf-8", "backslashreplace")
    base = options.get("feature_base", 0)
    fields = {
        "entry": entry,
        "found": repr(text),
        "number": text,
        "examples": parser.n_rows_promised,
        "label_range": id_range(parser.n_labels),
        "feature_range": id_range(parser.n_features, base),
        "lenient": or_lenient(),
    }
    fields |= _header_words(options, text) if options.get("header", True) else _width_words()
    found, remedy = (template.format(**fields) for template in _FAULTS[kind])
    return fault(Path(path), f"line {line}" if line else "", found, remedy)


def _header_words(options: dict[str, Any], text: str) -> dict[str, str]:
    """Return what the messages say of a format whose header gives the widths."""
    origin = "the header counts from 0: correct the ids or the header"
    if not options.get("labels", True):
        counts = "two counts, 'rows columns'"
        remedy = "write that header"
    elif _TWO_COUNTS.fullmatch(text):
        counts = "three counts, 'examples features labels'"
        labels_file = setting("labels_file")
        remedy = f"if this is the matrix of features alone, name the file of the labels with {labels_file}"
    else:
        counts = "three counts, 'examples features labels'"
        use = wording("use load_svmlight", "give --format svmlight")
        remedy = f"write that header, or {use} if the file has none by design"
    return {"counts": counts, "header_remedy": remedy, "label_remedy": origin, "feature_remedy": origin}


def _width_words() -> dict[str, str]:
    """Return what the messages say of a format whose widths are arguments."""
    zero_based = setting("zero_based", True)
    return {
        "feature_remedy": f"give {zero_based} if ids start at 0, or a larger {setting('n_features')}",
        "label_remedy": f"labels are ids from 0: correct them or give a larger {setting('n_labels')}",
    }
