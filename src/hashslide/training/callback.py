"""The hooks that a training calls."""

from typing import Any

from hashslide.training.context import TrainingContext

__all__ = ["Callback"]


def __dir__() -> list[str]:
    return __all__


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
