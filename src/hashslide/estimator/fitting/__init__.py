"""The steps of `SlideClassifier.fit` and `partial_fit`, for those who train the same model in another way."""

from .fit import Fit, prepare_fit

__all__ = ["Fit", "prepare_fit"]


def __dir__() -> list[str]:
    return __all__
