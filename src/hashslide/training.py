"""The loop over epochs and batches around `train_batch` of a network, or of what takes its place."""

import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hashslide import metrics
from hashslide._validation import blocks
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.settings import Constant, Schedule

if TYPE_CHECKING:
    from hashslide.callbacks import Callback

__all__ = [
    "METRIC_RANKS",
    "Batch",
    "BatchSource",
    "Evaluation",
    "Examples",
    "Occurrences",
    "Plan",
    "Position",
    "Trainable",
    "TrainingContext",
    "TrainingData",
    "learning_rate_at",
    "resident_bytes",
    "train",
]


def __dir__() -> list[str]:
    return __all__


METRIC_RANKS = (1, 3, 5)
_MEMORY_FILE = "/proc/self/statm"
_ROWS_PER_BLOCK = 1024
_ITEMS_PER_BLOCK = 1 << 18
_EVALUATION_ROWS = 2048  # rows between two chances to interrupt an evaluation


class Trainable(Protocol):
    """What `train` can train: a `Network`, or something that passes batches on to networks elsewhere."""

    def train_batch(
        self,
        x: Csr,
        y: Csr,
        rows: NDArray[np.int64],
        learning_rate: float,
        sample_weight: NDArray[np.float32] | None = None,
        n_threads: int = 1,
    ) -> tuple[float, int]:
        """Make one step; return the loss, summed over the examples, and the size of the active set."""
        ...

    def predict_topk(self, X: Csr, k: int = 5, n_threads: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ids and scores of the k best labels of each example, best first."""
        ...

    def state(self, *roles: str) -> Mapping[str, NDArray[Any]]:
        """Return the arrays of the model by name, as `Network.state` does."""
        ...


class Batch(NamedTuple):
    """The arguments of one step: the rows of x and y that it is made on.

    Attributes
    ----------
    x, y : Csr
    rows : int64 array
    sample_weight : float32 array, one for each row of x, or None
    n_elsewhere : int
        Further examples of the batch that others hold, where several processes make the step together.
    """

    x: Csr
    y: Csr
    rows: NDArray[np.int64]
    sample_weight: NDArray[np.float32] | None = None
    n_elsewhere: int = 0


class BatchSource(Protocol):
    """What `train` can train on: data in memory, on disk, or a stream."""

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch; of a stream, about: schedules and progress go by it."""
        ...

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterable[Batch]:
        """Yield the batches of an epoch, which is counted from 0, without the `first` ones.

        Their order depends on these numbers alone, so that a training goes on wherever it was broken off.
        """
        ...


class Examples(BatchSource, Protocol):
    """What `SlideClassifier.fit` trains on: `TrainingData`, or the examples of a pack."""

    @property
    def x(self) -> Csr:
        """Features; those of `rows` are used."""
        ...

    @property
    def y(self) -> Csr:
        """Labels of the same rows."""
        ...

    @property
    def rows(self) -> Sized:
        """The examples to use."""
        ...

    @property
    def is_both_ways(self) -> bool:
        """Whether each example is there a second time with features and labels exchanged."""
        ...

    def held_out(self, n: int, seed: int) -> "tuple[Examples, Csr, Csr]":
        """Return the data without `n` random examples, and features and labels of these."""
        ...

    def sample(self) -> "TrainingData":
        """Return the examples that the stages after the training learn from."""
        ...

    def label_counts(self) -> NDArray[np.int64]:
        """Return how many of the examples carry each label."""
        ...

    def sum_of_squares(self) -> float:
        """Return the sum of the squares of all features' values."""
        ...


class Occurrences(NamedTuple):
    """Labels that occur in some examples, and how often.

    Attributes
    ----------
    ids : int32 array, ascending
    counts : int64 array
    """

    ids: NDArray[np.int32]
    counts: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What is trained on.

    Attributes
    ----------
    x, y : Csr
        Features and labels of all examples.
    rows : int64 array
        The examples to use.
    sample_weight : float32 array, one for each row of x, or None
    is_both_ways : bool
        Whether each example is there a second time with features and labels exchanged.
    """

    x: Csr
    y: Csr
    rows: NDArray[np.int64]
    sample_weight: NDArray[np.float32] | None = None
    is_both_ways: bool = False

    def n_batches(self, batch_size: int) -> int:
        """Return the number of batches of an epoch."""
        return math.ceil(len(self.rows) / batch_size)

    def batches(self, epoch: int, batch_size: int, seed: int, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, in an order that depends on its number and the seed alone."""
        order = self.rows[np.random.default_rng([seed, epoch]).permutation(len(self.rows))]
        order = order[first * batch_size :]
        for begin, end in blocks(len(order), batch_size):
            yield Batch(self.x, self.y, order[begin:end], self.sample_weight)

    def chosen(self) -> NDArray[np.int64] | None:
        """Return the rows to use, or None where those are all."""
        return None if len(self.rows) == self.x.n_rows else self.rows

    def held_out(self, n: int, seed: int) -> tuple["TrainingData", Csr, Csr]:
        """Return the data without `n` random examples, and features and labels of these."""
        rows = np.sort(np.random.default_rng([seed, len(self.rows)]).choice(self.rows, n, replace=False))
        kept = self.rows[~np.isin(self.rows, rows, assume_unique=True)]
        return replace(self, rows=kept), self.x.take(rows), self.y.take(rows)

    def sample(self) -> "TrainingData":
        """Return the examples that the stages after the training learn from: all of them."""
        return self

    def occurrences(self) -> "Occurrences":
        """Return the labels that occur in the examples. O(log of their occurrences) for each of these."""
        chosen = self.y.indices if self.chosen() is None else self.y.take(self.rows).indices
        return Occurrences(*np.unique(chosen, return_counts=True))

    def label_counts(self) -> NDArray[np.int64]:
        """Return how many of the examples carry each label."""
        y, counts = self.y, np.zeros(self.y.n_columns, np.int64)
        block = max(_ITEMS_PER_BLOCK, y.n_columns)  # of which NumPy makes a copy with wider numbers
        if self.chosen() is None:
            parts = (y.indices[first:last] for first, last in blocks(y.nnz, block))
        else:
            n_rows = max(1, block * y.n_rows // max(1, y.nnz))
            parts = (y.take(self.rows[first:last]).indices for first, last in blocks(len(self.rows), n_rows))
        for part in parts:
            counts += np.bincount(part, minlength=y.n_columns)
        return counts

    def sum_of_squares(self) -> float:
        """Return the sum of the squares of all features' values.

        O(nnz), by blocks of rows, so that examples that are left out change nothing, not even rounding.
        """
        x, squares = self.x, 0.0
        is_whole = len(self.rows) == x.n_rows
        for first, last in blocks(len(self.rows), _ROWS_PER_BLOCK):
            block = x.block(first, last) if is_whole else x.take(self.rows[first:last])
            squares += float(np.square(block.values, dtype=np.float64).sum())
        return squares

    def without_labels(self, labels: NDArray[np.int32]) -> "TrainingData":
        """Return the same data without some labels, and without the examples that have no others."""
        kept = ~np.isin(self.y.indices, labels)
        indptr = np.concatenate([[0], np.cumsum(kept)])[self.y.indptr]
        had, has = np.diff(self.y.indptr)[self.rows], np.diff(indptr)[self.rows]
        y = Csr(indptr, self.y.indices[kept], None, self.y.n_columns)
        return replace(self, y=y, rows=self.rows[(has > 0) | (had == 0)])


@dataclass(frozen=True)
class Position:
    """How far an epoch has come, and what its record is made of so far.

    Attributes
    ----------
    batch : int
        Batches done.
    examples : int
        Examples in them.
    loss, active : float, int
        Sums over these examples, and of the sizes of the active sets of these batches.
    seconds : float
    """

    batch: int = 0
    examples: int = 0
    loss: float = 0.0
    active: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How it is trained.

    Attributes
    ----------
    n_epochs : int
        Epochs of the learning-rate schedule.
    first_epoch, last_epoch : int
        Epochs to run now: first_epoch .. last_epoch - 1, counted from 0. An epoch's order of the examples and
        its learning rates depend on its number alone, so a training can stop anywhere and go on later.
    batch_size : int
    learning_rate : float
        At the top of the schedule.
    schedule : Schedule
    seed : int
    n_threads : int
    position : Position
        Where the first epoch begins.
    """

    n_epochs: int
    first_epoch: int
    last_epoch: int
    batch_size: int
    learning_rate: float
    schedule: Schedule = field(default_factory=Constant)
    seed: int = 0
    n_threads: int = 1
    position: Position = field(default_factory=Position)


@dataclass
class TrainingContext:
    """What callbacks see of a training; one object from `setup` to `teardown`.

    Attributes
    ----------
    network : Trainable
    plan : Plan
    n_batches : int
        Batches of an epoch.
    epoch : int
        Number of the current epoch, counted from 0 over all calls of `fit` and `partial_fit`.
    history : list of dict
        One record for each finished epoch: "epoch" (from 1), "loss" (mean of an example), "learning_rate" (of
        the last step), "active" (mean size of the active set), "seconds", "examples_per_second",
        "memory_bytes" (resident set) and, with an evaluation set, "val_P@1", "val_P@3", "val_P@5" and
        "val_nDCG@5".
    position : Position
        The same, and the sums of this epoch so far. Between two epochs it is at the beginning of the next.
    best_state : mapping of str to array, or None
        The network of the best epoch, where early stopping keeps it.
    """

    network: Trainable
    plan: Plan
    n_batches: int
    history: list[dict[str, Any]]
    epoch: int = 0
    position: Position = field(default_factory=Position)
    best_state: Mapping[str, NDArray[Any]] | None = None

    @property
    def batch(self) -> int:
        """Batches done in this epoch."""
        return self.position.batch

    @property
    def loss(self) -> float:
        """Mean loss of the examples of this epoch so far."""
        done = self.position
        return done.loss / done.examples if done.examples else math.nan

    @property
    def active(self) -> float:
        """Mean size of the active set in this epoch so far."""
        done = self.position
        return done.active / done.batch if done.batch else math.nan

    @property
    def logs(self) -> dict[str, Any]:
        """The record of the epoch that ended last."""
        return self.history[-1]


class Evaluation:
    """Metrics on examples that are not trained on.

    Parameters
    ----------
    x : Csr
    y : sparse matrix of shape (n, n_labels)
        Their labels.
    n_threads : int
    """

    def __init__(self, x: Csr, y: Csr, n_threads: int = 1):
        self.x, self.y, self.n_threads = x, y.to_scipy(), n_threads

    def __call__(self, network: Trainable) -> dict[str, float]:
        """Return "val_P@1", "val_P@3", "val_P@5", "val_nDCG@5" of the network."""
        k = min(max(METRIC_RANKS), self.y.shape[1])
        parts = [
            network.predict_topk(self.x.block(first, last), k, self.n_threads)[0]
            for first, last in blocks(self.x.n_rows, _EVALUATION_ROWS)
        ]
        topk = np.concatenate(parts)
        result = {f"val_P@{rank}": metrics.precision_at_k(self.y, topk, rank) for rank in METRIC_RANKS}
        result["val_nDCG@5"] = metrics.ndcg_at_k(self.y, topk, 5)
        return result


def train(
    network: Trainable,
    data: BatchSource,
    plan: Plan,
    history: list[dict[str, Any]],
    *,
    evaluate: Evaluation | None = None,
    callbacks: "Sequence[Callback]" = (),
    estimator: Any = None,
    best_state: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Train a network in place.

    Parameters
    ----------
    network : Trainable
        A `Network`, or anything else with `train_batch`, `predict_topk` and `state`.
    data : BatchSource
        `TrainingData`, or anything else that yields the batches of an epoch.
    plan : Plan
    history : list of dict
        Gets one record for each epoch; see `TrainingContext`.
    evaluate : Evaluation, optional
        Called after each epoch.
    callbacks : sequence of `hashslide.callbacks.Callback`
        If any `on_epoch_end` returns True, training ends there. `teardown` is called whatever happens.
    estimator : object
        Passed on to the callbacks.
    best_state : mapping of str to array, optional
        The network of the best epoch of the training that is resumed.

    Raises
    ------
    InputError
        The loss is no longer finite.
    KeyboardInterrupt
        From Ctrl-C: the network is whole, with all batches so far. A batch that takes more than a moment may
        be broken off, with some rows of the weights updated.
    """
    context = TrainingContext(
        network,
        plan,
        data.n_batches(plan.batch_size),
        history,
        epoch=plan.first_epoch,
        position=plan.position,
        best_state=best_state,
    )
    started: list[Callback] = []
    try:
        is_done = False
        for callback in callbacks:
            started.append(callback)
            is_done |= callback.setup(estimator, context) is True
        for context.epoch in range(plan.first_epoch, plan.first_epoch if is_done else plan.last_epoch):
            _notify(callbacks, "on_epoch_begin", estimator, context)
            record = _train_epoch(context, data, callbacks, estimator)
            context.position = Position()
            history.append(record | (evaluate(network) if evaluate else {}))
            if _notify(callbacks, "on_epoch_end", estimator, context):
                break
    finally:
        for callback in started:
            callback.teardown(estimator, context)


def _train_epoch(
    context: TrainingContext, data: BatchSource, callbacks: "Sequence[Callback]", estimator: Any
) -> dict[str, Any]:
    """Train from the position of the context to the end of its epoch; return the record of the epoch."""
    plan, done = context.plan, context.position
    started = time.perf_counter() - done.seconds
    rate = _rate_of(context, done.batch - 1) if done.batch else 0.0
    for batch in data.batches(context.epoch, plan.batch_size, plan.seed, done.batch):
        rate = _rate_of(context, done.batch)
        loss, active = context.network.train_batch(
            batch.x, batch.y, batch.rows, rate, batch.sample_weight, plan.n_threads
        )
        if not math.isfinite(loss):
            raise InputError(
                f"the loss became {loss} in epoch {context.epoch + 1}, batch {done.batch + 1}, "
                "at the learning rate "
                f"{rate:g}. Lower learning_rate, or scale the features to about 1. The model cannot be used."
            )
        context.position = done = Position(
            done.batch + 1,
            done.examples + len(batch.rows) + batch.n_elsewhere,
            done.loss + loss,
            done.active + active,
            time.perf_counter() - started,
        )
        _notify(callbacks, "on_batch_end", estimator, context)
    return {
        "epoch": context.epoch + 1,
        "loss": context.loss,
        "learning_rate": rate,
        "active": context.active,
        "seconds": done.seconds,
        "examples_per_second": done.examples / max(done.seconds, 1e-9),
        "memory_bytes": resident_bytes(),
    }


def _rate_of(context: TrainingContext, batch: int) -> float:
    return learning_rate_at(context.plan, context.epoch * context.n_batches + batch, context.n_batches)


def _notify(callbacks: "Sequence[Callback]", hook: str, estimator: Any, context: TrainingContext) -> bool:
    """Call a hook of every callback; return whether any of them returned True."""
    return any([getattr(callback, hook)(estimator, context) is True for callback in callbacks])


def learning_rate_at(plan: Plan, step: int, n_batches: int) -> float:
    """Return the learning rate of a step, counted from 0 over all epochs of the schedule."""
    total = plan.n_epochs * n_batches
    progress = min((step + 0.5) / total, 1.0) if total else 0.0
    return plan.schedule.rate(plan.learning_rate, progress)


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes, 0 where the system does not tell."""
    try:
        with open(_MEMORY_FILE) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
