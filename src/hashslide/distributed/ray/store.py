"""A parameter server of Downpour: a process that owns shards, fetched from and pushed to at any time."""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.distributed.rows.owner import RowOwner
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharding import Sharding
from hashslide.settings import NetworkConfig

__all__ = ["Apart", "Parameters", "Store"]


def __dir__() -> list[str]:
    return __all__


class Apart:
    """The place of an owner that never exchanges anything by itself."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self.bytes_sent: Counter[str] = Counter()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise RuntimeError("a store answers and asks nobody")

    expect = start_all_to_all = all_to_all = all_gather = barrier = _refuse


@dataclass(frozen=True)
class Parameters:
    """What a model begins with, for stores and replicas alike.

    Attributes
    ----------
    config : NetworkConfig
    features, labels : Sharding
    counts : int64 array of shape (n_labels,)
        Examples of each label.
    n_examples : int
    label_weight : float32 array of shape (n_labels,), or None
    wire : {"float32", "bfloat16"}
        How rows and gradients travel.
    """

    config: NetworkConfig
    features: Sharding
    labels: Sharding
    counts: NDArray[np.int64]
    n_examples: int
    label_weight: NDArray[np.float32] | None = None
    wire: str = "float32"


class Store:
    """Shards ``number * V / n_stores`` .. of V, and the bias of the hidden layer.

    Calls are served one after the other. Every push is an update of its own: nobody waits for anybody. The
    hidden layer's bias is updated by every store, as each push brings its gradient to all of them; that of
    store 0 counts.

    Parameters
    ----------
    parameters : Parameters
    number, n_stores : int
    """

    def __init__(self, parameters: Parameters, number: int, n_stores: int) -> None:
        self._network = ShardedNetwork(
            parameters.config, parameters.features, parameters.labels, Apart(number, n_stores)
        )
        self._network.set_label_prior(parameters.counts, parameters.n_examples)
        if parameters.label_weight is not None:
            self._network.set_label_weight(parameters.label_weight)
        n_owned, width = len(self._network.owned), parameters.config.width
        self._owner = RowOwner(self._network.shards, n_owned, width, parameters.wire)

    def process(self) -> int:
        """Return the number of this process."""
        return os.getpid()

    def fetch(self, request: NDArray[np.int32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return the rows that a request names, and the hidden layer's bias."""
        bias = self._network.shards.shared_state(["weight"])["input.bias"]
        return self._owner.reply(request), bias.copy()

    def push(self, message: NDArray[np.uint8], rate: float, n_threads: int) -> int:
        """Update rows at a learning rate; return how many pushes there have been."""
        pushed = self._owner.read(message)
        shards = self._network.shards
        _core.count_step(shards)
        self._owner.apply([pushed], rate, shards.step, n_threads)
        _core.update_hidden_bias(shards, np.ascontiguousarray(pushed.hidden_bias), rate, shards.step)
        return int(shards.step)

    def shard_state(self, shard: int) -> Mapping[str, NDArray[Any]]:
        """Return copies of the arrays of one of the shards."""
        return {name: np.array(array) for name, array in self._network.shard_state(shard).items()}

    def restore_shard(self, shard: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Take the arrays of `shard_state`."""
        self._network.restore_shard(shard, arrays)
