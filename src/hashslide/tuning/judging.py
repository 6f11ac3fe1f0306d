"""How good a setting is: on rows that it was not trained on, paired with another's on the same rows."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide import metrics
from hashslide.csr import Csr

__all__ = ["Gain", "Halves", "Judge", "gain_of"]


def __dir__() -> list[str]:
    return __all__


class Gain(NamedTuple):
    """The mean of paired differences, and its standard error."""

    mean: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.mean:+.4f} ± {self.standard_error:.4f}"


def gain_of(scores: NDArray[np.float64], reference: NDArray[np.float64]) -> Gain:
    """Return by how much scores exceed others of the same rows."""
    difference = scores - reference
    error = float(difference.std(ddof=1)) / math.sqrt(len(difference))
    return Gain(float(difference.mean()), error)


@dataclass(frozen=True)
class Halves:
    """Rows to choose by, and others to confirm the choice by.

    The best of many candidates owes a part of its lead to chance: on rows that had no say in the choice, this
    part is gone.

    Attributes
    ----------
    choosing, confirming : int64 arrays
    """

    choosing: NDArray[np.int64]
    confirming: NDArray[np.int64]

    @classmethod
    def of(cls, n_rows: int, seed: int) -> "Halves":
        """Return a random division of some rows."""
        order = np.random.default_rng([seed, n_rows]).permutation(n_rows)
        return cls(np.sort(order[: n_rows // 2]), np.sort(order[n_rows // 2 :]))


@dataclass(frozen=True)
class Judge:
    """Measures models on held-out rows.

    Attributes
    ----------
    x, y : Csr
        The rows, whose labels have the numbers of the model's.
    monitor : str
        A metric of `hashslide.metrics.per_example`.
    propensity : array of shape (n_labels,)
    """

    x: Csr
    y: Csr
    monitor: str
    propensity: NDArray[np.float64]

    def scores(self, model: Any) -> NDArray[np.float64]:
        """Return what each row adds to the metric of a model."""
        k = int(self.monitor.partition("@")[2])
        topk, _ = model.predict_topk(self.x.to_scipy(), k)
        return metrics.per_example(self.monitor, self.y, topk, propensity=self.propensity)
