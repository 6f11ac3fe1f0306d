"""The search for settings that fit the data, behind `SlideClassifier.tune` (docs/guides/tuning.md)."""

from hashslide.tuning.budget import DEFAULT_SECONDS, Budget
from hashslide.tuning.judging import Gain, Halves, Judge
from hashslide.tuning.report import Trial, TuningReport, teller
from hashslide.tuning.runner import Found, search, slices
from hashslide.tuning.space import Candidate, Space
from hashslide.tuning.task import Task

__all__ = [
    "DEFAULT_SECONDS",
    "Budget",
    "Candidate",
    "Found",
    "Gain",
    "Halves",
    "Judge",
    "Space",
    "Task",
    "Trial",
    "TuningReport",
    "search",
    "slices",
    "teller",
]


def __dir__() -> list[str]:
    return __all__
