"""Early stopping: end when validation no longer improves, and return to the best weights."""

import math
import warnings
from collections.abc import Mapping
from typing import Any, Protocol, cast

from numpy.typing import NDArray

from hashslide._checks import check_float, check_int
from hashslide.training import TrainingContext

from .base import Callback, metric_of

__all__ = ["EarlyStopping"]


def __dir__() -> list[str]:
    return __all__


class _Restorable(Protocol):
    """What early stopping needs of a network, besides what training does."""

    def snapshot(self) -> Mapping[str, NDArray[Any]]: ...

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None: ...


def _restorable(context: TrainingContext) -> _Restorable:
    return cast(_Restorable, context.network)


class EarlyStopping(Callback):
    """Stop when a figure has not improved for some epochs; the network then gets the weights of the best
    epoch.

    The best weights come back however the training ends: after the last epoch, on Ctrl-C or on an error.
    Until then a copy of the network's state is held in memory.

    Parameters
    ----------
    monitor : str or None, default None
        Name in the epoch's record. Larger is better, except for "loss". None: "val_nDCG@5" where an example
        may have several labels, else "val_P@1".
    patience : int, default 2
        Epochs without improvement after which training stops.
    min_delta : float, default 0
        What counts as an improvement.

    Attributes
    ----------
    best_epoch_ : int or None
        Number of the best epoch, counted from 1.
    best_value_ : float
    """

    def __init__(self, monitor: str | None = None, patience: int = 2, min_delta: float = 0.0):
        self.monitor = monitor
        self.patience = check_int("patience", patience, 1, 2**31)
        self.min_delta = check_float("min_delta", min_delta, 0, math.inf, "[)")
        self._forget()

    def __repr__(self) -> str:
        defaults = {"monitor": None, "patience": 2, "min_delta": 0.0}
        changed = [f"{n}={getattr(self, n)!r}" for n, v in defaults.items() if getattr(self, n) != v]
        return f"EarlyStopping({', '.join(changed)})"

    def _forget(self) -> None:
        self.best_epoch_: int | None = None
        self.best_value_ = -math.inf

    def setup(self, estimator: Any, context: TrainingContext) -> bool:
        """Start afresh, or with the epochs of a checkpoint, which may have been the last."""
        self._forget()
        if not (context.plan.n_epochs and context.history):
            return False
        for record in context.history:
            is_best = self._is_best(estimator, record)
        if is_best and not context.position.batch:
            context.best_state = _restorable(context).snapshot()
        elif context.best_state is None:
            warnings.warn(
                f"The best epoch before the checkpoint was {self.best_epoch_}, whose weights the checkpoint "
                f"does not hold. Unless a later epoch is better, the model will have those of the last one.",
                stacklevel=2,
            )
        return not context.position.batch and self._is_at_its_end(context)

    def on_epoch_end(self, estimator: Any, context: TrainingContext) -> bool:
        """Keep the state if it is the best so far; tell whether patience is at its end."""
        if self._is_best(estimator, context.logs):
            context.best_state = None  # before the next one takes as much memory
            context.best_state = _restorable(context).snapshot()
        return self._is_at_its_end(context)

    def _is_at_its_end(self, context: TrainingContext) -> bool:
        assert self.best_epoch_ is not None
        return context.logs["epoch"] - self.best_epoch_ >= self.patience

    def _is_best(self, estimator: Any, record: dict[str, Any]) -> bool:
        """Tell whether an epoch is better than all before it, and take note of it."""
        has_classes = getattr(estimator, "multilabel_", True) is False
        monitor = self.monitor or ("val_P@1" if has_classes else "val_nDCG@5")
        value = metric_of(record, monitor, "EarlyStopping")
        score, best = (-value, -self.best_value_) if monitor == "loss" else (value, self.best_value_)
        if self.best_epoch_ is not None and score <= best + self.min_delta:
            return False
        self.best_epoch_, self.best_value_ = record["epoch"], value
        return True

    def teardown(self, estimator: Any, context: TrainingContext) -> None:
        """Restore the best state."""
        if context.best_state is not None and self.best_epoch_ != context.epoch + 1:
            _restorable(context).restore(context.best_state)
        context.best_state = None
