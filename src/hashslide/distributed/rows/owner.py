"""The owner of some shards: it answers requests for rows, and updates them with what is pushed."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.distributed.rows.client import Report
from hashslide.distributed.rows.messages import Reader, packed
from hashslide.distributed.rows.wire import nearest, widened

__all__ = ["Pushed", "RowOwner"]


def __dir__() -> list[str]:
    return __all__


class Pushed(NamedTuple):
    """What one machine has pushed to this owner.

    Attributes
    ----------
    report : Report
    features, labels : list of int32 array
        Local rows of each shard.
    input, output : float32 array of shape (rows, hidden)
        Gradients, shard by shard.
    bias : float32 array
        Gradients of the labels' biases.
    hidden_bias : float32 array of shape (hidden,)
    """

    report: Report
    features: list[NDArray[np.int32]]
    labels: list[NDArray[np.int32]]
    input: NDArray[np.float32]
    output: NDArray[np.float32]
    bias: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]


class RowOwner:
    """Answers for the shards of one process.

    Parameters
    ----------
    shards : _core.ModelShards
    n_owned : int
        Its number of shards.
    width : int
        Of the hidden layer.
    wire : {"float32", "bfloat16"}, default "float32"
        As the clients have it.
    """

    def __init__(self, shards: _core.ModelShards, n_owned: int, width: int, wire: str = "float32") -> None:
        self._shards, self._n_owned, self._width = shards, n_owned, width
        self._is_wire_half = wire == "bfloat16"

    def reply(self, request: NDArray[np.int32]) -> NDArray[np.uint8]:
        """Return copies of the rows that a request of `RowClient` names."""
        counts, local = np.split(request, [2 * self._n_owned])
        n_features = int(counts[: self._n_owned].sum())
        features = self._by_shard(counts[: self._n_owned], local[:n_features])
        labels = self._by_shard(counts[self._n_owned :], local[n_features:])
        of_features = [_core.copy_input_rows(self._shards, shard, ids) for shard, ids in enumerate(features)]
        of_labels = [_core.copy_output_rows(self._shards, shard, ids) for shard, ids in enumerate(labels)]
        columns: list[tuple[Any, ...]] = [tuple(of_features), *zip(*of_labels, strict=True)]
        whole = [np.concatenate(column) for column in columns if column[0] is not None]
        if self._is_wire_half:
            whole[:2] = [nearest(rows) for rows in whole[:2]]
        return packed(whole)

    def read(self, message: NDArray[np.uint8]) -> Pushed:
        """Return what a message of `RowClient.pushes` holds."""
        reader = Reader(message)
        loss, examples, active = reader.take(np.float64, 3).tolist()
        counts = [reader.take(np.int32, self._n_owned) for _ in range(2)]
        sizes = [int(count.sum()) for count in counts]
        local = [reader.take(np.int32, size) for size in sizes]
        hidden_bias = reader.take(np.float32, self._width)
        of_input, of_output = (self._take_gradients(reader, size) for size in sizes)
        return Pushed(
            report=Report(loss, int(examples), int(active)),
            features=self._by_shard(counts[0], local[0]),
            labels=self._by_shard(counts[1], local[1]),
            input=of_input,
            output=of_output,
            bias=reader.take(np.float32, sizes[1]),
            hidden_bias=hidden_bias,
        )

    def _take_gradients(self, reader: Reader, n_rows: int) -> NDArray[np.float32]:
        if self._is_wire_half:
            return widened(reader.take(np.uint16, n_rows, self._width))
        return reader.take(np.float32, n_rows, self._width)

    def apply(self, pushes: Sequence[Pushed], rate: float, step: int, n_threads: int) -> None:
        """Update each row that anybody has pushed, once, with the sum in the order of the pushes."""
        for shard, parts in enumerate(self._parts([(p.features, p.input) for p in pushes])):
            _core.update_input_rows(self._shards, shard, parts, rate, step, n_threads)
        of_labels = self._parts([(p.labels, p.output, p.bias) for p in pushes])
        for shard, parts in enumerate(of_labels):
            _core.update_output_rows(self._shards, shard, parts, rate, step, n_threads)

    def _by_shard(self, counts: NDArray[np.int32], rows: NDArray[Any]) -> list[NDArray[Any]]:
        return np.split(rows, np.cumsum(counts)[:-1])

    def _parts(self, pushes: Sequence[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield what each machine has pushed of each shard: local rows and their gradients."""
        ends = [np.cumsum([0, *(len(ids) for ids in push[0])]) for push in pushes]
        for shard in range(self._n_owned):
            yield [
                (push[0][shard], *(array[end[shard] : end[shard + 1]] for array in push[1:]))
                for push, end in zip(pushes, ends, strict=True)
            ]
