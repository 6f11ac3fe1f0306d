"""The network as a scikit-learn estimator."""

from .classifier import SlideClassifier

__all__ = ["SlideClassifier"]


def __dir__() -> list[str]:
    return __all__
