"""Packs: training data on disk, from where a training reads it in bounded memory (docs/reference/pack.md)."""

from .pack import Pack, is_pack

__all__ = ["Pack", "is_pack"]


def __dir__() -> list[str]:
    return __all__
