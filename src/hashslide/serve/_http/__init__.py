"""What every request passes through."""

from .answers import json_answer, to_json
from .exchange import Exchange
from .guard import Endpoint, Guard, exchange_of, refuse

__all__ = ["Endpoint", "Exchange", "Guard", "exchange_of", "json_answer", "refuse", "to_json"]


def __dir__() -> list[str]:
    return __all__
