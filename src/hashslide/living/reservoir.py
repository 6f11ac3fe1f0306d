"""A bounded, stratified sample of all examples that a model has learned from (docs/how/living_models.md).

Every example draws a ticket, a random number that depends on the seed and on its place among all examples
alone. Within a label the examples are ranked by their tickets, and the layer of an example is its best rank
among those of its labels; examples without labels are the stratum of one more label. Kept are the examples
whose (layer, ticket) lies below a bound, which is lowered whenever more than `size` examples do and never
raised. So with the bound (m, t) each label keeps the m examples of its lowest tickets, or all that it has: a
uniform sample without replacement (bottom-k samples with shared tickets: Cohen & Kaplan, PODC 2007), and a
label of few examples keeps as many as one of many. What was dropped has m better examples in each of its
labels, so that those that are kept rank the rest as all would: no example is looked at twice.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide._validation import blocks
from hashslide.csr import Csr
from hashslide.errors import InputError

__all__ = ["Reservoir", "check_reservoir", "layers", "only_columns", "stacked"]


def __dir__() -> list[str]:
    return __all__


NO_BOUND = (2**62, 0)
_LEAST_BLOCK = 1 << 14  # examples that are ranked at a time


@dataclass(frozen=True)
class Reservoir:
    """The kept examples; memory: at most `size` rows of features and labels and 8 bytes for each row.

    Attributes
    ----------
    size : int
        The largest number of examples.
    x, y : Csr
        Features and labels of the kept examples, in the order in which they came.
    tickets : int64 array, one for each kept example
    n_seen : int
        Examples so far.
    bound : (int, int)
        The (layer, ticket) below which examples are kept.
    """

    size: int
    x: Csr
    y: Csr
    tickets: NDArray[np.int64]
    n_seen: int = 0
    bound: tuple[int, int] = NO_BOUND

    @classmethod
    def empty(cls, size: int, n_features: int, n_labels: int) -> "Reservoir":
        """Return one without examples."""
        none, values = np.empty(0, np.int32), np.empty(0, np.float32)
        x, y = (
            Csr(np.zeros(1, np.int64), none, data, n) for data, n in ((values, n_features), (None, n_labels))
        )
        return cls(size, x, y, np.empty(0, np.int64))

    def extended(self, x: Csr, y: Csr, rows: NDArray[np.int64], seed: int) -> "Reservoir":
        """Return the reservoir after some rows of x and y, which may have more columns than before.

        O(labels of the rows and of the kept examples, times the log of their number).
        """
        found = self.widened(x.n_columns, y.n_columns)
        for first, last in blocks(len(rows), max(self.size, _LEAST_BLOCK)):
            found = found._with(x.take(rows[first:last]), y.take(rows[first:last]), seed)
        return found

    def widened(self, n_features: int, n_labels: int) -> "Reservoir":
        """Return the reservoir of a model that has grown to so many features and labels."""
        return replace(self, x=replace(self.x, n_columns=n_features), y=replace(self.y, n_columns=n_labels))

    def _with(self, x: Csr, y: Csr, seed: int) -> "Reservoir":
        new = _core.random_bits(seed, "kept_examples", 0, self.n_seen, x.n_rows) >> np.uint64(1)
        tickets = np.concatenate([self.tickets, new.astype(np.int64)])
        both = stacked(self.y, y)
        layer = layers(both, tickets)
        m, ticket = self.bound
        kept = np.flatnonzero((layer < m) | ((layer == m) & (tickets < ticket)))
        bound = self.bound
        if len(kept) > self.size:
            order = np.lexsort((tickets[kept], layer[kept]))
            out = kept[order[self.size]]  # the first that has no place
            bound = int(layer[out]), int(tickets[out])
            kept = np.sort(kept[order[: self.size]])
        return Reservoir(
            self.size,
            stacked(self.x, x).take(kept),
            both.take(kept),
            tickets[kept],
            self.n_seen + x.n_rows,
            bound,
        )

    def draw(self, n: int, seed: int, call: int) -> NDArray[np.int64]:
        """Return n of the kept examples, or all if there are fewer, at random without replacement."""
        n_kept = len(self.tickets)
        chance = _core.random_bits(seed, "replay", call, 0, n_kept)
        return np.sort(np.argsort(chance, kind="stable")[: min(n, n_kept)])

    def without(self, kept: NDArray[np.int64]) -> "Reservoir":
        """Return the reservoir of a model that has only these of its labels left, in ascending order.

        The others' entries are gone, and with them the examples that had no others.
        """
        y = only_columns(self.y, kept)
        had, has = np.diff(self.y.indptr), np.diff(y.indptr)
        rows = np.flatnonzero((has > 0) | (had == 0))
        return replace(self, x=self.x.take(rows), y=y.take(rows), tickets=self.tickets[rows])


def layers(y: Csr, tickets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the best rank of each example among those of one of its labels, counted from 0."""
    lengths = np.diff(y.indptr)
    bare = np.flatnonzero(lengths == 0)
    row = np.concatenate([np.repeat(np.arange(y.n_rows), lengths), bare])
    label = np.concatenate([y.indices, np.full(len(bare), y.n_columns, np.int32)])
    order = np.lexsort((tickets[row], label))
    label, row = label[order], row[order]
    first = np.concatenate([[0], np.flatnonzero(np.diff(label)) + 1]) if len(label) else np.empty(0, np.int64)
    size = np.diff(np.append(first, len(label)))
    rank = np.arange(len(label)) - np.repeat(first, size)
    best = np.full(y.n_rows, np.iinfo(np.int64).max)
    np.minimum.at(best, row, rank)
    return best


def stacked(first: Csr, second: Csr) -> Csr:
    """Return the rows of both, one below the other."""
    data = None if first.data is None or second.data is None else np.concatenate([first.data, second.data])
    indptr = np.concatenate([first.indptr, second.indptr[1:] + first.indptr[-1]])
    n_columns = max(first.n_columns, second.n_columns)
    return Csr(indptr, np.concatenate([first.indices, second.indices]), data, n_columns)


def only_columns(y: Csr, kept: NDArray[np.int64]) -> Csr:
    """Return a pattern with only these columns, ascending, which are numbered anew."""
    place = np.full(y.n_columns, -1, np.int32)
    place[kept] = np.arange(len(kept), dtype=np.int32)
    found = place[y.indices]
    indptr = np.concatenate([[0], np.cumsum(found >= 0, dtype=np.int64)])[y.indptr]
    return Csr(indptr, found[found >= 0], None, len(kept))


def check_reservoir(reservoir: Reservoir, n_features: int, n_labels: int) -> Reservoir:
    """Return a reservoir that comes from a file, if it fits the model."""
    n, shapes = len(reservoir.tickets), (reservoir.x.shape, reservoir.y.shape)
    if (
        shapes != ((n, n_features), (n, n_labels))
        or n > reservoir.size
        or reservoir.tickets.dtype != np.int64
    ):
        raise InputError(f"its kept examples have the shapes {shapes} for {n} tickets of {reservoir.size}")
    if reservoir.x.values.dtype != np.float32 or not np.isfinite(reservoir.x.values).all():
        raise InputError("its kept examples are not finite float32")
    return reservoir
