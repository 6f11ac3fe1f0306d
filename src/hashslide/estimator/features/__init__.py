"""The features of a classifier's examples: checked, and standardized where they are measurements."""

from .checking import check_features, check_first_names, check_known_features, feature_names
from .learning import is_dense, standardized
from .standardizing import Standardization

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
