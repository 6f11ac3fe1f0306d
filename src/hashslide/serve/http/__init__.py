"""What every request passes through."""

from .answers import json_answer
from .guard import Guard, note, refuse

__all__ = ["Guard", "json_answer", "note", "refuse"]


def __dir__() -> list[str]:
    return __all__
