"""The processes of a server: one that watches, and workers that answer."""

from .supervisor import run

__all__ = ["run"]


def __dir__() -> list[str]:
    return __all__
