"""The protocol `rows`: a machine fetches the rows that its batch touches and pushes their gradients back."""

from .network import RowsNetwork

__all__ = ["RowsNetwork"]


def __dir__() -> list[str]:
    return __all__
