"""What a training will cost, before it is begun: behind `SlideClassifier.estimate` (docs/how/planning.md)."""

from hashslide.planning.estimating import SECONDS, Estimate, Planned, estimate
from hashslide.planning.shape import Shape
from hashslide.planning.sizes import Sizes

__all__ = ["SECONDS", "Estimate", "Planned", "Shape", "Sizes", "estimate"]


def __dir__() -> list[str]:
    return __all__
