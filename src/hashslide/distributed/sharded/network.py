"""The network whose rows are dealt out to the ranks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide import _core
from hashslide._checks import check_choice, check_int
from hashslide._validation import blocks
from hashslide.csr import Csr
from hashslide.distributed.exchange import Exchange
from hashslide.distributed.sharding import Sharding, check_n_shards
from hashslide.errors import InputError
from hashslide.network import ROLES, Network, check_label_weight
from hashslide.precision import BFLOAT16, is_bfloat16
from hashslide.settings import NetworkConfig
from hashslide.training import Batch, BatchSource

from .activations import Activations, activates_all
from .assembling import assemble
from .wire import WIRES, Wire

__all__ = ["ShardedNetwork", "check_network"]


def __dir__() -> list[str]:
    return __all__


_PREDICTED_ROWS = 1024  # whose activations are held at once


class ShardedNetwork:
    """A network of one dense hidden layer, of which this rank holds some shards.

    It is trained as a `hashslide.training.Trainable` by all ranks together. Methods marked as collective are
    called by all ranks, in the same order.

    Parameters
    ----------
    config : NetworkConfig
        Of the whole network.
    features, labels : Sharding
        Who owns the input weights of each feature and the output weights of each label; the same on all
        ranks.
    exchange : Exchange
    wire : {"float32", "bfloat16"}, default "float32"
        How activations and their gradients travel. bfloat16 halves the bytes; then the numbers depend a
        little on how many ranks there are, as each rounds its own part.
    overlap : bool, default False
        Whether the examples of a batch travel during the step before; see `ahead`. It changes no number.

    Attributes
    ----------
    config : NetworkConfig
    features, labels : Sharding
    exchange : Exchange
    n_shards : int
    owned : range
        The shards of this rank.
    shards : _core.ModelShards
        Their rows, with their optimisers.

    Raises
    ------
    InputError
        The network has other layers, active sets of the examples' own, or hash tables; or the shards cannot
        be dealt to so many ranks.
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
        check_network(config)
        check_choice("wire", wire, WIRES)
        check_n_shards(features.n_shards, exchange.size)
        found = (features.n, labels.n, labels.n_shards)
        if found != (config.n_features, config.n_labels, features.n_shards):
            raise InputError(
                f"the shardings are of {features.n} features and {labels.n} labels into "
                f"{features.n_shards} and {labels.n_shards} shards; accepted are {config.n_features} and "
                f"{config.n_labels} into as many."
            )
        self.config, self.features, self.labels, self.exchange = config, features, labels, exchange
        self.n_shards = features.n_shards
        n_owned = self.n_shards // exchange.size
        self.owned = range(exchange.rank * n_owned, (exchange.rank + 1) * n_owned)
        self.shards = _core.ModelShards(
            config.to_core(),
            *(features.places, labels.places, self.n_shards, exchange.rank, activates_all(exchange.size)),
            [features.ids_of(shard) for shard in self.owned],
            [labels.ids_of(shard) for shard in self.owned],
        )
        self._overlap = overlap
        self._protocol = Activations(self.shards, config, exchange, Wire(wire))

    @property
    def step(self) -> int:
        """Batches trained so far."""
        return self.shards.step

    def set_label_prior(self, counts: NDArray[np.int64], n_examples: int, reset_bias: bool = True) -> None:
        """Tell how often each label occurs among `n_examples` examples of all ranks; see `Network`."""
        if counts.shape != (self.config.n_labels,) or counts.min() < 0 or counts.max() > n_examples:
            raise InputError(
                f"counts has the shape {counts.shape} and values from {counts.min()} to {counts.max()}; "
                f"accepted are {self.config.n_labels} numbers from 0 to {n_examples}."
            )
        n_occurrences = max(1, int(counts.sum()))
        self.shards.set_mean_labels(n_occurrences / max(1, n_examples))
        popular = np.lexsort((np.arange(len(counts)), -counts))[: self.config.negatives.popular]
        for number, shard in enumerate(self.owned):
            own = popular[self.labels.shard_of(popular) == shard]
            self.shards.set_label_prior(
                number, counts[self.labels.ids_of(shard)], n_examples, self.labels.local(own), reset_bias
            )

    def set_label_weight(self, weight: ArrayLike) -> None:
        """Set the weight of each label's positive term in the loss, shape (n_labels,)."""
        checked = check_label_weight(weight, self.config.n_labels)
        for number, shard in enumerate(self.owned):
            self.shards.set_label_weight(number, checked[self.labels.ids_of(shard)])

    def train_batch(
        self,
        x: Csr,
        y: Csr,
        rows: NDArray[np.int64],
        learning_rate: float,
        sample_weight: NDArray[np.float32] | None = None,
        n_threads: int = 1,
    ) -> tuple[float, int]:
        """Make one step on the batch that the rows of all ranks make up, rank by rank. Collective.

        Parameters
        ----------
        x, y : Csr
            Features and labels.
        rows : int64 array
            This rank's examples of the batch; there may be none, but not on all ranks.
        learning_rate : float
        sample_weight : float32 array, one for each row of x, or None
        n_threads : int
            Changes the speed, never the result.

        Returns
        -------
        loss : float
            Summed over the examples of all ranks.
        active : int
            Labels in the active sets of all shards.
        """
        return self._protocol.train_batch(Batch(x, y, rows, sample_weight), learning_rate, n_threads)

    def ahead(self, source: BatchSource) -> BatchSource:
        """Return the source for a training that overlaps exchange and computation, where that is wanted.

        Each batch is announced one step before it is yielded, so that its examples travel meanwhile.
        """
        return _Ahead(source, self._protocol) if self._overlap else source

    def predict_topk(
        self, X: Csr, k: int = 5, n_threads: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the k best labels of each example and their logits, ties by the smaller id. Collective.

        Parameters
        ----------
        X : Csr
            The same on all ranks.
        k : int
            1 to n_labels.
        n_threads : int
        """
        check_int("k", k, 1, self.config.n_labels)
        if X.n_columns != self.config.n_features:
            raise InputError(
                f"X has {X.n_columns} features, but the network has {self.config.n_features} as input."
            )
        labels, scores = np.empty((X.n_rows, k), np.int64), np.empty((X.n_rows, k), np.float32)
        for first, last in blocks(X.n_rows, _PREDICTED_ROWS):
            of_ranks = self._protocol.predict_topk(X.block(first, last), k, n_threads)
            labels[first:last], scores[first:last] = _merged(*of_ranks, k)
        return labels, scores

    def state(self, *roles: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of this rank's shards, not copied, by names such as "shard07.output.weight".

        Parameters
        ----------
        *roles : {"weight", "optimizer", "count"}
            Which arrays; by default all.
        """
        return {
            f"shard{shard:02}.{name}": array
            for shard in self.owned
            for name, array in self.shard_state(shard, *roles).items()
        }

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Return a copy of the state, for `restore`."""
        return {name: array.copy() for name, array in self.state().items()}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Return to a state of these shards."""
        for shard in self.owned:
            prefix = f"shard{shard:02}."
            self.restore_shard(
                shard, {n.removeprefix(prefix): a for n, a in state.items() if n.startswith(prefix)}
            )

    def shard_state(self, shard: int, *roles: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of a shard of this rank, and those that all ranks hold alike, by name.

        Rows are in the order of ``features.ids_of(shard)`` and ``labels.ids_of(shard)``. Large arrays are
        read-only views, which show what training does to them.
        """
        wanted = [check_choice("role", role, ROLES) for role in roles or ROLES]
        arrays = self.shards.state(self._number(shard), wanted) | self.shards.shared_state(wanted)
        return {n: a.view(BFLOAT16) if a.dtype == np.uint16 else a for n, a in arrays.items()}

    def restore_shard(self, shard: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Copy the arrays of `shard_state`, whatever the number of ranks was there.

        Raises
        ------
        InputError
            One is missing, unknown, or of another shape or type.
        """
        bits = {n: a.view(np.uint16) if is_bfloat16(a) else a for n, a in arrays.items()}
        try:
            self.shards.restore(self._number(shard), bits)
        except (ValueError, TypeError) as error:
            raise InputError(f"shard {shard}: {error}.") from None

    def assemble(self) -> Network | None:
        """Return the whole network, an ordinary one, on rank 0; None elsewhere. Collective."""
        return assemble(self)

    def _number(self, shard: int) -> int:
        if shard not in self.owned:
            raise InputError(
                f"shard {shard} is not on this rank, which has {self.owned[0]} to {self.owned[-1]}."
            )
        return shard - self.owned[0]


@dataclass(frozen=True)
class _Ahead:
    """Batches of a source, each of which is announced before the one ahead of it is yielded."""

    source: BatchSource
    protocol: Activations

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return self.source.n_batches(batch_size)

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch from number `first` on."""
        waiting: Batch | None = None
        for batch in self.source.batches(epoch, batch_size, seed, first):
            self.protocol.announce(batch)
            if waiting is not None:
                yield waiting
            waiting = batch
        if waiting is not None:
            yield waiting


def check_network(config: NetworkConfig) -> None:
    """Refuse a network that cannot be sharded.

    Raises
    ------
    InputError
    """
    layer = config.hidden[0]
    faults: Iterator[tuple[bool, str, str]] = iter(
        (
            (len(config.hidden) > 1, f"{len(config.hidden)} hidden layers", "one hidden layer"),
            (not layer.is_dense, "a hidden layer that selects its neurons", "a dense hidden layer"),
            (
                layer.dropout > 0,
                f"dropout {layer.dropout} of hidden units",
                "dropout of features (input_dropout)",
            ),
            (config.active != "per_batch", f"active={config.active!r}", "active='per_batch'"),
            (config.sampler is not None, f"the sampler {config.sampler!r}", "none"),
            (config.update != "owner", f"update={config.update!r}", "update='owner'"),
        )
    )
    for is_fault, found, accepted in faults:
        if is_fault:
            raise InputError(f"the network has {found}; training on several workers accepts {accepted}.")


def _merged(
    labels: list[NDArray[np.int64]], scores: list[NDArray[np.float32]], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the k best of what each rank has found: ties by the smaller id, places without a label last."""
    all_labels, all_scores = np.concatenate(labels, 1), np.concatenate(scores, 1)
    order = np.lexsort((all_labels, -all_scores, all_labels < 0))[:, :k]
    return np.take_along_axis(all_labels, order, 1), np.take_along_axis(all_scores, order, 1)
