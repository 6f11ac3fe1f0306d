"""The protocol "activations": the ranks exchange what a layer makes of the examples, never weights.

A step has six messages between any two ranks, of which four carry (examples, width) numbers; H: width, B:
examples of all ranks, W: ranks, s: 4 bytes. Each rank sends 4 s H B (W - 1) / W bytes, and ids and values of
its examples.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.csr import Csr
from hashslide.distributed.exchange import Exchange, Pending
from hashslide.errors import InputError
from hashslide.settings import NetworkConfig

__all__ = ["Activations"]


def __dir__() -> list[str]:
    return __all__


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
        z = shards.add_up(exchange.all_to_all(messages, "examples"), n_threads)
        examples_of = shards.examples_of
        if sum(examples_of) == 0:
            return 0.0, 0
        shards.score(self._activations(z, examples_of, n_threads), n_threads)
        if self._config.loss == "softmax":
            sums = shards.softmax_sums()
            shards.normalise(exchange.all_gather(sums, "partition", [len(sums)] * exchange.size), n_threads)
        under_way = self._start_split(shards.backward(n_threads), examples_of)
        shards.update_output(learning_rate, n_threads)
        dz = shards.backward_hidden(under_way.wait(), n_threads)
        sizes = [shards.report_size(n) for n in examples_of]
        return shards.update_input(exchange.all_gather(dz, "activations", sizes), learning_rate, n_threads)

    def predict_topk(
        self, x: Csr, k: int, n_threads: int
    ) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float32]]]:
        """Return ids and logits, (n, k), of the best labels of each rank's shards."""
        shards, exchange, n = self._shards, self._exchange, x.n_rows
        ends = [n * (rank + 1) // exchange.size for rank in range(exchange.size)]
        examples_of = np.diff([0, *ends]).tolist()
        z = shards.add_up_rows(x.indptr, x.indices, x.values, examples_of, n_threads)
        shards.gather(self._activations(z, examples_of, n_threads))
        labels, scores = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
        shards.best_labels(k, labels, scores, n_threads)
        sizes = [n * k] * exchange.size
        return (
            [a.reshape(n, k) for a in exchange.all_gather(labels.ravel(), "labels", sizes)],
            [a.reshape(n, k) for a in exchange.all_gather(scores.ravel(), "labels", sizes)],
        )

    def _activations(
        self, z: NDArray[np.float32], examples_of: Sequence[int], n_threads: int
    ) -> list[NDArray[np.float32]]:
        """Return the activations of each rank's examples, given this rank's part of all pre-activations."""
        h = self._shards.activate(self._start_split(z, examples_of).wait(), n_threads)
        sizes = [n * self._config.width for n in examples_of]
        return self._exchange.all_gather(h, "activations", sizes)

    def _start_split(self, values: NDArray[np.float32], examples_of: Sequence[int]) -> Pending:
        """Begin to send each rank what belongs to its examples, of an array (examples, width)."""
        width = self._config.width
        bounds = np.concatenate([[0], np.cumsum(examples_of)]) * width
        parts = [values[begin:end] for begin, end in pairwise(bounds)]
        own = examples_of[self._exchange.rank] * width
        return self._exchange.start_all_to_all(parts, "activations", [own] * self._exchange.size)
