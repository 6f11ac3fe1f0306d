"""Sparse classifiers beside the network: how they are weighed, and what they say (docs/how/ranker.md)."""

from hashslide.ranking.explanation import Explanation, explain
from hashslide.ranking.judging import FEWEST_HELD_OUT, FOLDS, Judged, judge_in_turn, n_held_out
from hashslide.ranking.weighing import Blend, RankerReport, weigh

__all__ = [
    "FEWEST_HELD_OUT",
    "FOLDS",
    "Blend",
    "Explanation",
    "Judged",
    "RankerReport",
    "explain",
    "judge_in_turn",
    "n_held_out",
    "weigh",
]


def __dir__() -> list[str]:
    return __all__
