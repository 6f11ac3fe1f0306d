"""The protocol "activations": the ranks exchange what a layer makes of the examples, never weights.

Each rank sends ids and values of its examples to the owners of the features and labels, and takes part in two
sums over all shards: the pre-activations of the hidden layer, and the gradients of its activations. With the
width H, B examples of all ranks, W ranks, s bytes a number, it sends 4 s H B (W - 1) / W bytes for these.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.csr import Csr
from hashslide.distributed.exchange import Exchange, Pending
from hashslide.errors import InputError
from hashslide.settings import NetworkConfig
from hashslide.training import Batch

from .sums import ByAll, ByOwners, Sum
from .wire import Wire

__all__ = ["Activations", "activates_all"]


def __dir__() -> list[str]:
    return __all__


_FEW_RANKS = 2


def activates_all(n_ranks: int) -> bool:
    """Tell whether every one of so many ranks makes the activations of all examples, in half the messages."""
    return n_ranks <= _FEW_RANKS


@dataclass(frozen=True)
class _Announced:
    """A batch whose examples are on their way to the shards."""

    rows: NDArray[np.int64]
    messages: Pending


class Activations:
    """Steps and predictions of the shards of this rank together with those of the others."""

    def __init__(
        self, shards: _core.ModelShards, config: NetworkConfig, exchange: Exchange, wire: Wire
    ) -> None:
        self._shards, self._config, self._exchange, self._wire = shards, config, exchange, wire
        self._sum_type = ByAll if activates_all(exchange.size) else ByOwners
        self._announced: deque[_Announced] = deque()

    def announce(self, batch: Batch) -> None:
        """Begin to send a batch that is trained on after those that have been announced. Collective."""
        x, y = batch.x, batch.y
        try:
            messages = self._shards.write(
                *(x.indptr, x.indices, x.values, y.indptr, y.indices),
                *(batch.rows, batch.sample_weight, len(self._announced)),
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        pending = self._exchange.start_all_to_all(messages, "examples")
        self._announced.append(_Announced(batch.rows, pending))

    def train_batch(self, batch: Batch, learning_rate: float, n_threads: int) -> tuple[float, int]:
        """Make one step; see `ShardedNetwork.train_batch`."""
        shards, exchange = self._shards, self._exchange
        received = self._next(batch).messages.wait()
        examples_of = [int(message[0]) for message in received]
        if sum(examples_of) == 0:
            return 0.0, 0
        n_note = 2 * self._shards.n_owned
        forward, backward = self._sum(examples_of), self._sum(examples_of, "gradients", n_note)
        forward.start(shards.add_up(received, n_threads))
        h = forward.finish(lambda parts: shards.activate(parts, n_threads))
        shards.score(h, n_threads)
        if self._config.loss == "softmax":
            sums = shards.softmax_sums()
            sizes = [len(sums)] * exchange.size
            shards.normalise(exchange.all_gather(sums, "partition", sizes), n_threads)
        backward.start(shards.backward(n_threads), shards.report())
        shards.update_output(learning_rate, n_threads)
        dz = backward.finish(lambda parts: shards.backward_hidden(parts, n_threads))
        shards.update_input(dz, learning_rate, n_threads)
        return shards.stats(backward.notes)

    def predict_topk(
        self, x: Csr, k: int, n_threads: int
    ) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float32]]]:
        """Return ids and logits, (n, k), of the best labels of each rank's shards."""
        shards, exchange, n = self._shards, self._exchange, x.n_rows
        ends = [n * (rank + 1) // exchange.size for rank in range(exchange.size)]
        examples_of = np.diff([0, *ends]).tolist()
        forward = self._sum(examples_of)
        forward.start(shards.add_up_rows(x.indptr, x.indices, x.values, examples_of, n_threads))
        h = forward.finish(lambda parts: shards.activate(parts, n_threads))
        shards.gather(h)
        labels, scores = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
        shards.best_labels(k, labels, scores, n_threads)
        sizes = [n * k] * exchange.size
        return (
            [a.reshape(n, k) for a in exchange.all_gather(labels.ravel(), "labels", sizes)],
            [a.reshape(n, k) for a in exchange.all_gather(scores.ravel(), "labels", sizes)],
        )

    def _next(self, batch: Batch) -> _Announced:
        """Return the batch as it was announced; others, as of a training that was broken off, are dropped."""
        if not (self._announced and self._announced[0].rows is batch.rows):
            while self._announced:
                self._announced.popleft().messages.wait()
            self.announce(batch)
        return self._announced.popleft()

    def _sum(self, examples_of: Sequence[int], feedback: str | None = None, n_note: int = 0) -> Sum:
        return self._sum_type(self._exchange, self._wire, examples_of, self._config.width, feedback, n_note)
