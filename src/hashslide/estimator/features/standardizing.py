"""Measurements are given a common size.

A row of words has a few values of one kind. Measurements have each a unit of their own: what is large in its
unit would drown the others, a mean far from 0 would make the steps of the optimiser interfere, and among
heavy tails a few examples would count and no others. Such features are standardized:

    z = (t - centre) * factor,    t = asinh((x - origin) / unit) where tails are heavy, else x

`learning.py` finds the numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashslide._validation import blocks
from hashslide.csr import Csr

__all__ = ["Standardization"]


def __dir__() -> list[str]:
    return __all__


LARGEST = 1e4  # a standardized value beyond it says nothing more
_VALUES_PER_BLOCK = 1 << 20


@dataclass(frozen=True, eq=False)
class Standardization:
    """How some features change; all others stay as they are.

    Attributes
    ----------
    columns : int32 array of shape (n,)
        The features, ascending.
    origin, unit : float32 arrays of shape (n,)
        Where the tails are heavy; elsewhere the unit is 0.
    centre, factor : float32 arrays of shape (n,)
        What is taken off, and by what the rest is multiplied. A constant feature has the factor 0: it tells
        nothing. Of a feature with origin and centre 0 the zeros stay zeros.
    """

    columns: NDArray[np.int32]
    origin: NDArray[np.float32]
    unit: NDArray[np.float32]
    centre: NDArray[np.float32]
    factor: NDArray[np.float32]

    def apply(self, x: Csr) -> Csr:
        """Return a standardized copy of features. O((values + rows * centred features) log features)."""
        is_centred = ((self.origin != 0) | (self.centre != 0)) & (self.factor != 0)
        centred = np.flatnonzero(is_centred)
        most = x.nnz + x.n_rows * len(centred)
        indptr = np.zeros(x.n_rows + 1, np.int64)
        indices, data = np.empty(most, np.int32), np.empty(most, np.float32)
        per_row = most // max(1, x.n_rows) + 1
        for first, last in blocks(x.n_rows, max(1, _VALUES_PER_BLOCK // per_row)):
            rows, columns, values = self._items(x.block(first, last), centred, is_centred)
            ends = indptr[first] + np.cumsum(np.bincount(rows, minlength=last - first))
            items = slice(indptr[first], ends[-1])
            indices[items], data[items], indptr[first + 1 : last + 1] = columns, values, ends
        end = int(indptr[-1])
        return Csr.trusted(indptr, indices[:end], data[:end], x.n_columns)

    def _items(
        self, x: Csr, centred: NDArray[np.intp], is_centred: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]:
        """Return row, column and value of each item, in order."""
        rows = np.repeat(np.arange(x.n_rows), np.diff(x.indptr))
        which = np.minimum(np.searchsorted(self.columns, x.indices), len(self.columns) - 1)
        is_known = self.columns[which] == x.indices
        values = x.values.copy()
        values[is_known] = self._changed(values[is_known], which[is_known])
        if not len(centred):
            kept = np.flatnonzero(values)
            return rows[kept], x.indices[kept], values[kept]
        spread = is_known & is_centred[which]  # the items of features in which a zero is a value too
        zeros = self._changed(np.zeros(len(centred), np.float32), centred)
        block = np.tile(zeros, (x.n_rows, 1))
        block[rows[spread], np.searchsorted(centred, which[spread])] = values[spread]
        kept = np.flatnonzero(~spread & (values != 0))
        at, of = np.nonzero(block)
        if not len(kept):
            return at, self.columns[centred[of]], block[at, of]
        rows, columns = np.append(rows[kept], at), np.append(x.indices[kept], self.columns[centred[of]])
        values = np.append(values[kept], block[at, of])
        order = np.argsort(rows * x.n_columns + columns, kind="stable")  # O(items): it merges two sorted runs
        return rows[order], columns[order], values[order]

    def _changed(self, values: NDArray[np.float32], which: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return values of the features of these places in `columns`, standardized."""
        t = values.astype(np.float64)
        is_heavy = self.unit[which] > 0
        heavy = which[is_heavy]
        t[is_heavy] = np.arcsinh((t[is_heavy] - self.origin[heavy]) / self.unit[heavy])
        z = (t - self.centre[which]) * self.factor[which]
        return np.clip(z, -LARGEST, LARGEST).astype(np.float32)
