"""CSV and TSV files. Needs the optional extra ``arrow`` (pyarrow)."""

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from scipy.sparse import csr_matrix

from hashslide._interface import setting
from hashslide._os_errors import StrPath, as_path
from hashslide.errors import InputError

from .._repairs import fault
from .._rows import NamedData
from ..sources import open_text
from .options import Columns, checked, import_pyarrow

if TYPE_CHECKING:
    from .columns import Table

__all__ = ["checked_delimiter", "load_csv", "open_csv", "read_csv"]


def __dir__() -> list[str]:
    return __all__


_BLOCK = 1 << 24  # bytes; the longest row


def load_csv(
    path: StrPath,
    *,
    features: str | Sequence[str] = "features",
    values: str | None = "values",
    labels: str = "labels",
    separator: str | None = None,
    delimiter: str | None = None,
    n_features: int | None = None,
    n_labels: int | None = None,
    feature_names: Sequence[str] | None = None,
    label_names: Sequence[str] | None = None,
    lenient: bool = False,
) -> tuple[csr_matrix, csr_matrix]:
    """Read a data set from the columns of a CSV file, plain or gzip, whose first line names the columns.

    Parameters
    ----------
    path : str or path
        The file; gzip is recognised by its content.
    features, values, labels, n_features, n_labels, feature_names, label_names, lenient
        As in `load_parquet`. Where a column holds several ids, names or values in each row, `separator`
        stands between them. Without `feature_names` or `label_names` they are ids from 0.
    separator : str, optional
        What stands between the items of one cell, such as ``";"``. By default a cell is one item. An empty
        cell has none.
    delimiter : str, optional
        What stands between two cells. By default a tab if the name ends in ``.tsv`` or ``.tsv.gz``, else a
        comma. Cells with delimiters or line ends inside stand in double quotes.

    Returns
    -------
    X : csr_matrix of float32, shape (examples, features)
    Y : csr_matrix of float32, shape (examples, labels)
        1 where the example has the label.

    Raises
    ------
    DataFileError
        A column is missing, a number is none, or a row is not acceptable.
    InputError
        pyarrow is not installed, or an argument is not acceptable.
    OSError
        The file cannot be opened.

    Examples
    --------
    ``load_csv("plants.csv", features=["height", "width"], labels="species", label_names=names)``
    """
    (data,) = read_csv(
        path,
        features=features,
        values=values,
        labels=labels,
        separator=separator,
        delimiter=delimiter,
        n_features=n_features,
        n_labels=n_labels,
        feature_names=feature_names,
        label_names=label_names,
        lenient=lenient,
    )
    return data.X, data.Y


def read_csv(
    path: StrPath, *, limit: int | None = None, delimiter: str | None = None, **settings: Any
) -> Iterator[NamedData]:
    """Yield the blocks of a data set that `load_csv` reads, with the names that it holds; see `read_table`.

    `settings` are those of `Columns`.
    """
    arrow = import_pyarrow()
    from .reading import read_table

    columns = checked(Columns(**settings))
    with open_csv(arrow, path, columns, delimiter) as table:
        yield from read_table(table, columns, limit)


@contextmanager
def open_csv(arrow: ModuleType, path: StrPath, columns: Columns, delimiter: str | None) -> Iterator["Table"]:
    """Open a file; the columns that are used must be there."""
    from .columns import Table, feature_columns, used_columns

    delimiter = checked_delimiter(path, delimiter)
    with open_text(path) as source:
        body = source.utf8_file()
        header = _header(path, body.readline(), delimiter)
        used = used_columns(path, columns, header)
        dense = feature_columns(columns, header) or ()
        types = {name: arrow.float64() if name in dense else arrow.string() for name in used}
        yield Table(
            path, arrow.schema(types), _batches(arrow, path, body, header, types, delimiter), text=True
        )


def checked_delimiter(path: StrPath, delimiter: str | None) -> str:
    """Return what stands between two cells: by default what the name of the file says.

    Raises
    ------
    InputError
        It is not one character that can.
    """
    if delimiter is None:
        return "\t" if as_path(path).name.lower().removesuffix(".gz").endswith(".tsv") else ","
    if (
        not isinstance(delimiter, str)
        or len(delimiter) != 1
        or not delimiter.isascii()
        or delimiter in '"\r\n'
    ):
        raise InputError(
            f"{setting('delimiter')} is {delimiter!r}. Give one character, such as a semicolon or a tab."
        )
    return delimiter


def _header(path: StrPath, line: bytes, delimiter: str) -> list[str]:
    try:
        names = next(csv.reader([line.decode()], delimiter=delimiter, strict=True), [])
    except UnicodeDecodeError:
        raise fault(path, "line 1", "not UTF-8 text", "convert the file to UTF-8") from None
    except csv.Error as error:
        raise fault(path, "line 1", str(error), "name the columns in the first line") from None
    if not any(names):
        raise fault(path, "", "the file is empty", "check that it was written or downloaded completely")
    return names


def _batches(
    arrow: ModuleType,
    path: StrPath,
    body: io.BufferedReader,
    header: list[str],
    types: dict[str, Any],
    delimiter: str,
) -> Iterator[Any]:
    import pyarrow.csv as arrow_csv

    if not body.peek(1):
        return
    try:
        yield from arrow_csv.open_csv(
            body,
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=header),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(column_types=types, include_columns=list(types)),
        )
    except arrow.ArrowException as error:
        remedy = "give each row one cell for each column, and only numbers in columns that are features"
        raise fault(path, "", str(error), remedy) from None
