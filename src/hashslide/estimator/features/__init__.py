"""The features of a classifier's examples: checked, and standardized where they are dense."""

from .checking import check_features, check_first_names, check_known_features, feature_names
from .standardizing import Standardization, is_dense, standardized

__all__ = [
    "Standardization",
    "check_features",
    "check_first_names",
    "check_known_features",
    "feature_names",
    "is_dense",
    "standardized",
]


def __dir__() -> list[str]:
    return __all__
