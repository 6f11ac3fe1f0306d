"""How long a search may take: in seconds, in trials, or both."""

import math
import time
from collections.abc import Callable

from hashslide._checks import check_float, check_int
from hashslide.callbacks import Callback
from hashslide.training import TrainingContext

__all__ = ["DEFAULT_SECONDS", "Budget", "Deadline", "OutOfTimeError", "now"]


def __dir__() -> list[str]:
    return __all__


DEFAULT_SECONDS = 300.0
MOST_TRIALS = 2**31 - 1


def now() -> float:
    """Return the seconds of a clock that never goes back."""
    return time.perf_counter()


class Budget:
    """What is left of the time and of the trials of a search.

    Parameters
    ----------
    seconds : float or None
        For the whole search, the training on all data included. None: without limit, if there are `trials`,
        else 300.
    trials : int or None
        Trainings on parts of the data, of whatever size.
    clock : callable, optional
        Returns seconds; by default those of `now`.

    Raises
    ------
    InputError
        A limit is not acceptable.
    """

    def __init__(
        self, seconds: float | None, trials: int | None, clock: Callable[[], float] | None = None
    ) -> None:
        if seconds is None:
            self.seconds = DEFAULT_SECONDS if trials is None else math.inf
        else:
            self.seconds = check_float("seconds", seconds, 0, math.inf, "()")
        self.trials = MOST_TRIALS if trials is None else check_int("trials", trials, 1, MOST_TRIALS)
        self.clock = now if clock is None else clock
        self._started = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the search began."""
        return self.clock() - self._started

    @property
    def seconds_left(self) -> float:
        """Seconds until the end of the budget; negative after it."""
        return self.seconds - self.elapsed


class OutOfTimeError(Exception):
    """A trial has reached its deadline."""


class Deadline(Callback):
    """Ends a training at a moment of a clock."""

    def __init__(self, clock: Callable[[], float], at: float) -> None:
        self.clock = clock
        self.at = at

    def on_batch_end(self, estimator: object, context: TrainingContext) -> None:
        """Raise `OutOfTimeError`, if it is time."""
        if self.clock() >= self.at:
            raise OutOfTimeError
