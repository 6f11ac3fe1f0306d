"""A fitted classifier as the arrays and metadata of a model file (docs/how/model_file.md)."""

from .plain import finite_record, plain_parameters, restore_parameters, restore_position, restore_record
from .restoring import load_classifier, restore_classifier
from .saving import save_classifier
from .text_recipe import TextRecipe

__all__ = [
    "TextRecipe",
    "finite_record",
    "load_classifier",
    "plain_parameters",
    "restore_classifier",
    "restore_parameters",
    "restore_position",
    "restore_record",
    "save_classifier",
]


def __dir__() -> list[str]:
    return __all__
