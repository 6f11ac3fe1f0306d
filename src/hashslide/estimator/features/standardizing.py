"""Dense features are given a common size.

A row of words has a few values of one kind. A row of measurements, pixels or an embedding has most of them,
each in a unit of its own: what is large in its unit would drown the others, and a mean far from 0 would make
the steps of the optimiser interfere. Such features are standardized:

    z = (x - centre) * factor

A feature that is not 0 in half of the examples or more has its mean as centre, and the inverse of its
standard deviation as factor. One that is 0 in most has the centre 0, so that its zeros stay zeros, and the
inverse of the root mean square of its other values: the data grow to twice their memory at most.
"""

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hashslide._validation import blocks
from hashslide.csr import Csr, as_csr
from hashslide.settings import Layer
from hashslide.training import Examples, TrainingData

__all__ = ["Standardization", "is_dense", "standardized"]


def __dir__() -> list[str]:
    return __all__


DENSE = 0.1  # from this share of values that are not 0 on, features are dense
FEWEST_EXAMPLES = 50  # of fewer, a standard deviation is too uncertain
CENTRED = 0.5  # from this share of examples with a value on, a feature is centred
LARGEST = 1e4  # a standardized value beyond it says nothing more
_SMALLEST = 1e-6  # of the mean: a standard deviation below it is rounding, and the feature constant
_LOOKED_AT = 1000  # rows
_ROUNDING = 1e-3
_VALUES_PER_BLOCK = 1 << 20


@dataclass(frozen=True)
class Standardization:
    """What is taken off each feature, and by what the rest is multiplied.

    Attributes
    ----------
    centre, factor : float32 arrays of shape (n_features,)
        A constant feature has the factor 0: it tells nothing. Features that came later stay as they are.
    """

    centre: NDArray[np.float32]
    factor: NDArray[np.float32]

    @classmethod
    def of(cls, data: TrainingData) -> Self | None:
        """Return that of some examples; None where they are few, or in order as they are.

        O(values + features).
        """
        x, n = data.x, len(data.rows)
        if n < FEWEST_EXAMPLES:
            return None
        stored, sums, squares = np.zeros((3, x.n_columns))
        n_rows = max(1, _VALUES_PER_BLOCK // max(1, x.nnz // max(1, x.n_rows)))
        for block in data.feature_blocks(n_rows):
            values = block.values.astype(np.float64)
            stored += np.bincount(block.indices, minlength=x.n_columns)
            sums += np.bincount(block.indices, values, x.n_columns)
            squares += np.bincount(block.indices, np.square(values), x.n_columns)
        mean, is_centred = sums / n, stored >= CENTRED * n
        deviation = np.sqrt(np.maximum(squares / n - np.square(mean), 0))
        size = np.where(is_centred, deviation, np.sqrt(squares / np.maximum(stored, 1)))
        is_constant = is_centred & (deviation <= _SMALLEST * np.abs(mean))
        smallest = float(np.finfo(np.float32).tiny)
        factor = np.clip(1 / np.where(size > 0, size, 1), smallest, 1 / smallest)
        factor[is_constant] = 0
        centre = np.where(is_centred, mean, 0)
        if not centre.any() and np.allclose(factor, factor[0]):
            return None
        return cls(centre.astype(np.float32), factor.astype(np.float32))

    def apply(self, x: Csr) -> Csr:
        """Return a standardized copy of features. O(values + rows * features of the training)."""
        n = len(self.centre)
        if x.n_columns == n:
            return self._of_known(x)
        matrix = x.to_scipy()  # features that came later may be many and sparse: they are not spread out
        known, later = as_csr(matrix[:, :n]), matrix[:, n:]
        return as_csr(sparse.hstack([self._of_known(known).to_scipy(), later], format="csr"))

    def _of_known(self, x: Csr) -> Csr:
        """Return a standardized copy of the features of the training."""
        most = x.nnz + x.n_rows * np.count_nonzero(self.centre)
        indptr = np.zeros(x.n_rows + 1, np.int64)
        indices, data = np.empty(most, np.int32), np.empty(most, np.float32)
        for first, last in blocks(x.n_rows, max(1, _VALUES_PER_BLOCK // max(1, x.n_columns))):
            block = x.block(first, last)
            dense = np.zeros((last - first, x.n_columns), np.float32)
            dense[np.repeat(np.arange(last - first), np.diff(block.indptr)), block.indices] = block.values
            with np.errstate(over="ignore"):
                dense -= self.centre
                dense *= self.factor
            np.clip(dense, -LARGEST, LARGEST, out=dense)
            rows, columns = np.nonzero(dense)
            ends = indptr[first] + np.cumsum(np.bincount(rows, minlength=last - first))
            items = slice(indptr[first], ends[-1])
            indices[items], data[items], indptr[first + 1 : last + 1] = columns, dense[rows, columns], ends
        end = int(indptr[-1])
        return Csr.trusted(indptr, indices[:end], data[:end], x.n_columns)


def is_dense(data: Examples) -> bool:
    """Tell whether features are measurements rather than words.

    A tenth of the values or more are not 0, and the rows are not weights of words: these, of which few texts
    may have many, are not negative and have the Euclidean length 1.
    """
    x = data.x
    if data.is_both_ways or x.nnz < DENSE * x.n_rows * x.n_columns:
        return False
    first = x.block(0, min(x.n_rows, _LOOKED_AT))
    starts = first.indptr[:-1][np.diff(first.indptr) > 0]
    squares = (
        np.add.reduceat(np.square(first.values, dtype=np.float64), starts) if len(starts) else np.empty(0)
    )
    return bool((first.values < 0).any() or (np.abs(squares - 1) > _ROUNDING).any())


Data = TypeVar("Data", bound=Examples)


def standardized(data: Data, layer: Layer) -> tuple[Data, Standardization | None]:
    """Return data with standardized features, and how they become so; None where they stay as they are.

    They do so too where the first layer hashes them: its families look at which of them are 0, and it saves
    by them.
    """
    found = Standardization.of(data.sample()) if layer.is_dense and is_dense(data) else None
    return (data, None) if found is None else (data.transformed(found.apply), found)
