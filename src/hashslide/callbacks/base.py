"""What all callbacks share: the hooks, their check, and the figures that they watch."""

from typing import Any

from hashslide._interface import setting, wording
from hashslide.errors import InputError
from hashslide.training.callback import Callback

__all__ = ["HOOKS", "Callback", "check_callbacks", "metric_of"]


def __dir__() -> list[str]:
    return __all__


HOOKS = ("setup", "on_epoch_begin", "on_batch_end", "on_epoch_end", "teardown")


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
