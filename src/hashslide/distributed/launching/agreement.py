"""What ranks have to agree on: small things, exchanged as JSON."""

import json
from typing import Any

import numpy as np

from hashslide.distributed.exchange import Exchange

__all__ = ["gather", "share"]


def __dir__() -> list[str]:
    return __all__


def gather(exchange: Exchange, value: Any) -> list[Any]:
    """Return what each rank gives, a JSON value. Collective."""
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    return [json.loads(part.tobytes()) for part in exchange.all_gather(text, "control")]


def share(exchange: Exchange, value: Any) -> Any:
    """Return what rank 0 gives, a JSON value. Collective."""
    return gather(exchange, value if exchange.rank == 0 else None)[0]
