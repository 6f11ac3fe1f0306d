"""Which examples are still to be learned, by whom, and when somebody else takes them over.

A block is a run of examples of the pack. Each epoch deals out all of its blocks in an order of its own; who
is fast comes back sooner and gets more of them. A block that its replica does not finish, because it has died
or takes much longer than others do, is dealt out again: every example is learned at least once an epoch, and
at most a few blocks twice. (MapReduce's backup tasks: Dean & Ghemawat 2004.)
"""

import math
import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

__all__ = ["Block", "BlockQueue"]


def __dir__() -> list[str]:
    return __all__


_PATIENCE = 4.0  # times the median time of a block, after which it is dealt out again
_SHORTEST_PATIENCE = 1.0  # seconds: below that, the system's own delays would look like a slow replica
_FEWEST_TIMES = 3  # blocks before the median is taken to mean anything


class Block(NamedTuple):
    """Examples that one replica learns in one go.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    number : int
        Of the block in the pack.
    place : int
        In the order of the epoch.
    first, last : int
        Its examples are `first` .. `last` - 1.
    """

    epoch: int
    number: int
    place: int
    first: int
    last: int


@dataclass
class _Lease:
    block: Block
    since: float
    is_overdue: bool = False


@dataclass
class BlockQueue:
    """Deals blocks to replicas until each block of each epoch has been learned.

    Times are seconds of any clock that only goes forward; the caller reads it.

    Parameters
    ----------
    n_rows : int
        Examples.
    block_rows : int
        Of a block; the last one may have fewer.
    epochs : range
    seed : int
        Of the order of the blocks.
    first_patience : float, default infinity
        How long a replica may take for a block while it is not known how long one takes.
    """

    n_rows: int
    block_rows: int
    epochs: range
    seed: int
    first_patience: float = math.inf
    learned: dict[int, set[int]] = field(default_factory=dict, init=False)
    times: list[float] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._fresh = self._in_order()
        self._returned: deque[Block] = deque()
        self._leases: dict[int, _Lease] = {}
        self.learned = {epoch: set() for epoch in self.epochs}

    @property
    def n_blocks(self) -> int:
        """Blocks of an epoch."""
        return math.ceil(self.n_rows / self.block_rows)

    @property
    def is_done(self) -> bool:
        """Whether each block of each epoch has been learned."""
        return all(len(done) == self.n_blocks for done in self.learned.values())

    def is_learned(self, epoch: int) -> bool:
        """Tell whether all blocks of an epoch have been learned."""
        return len(self.learned[epoch]) == self.n_blocks

    def take(self, replica: int, now: float) -> Block | None:
        """Return a block for a replica that has none; None: there is nothing to do for it now."""
        block = self._next(now)
        if block is not None:
            self._leases[replica] = _Lease(block, now)
        return block

    def block_of(self, replica: int) -> Block:
        """Return the block that a replica learns."""
        return self._leases[replica].block

    def holders(self, block: Block) -> list[int]:
        """Return who learns a block."""
        return [replica for replica, lease in self._leases.items() if lease.block == block]

    def finish(self, replica: int, now: float) -> bool:
        """Note that a replica has learned its block; return whether it is the first one to have done so."""
        lease = self._leases.pop(replica)
        self.times.append(now - lease.since)
        done = self.learned[lease.block.epoch]
        is_first = lease.block.number not in done
        done.add(lease.block.number)
        return is_first

    def lose(self, replica: int) -> Block | None:
        """Deal the block of a dead replica out again, first of all; return it."""
        lease = self._leases.pop(replica, None)
        if lease is None or self._is_done(lease.block) or lease.is_overdue:
            return None
        self._returned.append(lease.block)
        return lease.block

    def patience(self) -> float:
        """Return how long a replica may take for a block before somebody else gets it as well."""
        if len(self.times) < _FEWEST_TIMES:
            return self.first_patience
        return max(_SHORTEST_PATIENCE, _PATIENCE * statistics.median(self.times))

    def overdue(self, now: float) -> list[int]:
        """Deal out again what is late; return the replicas whose blocks were late for the first time."""
        late = [
            (replica, lease)
            for replica, lease in self._leases.items()
            if not lease.is_overdue and now - lease.since > self.patience()
        ]
        for _, lease in late:
            lease.is_overdue = True
            self._returned.append(lease.block)
        return [replica for replica, _ in late]

    def _next(self, now: float) -> Block | None:
        self.overdue(now)
        while self._returned:
            block = self._returned.popleft()
            if not self._is_done(block):
                return block
        return next(self._fresh, None)

    def _is_done(self, block: Block) -> bool:
        return block.number in self.learned[block.epoch]

    def _in_order(self) -> Iterator[Block]:
        for epoch in self.epochs:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.n_blocks)
            for place, number in enumerate(order.tolist()):
                first = number * self.block_rows
                yield Block(epoch, number, place, first, min(first + self.block_rows, self.n_rows))
