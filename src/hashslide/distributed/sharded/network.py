"""The network whose rows are dealt out to the ranks."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide.csr import Csr
from hashslide.distributed.exchange import Exchange
from hashslide.distributed.sharding import Sharding
from hashslide.network import Network
from hashslide.settings import NetworkConfig

__all__ = ["ShardedNetwork"]


def __dir__() -> list[str]:
    return __all__


class ShardedNetwork:
    """A network of one dense hidden layer, of which this rank holds some shards.

    Methods marked as collective are called by all ranks, in the same order.

    Parameters
    ----------
    config : NetworkConfig
        Of the whole network.
    features, labels : Sharding
        Who owns the input weights of each feature and the output weights of each label; the same on all ranks.
    exchange : Exchange
    wire : {"float32", "bfloat16"}, default "float32"
        How activations and their gradients travel.
    overlap : bool, default False
        Whether a batch is exchanged in two halves, one of which travels while the other is computed.

    Attributes
    ----------
    config : NetworkConfig
    n_shards : int
    owned : range
        The shards of this rank.
    step : int
        Batches trained so far.
    shards : _core.ModelShards
        Rows of the shards of this rank, with their optimisers.

    Raises
    ------
    InputError
        The network has other layers, active sets of the examples' own, or hash tables.
    """

    def __init__(
        self,
        config: NetworkConfig,
        features: Sharding,
        labels: Sharding,
        exchange: Exchange,
        *,
        wire: str = "float32",
        overlap: bool = False,
    ) -> None:
        raise NotImplementedError

    def set_label_prior(self, counts: NDArray[np.int64], n_examples: int, reset_bias: bool = True) -> None:
        """Tell how often each label of the whole network occurs among all examples; see `Network`."""
        raise NotImplementedError

    def set_label_weight(self, weight: ArrayLike) -> None:
        """Set the weight of each label's positive term in the loss, shape (n_labels,)."""
        raise NotImplementedError

    def train_batch(
        self,
        x: Csr,
        y: Csr,
        rows: NDArray[np.int64],
        learning_rate: float,
        sample_weight: NDArray[np.float32] | None = None,
        n_threads: int = 1,
    ) -> tuple[float, int]:
        """Make one step on the batch that the rows of all ranks make up, in the order of the ranks. Collective.

        Returns
        -------
        loss : float
            Summed over the examples of all ranks.
        active : int
            Labels in the active sets of all shards.
        """
        raise NotImplementedError

    def predict_topk(
        self, X: Csr, k: int = 5, n_threads: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the k best labels of each example, exactly, ties by the smaller id. Collective: with the same X."""
        raise NotImplementedError

    def state(self, *roles: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of this rank's shards, named like "shard07.output.weight"."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the state, for `restore`."""
        raise NotImplementedError

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Return to a state of these shards."""
        raise NotImplementedError

    def shard_state(self, shard: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of one shard of this rank and what all ranks hold alike, named like "output.weight"."""
        raise NotImplementedError

    def restore_shard(self, shard: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the arrays of `shard_state`, which may come from a rank of another number of ranks."""
        raise NotImplementedError

    def assemble(self) -> Network | None:
        """Return the whole network on rank 0, None elsewhere. Collective."""
        raise NotImplementedError
