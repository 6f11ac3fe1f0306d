"""Ranks as processes of this machine: torchrun is started, watched, and explained when it fails."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
