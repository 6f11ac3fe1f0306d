"""Reading tables of texts by the name of the file, or by the name of the format."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hashslide._checks import check_bool
from hashslide._interface import setting
from hashslide._os_errors import StrPath, as_path
from hashslide.errors import InputError

from .columnar import read_columnar
from .delimited import read_delimited
from .lines import LABEL, read_fasttext, read_json_lines
from .rows import TextRows, Texts, TextTable

__all__ = ["TEXT_FORMATS", "TextFormat", "load_texts", "text_format_of"]


def __dir__() -> list[str]:
    return __all__


class TextFormat(NamedTuple):
    """A format of tables of texts, and the function that reads it."""

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[StrPath, TextRows], None]
    may_be_compressed: bool = True
    has_columns: bool = True


_DELIMITED = "csv"
TEXT_FORMATS = (
    TextFormat(_DELIMITED, (".csv", ".tsv"), lambda path, rows: read_delimited(path, rows, None)),
    TextFormat("jsonl", (".jsonl", ".ndjson", ".json"), read_json_lines),
    TextFormat("parquet", (".parquet", ".pq", ".arrow", ".feather"), read_columnar, may_be_compressed=False),
    TextFormat("fasttext", (".ft", ".fasttext"), read_fasttext, has_columns=False),
)


def load_texts(
    path: StrPath,
    *,
    text: str | Sequence[str] | None = None,
    labels: str | None = None,
    separator: str | None = None,
    delimiter: str | None = None,
    format: str | None = None,
    lenient: bool = False,
) -> TextTable:
    """Read texts, and their labels, from a table; the suffix of the name chooses the format.

    ============  =============================================================
    `format`      suffixes
    ============  =============================================================
    "csv"         ``.csv``, ``.tsv``, also with ``.gz``
    "jsonl"       ``.jsonl``, ``.ndjson``, ``.json``, also with ``.gz``: a JSON
                  object in each line
    "parquet"     ``.parquet``, ``.pq``, ``.arrow``, ``.feather``
    "fasttext"    ``.ft``, ``.fasttext``, also with ``.gz``: words, and names of
                  labels behind ``__label__``, in each line
    ============  =============================================================

    Parameters
    ----------
    path : str or path
        The file. Gzip is recognised by its content.
    text : str or sequence of str
        The column of the texts, or several. Of fastText's lines, which have no columns, what their texts
        are called: by default "text".
    labels : str, optional
        The column of the labels: a text or a whole number, or a list of them, in each row. By default no
        labels are read. Of fastText's lines the prefix of the labels, such as ``"__label__"``.
    separator : str, optional
        What stands between the names of labels in one text, such as ``";"``; blanks around a name do not
        belong to it. By default a text is one name.
    delimiter : str, optional
        What stands between two cells of a CSV file, as in `load_csv`.
    format : str, optional
        The name of a format, for files without a suffix of it.
    lenient : bool, default=False
        Leave out rows that cannot be read or have no label, take a text that is null or missing as empty,
        and say so in a `RepairWarning`. A quoted cell that has swallowed the lines behind it is always
        refused. An empty text is no fault.

    Returns
    -------
    TextTable
        ``documents``, a dict of lists of texts by column, and ``labels``, a list of lists of names.

    Raises
    ------
    DataFileError
        A column is missing or a row is not acceptable; the message names the line (in Parquet and Arrow
        files the row, from 0), what was found and the remedy.
    InputError
        An argument is not acceptable, the suffix is unknown, or pyarrow, which Parquet needs, is missing.
    OSError
        The file cannot be opened.

    Examples
    --------
    ``load_texts("products.tsv", text=["title", "body"], labels="tags", separator=";")``
    """
    found = text_format_of(path, format)
    if not found.has_columns:
        _refuse(found, separator=separator)
        text = "text" if text is None else text
    if found.name != _DELIMITED:
        _refuse(found, delimiter=delimiter)
    texts = _checked(text, labels, separator, found)
    rows = TextRows(path, texts, check_bool("lenient", lenient), "row" if found.name == "parquet" else "line")
    if found.name == _DELIMITED:
        read_delimited(path, rows, delimiter)
    else:
        found.read(path, rows)
    return rows.finish()


def text_format_of(path: StrPath, format: str | None = None) -> TextFormat:
    """Return the format of the given name, or else the one that the suffix of the file chooses.

    Raises
    ------
    InputError
        There is none.
    """
    if format is not None:
        for form in TEXT_FORMATS:
            if form.name == format:
                return form
        accepted = ", ".join(form.name for form in TEXT_FORMATS)
        raise InputError(f"{setting('format')} is {format!r}; texts are read from {accepted}.")
    name = as_path(path).name.lower()
    for form in TEXT_FORMATS:
        if (name.removesuffix(".gz") if form.may_be_compressed else name).endswith(form.suffixes):
            return form
    known = ", ".join(s + ("[.gz]" if f.may_be_compressed else "") for f in TEXT_FORMATS for s in f.suffixes)
    raise InputError(
        f"{path}: the suffix is of no table of texts. Known are {known}. "
        f"Rename the file, or give its format, such as {setting('format', 'fasttext')}."
    )


def _refuse(form: TextFormat, **options: str | None) -> None:
    for name, value in options.items():
        if value is not None:
            raise InputError(f"the format {form.name} has no option {setting(name)}. Leave it out.")


def _checked(
    text: str | Sequence[str] | None, labels: str | None, separator: str | None, form: TextFormat
) -> Texts:
    columns = (text,) if isinstance(text, str) else text
    if (
        not isinstance(columns, list | tuple)
        or not columns
        or not all(isinstance(name, str) and name for name in columns)
        or len(set(columns)) < len(columns)
    ):
        raise InputError(
            f"{setting('text')} is {text!r}. Give the name of the column of texts, or several different ones."
        )
    if not form.has_columns and len(columns) > 1:
        raise InputError(f"the format {form.name} has one text in each line, not {len(columns)}. Name one.")
    for name, value, what in (
        ("labels", labels, "the name of a column" if form.has_columns else f"a prefix, such as {LABEL!r}"),
        ("separator", separator, "the text that stands between two names"),
    ):
        if value is not None and (not isinstance(value, str) or not value):
            raise InputError(f"{setting(name)} is {value!r}. Give {what}.")
    return Texts(tuple(columns), labels, separator)
