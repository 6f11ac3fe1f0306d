"""What is trained on: examples in memory, or anything else that yields batches of them."""

import math
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from hashslide._validation import blocks
from hashslide.csr import Csr

__all__ = ["Batch", "BatchSource", "Examples", "Occurrences", "TrainingData"]


def __dir__() -> list[str]:
    return __all__


_ROWS_PER_BLOCK = 1024
_ITEMS_PER_BLOCK = 1 << 18


class Batch(NamedTuple):
    """The arguments of one step: the rows of x and y that it is made on.

    Attributes
    ----------
    x, y : Csr
    rows : int64 array
    sample_weight : float32 array, one for each row of x, or None
    n_elsewhere : int
        Further examples of the batch that others hold, where several processes make the step together.
    """

    x: Csr
    y: Csr
    rows: NDArray[np.int64]
    sample_weight: NDArray[np.float32] | None = None
    n_elsewhere: int = 0


class BatchSource(Protocol):
    """What `train` can train on: data in memory, on disk, or a stream."""

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch; of a stream, about: schedules and progress go by it."""
        ...

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterable[Batch]:
        """Yield the batches of an epoch, which is counted from 0, without the `first` ones.

        Their order depends on these numbers alone, so that a training goes on wherever it was broken off.
        """
        ...


class Examples(BatchSource, Protocol):
    """What `SlideClassifier.fit` trains on: `TrainingData`, or the examples of a pack."""

    @property
    def x(self) -> Csr:
        """Features; those of `rows` are used."""
        ...

    @property
    def y(self) -> Csr:
        """Labels of the same rows."""
        ...

    @property
    def rows(self) -> Sized:
        """The examples to use."""
        ...

    @property
    def is_both_ways(self) -> bool:
        """Whether each example is there a second time with features and labels exchanged."""
        ...

    def held_out(self, n: int, seed: int) -> "tuple[Examples, TrainingData]":
        """Return the data without `n` random examples, and a copy of these."""
        ...

    def sample(self) -> "TrainingData":
        """Return the examples that the stages after the training learn from."""
        ...

    def transformed(self, change: Callable[[Csr], Csr]) -> Self:
        """Return the same examples with other features, each row of which follows from the old one."""
        ...

    def label_counts(self) -> NDArray[np.int64]:
        """Return how many of the examples carry each label."""
        ...

    def sum_of_squares(self) -> float:
        """Return the sum of the squares of all features' values."""
        ...


class Occurrences(NamedTuple):
    """Labels that occur in some examples, and how often.

    Attributes
    ----------
    ids : int32 array, ascending
    counts : int64 array
    """

    ids: NDArray[np.int32]
    counts: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What is trained on.

    Attributes
    ----------
    x, y : Csr
        Features and labels of all examples.
    rows : int64 array
        The examples to use.
    sample_weight : float32 array, one for each row of x, or None
    n_reversed : int
        How many of these, the last ones, are others of them with features and labels exchanged.
    """

    x: Csr
    y: Csr
    rows: NDArray[np.int64]
    sample_weight: NDArray[np.float32] | None = None
    n_reversed: int = 0

    @property
    def is_both_ways(self) -> bool:
        """Whether examples are there a second time with features and labels exchanged."""
        return self.n_reversed > 0

    def one_way(self) -> "TrainingData":
        """Return the same data without reversed examples."""
        return replace(self, rows=self.rows[: len(self.rows) - self.n_reversed], n_reversed=0)

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return math.ceil(len(self.rows) / batch_size)

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, in an order that depends on its number and the seed alone."""
        order = self.rows[np.random.default_rng([seed, epoch]).permutation(len(self.rows))]
        order = order[first * batch_size :]
        for begin, end in blocks(len(order), batch_size):
            yield Batch(self.x, self.y, order[begin:end], self.sample_weight)

    def chosen(self) -> NDArray[np.int64] | None:
        """Return the rows to use, or None where those are all."""
        return None if len(self.rows) == self.x.n_rows else self.rows

    def held_out(self, n: int, seed: int) -> tuple["TrainingData", "TrainingData"]:
        """Return the data without `n` random examples, and a copy of these."""
        rows = np.sort(np.random.default_rng([seed, len(self.rows)]).choice(self.rows, n, replace=False))
        kept = self.rows[~np.isin(self.rows, rows, assume_unique=True)]
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        copy = TrainingData(x=self.x.take(rows), y=self.y.take(rows), rows=np.arange(n), sample_weight=weight)
        return replace(self, rows=kept), copy

    def sample(self) -> "TrainingData":
        """Return the examples that the stages after the training learn from: all of them."""
        return self

    def transformed(self, change: Callable[[Csr], Csr]) -> Self:
        """Return the same examples with other features."""
        return replace(self, x=change(self.x))

    def occurrences(self) -> "Occurrences":
        """Return the labels that occur in the examples. O(log of their occurrences) for each of these."""
        chosen = self.y.indices if self.chosen() is None else self.y.take(self.rows).indices
        return Occurrences(*np.unique(chosen, return_counts=True))

    def label_counts(self) -> NDArray[np.int64]:
        """Return how many of the examples carry each label."""
        y, counts = self.y, np.zeros(self.y.n_columns, np.int64)
        block = max(_ITEMS_PER_BLOCK, y.n_columns)  # of which NumPy makes a copy with wider numbers
        if self.chosen() is None:
            parts = (y.indices[first:last] for first, last in blocks(y.nnz, block))
        else:
            n_rows = max(1, block * y.n_rows // max(1, y.nnz))
            parts = (y.take(self.rows[first:last]).indices for first, last in blocks(len(self.rows), n_rows))
        for part in parts:
            counts += np.bincount(part, minlength=y.n_columns)
        return counts

    def sum_of_squares(self) -> float:
        """Return the sum of the squares of all features' values.

        O(nnz), by blocks of rows, so that examples that are left out change nothing, not even rounding.
        """
        chosen, squares = self.chosen(), 0.0
        for first, last in blocks(len(self.rows), _ROWS_PER_BLOCK):
            block = self.x.block(first, last) if chosen is None else self.x.take(chosen[first:last])
            squares += float(np.square(block.values, dtype=np.float64).sum())
        return squares

    def without_labels(self, labels: NDArray[np.int32]) -> "TrainingData":
        """Return the same data without some labels, and without the examples that have no others."""
        kept = ~np.isin(self.y.indices, labels)
        indptr = np.concatenate([[0], np.cumsum(kept)])[self.y.indptr]
        had, has = np.diff(self.y.indptr)[self.rows], np.diff(indptr)[self.rows]
        y = Csr(indptr, self.y.indices[kept], None, self.y.n_columns)
        return replace(self, y=y, rows=self.rows[(has > 0) | (had == 0)])
