"""Queries of all forms as rows with a model's features."""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr, as_csr
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier

__all__ = [
    "Features",
    "FeaturesById",
    "Names",
    "Query",
    "QueryReader",
    "Rows",
    "Text",
    "TextReader",
    "WordsByName",
    "check_values",
]


def __dir__() -> list[str]:
    return __all__


_BLANKS = re.compile("[ \t\r\n]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_MOST_DIGITS = 10  # of the number of a feature
_LARGEST = 3.4e38  # of float32, nearly


@dataclass(frozen=True, slots=True)
class Text:
    """A text, or several columns of text by their names."""

    text: str | dict[str, str]


@dataclass(frozen=True, slots=True)
class Features:
    """Values of features by their numbers."""

    values: dict[int, float]


@dataclass(frozen=True, slots=True)
class Names:
    """Values of features by their names; the row is scaled to length 1."""

    values: dict[str, float]


Query = Text | Features | Names


class Rows(NamedTuple):
    """Rows of features.

    Attributes
    ----------
    x : Csr of float32, shape (n, n_features)
    unknown : list of n lists of str
        What the model does not know of each query, and what is left out therefore.
    """

    x: Csr
    unknown: list[list[str]]


class TextReader(Protocol):
    """Turns texts into rows; each kind of model has its own.

    Attributes
    ----------
    kind : str
        "text", "words" or "ids": what a text is for the model.
    columns : tuple of str
        Names of the columns of text that it can be asked with.
    """

    kind: str
    columns: tuple[str, ...]

    def check(self, text: str | dict[str, str]) -> None:
        """Refuse what `read` could not read.

        Raises
        ------
        InputError
        """

    def read(self, texts: Sequence[str | dict[str, str]]) -> Rows:
        """Return a row for each text."""

    def number(self, name: str) -> int | None:
        """Return the number of a feature; None if the name is unknown or there are no names."""


class WordsByName:
    """Texts as names of features separated by blanks, each with a ``:value`` or, bare, with the value 1.

    A line with tabs is split at these only, as in ``hashslide predict --by-name``. A name that the model does
    not know is tried in lower case. Rows are scaled to length 1.

    Parameters
    ----------
    names : array of str, shape (n_named,)
        Of the features 0 to n_named - 1.
    n_features : int
    """

    kind = "words"
    columns: tuple[str, ...] = ()

    def __init__(self, names: NDArray[np.object_], n_features: int) -> None:
        self._ids = {name: i for i, name in enumerate(names.tolist())}
        self._n_features = n_features

    def check(self, text: str | dict[str, str]) -> None:
        """Refuse columns."""
        refuse_columns(text)

    def read(self, texts: Sequence[str | dict[str, str]]) -> Rows:
        """Return a row for each text."""
        return _read_tokens(texts, self._feature, self._n_features, is_unit=True)

    def number(self, name: str) -> int | None:
        """Return the number of a feature by its name, or by the name in lower case."""
        found = self._ids.get(name)
        return self._ids.get(name.lower()) if found is None else found

    def _feature(self, token: str) -> tuple[int | None, float]:
        feature = self.number(token)
        if feature is None:
            name, _, number = token.rpartition(":")
            value = _number(number)
            if name and value is not None:
                return self.number(name), value
        return feature, 1.0


class FeaturesById:
    """Texts as ``id:value`` separated by blanks, for models whose features have no names.

    Parameters
    ----------
    n_features : int
    """

    kind = "ids"
    columns: tuple[str, ...] = ()

    def __init__(self, n_features: int) -> None:
        self._n_features = n_features

    def check(self, text: str | dict[str, str]) -> None:
        """Refuse columns."""
        refuse_columns(text)

    def read(self, texts: Sequence[str | dict[str, str]]) -> Rows:
        """Return a row for each text; what is no id of the model is unknown."""
        return _read_tokens(texts, self._feature, self._n_features, is_unit=False)

    def number(self, name: str) -> int | None:
        """Return None: there are no names."""
        return None

    def _feature(self, token: str) -> tuple[int | None, float]:
        key, _, number = token.partition(":")
        value = _number(number or "1")
        is_id = key.isascii() and key.isdecimal() and len(key) <= _MOST_DIGITS
        if value is None or not is_id or int(key) >= self._n_features:
            return None, 0.0
        return int(key), value


class QueryReader:
    """Turns queries of all forms into rows.

    Parameters
    ----------
    classifier : SlideClassifier
    texts : TextReader
    """

    def __init__(self, classifier: SlideClassifier, texts: TextReader) -> None:
        self.texts = texts
        self._n_features = int(classifier.n_features_in_)

    def check(self, query: Query) -> None:
        """Refuse a query that the model cannot be asked.

        Raises
        ------
        InputError
        """
        if isinstance(query, Text):
            self.texts.check(query.text)
        elif isinstance(query, Names):
            if self.texts.kind != "words":
                raise InputError(
                    "the features of this model have no names to ask by. Send text, or features by number."
                )
            check_values(query.values.values())
        else:
            largest = max(query.values, default=0)
            if largest >= self._n_features:
                raise InputError(
                    f"feature {largest} is unknown; the model has the features 0 to {self._n_features - 1}."
                )
            check_values(query.values.values())

    def read(self, queries: Sequence[Query]) -> Rows:
        """Return a row for each query, in their order."""
        texts = [query.text for query in queries if isinstance(query, Text)]
        if len(texts) == len(queries):
            return self.texts.read(texts)
        others = [query for query in queries if not isinstance(query, Text)]
        read = [self._row(query) for query in others]
        is_named = [isinstance(query, Names) for query in others]
        rows = Rows(matrix([row for row, _ in read], self._n_features, is_named), [u for _, u in read])
        return rows if not texts else _merged(queries, self.texts.read(texts), rows)

    def _row(self, query: Names | Features) -> tuple[dict[int, float], list[str]]:
        if isinstance(query, Features):
            return query.values, []
        row: dict[int, float] = {}
        unknown = []
        for name, value in query.values.items():
            feature = self.texts.number(name)
            if feature is None:
                unknown.append(name)
            else:
                row[feature] = row.get(feature, 0.0) + value
        return row, unknown


def refuse_columns(text: str | dict[str, str]) -> None:
    """Refuse columns of text, for a model that was not trained on any."""
    if not isinstance(text, str):
        raise InputError("this model has no columns of text. Send the text itself, as a string.")


def matrix(rows: Sequence[dict[int, float]], n_features: int, unit: Sequence[bool] | None = None) -> Csr:
    """Return rows as a matrix of float32; values that are 0 are left out.

    Parameters
    ----------
    rows : sequence of dict
        Features and values.
    n_features : int
    unit : sequence of bool, optional
        Which rows are scaled to length 1.
    """
    indptr = np.array([0, *accumulate(map(len, rows))], np.int64)
    ordered = [sorted(row.items()) for row in rows]
    indices = np.array([feature for row in ordered for feature, _ in row], np.int32)
    data = np.array([value for row in ordered for _, value in row], np.float32)
    if unit is not None:
        lengths = [
            (math.hypot(*row.values()) or 1.0) if is_unit else 1.0
            for row, is_unit in zip(rows, unit, strict=True)
        ]
        data /= np.repeat(np.array(lengths), np.diff(indptr)).astype(np.float32)
    return as_csr(Csr(indptr, indices, data, n_features))


def _merged(queries: Sequence[Query], of_texts: Rows, of_others: Rows) -> Rows:
    """Return the rows of texts and of other queries in the order in which they were asked."""
    is_text = np.array([isinstance(query, Text) for query in queries])
    order = np.empty(len(queries), np.int64)
    order[is_text] = np.arange(is_text.sum())
    order[~is_text] = np.arange(is_text.sum(), len(queries))
    first, second = of_texts.x, of_others.x
    both = Csr(
        np.concatenate([first.indptr, second.indptr[1:] + first.nnz]),
        np.concatenate([first.indices, second.indices]),
        np.concatenate([first.values, second.values]),
        first.n_columns,
    )
    unknown = of_texts.unknown + of_others.unknown
    return Rows(both.take(order), [unknown[i] for i in order])


def _read_tokens(
    texts: Sequence[str | dict[str, str]],
    feature_of: Callable[[str], tuple[int | None, float]],
    n_features: int,
    *,
    is_unit: bool,
) -> Rows:
    """Return a row for each text, of the features and values of its tokens, scaled to length 1 if wanted."""
    rows, unknown = [], []
    for text in texts:
        row: dict[int, float] = {}
        strange: list[str] = []
        for token in _tokens(str(text)):
            feature, value = feature_of(token)
            if feature is None:
                strange.append(token)
            else:
                row[feature] = row.get(feature, 0.0) + value
        rows.append(row)
        unknown.append(strange)
    return Rows(matrix(rows, n_features, [True] * len(rows) if is_unit else None), unknown)


def _tokens(text: str) -> Iterator[str]:
    parts: Iterable[Any] = re.split("[\t\r\n]", text) if "\t" in text else _BLANKS.split(text)
    return (part for part in parts if part)


def check_values(values: Iterable[float]) -> None:
    """Refuse values that float32 cannot hold.

    Raises
    ------
    InputError
    """
    if any(abs(value) >= _LARGEST for value in values):
        raise InputError(f"a value is beyond what float32 holds; accepted are numbers below {_LARGEST:g}.")


def _number(text: str) -> float | None:
    """Return a finite float32 number, or None."""
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if abs(value) < _LARGEST else None
