"""The whole algorithm in NumPy, without tricks: the specification that the core is tested against."""

from .network import Network

__all__ = ["Network"]


def __dir__() -> list[str]:
    return __all__
