"""Texts in, label names out (docs/guides/text.md, docs/how/text.md)."""

from .classifier import SlideTextClassifier
from .features import TextFeatures

__all__ = ["SlideTextClassifier", "TextFeatures"]


def __dir__() -> list[str]:
    return __all__
