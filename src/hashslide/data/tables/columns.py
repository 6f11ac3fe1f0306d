"""Which columns of a table hold features, values and labels. Imports pyarrow."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from hashslide._interface import setting
from hashslide._os_errors import StrPath

from .options import Columns, check_columns

__all__ = ["ALL", "Columns", "Table", "feature_columns", "used_columns"]


def __dir__() -> list[str]:
    return __all__


ALL = "*"


class Table(NamedTuple):
    """A table that is open: its schema, and its rows, once."""

    path: StrPath
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    text: bool


def feature_columns(columns: Columns, names: Sequence[str]) -> list[str] | None:
    """Return the columns that are a feature each, or None if one column lists the features of a row."""
    if columns.features == ALL:
        return [name for name in names if name not in (columns.labels, columns.values)]
    return None if isinstance(columns.features, str) else list(columns.features)


def used_columns(path: StrPath, columns: Columns, names: Sequence[str]) -> list[str]:
    """Return the columns that have to be read, after a look whether there are all of them.

    Raises
    ------
    DataFileError
        A column is missing, or two bear the same name.
    """
    dense = feature_columns(columns, names)
    values = [] if columns.values is None or dense is not None else [columns.values]
    wanted = list(dict.fromkeys([*([columns.features] if dense is None else dense), *values, columns.labels]))
    options = ", ".join(setting(name) for name in ("features", "values", "labels"))
    remedy = (
        f"name the columns with {options} ({setting('values', None)}: every value is 1; "
        f"{setting('features', ALL)}: each other column is a feature)"
    )
    check_columns(path, wanted, names, remedy)
    return wanted
