"""The rows of a table on their way to a CSR matrix, batch by batch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide._os_errors import StrPath
from hashslide.errors import DataFileError

from .._repairs import Repairs, fault

__all__ = ["GrowingArray", "RowCollector"]


def __dir__() -> list[str]:
    return __all__


class GrowingArray:
    """One-dimensional array that grows by realloc, so its items are never held twice."""

    def __init__(self, dtype: type) -> None:
        self._array: NDArray[Any] = np.empty(0, dtype)
        self._size = 0

    def extend(self, items: NDArray[Any]) -> None:
        """Append items. A value beyond float32 becomes infinite; it is refused later, with its row."""
        size = self._size + len(items)
        if size > len(self._array):
            self._array.resize(max(size, len(self._array) * 5 // 4), refcheck=False)
        with np.errstate(over="ignore"):
            self._array[self._size : size] = items
        self._size = size

    def finish(self) -> NDArray[Any]:
        """Return the array; it grows no more."""
        self._array.resize(self._size, refcheck=False)
        return self._array


class RowCollector:
    """Collects ids and values of rows, and what was repaired in them.

    Parameters
    ----------
    path : str or path
        Where the rows come from, for messages.

    Attributes
    ----------
    n_rows : int
        Of the whole table so far.
    n_items : int
        Ids that were not taken yet.
    """

    def __init__(self, path: StrPath) -> None:
        self.path = path
        self.n_rows = self.first_row = 0
        self._repairs: dict[str, tuple[int, int]] = {}
        self._start()

    def _start(self) -> None:
        self.n_items = 0
        self._ids = GrowingArray(np.int32)
        self._data = GrowingArray(np.float32)
        self._lengths = GrowingArray(np.int64)

    def extend(self, ids: NDArray[Any], data: NDArray[Any], lengths: NDArray[Any]) -> None:
        """Append the rows of one batch."""
        self._ids.extend(ids)
        self._data.extend(data)
        self._lengths.extend(lengths)
        self.n_rows += len(lengths)
        self.n_items += len(ids)

    def note(self, kind: str, rows: NDArray[Any]) -> None:
        """Remember a repair in rows of the batch that is being read."""
        if len(rows):
            count, first = self._repairs.get(kind, (0, self.n_rows + int(rows[0])))
            self._repairs[kind] = (count + len(rows), first)

    def fault(self, row: int, found: str, remedy: str) -> DataFileError:
        """Return the exception for a fault in a row of the batch that is being read."""
        return fault(self.path, f"row {self.n_rows + int(row)}", found, remedy)

    def take(self, repairs: Repairs) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], int]:
        """Return values, ids and offsets of the rows since the last time, and the number of the first one.

        What was repaired is appended to `repairs`.
        """
        repairs.extend((kind, *counts) for kind, counts in self._repairs.items())
        self._repairs.clear()
        indptr = np.concatenate([[0], np.cumsum(self._lengths.finish())])
        arrays = self._data.finish(), self._ids.finish(), indptr, self.first_row
        self._start()
        self.first_row = self.n_rows
        return arrays
