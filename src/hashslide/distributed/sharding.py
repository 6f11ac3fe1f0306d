"""Which shard owns which row: features and labels are dealt out so that all shards have as much to do."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide._validation import blocks
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.settings import NetworkConfig

__all__ = ["N_SHARDS", "Sharding", "check_n_shards", "shard_model"]


def __dir__() -> list[str]:
    return __all__


N_SHARDS = 8  # by default: 1, 2, 4 and 8 ranks can own them, and more cost time in each step
_ITEMS_PER_BLOCK = 1 << 18
_COUNTED_ROWS = 100_000  # that tell how often features occur
_UPDATE_COST = 4.0  # of a row of weights, in additions of a row to an activation


class Sharding:
    """A partition of the ids 0 .. n - 1 into shards, each with its rows numbered from 0.

    It depends on the loads and the number of shards alone, not on how many ranks own the shards. 8 bytes an
    id.

    Attributes
    ----------
    n : int
    n_shards : int
    places : int32 array of shape (n,)
        Of each id, local row * n_shards + shard.
    sizes : int64 array of shape (n_shards,)
        Rows of each shard.
    """

    def __init__(self, places: NDArray[np.int32], n_shards: int) -> None:
        self.n, self.n_shards, self.places = len(places), n_shards, places
        shards = places % np.int32(n_shards)
        self.sizes: NDArray[np.int64] = np.bincount(shards, minlength=n_shards)
        self._offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        self._ids = np.empty(self.n, np.int32)
        self._ids[self._offsets[shards] + places // np.int32(n_shards)] = np.arange(self.n, dtype=np.int32)

    @classmethod
    def balanced(cls, counts: NDArray[Any], n_shards: int) -> "Sharding":
        """Deal ids by their loads: the heaviest first, each to the shard that has least so far.

        Graham (1969). Of shards with the same load, that with the fewest rows is served first, so ids without
        any load even out the numbers of rows. O(n log n).

        Parameters
        ----------
        counts : array of shape (n,)
            Load of each id: how often it occurs, or what it costs.
        n_shards : int
        """
        check_n_shards(n_shards)
        loads = np.ascontiguousarray(counts, np.float64)
        order = np.argsort(-loads, kind="stable").astype(np.int32)
        return cls(_core.deal(loads, order, n_shards), n_shards)

    def shard_of(self, ids: NDArray[Any]) -> NDArray[np.int32]:
        """Return the shard that owns each id."""
        return self.places[ids] % np.int32(self.n_shards)

    def local(self, ids: NDArray[Any]) -> NDArray[np.int32]:
        """Return the number of each id's row in its shard."""
        return self.places[ids] // np.int32(self.n_shards)

    def ids_of(self, shard: int) -> NDArray[np.int32]:
        """Return the ids of a shard, by their rows: the heaviest first."""
        return self._ids[self._offsets[shard] : self._offsets[shard + 1]]

    def owner_of(self, ids: NDArray[Any], n_ranks: int) -> NDArray[np.int32]:
        """Return the rank that owns each id, where each of `n_ranks` ranks owns as many shards in a row."""
        return self.shard_of(ids) // np.int32(self.n_shards // n_ranks)

    def loads(self, counts: NDArray[Any], n_parts: int | None = None) -> NDArray[np.float64]:
        """Return the sum of the counts of each shard, or of each of `n_parts` ranks."""
        of_shards: Any = np.bincount(self.places % np.int32(self.n_shards), counts, self.n_shards)
        return of_shards if n_parts is None else of_shards.reshape(n_parts, -1).sum(1)


def check_n_shards(n_shards: int, n_ranks: int = 1) -> None:
    """Refuse a number of shards that cannot be dealt to so many ranks.

    Raises
    ------
    InputError
        It is less than 1, more than 1,024, or no multiple of `n_ranks`.
    """
    if not 1 <= n_shards <= 1024 or n_shards % n_ranks:
        raise InputError(
            f"n_shards is {n_shards} for {n_ranks} ranks; accepted are multiples of their number up to 1,024."
        )


def shard_model(
    config: NetworkConfig,
    x: Csr,
    label_counts: NDArray[np.int64],
    n_examples: int,
    batch_size: int,
    n_shards: int,
) -> tuple[Sharding, Sharding]:
    """Return the shardings of the features and the labels of a network, by what each costs in a step.

    A feature costs an addition forward and one backward for each example of a batch that has it; each feature
    and each label that any example has costs an update. All ranks get the same result of the same arguments.

    Parameters
    ----------
    config : NetworkConfig
    x : Csr
        Features of the examples in random order, of which the first 100,000 are counted.
    label_counts : int64 array of shape (n_labels,)
        Of `n_examples` examples.
    n_examples, batch_size, n_shards : int
    """
    counted = x.block(0, min(x.n_rows, _COUNTED_ROWS))
    share = np.zeros(x.n_columns)
    for first, last in blocks(counted.nnz, max(_ITEMS_PER_BLOCK, x.n_columns)):
        share += np.bincount(counted.indices[first:last], minlength=x.n_columns)
    share /= max(1, counted.n_rows)
    features = 2 * batch_size * share + _UPDATE_COST * _chance(share, batch_size)
    drawn = config.negatives.uniform / config.n_labels
    labels = np.minimum(1.0, _chance(label_counts / max(1, n_examples), batch_size) + drawn)
    return Sharding.balanced(features, n_shards), Sharding.balanced(labels, n_shards)


def _chance(share: NDArray[np.float64], batch_size: int) -> NDArray[np.float64]:
    """Return the chance that any of the examples of a batch has what so large a share of all have."""
    return -np.expm1(batch_size * np.log1p(-np.minimum(share, 1 - 1e-12)))
