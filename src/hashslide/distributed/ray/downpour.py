"""Downpour SGD (Dean et al. 2012): replicas that learn without waiting for each other, and that may die."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from hashslide._checks import check_int
from hashslide.csr import Csr
from hashslide.data.pack import Pack
from hashslide.distributed.exchange import Alone
from hashslide.distributed.ray.blocks import Block, BlockQueue
from hashslide.distributed.ray.cluster import cluster, started
from hashslide.distributed.ray.replica import Learned, Replica, ReplicaPlan
from hashslide.distributed.ray.store import Parameters, Store
from hashslide.distributed.rows.own_step import LabelFacts
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharding import check_n_shards
from hashslide.errors import HashslideError, WorkerError
from hashslide.network import Network
from hashslide.training import Plan, learning_rate_at, resident_bytes

__all__ = ["Downpour", "Progress"]


def __dir__() -> list[str]:
    return __all__


_logger = logging.getLogger("hashslide")
_BLOCKS_EACH = (
    8  # for each replica in an epoch, at least: the fewer there are, the longer the last one is waited for
)
_WARM_BATCHES = 16  # after so many batches one more replica joins in
_FIRST_PATIENCE = 0.25  # of the time-out: with a block, before it is known how long one takes
_ANSWER_S = 5.0  # for a store that is alive to say so
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
    examples : int
        Learned so far in this epoch, each counted once.
    alive : dict of int to int
        The process of each replica that has not died, by its number.
    stores : dict of int to int
        The process of each store.
    late : list of int
        Replicas whose blocks have been given to others as well.
    """

    blocks: int
    n_blocks: int
    epoch: int
    examples: int
    alive: dict[int, int]
    stores: dict[int, int]
    late: list[int]


@dataclass(frozen=True, kw_only=True)
class Downpour:
    """Trains on a pack with Ray actors: stores hold the shards, replicas learn blocks of the examples.

    A replica that dies loses nothing but its block, which another one learns; so does a replica that takes
    much longer than others. Slow replicas get fewer blocks. Every example is learned at least once an epoch.
    A store that dies ends the training, as its rows are lost.

    **Batch size, learning rate and warm start.** Each replica takes whole batches of ``plan.batch_size``
    examples, and the learning rate stays: every push is an update as the single process makes it, only of
    weights that are up to ``n_replicas`` - 1 updates old. That does harm while all gradients point the same
    way and Adagrad's sums are small, at the very beginning: so one replica begins, and after every 16 batches
    another one joins in. An epoch should have many times more batches than there are replicas; with fewer,
    lower the batch size.

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
    history : list of dict
        Gets a record of each epoch.
    change : callable, optional
        What is done to features as they are read.
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
    change: Callable[[Csr], Csr] | None = None

    def __post_init__(self) -> None:
        for name in ("n_replicas", "n_fetch", "n_push"):
            check_int(name, getattr(self, name), 1, 1 << 20)
        if self.n_stores is not None:
            check_n_shards(self.parameters.features.n_shards, self.n_stores)

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
            except ray.exceptions.RayError as error:
                raise WorkerError(f"the training cannot go on: {error}") from error
            finally:
                workers.end()

    @property
    def n_batches(self) -> int:
        """Batches of an epoch."""
        return math.ceil(self.n_rows / self.plan.batch_size)

    @property
    def block_rows(self) -> int:
        """Examples of a block: whole batches, and no more than are read together."""
        most = math.ceil(self.n_rows / (_BLOCKS_EACH * self.n_replicas))
        batch_size = self.plan.batch_size
        return max(1, min(most, self.pack.block_rows) // batch_size) * batch_size


class _Workers:
    """The actors of a training."""

    def __init__(self, ray: ModuleType, training: Downpour) -> None:
        self.ray, self._training = ray, training
        parameters, plan = training.parameters, training.plan
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
            training.n_batches,
            training.block_rows // plan.batch_size,
            training.n_fetch,
            training.n_push,
            training.timeout_s,
            training.change,
        )
        replica = ray.remote(Replica).options(num_cpus=plan.n_threads, max_concurrency=2)
        self.replicas = {
            number: replica.remote(number, str(training.pack.path.resolve()), shared, facts, self.stores, how)
            for number in range(n)
        }
        timeout_s = training.timeout_s
        self.store_processes = dict(enumerate(started(ray, self.stores, timeout_s)))
        self.processes = dict(enumerate(started(ray, list(self.replicas.values()), timeout_s)))

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
            training.n_rows,
            training.block_rows,
            range(plan.first_epoch, plan.last_epoch),
            plan.seed,
            training.timeout_s * _FIRST_PATIENCE,
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
        n_batches = sum(record.batches for record in self._records.values())
        n_learning = len(set(self._busy.values()) - self._late)
        n_more = max(0, 1 + n_batches // _WARM_BATCHES - n_learning)
        for number in sorted(idle)[:n_more]:
            block = self._queue.take(number, time.monotonic())
            if block is not None:
                self._busy[self._workers.replicas[number].learn.remote(block)] = number

    def _take(self, answer: Any) -> None:
        """Note what a replica has made of its block."""
        ray, number = self._workers.ray, self._busy.pop(answer)
        try:
            learned: Learned = ray.get(answer)
        except ray.exceptions.RayTaskError as error:  # which may be of the kind of its cause, too
            raise self._reason(error.cause) from error
        except ray.exceptions.RayActorError:
            self._bury(number)
            return
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

    def _reason(self, cause: Any) -> Exception:
        """Return what ended a replica's call, as an error of ours."""
        ray, stores = self._workers.ray, self._workers.stores
        if isinstance(cause, HashslideError):
            return cause
        if isinstance(cause, ray.exceptions.RayActorError | ray.exceptions.GetTimeoutError):
            asked = {store.process.remote(): number for number, store in enumerate(stores)}
            there, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER_S)
            lost = [asked[answer] for answer in there if _has_died(ray, answer)] or [asked[a] for a in silent]
            named = " and ".join(f"store {n} (process {self._workers.store_processes[n]})" for n in lost)
            return WorkerError(
                f"{named or 'a store'} has died or does not answer, and its rows are lost. "
                "Start the training again."
            )
        return WorkerError(f"a replica could not go on: {type(cause).__name__}: {cause}")

    def _progress(self, epoch: int) -> Progress:
        return Progress(
            sum(len(done) for done in self._queue.learned.values()),
            self._queue.n_blocks * len(self._queue.epochs),
            epoch,
            self._records[epoch].examples,
            dict(self._workers.processes),
            dict(self._workers.store_processes),
            sorted(self._late),
        )

    def _record(self, epoch: int) -> None:
        """Write the record of an epoch, as `hashslide.training.train` does."""
        plan, record = self._training.plan, self._records[epoch]
        n_batches = self._training.n_batches
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


def _has_died(ray: ModuleType, answer: Any) -> bool:
    try:
        ray.get(answer)
    except ray.exceptions.RayActorError:
        return True
    return False
