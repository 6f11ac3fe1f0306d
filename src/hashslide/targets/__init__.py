"""Targets of every form as label ids, and the names of the ids: for the classifier and for metrics."""

from .exclusion import excluded_labels
from .forms import Target, column_names, is_missing, parse_target
from .label_names import LabelNames, check_classes

__all__ = [
    "LabelNames",
    "Target",
    "check_classes",
    "column_names",
    "excluded_labels",
    "is_missing",
    "parse_target",
]


def __dir__() -> list[str]:
    return __all__
