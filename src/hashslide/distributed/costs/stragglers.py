"""Machines that are slow now and then, with a heavy tail."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad

from hashslide.errors import InputError

__all__ = ["NONE", "USUAL", "Stragglers"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True)
class Stragglers:
    """How many times as long a step of a machine takes: mostly once, sometimes Pareto-distributed.

    P(slower than x times) = share / x^exponent for x >= 1.

    Attributes
    ----------
    share : float in [0, 1]
        Of the steps of a machine that are slow.
    exponent : float > 1
        Of the tail: the smaller, the heavier.
    """

    share: float
    exponent: float

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and 1 < self.exponent < math.inf):
            raise InputError(
                f"stragglers have the share {self.share} and the exponent {self.exponent}; accepted are a "
                "share from 0 to 1 and an exponent above 1, below which the mean is infinite."
            )

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return the factors of n steps."""
        slow = rng.random(n) < self.share
        return np.where(slow, rng.random(n) ** (-1 / self.exponent), 1.0)

    @property
    def mean(self) -> float:
        """Of the factor: E[X]."""
        return 1 + self.share / (self.exponent - 1)

    def slowest(self, machines: int) -> float:
        """Return the mean of the largest of the machines' factors, for which everyone waits: E[max X].

        1 + the integral of P(max > x) = 1 - (1 - share x^-exponent)^machines over x from 1, with x = 1 / u.
        """
        if self.share == 0:
            return 1.0

        def tail(u: float) -> float:
            return -math.expm1(machines * math.log1p(-min(self.share * u**self.exponent, 1 - 1e-16))) / u**2

        return 1 + float(quad(tail, 0, 1, limit=200)[0])


NONE = Stragglers(share=0.0, exponent=2.0)
USUAL = Stragglers(
    share=0.02, exponent=2.0
)  # one step of fifty is slow; one of 5,000 takes ten times as long
