"""The engine `ray`: ranks as actors, and Downpour (docs/machines/how_it_works.md)."""

from .downpour import Downpour, Progress

__all__ = ["Downpour", "Progress"]


def __dir__() -> list[str]:
    return __all__
