"""The epochs of a training, with the callbacks that the parameters ask for."""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from hashslide.callbacks import Callback, EarlyStopping, Progress
from hashslide.estimator.auto import Decided
from hashslide.network import effective_threads
from hashslide.settings import Constant
from hashslide.training import BatchSource, Evaluation, Plan, Position, Trainable, TrainingContext, train

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["plan_of", "run"]


def __dir__() -> list[str]:
    return __all__


def plan_of(
    model: "SlideClassifier",
    settings: Decided,
    n_epochs: int,
    first_epoch: int,
    last_epoch: int,
    position: Position | None = None,
) -> Plan:
    """Return the plan of some epochs of a schedule of `n_epochs`; 0: of the constant rate."""
    return Plan(
        n_epochs=n_epochs,
        first_epoch=first_epoch,
        last_epoch=last_epoch,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        schedule=settings.schedule if n_epochs else Constant(),
        seed=model._seed,
        n_threads=effective_threads(model.n_jobs),
        position=position or Position(),
    )


class _Whereabouts(Callback):
    """Keeps how far an epoch has come when the training is broken off, so that it can go on there."""

    def teardown(self, estimator: Any, context: TrainingContext) -> None:
        """Take note."""
        estimator._position = context.position


def run(
    model: "SlideClassifier",
    network: Trainable,
    given: Mapping[str, Any],
    data: BatchSource,
    plan: Plan,
    evaluate: Evaluation | None = None,
    best_state: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Train with the callbacks that the parameters ask for."""
    callbacks, stopping = [*given["callbacks"], _Whereabouts()], None
    if given["early_stopping"] and evaluate is not None:
        wanted = given["early_stopping"]
        stopping = EarlyStopping() if wanted is True else copy(wanted)
        callbacks.append(stopping)
    if given["verbose"]:
        callbacks.append(Progress())
    try:
        train(
            network,
            data,
            plan,
            model.history_,
            evaluate=evaluate,
            callbacks=callbacks,
            estimator=model,
            best_state=best_state,
        )
    finally:
        if stopping is not None and stopping.best_epoch_ is not None:
            model.best_epoch_ = stopping.best_epoch_
