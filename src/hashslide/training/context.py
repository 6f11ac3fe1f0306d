"""What callbacks see of a training."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from hashslide.training.plan import Plan, Position
from hashslide.training.trainable import Trainable

__all__ = ["TrainingContext"]


def __dir__() -> list[str]:
    return __all__


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
