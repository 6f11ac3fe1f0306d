"""Packs: training data on disk, from where a training reads it in bounded memory (docs/how/pack.md)."""

from .pack import Pack

__all__ = ["Pack"]


def __dir__() -> list[str]:
    return __all__
