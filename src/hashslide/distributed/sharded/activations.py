"""The protocol "activations": the ranks exchange what a layer makes of the examples, never weights.

A step has five messages between any two ranks, of which four carry (examples, width) numbers; H: width, B:
examples of all ranks, W: ranks, s: bytes of a number. Each rank sends 4 s H B (W - 1) / W bytes, and ids and
values of its examples.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.csr import Csr
from hashslide.distributed.exchange import Exchange, Expected, Pending
from hashslide.errors import InputError
from hashslide.settings import NetworkConfig
from hashslide.training import Batch

from .wire import Wire

__all__ = ["Activations"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class _Announced:
    """A batch whose examples are on their way to the shards."""

    rows: NDArray[np.int64]
    messages: Pending
    has_features: NDArray[np.int8]


class _Layer(NamedTuple):
    """The two exchanges between the shards and the owners of the examples, forward or backward."""

    to_owners: Expected
    to_all: Expected


class Activations:
    """Steps and predictions of the shards of this rank together with those of the others."""

    def __init__(
        self, shards: _core.ModelShards, config: NetworkConfig, exchange: Exchange, wire: Wire
    ) -> None:
        self._shards, self._config, self._exchange, self._wire = shards, config, exchange, wire
        self._announced: deque[_Announced] = deque()

    def announce(self, batch: Batch) -> None:
        """Begin to send a batch that is trained on after those that have been announced. Collective."""
        x, y = batch.x, batch.y
        try:
            messages, has_features = self._shards.write(
                *(x.indptr, x.indices, x.values, y.indptr, y.indices),
                *(batch.rows, batch.sample_weight, len(self._announced)),
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        pending = self._exchange.start_all_to_all(messages, "examples")
        self._announced.append(_Announced(batch.rows, pending, has_features))

    def train_batch(self, batch: Batch, learning_rate: float, n_threads: int) -> tuple[float, int]:
        """Make one step; see `ShardedNetwork.train_batch`."""
        shards, exchange, wire = self._shards, self._exchange, self._wire
        announced = self._next(batch)
        received = announced.messages.wait()
        examples_of = [int(message[0]) for message in received]
        if sum(examples_of) == 0:
            return 0.0, 0
        n_report = shards.report_size(0)
        forward, backward = self._expect(examples_of), self._expect(examples_of, n_report)
        z = shards.add_up(received, announced.has_features, n_threads)
        shards.score(self._activations(z, forward, examples_of, n_threads), n_threads)
        if self._config.loss == "softmax":
            sums = shards.softmax_sums()
            sizes = [len(sums)] * exchange.size
            shards.normalise(exchange.all_gather(sums, "partition", sizes), n_threads)
        dh = wire.write(shards.backward(n_threads), "activations")
        backward.to_owners.send(self._split(dh, examples_of), "activations")
        shards.update_output(learning_rate, n_threads)
        own = shards.backward_hidden(wire.read(backward.to_owners.wait()), n_threads)
        dz = wire.write(own, "pre-activations", n_report)
        backward.to_all.send([dz] * exchange.size, "activations")
        return shards.update_input(wire.read(backward.to_all.wait(), n_report), learning_rate, n_threads)

    def predict_topk(
        self, x: Csr, k: int, n_threads: int
    ) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float32]]]:
        """Return ids and logits, (n, k), of the best labels of each rank's shards."""
        shards, exchange, n = self._shards, self._exchange, x.n_rows
        ends = [n * (rank + 1) // exchange.size for rank in range(exchange.size)]
        examples_of = np.diff([0, *ends]).tolist()
        z = shards.add_up_rows(x.indptr, x.indices, x.values, examples_of, n_threads)
        shards.gather(self._activations(z, self._expect(examples_of), examples_of, n_threads))
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

    def _expect(self, examples_of: Sequence[int], n_report: int = 0) -> _Layer:
        """Expect this rank's examples of all ranks, then all examples, with so many numbers of each rank."""
        exchange, wire, width = self._exchange, self._wire, self._config.width
        own = wire.length(examples_of[exchange.rank] * width)
        return _Layer(
            exchange.expect(wire.dtype, [own] * exchange.size),
            exchange.expect(wire.dtype, [wire.length(n * width, n_report) for n in examples_of]),
        )

    def _activations(
        self, z: NDArray[np.float32], forward: _Layer, examples_of: Sequence[int], n_threads: int
    ) -> list[NDArray[np.float32]]:
        """Return the activations of each rank's examples, given this rank's part of all pre-activations."""
        wire = self._wire
        forward.to_owners.send(self._split(wire.write(z), examples_of), "activations")
        h = wire.write(self._shards.activate(wire.read(forward.to_owners.wait()), n_threads))
        forward.to_all.send([h] * self._exchange.size, "activations")
        return wire.read(forward.to_all.wait())

    def _split(self, values: NDArray[Any], examples_of: Sequence[int]) -> list[NDArray[Any]]:
        """Return what belongs to each rank's examples, of an array (examples, width)."""
        ends = np.cumsum(examples_of) * self._config.width
        return [values[begin:end] for begin, end in pairwise([0, *ends.tolist()])]
