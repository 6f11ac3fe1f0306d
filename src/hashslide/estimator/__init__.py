"""The network as a scikit-learn estimator."""

from .classifier import SlideClassifier

__all__ = ["SlideClassifier"]
