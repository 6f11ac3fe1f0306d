"""A model replica of Downpour: learns blocks of the examples on rows that it fetches when it needs them."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide._validation import blocks
from hashslide.csr import Csr
from hashslide.data.pack import Pack
from hashslide.data.pack.order import batch_of
from hashslide.distributed.ray.blocks import Block
from hashslide.distributed.ray.store import Parameters
from hashslide.distributed.rows.cache import RowCache
from hashslide.distributed.rows.client import Report, RowClient, summed
from hashslide.distributed.rows.own_step import Gradients, LabelFacts, OwnStep, Touched, rank_seed
from hashslide.training import Batch, Plan, learning_rate_at

__all__ = ["Learned", "Replica", "ReplicaPlan"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class ReplicaPlan:
    """How a replica learns.

    Attributes
    ----------
    plan : Plan
        Of the whole training; `batch_size` is that of each replica.
    n_batches : int
        Of an epoch.
    block_batches : int
        Of a block.
    n_fetch, n_push : int
    timeout_s : float
        How long to wait for a store.
    change : callable or None
        What is done to features as they are read.
    """

    plan: Plan
    n_batches: int
    block_batches: int
    n_fetch: int
    n_push: int
    timeout_s: float
    change: Callable[[Csr], Csr] | None = None


class Learned(NamedTuple):
    """What became of a block.

    Attributes
    ----------
    examples : int
        Fewer than the block has, where it was withdrawn.
    loss : float
        Summed over them.
    batches : int
    active : int
        Summed over the batches.
    """

    examples: int
    loss: float
    batches: int
    active: int


class Replica:
    """Learns one block after the other.

    Its loop is that of Dean et al. (2012, algorithm 1): fetch every `n_fetch` batches, push every `n_push`; a
    push travels while the next batch is computed. Random draws depend on the batch, not on who learns it.

    Parameters
    ----------
    number : int
        Of the replica.
    path : str
        Of the pack, which has to be there on the replica's machine.
    parameters : Parameters
        Without the counts of labels, which the stores have.
    facts : LabelFacts
    stores : sequence of actor handles
    how : ReplicaPlan
    """

    def __init__(
        self,
        number: int,
        path: str,
        parameters: Parameters,
        facts: LabelFacts,
        stores: Sequence[Any],
        how: ReplicaPlan,
    ) -> None:
        self._pack = Pack.open(path)
        config = parameters.config
        self._client = RowClient(
            config,
            parameters.features,
            parameters.labels,
            len(stores),
            wire=parameters.wire,
            seed=rank_seed(config.seed, number),
        )
        self._step = OwnStep(config, facts, config.seed)
        self._has_label_weight = parameters.label_weight is not None
        self._is_sgd = config.optimizer.name == "sgd"
        self._stores, self._how = stores, how
        self._withdrawn: Block | None = None
        self._under_way: list[Any] = []

    def process(self) -> int:
        """Return the number of this process."""
        return os.getpid()

    def withdraw(self, block: Block) -> None:
        """Let a block be given up, if it is being learned: another replica has learned it."""
        self._withdrawn = block

    def learn(self, block: Block) -> Learned:
        """Learn the examples of a block, in an order that the seed, the epoch and its number decide."""
        plan, how = self._how.plan, self._how
        cache = RowCache(how.n_fetch)
        hidden_bias = np.empty(0, np.float32)
        accrued: list[tuple[Touched, Gradients]] = []
        loss, rate, examples, active, n_accrued, done = 0.0, 0.0, 0, 0, 0, 0
        for number, batch in self._batches(block):
            if self._withdrawn == block:
                break
            touched = self._step.start(batch, number + 1)
            missing = cache.missing(touched)
            where = self._client.where(missing)
            replies = self._ask(self._client.requests(where))
            if done % how.n_fetch == 0:
                hidden_bias = replies[0][1]
            rows = cache.completed(
                touched,
                missing,
                self._client.rows(where, [reply for reply, _ in replies], self._has_label_weight),
            )
            batch_loss, gradients = self._step.gradients(rows, hidden_bias, len(batch.rows), plan.n_threads)
            accrued.append((touched, gradients))
            n_accrued += len(batch.rows)
            loss, examples, active = (
                loss + batch_loss,
                examples + len(batch.rows),
                active + len(touched.labels),
            )
            done += 1
            rate = learning_rate_at(plan, number, how.n_batches)
            if done % how.n_push == 0:
                self._push(accrued, rate, n_accrued)
                accrued, n_accrued = [], 0
        if accrued:
            self._push(accrued, rate, n_accrued)
        self._wait()
        return Learned(examples, loss, done, active)

    def _batches(self, block: Block) -> Iterator[tuple[int, Batch]]:
        """Yield the batches of a block with their numbers in the whole training."""
        plan = self._how.plan
        rows = np.arange(block.first, block.last)
        rows = rows[np.random.default_rng([plan.seed, block.epoch, block.number]).permutation(len(rows))]
        first = block.epoch * self._how.n_batches + block.place * self._how.block_batches
        for i, (begin, end) in enumerate(blocks(len(rows), plan.batch_size)):
            yield first + i, batch_of(self._pack, rows[begin:end], self._how.change)

    def _ask(self, requests: Sequence[NDArray[np.int32]]) -> list[Any]:
        import ray

        asked = [store.fetch.remote(request) for store, request in zip(self._stores, requests, strict=True)]
        return ray.get(asked, timeout=self._how.timeout_s)

    def _push(self, accrued: list[tuple[Touched, Gradients]], rate: float, n_examples: int) -> None:
        """Send gradients, once the ones before have arrived: no store is ever flooded."""
        self._wait()
        touched, gradients = summed(accrued)
        messages = self._client.pushes(self._client.where(touched), gradients, Report(0.0, n_examples, 0))
        own_rate = rate / n_examples if self._is_sgd else rate
        self._under_way = [
            store.push.remote(message, own_rate, self._how.plan.n_threads)
            for store, message in zip(self._stores, messages, strict=True)
        ]

    def _wait(self) -> None:
        import ray

        ray.get(self._under_way, timeout=self._how.timeout_s)
        self._under_way = []
