"""Sparse classifiers beside the network: how they are weighed, and what they say (docs/how/ranker.md)."""

from hashslide.ranking.explanation import Explanation, explain
from hashslide.ranking.weighing import FEWEST_HELD_OUT, Blend, RankerReport, n_held_out, weigh

__all__ = ["FEWEST_HELD_OUT", "Blend", "Explanation", "RankerReport", "explain", "n_held_out", "weigh"]


def __dir__() -> list[str]:
    return __all__
