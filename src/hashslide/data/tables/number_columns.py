"""Columns of numbers, each a feature, on their way to a CSR matrix. Imports pyarrow."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide._os_errors import StrPath

from .._foreign import text_remedy
from .._repairs import Repairs, fault, or_lenient
from .._rows import checked_matrix
from .arrow_types import as_numbers, is_list, item_kind, null_rows, plain
from .rows import RowCollector

__all__ = ["NumberColumns"]


def __dir__() -> list[str]:
    return __all__


class NumberColumns:
    """Collects the rows of columns with one number in each row: column j is feature j.

    Parameters
    ----------
    path : str or path
        Where the rows come from, for messages.
    columns : list of str
    types : list of pyarrow.DataType
    lenient : bool
        Whether missing values count as 0.
    """

    def __init__(self, path: StrPath, columns: list[str], types: list[pa.DataType], lenient: bool) -> None:
        self._path, self._columns, self._lenient = path, columns, lenient
        self._rows = RowCollector(path)
        for column, column_type in zip(columns, types, strict=True):
            kind = item_kind(column_type)
            if is_list(column_type) or kind not in ("numbers", "truth values", "nothing"):
                found = f"column {column!r} holds {column_type}, not one number in each row"
                remedy = (
                    f"leave it out of the features, or {text_remedy()}" if kind == "names" else "leave it out"
                )
                raise fault(path, "", found, remedy)

    def add(self, batch: pa.RecordBatch) -> None:
        """Append the rows of one batch."""
        table = np.empty((batch.num_rows, len(self._columns)), np.float64)
        for j, column in enumerate(self._columns):
            table[:, j] = self._numbers(plain(batch.column(column)), column)
        rows, ids = np.nonzero(table)
        lengths = np.bincount(rows, minlength=batch.num_rows)
        self._rows.extend(ids, table[rows, ids], lengths)

    @property
    def n_items(self) -> int:
        """Ids of the rows that `matrix` has not returned yet."""
        return self._rows.n_items

    def matrix(self, repairs: Repairs) -> csr_matrix:
        """Return the CSR matrix of the rows since the last time; repairs are appended to `repairs`."""
        data, ids, indptr, first_row = self._rows.take(repairs)
        arrays, width = (data, ids, indptr), len(self._columns)
        return checked_matrix(self._path, "feature", arrays, width, self._lenient, repairs, first_row)

    def _numbers(self, column: pa.Array, name: str) -> NDArray[Any]:
        missing = null_rows(column)
        if len(missing) == 0:
            return as_numbers(column)
        if not self._lenient:
            remedy = f"fill in a number, {or_lenient()} to take 0 for it"
            raise self._rows.fault(missing[0], f"column {name!r} has no number", remedy)
        self._rows.note("missing-number", missing)
        numbers = np.zeros(len(column))
        if len(missing) < len(column):
            numbers[column.is_valid().to_numpy(zero_copy_only=False)] = as_numbers(column.drop_null())
        return numbers
