"""The protocol "activations": the ranks exchange what a layer makes of the examples, never weights.

A step has five messages between any two ranks, of which four carry (examples, width) numbers; H: width, B:
examples of all ranks, W: ranks, s: 4 bytes. Each rank sends 4 s H B (W - 1) / W bytes, and ids and values of
its examples.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.csr import Csr
from hashslide.distributed.exchange import Exchange, Expected
from hashslide.errors import InputError
from hashslide.settings import NetworkConfig

__all__ = ["Activations"]


def __dir__() -> list[str]:
    return __all__


class _Layer(NamedTuple):
    """The two exchanges between the shards and the owners of the examples, forward or backward."""

    to_owners: Expected
    to_all: Expected


class Activations:
    """Steps and predictions of the shards of this rank together with those of the others."""

    def __init__(self, shards: _core.ModelShards, config: NetworkConfig, exchange: Exchange) -> None:
        self._shards, self._config, self._exchange = shards, config, exchange

    def train_batch(
        self,
        x: Csr,
        y: Csr,
        rows: NDArray[np.int64],
        learning_rate: float,
        sample_weight: NDArray[np.float32] | None,
        n_threads: int,
    ) -> tuple[float, int]:
        """Make one step; see `ShardedNetwork.train_batch`."""
        shards, exchange = self._shards, self._exchange
        try:
            messages = shards.write(x.indptr, x.indices, x.values, y.indptr, y.indices, rows, sample_weight)
        except ValueError as error:
            raise InputError(str(error)) from error
        received = exchange.all_to_all(messages, "examples")
        examples_of = [int(message[0]) for message in received]
        if sum(examples_of) == 0:
            return 0.0, 0
        forward, backward = self._expect(examples_of), self._expect(examples_of, shards.report_size(0))
        h = self._activations(shards.add_up(received, n_threads), forward, examples_of, n_threads)
        shards.score(h, n_threads)
        if self._config.loss == "softmax":
            sums = shards.softmax_sums()
            sizes = [len(sums)] * exchange.size
            shards.normalise(exchange.all_gather(sums, "partition", sizes), n_threads)
        dh = self._split(shards.backward(n_threads), examples_of)
        backward.to_owners.send(dh, "activations")
        shards.update_output(learning_rate, n_threads)
        dz = shards.backward_hidden(backward.to_owners.wait(), n_threads)
        backward.to_all.send([dz] * exchange.size, "activations")
        return shards.update_input(backward.to_all.wait(), learning_rate, n_threads)

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

    def _expect(self, examples_of: Sequence[int], n_report: int = 0) -> _Layer:
        """Expect this rank's examples of all ranks, then all examples, with so many numbers of each rank."""
        exchange, width = self._exchange, self._config.width
        own = examples_of[exchange.rank] * width
        return _Layer(
            exchange.expect(np.float32, [own] * exchange.size),
            exchange.expect(np.float32, [n * width + n_report for n in examples_of]),
        )

    def _activations(
        self, z: NDArray[np.float32], forward: _Layer, examples_of: Sequence[int], n_threads: int
    ) -> list[NDArray[np.float32]]:
        """Return the activations of each rank's examples, given this rank's part of all pre-activations."""
        forward.to_owners.send(self._split(z, examples_of), "activations")
        h = self._shards.activate(forward.to_owners.wait(), n_threads)
        forward.to_all.send([h] * self._exchange.size, "activations")
        return forward.to_all.wait()

    def _split(self, values: NDArray[np.float32], examples_of: Sequence[int]) -> list[NDArray[np.float32]]:
        """Return what belongs to each rank's examples, of an array (examples, width)."""
        ends = np.cumsum(examples_of) * self._config.width
        return [values[begin:end] for begin, end in pairwise([0, *ends.tolist()])]
