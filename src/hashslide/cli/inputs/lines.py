"""Lines of text to rows of features: what ``hashslide predict`` reads besides data files."""

import math
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NoReturn

import numpy as np
from scipy.sparse import csr_matrix

from hashslide.cli.inputs.reader import LineForm
from hashslide.errors import DataFileError, InputError
from hashslide.estimator import SlideClassifier

__all__ = ["LineReader"]


def __dir__() -> list[str]:
    return __all__


_HEADER = re.compile(r"\s*[0-9]+ [0-9]+ [0-9]+\s*")
_LABELS = re.compile(r"[0-9]+(,[0-9]+)*")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class LineReader:
    """Turns lines into rows with the model's features.

    Each line is a row. "xmc" and "svmlight": ``id:value`` separated by blanks, ids from 0 or 1, after label
    ids, if any, which are ignored; a header line of the XMC format is skipped. "names": feature names
    separated by blanks (by tabs, where a line has any), each with a ``:value`` or, bare, with the value 1.
    Repeated features are summed.

    Parameters
    ----------
    form : LineForm
    model : SlideClassifier
    source : str
        What messages call the lines.
    normalize : bool
        Scale each row to length 1.
    drop_unknown : bool
        Leave out ids beyond the model's.

    Attributes
    ----------
    unknown : int
        Names and ids so far that the model does not know; they are left out.

    Raises
    ------
    InputError
        Names are wanted, but the model has none.
    """

    def __init__(
        self, form: LineForm, model: SlideClassifier, source: str, normalize: bool, drop_unknown: bool
    ):
        self.form, self.source, self.normalize, self.drop_unknown = form, source, normalize, drop_unknown
        self.n_features = model.n_features_in_
        self.unknown = 0
        self._line = 0
        self._ids: dict[str, int] = {}
        if form == LineForm.names:
            names = getattr(model, "feature_names_in_", None)
            if names is None:
                raise InputError(
                    "the model has no feature names. Ask in ids, or train it with --feature-names "
                    "or a features.txt.gz beside the data."
                )
            self._ids = {name: i for i, name in enumerate(names.tolist())}

    def blocks(self, lines: Iterable[str], size: int) -> Iterator[csr_matrix]:
        """Yield rows in blocks of at most `size`.

        Raises
        ------
        DataFileError
            A line is not in the form; the message names it.
        """
        lines = iter(lines)
        while chunk := list(islice(lines, size)):
            rows = [self._row(line) for line in chunk if not self._is_header(line)]
            if rows:
                yield self._matrix(rows)

    def _is_header(self, line: str) -> bool:
        self._line += 1
        return self._line == 1 and self.form == LineForm.xmc and _HEADER.fullmatch(line) is not None

    def _row(self, line: str) -> dict[int, float]:
        row: dict[int, float] = {}
        for feature, value in self._named(line) if self._ids else self._numbered(line):
            row[feature] = row.get(feature, 0.0) + value
        return row

    def _numbered(self, line: str) -> Iterator[tuple[int, float]]:
        base = int(self.form == LineForm.svmlight)
        for i, token in enumerate(_tokens(line, by_tabs=False)):
            if i == 0 and _LABELS.fullmatch(token):
                continue
            key, _, text = token.rpartition(":")
            value = _number(text)
            if not (key.isascii() and key.isdecimal()) or value is None:
                self._fail(
                    f"{token!r} is not a feature id:value", "Write features as 7:0.25, or ask in names."
                )
            if base <= int(key) < self.n_features + base:
                yield int(key) - base, value
            elif self.drop_unknown and int(key) >= base:
                self.unknown += 1
            else:
                known = f"{base} to {self.n_features - 1 + base}"
                remedy = f"The model knows {known}; --drop-unknown leaves others out."
                self._fail(f"feature id {key} is unknown", remedy)

    def _named(self, line: str) -> Iterator[tuple[int, float]]:
        for token in _tokens(line, by_tabs="\t" in line):
            name, _, text = token.rpartition(":")
            value = _number(text)
            if token in self._ids:
                yield self._ids[token], 1.0
            elif name in self._ids and value is not None:
                yield self._ids[name], value
            else:
                self.unknown += 1

    def _fail(self, found: str, remedy: str) -> NoReturn:
        raise DataFileError(f"{self.source}, line {self._line}: {found}. {remedy}")

    def _matrix(self, rows: list[dict[int, float]]) -> csr_matrix:
        indptr = np.cumsum([0, *map(len, rows)])
        indices = np.array([feature for row in rows for feature in sorted(row)], np.int32)
        data = np.array([row[feature] for row in rows for feature in sorted(row)], np.float32)
        if self.normalize:
            length = np.array([math.hypot(*row.values()) or 1.0 for row in rows])
            data /= np.repeat(length, np.diff(indptr)).astype(np.float32)
        return csr_matrix((data, indices, indptr), shape=(len(rows), self.n_features))


def _tokens(line: str, by_tabs: bool) -> list[str]:
    """Return the parts of a line between tabs, or between blanks; other blanks of Unicode belong to names."""
    return [token for token in (line.split("\t") if by_tabs else re.split("[ \t]+", line)) if token]


def _number(text: str) -> float | None:
    """Return a finite float32 number, or None."""
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if abs(value) < 3.4e38 else None
