"""A model file as something that answers queries."""

from .description import describe
from .queries import Features, Names, Query, Text
from .served import Options, Prediction, ServedModel

__all__ = ["Features", "Names", "Options", "Prediction", "Query", "ServedModel", "Text", "describe"]


def __dir__() -> list[str]:
    return __all__
