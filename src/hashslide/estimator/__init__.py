"""The network as a scikit-learn estimator."""

from .approximate import CandidateReport
from .classifier import SlideClassifier

__all__ = ["CandidateReport", "SlideClassifier"]


def __dir__() -> list[str]:
    return __all__
