"""Downpour SGD (Dean et al. 2012): replicas that learn without waiting for each other, and that may die."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

from hashslide._checks import check_int
from hashslide.data.pack import Pack
from hashslide.distributed.exchange import Alone
from hashslide.distributed.ray.blocks import Block, BlockQueue
from hashslide.distributed.ray.cluster import cluster
from hashslide.distributed.ray.replica import Learned, Replica, ReplicaPlan
from hashslide.distributed.ray.store import Parameters, Store
from hashslide.distributed.rows.own_step import LabelFacts
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharding import check_n_shards
from hashslide.errors import InputError, WorkerError
from hashslide.network import Network
from hashslide.training import Plan, learning_rate_at, resident_bytes

__all__ = ["Downpour", "Progress"]


def __dir__() -> list[str]:
    return __all__


_logger = logging.getLogger("hashslide")
_BLOCKS_EACH = (
    8  # for each replica in an epoch, at least: the fewer there are, the longer the last one is waited for
)
_POLL_S = 0.2  # between two looks at who is late


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes
    ----------
    blocks, n_blocks : int
        Learned so far, and of all epochs.
    epoch : int
        Of the block that was learned last.
    alive : dict of int to int
        The process of each replica that has not died, by its number.
    late : list of int
        Replicas whose blocks have been given to others as well.
    """

    blocks: int
    n_blocks: int
    epoch: int
    alive: dict[int, int]
    late: list[int]


@dataclass(frozen=True, kw_only=True)
class Downpour:
    """Trains on a pack with Ray actors: stores hold the shards, replicas learn blocks of the examples.

    A replica that dies loses nothing but its block, which another one learns; so does a replica that takes
    much longer than others. Slow replicas get fewer blocks. Every example is learned at least once an epoch.
    A store that dies ends the training, as its rows are lost.

    **Batch size and learning rate.** Each replica takes batches of ``batch_size / n_replicas`` examples, so
    that what is under way at any time is about one batch of the single process: weights are no staler than
    that, whatever the number of replicas is. Adagrad's steps follow the gradients' own sizes, and the
    learning rate stays; the steps of the other optimisers do not shrink with the batch by themselves, and
    theirs is divided by the number of replicas.

    Parameters
    ----------
    pack : Pack
        Its file has to be there on all machines under the same name.
    n_rows : int
        Examples to learn: the first ones of the pack.
    parameters : Parameters
    plan : Plan
        Of a single process.
    n_replicas : int
    n_stores : int, optional
        By default the most, up to `n_replicas`, that the number of shards can be dealt to.
    n_fetch, n_push : int, default 1
        Rows are fetched and gradients are pushed every so many batches of a replica.
    timeout_s : float, default 60
        How long to wait for a store, or for any block to be learned.
    """

    pack: Pack
    n_rows: int
    parameters: Parameters
    plan: Plan
    n_replicas: int
    n_stores: int | None = None
    n_fetch: int = 1
    n_push: int = 1
    timeout_s: float = 60.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("n_replicas", "n_fetch", "n_push"):
            check_int(name, getattr(self, name), 1, 1 << 20)
        if self.n_stores is not None:
            check_n_shards(self.parameters.features.n_shards, self.n_stores)
        if self.plan.batch_size < self.n_replicas:
            raise InputError(
                f"a batch of {self.plan.batch_size} examples cannot be dealt to {self.n_replicas} replicas. "
                "Use fewer of them, or a larger batch_size."
            )

    def train(self, on_block: Callable[[Progress], None] | None = None) -> Network:
        """Train from the start; return the whole network.

        Parameters
        ----------
        on_block : callable, optional
            Is told of the progress after each block.

        Raises
        ------
        WorkerError
            A store has died, or no replica is left, or nobody has learned a block within the time-out.
        """
        with cluster(1 + self.n_replicas * self.plan.n_threads) as ray:
            workers = _Workers(ray, self)
            try:
                _Training(self, workers, on_block).run()
                return workers.assembled()
            finally:
                workers.end()

    @property
    def replica_plan(self) -> Plan:
        """The plan of one replica."""
        is_adagrad = self.parameters.config.optimizer.name == "adagrad"
        rate = self.plan.learning_rate if is_adagrad else self.plan.learning_rate / self.n_replicas
        return replace(self.plan, batch_size=self.plan.batch_size // self.n_replicas, learning_rate=rate)

    @property
    def block_rows(self) -> int:
        """Examples of a block: whole batches of a replica, and no more than are read together."""
        most = math.ceil(self.n_rows / (_BLOCKS_EACH * self.n_replicas))
        batch_size = self.replica_plan.batch_size
        return max(1, min(most, self.pack.block_rows) // batch_size) * batch_size


class _Workers:
    """The actors of a training."""

    def __init__(self, ray: ModuleType, training: Downpour) -> None:
        self.ray, self._training = ray, training
        parameters, plan = training.parameters, training.replica_plan
        n_shards, n = parameters.features.n_shards, training.n_replicas
        n_stores = training.n_stores or max(d for d in range(1, min(n, n_shards) + 1) if n_shards % d == 0)
        shared = ray.put(parameters)
        self.stores = [
            ray.remote(Store).options(num_cpus=0).remote(shared, number, n_stores)
            for number in range(n_stores)
        ]
        facts = LabelFacts.of(parameters.counts, parameters.n_examples, parameters.config.negatives.popular)
        how = ReplicaPlan(
            plan,
            math.ceil(training.n_rows / plan.batch_size),
            training.block_rows // plan.batch_size,
            n,
            training.n_fetch,
            training.n_push,
            training.timeout_s,
        )
        replica = ray.remote(Replica).options(num_cpus=plan.n_threads, max_concurrency=2)
        self.replicas = {
            number: replica.remote(str(training.pack.path.resolve()), shared, facts, self.stores, how)
            for number in range(n)
        }
        self.processes = dict(
            zip(
                self.replicas,
                ray.get([r.process.remote() for r in self.replicas.values()], timeout=self._start_timeout()),
                strict=True,
            )
        )

    def _start_timeout(self) -> float:
        return max(120.0, 2 * self._training.timeout_s)  # interpreters start slowly on a busy machine

    def assembled(self) -> Network:
        """Return the whole network. The hidden layer's bias is that of store 0, so its shards come last."""
        parameters = self._training.parameters
        whole = ShardedNetwork(parameters.config, parameters.features, parameters.labels, Alone())
        whole.set_label_prior(parameters.counts, parameters.n_examples)
        each = whole.n_shards // len(self.stores)
        for shard in reversed(range(whole.n_shards)):
            asked = self.stores[shard // each].shard_state.remote(shard)
            arrays = self.ray.get(asked, timeout=self._training.timeout_s)
            whole.restore_shard(shard, arrays)
        network = whole.assemble()
        assert network is not None
        return network

    def end(self) -> None:
        for actor in (*self.replicas.values(), *self.stores):
            self.ray.kill(actor)


class _Training:
    """The loop that deals out blocks."""

    def __init__(
        self, training: Downpour, workers: _Workers, on_block: Callable[[Progress], None] | None
    ) -> None:
        self._training, self._workers, self._on_block = training, workers, on_block
        plan = training.plan
        self._queue = BlockQueue(
            training.n_rows, training.block_rows, range(plan.first_epoch, plan.last_epoch), plan.seed
        )
        self._busy: dict[Any, int] = {}
        self._records = {epoch: Learned(0, 0.0, 0, 0) for epoch in self._queue.epochs}
        self._late: set[int] = set()
        self._started = self._last = time.monotonic()

    def run(self) -> None:
        ray = self._workers.ray
        while not self._queue.is_done:
            self._deal()
            if not self._workers.replicas:
                raise WorkerError("all replicas have died. Start the training again.")
            ready, _ = ray.wait(list(self._busy), timeout=_POLL_S)
            for answer in ready:
                self._take(answer)
            self._look_for_late_ones()
            if time.monotonic() - self._last > self._training.timeout_s:
                raise WorkerError(
                    f"no replica has learned a block within {self._training.timeout_s:g} s. See whether the "
                    "machines are there and not overloaded, or give a longer time-out."
                )

    def _deal(self) -> None:
        idle = set(self._workers.replicas) - set(self._busy.values())
        for number in sorted(idle):
            block = self._queue.take(number, time.monotonic())
            if block is not None:
                self._busy[self._workers.replicas[number].learn.remote(block)] = number

    def _take(self, answer: Any) -> None:
        """Note what a replica has made of its block."""
        ray, number = self._workers.ray, self._busy.pop(answer)
        try:
            learned: Learned = ray.get(answer)
        except ray.exceptions.RayActorError:
            self._bury(number)
            return
        except ray.exceptions.RayTaskError as error:
            raise _reason(error) from error
        self._last = time.monotonic()
        self._late.discard(number)
        block = self._queue.block_of(number)
        is_first = self._queue.finish(number, self._last)
        if not is_first:
            return
        so_far = self._records[block.epoch]
        self._records[block.epoch] = Learned(
            examples=so_far.examples + learned.examples,
            loss=so_far.loss + learned.loss,
            batches=so_far.batches + learned.batches,
            active=so_far.active + learned.active,
        )
        self._withdraw(block)
        if self._queue.is_learned(block.epoch):
            self._record(block.epoch)
        if self._on_block is not None:
            self._on_block(self._progress(block.epoch))

    def _bury(self, number: int) -> None:
        del self._workers.replicas[number]
        process = self._workers.processes.pop(number)
        self._late.discard(number)
        self._queue.lose(number)
        _logger.warning(
            "Replica %d (process %d) has died; %d others take over its examples.",
            number,
            process,
            len(self._workers.replicas),
        )

    def _look_for_late_ones(self) -> None:
        for number in self._queue.overdue(time.monotonic()):
            self._late.add(number)
            _logger.warning(
                "Replica %d (process %d) is late; another one learns its examples as well.",
                number,
                self._workers.processes[number],
            )

    def _withdraw(self, block: Block) -> None:
        """Let those who learn a block that somebody else has learned give it up."""
        for number in self._queue.holders(block):
            self._workers.replicas[number].withdraw.remote(block)

    def _progress(self, epoch: int) -> Progress:
        return Progress(
            sum(len(done) for done in self._queue.learned.values()),
            self._queue.n_blocks * len(self._queue.epochs),
            epoch,
            dict(self._workers.processes),
            sorted(self._late),
        )

    def _record(self, epoch: int) -> None:
        """Write the record of an epoch, as `hashslide.training.train` does."""
        plan, record = self._training.replica_plan, self._records[epoch]
        n_batches = math.ceil(self._training.n_rows / plan.batch_size)
        seconds = time.monotonic() - self._started
        self._started = time.monotonic()
        self._training.history.append(
            {
                "epoch": epoch + 1,
                "loss": record.loss / max(1, record.examples),
                "learning_rate": learning_rate_at(plan, (epoch + 1) * n_batches - 1, n_batches),
                "active": record.active / max(1, record.batches),
                "seconds": seconds,
                "examples_per_second": record.examples / max(seconds, 1e-9),
                "memory_bytes": resident_bytes(),
            }
        )


def _reason(error: Any) -> Exception:
    """Return what ended a replica's call, as an error of ours."""
    cause = error.cause
    text = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    if isinstance(cause, InputError):
        return cause
    return WorkerError(f"a replica could not go on: {type(cause).__name__}: {text}")
