"""A memory that learns from one example; see docs/frameworks/memory.md."""

from .memory import Found, Memory

__all__ = ["Found", "Memory"]


def __dir__() -> list[str]:
    return __all__
