"""What a machine that learns sends to the owners of rows, and what it makes of their answers."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.distributed.rows.messages import Reader, packed, packed_size
from hashslide.distributed.rows.own_step import Gradients, Rows, Touched
from hashslide.distributed.rows.splitting import Split
from hashslide.distributed.rows.wire import rounded_randomly, widened
from hashslide.distributed.sharding import Sharding
from hashslide.settings import NetworkConfig

__all__ = ["Report", "RowClient", "Where", "summed"]


def __dir__() -> list[str]:
    return __all__


class Where(NamedTuple):
    """Which shards own the rows that a batch touches.

    Attributes
    ----------
    features, labels : Split
    """

    features: Split
    labels: Split


class Report(NamedTuple):
    """What all ranks learn of a rank's batch.

    Attributes
    ----------
    loss : float
        Summed over its examples.
    examples, active : int
        Examples, and labels of the active set.
    """

    loss: float
    examples: int
    active: int


class RowClient:
    """Writes requests and pushes, and reads answers. It knows nothing of how they travel.

    Parameters
    ----------
    config : NetworkConfig
    features, labels : Sharding
    n_owners : int
        Each owns as many shards that follow each other.
    wire : {"float32", "bfloat16"}, default "float32"
        How weights and gradients travel; weights that are stored as bfloat16 travel as they are in any case.
    seed : int, default 0
        Of the rounding of gradients.
    """

    def __init__(
        self,
        config: NetworkConfig,
        features: Sharding,
        labels: Sharding,
        n_owners: int,
        *,
        wire: str = "float32",
        seed: int = 0,
    ) -> None:
        self._width = config.width
        self._is_stored_half, self._is_wire_half = config.precision == "bfloat16", wire == "bfloat16"
        self._sent = np.uint16 if self._is_stored_half or self._is_wire_half else np.float32
        self._seed, self._n_pushes = seed, 0
        self._features, self._labels, self._n_owners = features, labels, n_owners

    def where(self, touched: Touched) -> Where:
        """Return who owns what."""
        return Where(Split.of(touched.features, self._features), Split.of(touched.labels, self._labels))

    def requests(self, where: Where) -> list[NDArray[np.int32]]:
        """Return what to ask of each owner: the numbers of rows of each of its shards, then these."""
        return [np.concatenate(self._named(where, owner)) for owner in range(self._n_owners)]

    def reply_sizes(self, where: Where, has_label_weight: bool) -> list[int]:
        """Return the bytes of each owner's answer."""
        of_row = self._width * np.dtype(self._sent).itemsize
        of_label = [of_row, 4, 8, *([4] if has_label_weight else [])]
        sizes = []
        for owner in range(self._n_owners):
            n_features, n_labels = (_size(split, owner, self._n_owners) for split in where)
            sizes.append(packed_size([n_features * of_row, *(n_labels * n_bytes for n_bytes in of_label)]))
        return sizes

    def rows(self, where: Where, replies: Sequence[NDArray[np.uint8]], has_label_weight: bool) -> Rows:
        """Return the rows that the owners' answers hold, in the order of the batch."""
        parts: list[list[NDArray[Any]]] = [[], [], [], [], []]
        for owner, reply in enumerate(replies):
            reader = Reader(reply)
            n_features, n_labels = (_size(split, owner, self._n_owners) for split in where)
            parts[0].append(reader.take(self._sent, n_features, self._width))
            parts[1].append(reader.take(self._sent, n_labels, self._width))
            parts[2].append(reader.take(np.float32, n_labels))
            parts[3].append(reader.take(np.int64, n_labels))
            if has_label_weight:
                parts[4].append(reader.take(np.float32, n_labels))
        rows_of_features = where.features.in_batch_order(np.concatenate(parts[0]))
        of_labels = [
            where.labels.in_batch_order(np.concatenate(part)) if part else None for part in parts[1:]
        ]
        rows = Rows(rows_of_features, *of_labels)  # type: ignore[arg-type]
        if self._sent == np.uint16 and not self._is_stored_half:
            rows = rows._replace(input=widened(rows.input), output=widened(rows.output))
        return rows

    def pushes(self, where: Where, gradients: Gradients, report: Report) -> list[NDArray[np.uint8]]:
        """Return what to push to each owner."""
        by_shard: list[NDArray[Any]]
        by_shard = [gradients.input[where.features.order], gradients.output[where.labels.order]]
        self._n_pushes += 1
        if self._is_wire_half:
            by_shard = [
                rounded_randomly(rows, self._seed, self._n_pushes, part) for part, rows in enumerate(by_shard)
            ]
        bias = gradients.bias[where.labels.order]
        messages = []
        for owner in range(self._n_owners):
            features = where.features.of_owner(owner, self._n_owners)[1]
            labels = where.labels.of_owner(owner, self._n_owners)[1]
            messages.append(
                packed(
                    [
                        np.array(report, np.float64),
                        *self._named(where, owner),
                        gradients.hidden_bias,
                        by_shard[0][features],
                        by_shard[1][labels],
                        bias[labels],
                    ]
                )
            )
        return messages

    def _named(self, where: Where, owner: int) -> tuple[NDArray[np.int32], ...]:
        """Return how many rows of features and of labels each shard of an owner has, and which ones."""
        counts_and_parts = [split.of_owner(owner, self._n_owners) for split in where]
        counts = [counts for counts, _ in counts_and_parts]
        local = [split.local[part] for split, (_, part) in zip(where, counts_and_parts, strict=True)]
        return *counts, *local


def summed(parts: Sequence[tuple[Touched, Gradients]]) -> tuple[Touched, Gradients]:
    """Return the rows that several batches touch, and their gradients, added up in the batches' order."""
    if len(parts) == 1:
        return parts[0]
    width = parts[0][1].hidden_bias.size
    features, of_input, _ = _core.sum_rows(
        [(touched.features, g.input, np.zeros(len(touched.features), np.float32)) for touched, g in parts],
        width,
    )
    labels, of_output, bias = _core.sum_rows(
        [(touched.labels, g.output, g.bias) for touched, g in parts], width
    )
    hidden_bias = parts[0][1].hidden_bias.copy()
    for _, gradients in parts[1:]:
        hidden_bias += gradients.hidden_bias
    return Touched(features, labels), Gradients(of_input, hidden_bias, of_output, bias)


def _size(split: Split, owner: int, n_owners: int) -> int:
    return int(split.of_owner(owner, n_owners)[0].sum())
