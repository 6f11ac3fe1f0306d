"""The examples of a pack as a training sees them: window by window, in an order that a few integers decide.

The blocks of the pack are permuted for each epoch; a window is some of them that follow each other in that
order, and its examples are permuted again. As the pack is in random order itself, windows are fair samples.
All permutations depend on the seed, the epoch and the number of the window alone: to go on in the middle of
an epoch takes no more than these numbers and that of the batch.
"""

import math
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.training import Batch, TrainingData

from .pack import BLOCK_BYTES, Pack

__all__ = ["PackedExamples", "batch_of", "windows"]


def __dir__() -> list[str]:
    return __all__


BYTES_PER_SAMPLED = 256  # that the stages after the training hold of each of their examples


@dataclass(frozen=True)
class PackedExamples:
    """What is trained on: the first `n_rows` examples of a pack.

    It has the attributes of `hashslide.training.TrainingData`; x and y lie in the pack's file. `change` is
    what `transformed` does to features as they are read: x has the old ones.
    """

    pack: Pack
    n_rows: int
    sample_weight: None = None
    is_both_ways: bool = False
    change: Callable[[Csr], Csr] | None = None

    @property
    def x(self) -> Csr:
        """Features of all examples of the pack."""
        return self.pack.x

    @property
    def y(self) -> Csr:
        """Labels of all examples of the pack."""
        return self.pack.y

    @property
    def rows(self) -> range:
        """The examples to use."""
        return range(self.n_rows)

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return math.ceil(self.n_rows / batch_size)

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `first` on."""
        skipped = first * batch_size
        waiting = np.empty(0, np.int64)
        for rows in windows(self.pack, (0, self.n_rows), [seed, epoch], self.pack.window_bytes, skipped):
            rows = np.concatenate([waiting, rows])
            n_whole = len(rows) - len(rows) % batch_size
            for begin in range(0, n_whole, batch_size):
                yield batch_of(self.pack, rows[begin : begin + batch_size], self.change)
            waiting = rows[n_whole:]
        if len(waiting):
            yield batch_of(self.pack, waiting, self.change)

    def held_out(self, n: int, seed: int) -> tuple["PackedExamples", TrainingData]:
        """Return the examples without the last `n`, and these."""
        first = self.n_rows - n
        return replace(self, n_rows=first), self._examples(first, self.n_rows)

    @property
    def n_sampled(self) -> int:
        """How many examples `sample` returns: each may take some memory of its own, all of them a window."""
        return min(self.n_rows, max(1, self.pack.window_bytes // BYTES_PER_SAMPLED))

    def sample(self) -> TrainingData:
        """Return some examples: the first ones, as the order is random."""
        return self._examples(0, self.n_sampled)

    def transformed(self, change: Callable[[Csr], Csr]) -> Self:
        """Return the same examples with other features, which are made as they are read."""
        return replace(self, change=change)

    def label_counts(self) -> NDArray[np.int64]:
        """Return how many of the examples carry each label."""
        counts = np.array(self.pack.label_counts)
        ids, missing = np.unique(self._left_out()[1].indices, return_counts=True)
        counts[ids] -= missing
        return counts

    def sum_of_squares(self) -> float:
        """Return the sum of the squares of all features' values; of changed ones, as the sample has them."""
        if self.change is not None:
            sample = self.sample()
            return sample.sum_of_squares() * self.n_rows / len(sample.rows)
        missing = self._left_out()[0].values.astype(np.float64)
        return max(0.0, self.pack.sum_of_squares - float(np.dot(missing, missing)))

    def _examples(self, first: int, last: int) -> TrainingData:
        x, y = self.pack.examples(first, last)
        x = x if self.change is None else self.change(x)
        return TrainingData(x=x, y=y, rows=np.arange(x.n_rows))

    def _left_out(self) -> tuple[Csr, Csr]:
        return self.pack.examples(self.n_rows, self.pack.n_rows)


def batch_of(
    pack: Pack, rows: NDArray[np.int64], change: Callable[[Csr], Csr] | None, n_elsewhere: int = 0
) -> Batch:
    """Return some rows of a pack as a batch, with changed features if there is a change."""
    if change is None:
        return Batch(pack.x, pack.y, rows, n_elsewhere=n_elsewhere)
    x, y = change(pack.x.take(rows)), pack.y.take(rows)
    return Batch(x, y, np.arange(len(rows)), n_elsewhere=n_elsewhere)


def windows(
    pack: Pack, part: tuple[int, int], key: list[int], window_bytes: int, skipped: int
) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each window of a part of a pack in their order, without the first `skipped` rows.

    The system is asked for the next window while this one is used, and told when one is done with.

    Parameters
    ----------
    pack : Pack
    part : pair of int
        Its examples from the first number up to before the second one.
    key : list of int
        The permutations depend on it alone.
    window_bytes : int
        About what of the file is held at once.
    skipped : int
    """
    first, last = part
    size = pack.block_rows
    order = np.random.default_rng(key).permutation(math.ceil((last - first) / size))
    per_window = max(1, window_bytes // BLOCK_BYTES)

    def blocks_of(number: int) -> list[tuple[int, int]]:
        begins = first + size * order[number * per_window : (number + 1) * per_window]
        return [(begin, min(begin + size, last)) for begin in begins.tolist()]

    for number in range(math.ceil(len(order) / per_window)):
        bounds = blocks_of(number)
        n = sum(end - begin for begin, end in bounds)
        if skipped >= n:
            skipped -= n
            continue
        for begin, end in blocks_of(number + 1):
            pack.advise(begin, end, mmap.MADV_WILLNEED)
        rows = np.concatenate([np.arange(begin, end) for begin, end in bounds])
        rows = rows[np.random.default_rng([*key, number]).permutation(n)]
        yield rows[skipped:]
        skipped = 0
        for begin, end in bounds:
            pack.advise(begin, end, mmap.MADV_DONTNEED)
