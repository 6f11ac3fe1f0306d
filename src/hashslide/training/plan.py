"""How it is trained: the epochs, the learning rate of each step, and where to begin."""

from dataclasses import dataclass, field

from hashslide.settings import Constant, Schedule

__all__ = ["Plan", "Position", "learning_rate_at"]


def __dir__() -> list[str]:
    return __all__


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


def learning_rate_at(plan: Plan, step: int, n_batches: int) -> float:
    """Return the learning rate of a step, counted from 0 over all epochs of the schedule."""
    total = plan.n_epochs * n_batches
    progress = min((step + 0.5) / total, 1.0) if total else 0.0
    return plan.schedule.rate(plan.learning_rate, progress)
