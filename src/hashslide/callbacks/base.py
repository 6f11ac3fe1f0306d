"""The hooks of a callback."""

from typing import Any

from hashslide._interface import setting, wording
from hashslide.errors import InputError
from hashslide.training import TrainingContext

__all__ = ["HOOKS", "Callback", "check_callbacks", "metric_of"]


def __dir__() -> list[str]:
    return __all__


HOOKS = ("setup", "on_epoch_begin", "on_batch_end", "on_epoch_end", "teardown")


class Callback:
    """Base class of callbacks; override the hooks that you need.

    As in scikit-learn's callback protocol, `setup` and `teardown` frame a training, and a hook at the end of
    an iteration (here: an epoch) stops it by returning True.

    Every hook gets the estimator, which can predict and be saved at any of them, and one
    `hashslide.training.TrainingContext` for the whole training.
    """

    def setup(self, estimator: Any, context: TrainingContext) -> bool | None:
        """Prepare; called before the first epoch. Return True if there is nothing to train."""

    def on_epoch_begin(self, estimator: Any, context: TrainingContext) -> None:
        """Called before each epoch."""

    def on_batch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Called after each batch, many times per second: be quick."""

    def on_epoch_end(self, estimator: Any, context: TrainingContext) -> bool | None:
        """Called after each epoch, its record being ``context.logs``; return True to stop."""

    def teardown(self, estimator: Any, context: TrainingContext) -> None:
        """Clean up; called after the training, also when it was interrupted or failed."""


def check_callbacks(callbacks: Any) -> list[Any]:
    """Return the callbacks as a list.

    Raises
    ------
    InputError
        Not a list or tuple, or an item lacks a hook.
    """
    if callbacks is None:
        return []
    if not isinstance(callbacks, list | tuple):
        raise InputError(
            f"callbacks is a {type(callbacks).__name__}; accepted is a list of hashslide.callbacks.Callback."
        )
    for callback in callbacks:
        lacking = [hook for hook in HOOKS if not callable(getattr(callback, hook, None))]
        if lacking or isinstance(callback, type):
            raise InputError(
                f"the callback {callback!r} is not acceptable; "
                "pass instances of subclasses of hashslide.callbacks.Callback."
            )
    return list(callbacks)


def metric_of(record: dict[str, Any], monitor: str, callback: str) -> float:
    """Return one figure of an epoch's record.

    Raises
    ------
    InputError
        The record has no such figure.
    """
    if monitor not in record:
        raise InputError(
            f"{callback} monitors {monitor!r}, but an epoch's record holds {sorted(record)}. "
            f"Metrics named val_... need {wording('eval_set', '--validation')} or "
            f"{setting('early_stopping', True)}."
        )
    return record[monitor]
