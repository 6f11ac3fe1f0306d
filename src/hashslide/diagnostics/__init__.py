"""What hashing would bring, and what hash tables hold and find."""

from .advice import Advice, advise

__all__ = ["Advice", "advise"]


def __dir__() -> list[str]:
    return __all__
