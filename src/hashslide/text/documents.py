"""What may be given as documents, and how they come to the core: folded, in UTF-8."""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide.errors import InputError

__all__ = [
    "DOCUMENTS_PER_BLOCK",
    "Encoded",
    "Texts",
    "encoded_blocks",
    "fold",
    "in_columns",
    "is_unicode",
    "read_documents",
]


def __dir__() -> list[str]:
    return __all__


DOCUMENTS_PER_BLOCK = 8192
_ACCEPTED = "accepted are a list of str, or columns of them: a data frame, or a dict of lists"


class Texts(NamedTuple):
    """Documents by column.

    Attributes
    ----------
    names : tuple of str
        Of the columns; empty where documents are single texts.
    columns : list of list of str
    """

    names: tuple[str, ...]
    columns: list[list[str]]

    @property
    def n(self) -> int:
        """How many documents there are."""
        return len(self.columns[0])


class Encoded(NamedTuple):
    """Some documents as the core reads them.

    Attributes
    ----------
    utf8 : bytes
        Their texts, document by document and column by column, folded.
    offsets : int64 array of shape (n * columns + 1,)
    """

    utf8: bytes
    offsets: NDArray[np.int64]


def read_documents(
    documents: Any, wanted: tuple[str, ...] | None = None, *, name: str = "documents"
) -> Texts:
    """Return documents by column.

    Parameters
    ----------
    documents : sequence of str, mapping of str to such sequences, or data frame
    wanted : tuple of str, optional
        The columns to take, in this order; empty: there must be single texts. By default all.
    name : str
        What messages call them.

    Raises
    ------
    InputError
        Something is no text, a column is missing, or the columns have different lengths.
    """
    if isinstance(documents, Texts):
        found = documents
    elif isinstance(documents, str | bytes):
        raise InputError(f"{name} is one {type(documents).__name__}; {_ACCEPTED}. Put it into a list.")
    elif isinstance(documents, Mapping) or hasattr(documents, "columns"):
        names = _column_names(documents.columns if hasattr(documents, "columns") else documents, name)
        found = Texts(names, [_texts(documents[column], f"{name}[{column!r}]") for column in names])
    else:
        found = Texts((), [_texts(documents, name)])
    if not found.columns:
        raise InputError(f"{name} has no columns; {_ACCEPTED}.")
    if len({len(column) for column in found.columns}) > 1:
        lengths = ", ".join(f"{n!r}: {len(c):,}" for n, c in zip(found.names, found.columns, strict=True))
        raise InputError(f"the columns of {name} have different lengths ({lengths}). Give one text a row.")
    return found if wanted is None or wanted == found.names else _chosen(found, wanted, name)


def _chosen(found: Texts, wanted: tuple[str, ...], name: str) -> Texts:
    if not wanted:
        has = ", ".join(map(repr, found.names))
        raise InputError(
            f"{name} has the columns {has}, but the model has learned single texts. Give a list of str."
        )
    if not found.names and len(wanted) == 1:
        return Texts(wanted, found.columns)
    by_name = dict(zip(found.names, found.columns, strict=False))
    if missing := [column for column in wanted if column not in by_name]:
        has = f"the columns {', '.join(map(repr, found.names))}" if found.names else "single texts"
        raise InputError(
            f"{name} lacks the column {missing[0]!r}, which the model reads; there are {has}. Add it, "
            "with '' where a document has no such text."
        )
    return Texts(wanted, [by_name[column] for column in wanted])


def in_columns(
    texts: Sequence[str | Mapping[str, str]], columns: tuple[str, ...]
) -> list[str] | dict[str, list[str]]:
    """Return questions as a model takes them.

    A text without columns stands in all columns of the model, since nobody has said in which one its words
    are to be looked for; a column that is not given is empty.

    Parameters
    ----------
    texts : sequence of str or mapping of column names to str
    columns : tuple of str
        Those of the model; none, where it has learned single texts.
    """
    if not columns:
        return [str(text) for text in texts]
    rows = [dict.fromkeys(columns, text) if isinstance(text, str) else text for text in texts]
    return {name: [row.get(name, "") for row in rows] for name in columns}


def _column_names(names: Iterable[Any], name: str) -> tuple[str, ...]:
    found = tuple(names)
    for i, column in enumerate(found):
        if not isinstance(column, str) or not is_unicode(column):
            raise InputError(f"{name} has a column named {column!r}; accepted is Unicode text. Rename it.")
        if column in found[:i]:
            raise InputError(f"{name} has two columns named {column!r}. Rename one of them.")
    return found


def _texts(column: Any, name: str) -> list[str]:
    if isinstance(column, str | bytes | set | frozenset) or not hasattr(column, "__iter__"):
        raise InputError(f"{name} is a {type(column).__name__}; {_ACCEPTED}.")
    texts = column if isinstance(column, list) else list(column)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(
                f"{name}[{i}] is {text!r}; accepted is str. Write '' for a text that is missing, "
                "and numbers as text."
            )
    return texts


def is_unicode(text: str) -> bool:
    """Tell whether text has no half of a surrogate pair, so that a file can hold it."""
    return text.encode("utf-8", "replace").decode() == text


def fold(text: str) -> str:
    """Return text without what makes no difference: case, width and composition of characters (NFKC)."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def encoded_blocks(texts: Texts) -> Iterator[Encoded]:
    """Yield the documents in blocks. Halves of surrogate pairs, which are no characters, become '?'."""
    for first in range(0, texts.n, DOCUMENTS_PER_BLOCK):
        parts = [column[first : first + DOCUMENTS_PER_BLOCK] for column in texts.columns]
        folded = [fold(text).encode("utf-8", "replace") for row in zip(*parts, strict=True) for text in row]
        offsets = np.zeros(len(folded) + 1, np.int64)
        np.cumsum([len(text) for text in folded], out=offsets[1:])
        yield Encoded(b"".join(folded), offsets)
