"""What keeps a model alive: kept examples, labels that come and go, and the record of its drift."""

from .drift import Drift
from .reservoir import Reservoir

__all__ = ["Drift", "Reservoir"]


def __dir__() -> list[str]:
    return __all__
