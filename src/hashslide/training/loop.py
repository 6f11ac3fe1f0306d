"""The loop over epochs and batches around `train_batch` of a network, or of what takes its place."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from hashslide.errors import InputError
from hashslide.training.callback import Callback
from hashslide.training.context import TrainingContext
from hashslide.training.data import BatchSource
from hashslide.training.evaluation import Evaluation
from hashslide.training.memory import resident_bytes
from hashslide.training.plan import Plan, Position, learning_rate_at
from hashslide.training.trainable import Trainable

__all__ = ["train"]


def __dir__() -> list[str]:
    return __all__


def train(
    network: Trainable,
    data: BatchSource,
    plan: Plan,
    history: list[dict[str, Any]],
    *,
    evaluate: Evaluation | None = None,
    callbacks: Sequence[Callback] = (),
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
    context: TrainingContext, data: BatchSource, callbacks: Sequence[Callback], estimator: Any
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


def _notify(callbacks: Sequence[Callback], hook: str, estimator: Any, context: TrainingContext) -> bool:
    """Call a hook of every callback; return whether any of them returned True."""
    return any([getattr(callback, hook)(estimator, context) is True for callback in callbacks])
