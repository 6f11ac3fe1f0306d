"""The engine `ray`: ranks as actors, and Downpour (docs/how/many_machines.md)."""

from .downpour import Downpour, Progress

__all__ = ["Downpour", "Progress"]


def __dir__() -> list[str]:
    return __all__
