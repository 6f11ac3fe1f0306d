"""What a method of a model holds while it runs, so that several threads may use one model."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from hashslide._core import ModelLock

P = ParamSpec("P")
R = TypeVar("R")


def _holding(mode: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator of methods that hold the model's `_lock` in a mode of `_core.ModelLock`.

    The core's own object is entered, not a Python function: so no signal comes between taking the lock and
    being bound to let it go.
    """

    def decorate(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def locked(*args: P.args, **kwargs: P.kwargs) -> R:
            with getattr(args[0]._lock, mode):  # type: ignore[attr-defined]
                return method(*args, **kwargs)

        return locked

    return decorate


reading = _holding("reading")  # together with others that read
training = _holding("training")  # while others read, but the only one that changes the model
writing = _holding("writing")  # alone


def unbroken(lock: ModelLock, change: Callable[[], None]) -> None:
    """Make a change of several steps as a whole: unseen by other threads, also if Ctrl-C comes in between.

    It is then made once more before the interruption goes on, so it has to be one that may be repeated.
    """
    with lock.writing:
        try:
            change()
        except KeyboardInterrupt:
            change()
            raise
