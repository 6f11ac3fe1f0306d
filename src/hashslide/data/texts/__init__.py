"""Readers of texts and their labels."""

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
