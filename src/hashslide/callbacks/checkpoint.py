"""Checkpoints: the model in a file while it trains."""

import math
from typing import Any

from hashslide import model_file
from hashslide._checks import check_int
from hashslide._os_errors import StrPath, as_path
from hashslide.training import TrainingContext

from .base import Callback, metric_of

__all__ = ["Checkpoint"]


def __dir__() -> list[str]:
    return __all__


class Checkpoint(Callback):
    """Save the estimator after every n-th epoch, or whenever a figure has improved.

    The file is replaced in one step, so it always holds a whole model. It includes the optimiser's state:
    ``fit(X, y, resume_from=path)`` with the same data and parameters trains the missing epochs.

    Parameters
    ----------
    path : path-like
        ``{epoch}`` in it is replaced by the number of the epoch, to keep all of them.
    every : int, default 1
        Epochs between two files.
    monitor : str, optional
        Save only when this figure of the epoch's record is the best so far ("val_nDCG@5", say). Larger is
        better, except for "loss".
    optimizer_state : bool, default True
        False makes smaller files, after which a training goes on less exactly.
    """

    def __init__(
        self,
        path: StrPath,
        every: int = 1,
        monitor: str | None = None,
        optimizer_state: bool = True,
    ) -> None:
        self.path = path
        self.every = check_int("every", every, 1, 2**31)
        self.monitor = monitor
        self.optimizer_state = optimizer_state
        self._best = -math.inf

    def setup(self, estimator: Any, context: TrainingContext) -> None:
        """Find out now whether the file can be written."""
        self._best = -math.inf
        model_file.check_writable(self._path_of(context.epoch))

    def on_epoch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Save, if it is time."""
        if context.logs["epoch"] % self.every:
            return
        if self.monitor is not None:
            value = metric_of(context.logs, self.monitor, "Checkpoint")
            score = -value if self.monitor == "loss" else value
            if score <= self._best:
                return
            self._best = score
        estimator.save(self._path_of(context.epoch), optimizer_state=self.optimizer_state)

    def _path_of(self, epoch: int) -> str:
        return str(as_path(self.path)).replace("{epoch}", str(epoch + 1))
