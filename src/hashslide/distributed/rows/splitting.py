"""Rows of a batch, ordered by the shard that owns them: those of each rank follow each other."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.distributed.sharding import Sharding

__all__ = ["Split"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Split:
    """Where the rows of a batch are.

    Attributes
    ----------
    order : int64 array of shape (n,)
        Places of the ids in the batch, by shard.
    local : int32 array of shape (n,)
        Their rows in their shards, in that order.
    counts : int32 array of shape (n_shards,)
        How many there are of each shard.
    """

    order: NDArray[np.int64]
    local: NDArray[np.int32]
    counts: NDArray[np.int32]

    @classmethod
    def of(cls, ids: NDArray[np.int32], sharding: Sharding) -> "Split":
        """Return where some ids are. O(n) and a stable sort of small integers."""
        shards = sharding.shard_of(ids).astype(np.int16)
        order = np.argsort(shards, kind="stable")
        counts = np.bincount(shards, minlength=sharding.n_shards).astype(np.int32)
        return cls(order, sharding.local(ids)[order], counts)

    def of_owner(self, owner: int, n_owners: int) -> tuple[NDArray[np.int32], slice]:
        """Return how many rows each shard of an owner has, and where they are in the order of shards."""
        each = len(self.counts) // n_owners
        begin = int(self.counts[: owner * each].sum())
        counts = self.counts[owner * each : (owner + 1) * each]
        return counts, slice(begin, begin + int(counts.sum()))

    def in_batch_order(self, by_shard: NDArray[Any]) -> NDArray[Any]:
        """Return values that come in the order of shards in that of the batch."""
        out = np.empty_like(by_shard)
        out[self.order] = by_shard
        return out
