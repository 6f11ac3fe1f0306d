"""What every request passes through."""

from .answers import json_answer
from .guard import Endpoint, Guard, note, refuse

__all__ = ["Endpoint", "Guard", "json_answer", "note", "refuse"]


def __dir__() -> list[str]:
    return __all__
