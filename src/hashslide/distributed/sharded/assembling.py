"""One ordinary network from the shards of all ranks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hashslide._validation import blocks
from hashslide.network import Network

if TYPE_CHECKING:
    from .network import ShardedNetwork

__all__ = ["assemble"]


def __dir__() -> list[str]:
    return __all__


_PIECE_BYTES = 64 << 20  # of an array that is sent at once


def assemble(network: "ShardedNetwork") -> Network | None:
    """Return the whole network on rank 0; see `ShardedNetwork.assemble`.

    Rank 0 holds the whole network and a piece of an array beside its own shards.
    """
    exchange = network.exchange
    whole: dict[str, NDArray[Any]] = {}
    for at, own_shard in enumerate(network.owned):
        arrays = network.shard_state(own_shard)
        for name in sorted(arrays):
            array = arrays[name]
            if _is_shared(name):
                if exchange.rank == 0:
                    whole[name] = array.copy()
                continue
            sharding = network.labels if _is_of_labels(name) else network.features
            if exchange.rank == 0 and name not in whole:
                whole[name] = np.empty((sharding.n, *array.shape[1:]), array.dtype)
            shards = [rank * len(network.owned) + at for rank in range(exchange.size)]
            ids = [sharding.ids_of(shard) for shard in shards]
            for pieces, received in _to_first(network, array, [len(i) for i in ids]):
                for i, (first, last), rows in zip(ids, pieces, received, strict=True):
                    whole[name][i[first:last]] = rows
    if exchange.rank != 0:
        return None
    step, n_examples = whole.pop("step"), whole.pop("n_examples")
    whole["progress"] = np.concatenate([step, n_examples])
    return Network.from_state(network.config, whole, copy=False)


def _is_shared(name: str) -> bool:
    return name.startswith("input.bias") or name in ("n_examples", "step")


def _is_of_labels(name: str) -> bool:
    return name.startswith(("output.", "label_"))


def _to_first(
    network: "ShardedNetwork", array: NDArray[Any], n_rows: list[int]
) -> Iterator[tuple[list[tuple[int, int]], list[NDArray[Any]]]]:
    """Send an array of each rank, of so many rows, to rank 0; yield bounds and rows of the pieces there."""
    exchange, row_shape = network.exchange, array.shape[1:]
    width = int(np.prod(row_shape))
    for first, last in blocks(max(n_rows), max(1, _PIECE_BYTES // max(1, width * array.itemsize))):
        bounds = [(min(first, n), min(last, n)) for n in n_rows]
        begin, end = bounds[exchange.rank]
        piece = np.ascontiguousarray(array[begin:end]).reshape(-1)
        nothing = piece[:0]
        sizes = [(last - first) * width if exchange.rank == 0 else 0 for first, last in bounds]
        received = exchange.all_to_all([piece, *[nothing] * (exchange.size - 1)], "rows", sizes)
        if exchange.rank == 0:
            yield bounds, [rows.reshape(-1, *row_shape) for rows in received]
