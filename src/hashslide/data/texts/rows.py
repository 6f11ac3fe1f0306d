"""The rows of a table of texts, one by one: looked at, and kept, refused or left out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hashslide._interface import setting
from hashslide._os_errors import StrPath

from .._repairs import Repairs, fault, or_lenient, warn_repairs

__all__ = ["TextRows", "TextTable", "Texts", "columns_remedy"]


def __dir__() -> list[str]:
    return __all__


class TextTable(NamedTuple):
    """Texts of a table, and their labels.

    Attributes
    ----------
    documents : dict of str to list of str
        For each column of texts, in the order asked for, the text of each row.
    labels : list of list of str, or None
        The names of each row's labels; None where no column of labels is named.
    """

    documents: dict[str, list[str]]
    labels: list[list[str]] | None


class Texts(NamedTuple):
    """What is read of a table: columns of texts, that of labels, and what separates labels in a text."""

    columns: tuple[str, ...]
    labels: str | None
    separator: str | None

    @property
    def used(self) -> list[str]:
        """The columns that are read, each once."""
        return list(dict.fromkeys([*self.columns, *([] if self.labels is None else [self.labels])]))


class TextRows:
    """Collects rows; a row that cannot be read ends the reading, or is left out and counted.

    Parameters
    ----------
    path : str or path
        Where the rows come from, for messages.
    texts : Texts
    lenient : bool
        Leave out rows that cannot be read.
    unit : {"line", "row"}
        What the numbers of rows count.
    """

    def __init__(self, path: StrPath, texts: Texts, lenient: bool, unit: str = "line") -> None:
        self.path, self.texts, self.lenient, self.unit = path, texts, lenient, unit
        self._documents: list[list[str]] = [[] for _ in texts.columns]
        self._labels: list[list[str]] = []
        self._repairs: dict[str, tuple[int, int]] = {}

    def add(self, number: int, texts: Sequence[Any], labels: Any = None) -> None:
        """Take a row: the value of each column of texts, and that of the column of labels.

        Raises
        ------
        DataFileError
            A value is not acceptable, and the reading is not lenient.
        """
        row, is_null = [], False
        for column, text in zip(self.texts.columns, texts, strict=True):
            if isinstance(text, bytes):
                text = _decoded(text)
            if text is None:
                is_null, text = True, ""
                if not self.lenient:
                    remedy = f"write '' where there is no text, {or_lenient()}, which takes it as empty"
                    raise fault(self.path, f"{self.unit} {number}", f"column {column!r} is null", remedy)
            elif not isinstance(text, str):
                found = f"column {column!r} holds {_shown(text)}, which is no text"
                self.refuse("no-text", number, found, "name a column of texts, or write it as text")
                return
            row.append(text)
        names = [] if self.texts.labels is None else self._names(number, labels)
        if names is None:
            return
        if is_null:
            self._count("null-text", number)
        for kept, text in zip(self._documents, row, strict=True):
            kept.append(text)
        if self.texts.labels is not None:
            self._labels.append(names)

    def refuse(self, kind: str, number: int, found: str, remedy: str) -> None:
        """Leave out a row, and count it.

        Raises
        ------
        DataFileError
            The reading is not lenient.
        """
        if not self.lenient:
            ending = f"{or_lenient()}, which leaves out such rows"
            raise fault(self.path, f"{self.unit} {number}", found, f"{remedy}, {ending}")
        self._count(kind, number)

    def finish(self) -> TextTable:
        """Return the rows; what was left out is said in one warning.

        Raises
        ------
        DataFileError
            There is no row.
        """
        repairs: Repairs = [(kind, *counts) for kind, counts in self._repairs.items()]
        if not self._documents[0]:
            found = "no row can be read" if repairs else "there are no rows"
            raise fault(self.path, "", found, "check that the file was written or downloaded completely")
        warn_repairs(self.path, repairs, self.unit)
        labels = None if self.texts.labels is None else self._labels
        return TextTable(dict(zip(self.texts.columns, self._documents, strict=True)), labels)

    def _names(self, number: int, value: Any) -> list[str] | None:
        """Return the names of a row's labels, or None if the row is left out."""
        items = value if isinstance(value, list) else [value]
        names: list[str] = []
        for item in items:
            if isinstance(item, bytes):
                item = _decoded(item)
            if isinstance(item, str):
                parts = [item] if self.texts.separator is None else item.split(self.texts.separator)
                names += [name for part in parts if (name := part.strip())]
            elif isinstance(item, int) and not isinstance(item, bool):
                names.append(str(item))
            elif item is not None or isinstance(value, list):
                found = f"column {self.texts.labels!r} holds {_shown(item)}, which names no label"
                self.refuse("bad-label", number, found, "give labels as texts or whole numbers")
                return None
        if not names:
            found = f"there is no label in column {self.texts.labels!r}"
            self.refuse("no-label", number, found, "give each row a label at least")
            return None
        return list(dict.fromkeys(names))

    def _count(self, kind: str, number: int) -> None:
        count, first = self._repairs.get(kind, (0, number))
        self._repairs[kind] = (count + 1, first)


def _decoded(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def columns_remedy(texts: Texts) -> str:
    """Return what to do where a column is missing."""
    options = setting("text") if texts.labels is None else f"{setting('text')} and {setting('labels')}"
    return f"name the columns with {options}"
