"""Which examples of a batch a rank reads: V virtual readers, each with its own part of the data.

Reader v of n rows brings rows ``share(t)`` to ``share(t + 1)`` of its order into batch t of N, with
``share(t) = floor(t n / N + v / V)``: so all batches of an epoch are of about the same size, and the rest
that a division leaves falls on the readers in turn. A rank reads for the readers that have the numbers of its
shards, one after the other; so batches do not depend on the number of ranks, and all ranks make as many.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.data.pack import Pack
from hashslide.data.pack.order import batch_of, windows
from hashslide.training import Batch, TrainingData

__all__ = ["ReadersOfData", "ReadersOfPack"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class _Readers:
    """The readers of a rank.

    Attributes
    ----------
    n_rows : int
        Examples of all readers.
    n_readers : int
    rank, n_ranks : int
    """

    n_rows: int
    n_readers: int
    rank: int
    n_ranks: int

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch, of about `batch_size` examples of all ranks."""
        return math.ceil(self.n_rows / batch_size)

    @property
    def own(self) -> range:
        """The readers of this rank."""
        n = self.n_readers // self.n_ranks
        return range(self.rank * n, (self.rank + 1) * n)

    def parts(self) -> list[int]:
        """Return where the part of each reader begins among all examples, and the end: equal up to one."""
        return [self.n_rows * reader // self.n_readers for reader in range(self.n_readers + 1)]

    def shares(self, batch: int, n_batches: int) -> NDArray[np.int64]:
        """Return how many of its rows each reader has brought before a batch."""
        n, readers = np.diff(self.parts()), np.arange(self.n_readers)
        return (batch * n * self.n_readers + readers * n_batches) // (n_batches * self.n_readers)


@dataclass(frozen=True)
class ReadersOfPack(_Readers):
    """The part of a rank in each global batch of a pack (`hashslide.training.BatchSource`).

    Each reader has a run of the pack's examples for itself, which it goes through window by window, as
    `hashslide.data.pack.order` does with all of them; the windows of all readers together are as large as the
    pack's.

    Parameters
    ----------
    n_rows : int
        The first so many examples of the pack are used.
    n_readers : int
        A multiple of `n_ranks`.
    rank, n_ranks : int
    pack : Pack
    change : callable, optional
        What is done to features as they are read.
    """

    pack: Pack
    change: Callable[[Csr], Csr] | None = None

    @property
    def x(self) -> Csr:
        """Features of all examples of the pack."""
        return self.pack.x

    @property
    def y(self) -> Csr:
        """Labels of all examples of the pack."""
        return self.pack.y

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch from number `first` on."""
        n_batches, parts = self.n_batches(batch_size), list(pairwise(self.parts()))
        n_bytes, before = self.pack.window_bytes // self.n_readers, self.shares(first, n_batches)
        streams = [
            _Rows(windows(self.pack, parts[reader], [seed, epoch, reader], n_bytes, int(before[reader])))
            for reader in self.own
        ]
        for batch in range(first, n_batches):
            after = self.shares(batch + 1, n_batches)
            taken = (after - before)[self.own.start : self.own.stop].tolist()
            rows = np.concatenate([stream.take(n) for stream, n in zip(streams, taken, strict=True)])
            yield batch_of(self.pack, rows, self.change, int((after - before).sum()) - len(rows))
            before = after


@dataclass(frozen=True)
class ReadersOfData(_Readers):
    """The same of examples in memory, which every rank has. The readers' parts are dealt anew for each epoch.

    Parameters
    ----------
    n_rows : int
        ``len(data.rows)``
    n_readers : int
        A multiple of `n_ranks`.
    rank, n_ranks : int
    data : TrainingData
    """

    data: TrainingData

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch from number `first` on."""
        n_batches, data = self.n_batches(batch_size), self.data
        order = data.rows[np.random.default_rng([seed, epoch]).permutation(self.n_rows)]
        begins = np.array(self.parts()[:-1])
        before = self.shares(first, n_batches)
        for batch in range(first, n_batches):
            after = self.shares(batch + 1, n_batches)
            bounds = zip((begins + before).tolist(), (begins + after).tolist(), strict=True)
            rows = np.concatenate([order[a:b] for a, b in list(bounds)[self.own.start : self.own.stop]])
            yield Batch(data.x, data.y, rows, data.sample_weight, int((after - before).sum()) - len(rows))
            before = after


class _Rows:
    """Rows that come in runs, taken in other numbers."""

    def __init__(self, runs: Iterator[NDArray[np.int64]]) -> None:
        self._runs, self._waiting = runs, np.empty(0, np.int64)

    def take(self, n: int) -> NDArray[np.int64]:
        """Return the next n rows."""
        while len(self._waiting) < n:
            self._waiting = np.concatenate([self._waiting, next(self._runs)])
        taken, self._waiting = self._waiting[:n], self._waiting[n:]
        return taken
