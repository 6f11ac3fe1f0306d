"""Callbacks: what happens beside a training while it runs."""

from .base import Callback
from .checkpoint import Checkpoint
from .early_stopping import EarlyStopping
from .history import History
from .progress import Progress

__all__ = ["Callback", "Checkpoint", "EarlyStopping", "History", "Progress"]


def __dir__() -> list[str]:
    return __all__
