"""Rows that have been fetched serve for several batches."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.distributed.rows.own_step import Rows, Touched

__all__ = ["RowCache"]


def __dir__() -> list[str]:
    return __all__


class RowCache:
    """Keeps fetched rows until all of them are fetched anew: rows that many batches touch travel less often.

    Memory is that of the distinct rows of `n_fetch` batches.

    Parameters
    ----------
    n_fetch : int
        A fetched row serves for so many batches of this machine at most.
    """

    def __init__(self, n_fetch: int) -> None:
        self._n_fetch, self._age = n_fetch, 0
        self._features, self._labels = _Kept(), _Kept()

    def missing(self, touched: Touched) -> Touched:
        """Return what has to be fetched for the next batch; called once for each batch."""
        if self._age % self._n_fetch == 0:
            self._features, self._labels = _Kept(), _Kept()
        self._age += 1
        return Touched(self._features.missing(touched.features), self._labels.missing(touched.labels))

    def completed(self, touched: Touched, missing: Touched, fetched: Rows) -> Rows:
        """Return all rows of the batch, of which the missing ones have been fetched."""
        if self._n_fetch == 1:
            return fetched
        self._features.add(missing.features, [fetched.input])
        self._labels.add(missing.labels, list(fetched[1:]))
        (of_input,) = self._features.of(touched.features)
        return Rows(of_input, *self._labels.of(touched.labels))


class _Kept:
    """Columns of values by id."""

    def __init__(self) -> None:
        self._ids = np.empty(0, np.int32)  # ascending
        self._places = np.empty(0, np.int64)  # of their values
        self._columns: list[Any] = []

    def missing(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        return ids[np.isin(ids, self._ids, assume_unique=True, invert=True)]

    def add(self, ids: NDArray[np.int32], columns: list[Any]) -> None:
        n = len(self._ids)
        all_ids = np.concatenate([self._ids, ids])
        places = np.concatenate([self._places, np.arange(n, n + len(ids))])
        order = np.argsort(all_ids)
        self._ids, self._places = all_ids[order], places[order]
        if n:
            pairs = zip(self._columns, columns, strict=True)
            columns = [None if new is None else np.concatenate([old, new]) for old, new in pairs]
        self._columns = columns

    def of(self, ids: NDArray[np.int32]) -> list[Any]:
        places = self._places[np.searchsorted(self._ids, ids)]
        return [None if column is None else column[places] for column in self._columns]
