"""Schedules: how the learning rate falls over a training."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from hashslide.settings.base import Settings
from hashslide.settings.constraints import Composed
from hashslide.settings.limits import BelowOne

__all__ = ["SCHEDULE", "SCHEDULES", "Constant", "Cosine", "Linear", "Schedule"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True, repr=False)
class Schedule(Settings, ABC):
    """Base of the schedules.

    Parameters
    ----------
    warmup : float in [0, 1)
        Share of the steps in which the rate first rises from 0.
    """

    warmup: BelowOne = 0.0

    def rate(self, top: float, progress: float) -> float:
        """Return the learning rate after a share `progress` of the steps.

        Parameters
        ----------
        top : float
            The largest rate.
        progress : float in [0, 1]
        """
        if progress < self.warmup:
            return top * progress / self.warmup
        return top * self._factor((progress - self.warmup) / (1 - self.warmup))

    @abstractmethod
    def _factor(self, rest: float) -> float:
        """Return the share of the largest rate after a share `rest` of the steps that follow the warm-up."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Constant(Schedule):
    """The same rate all the time, after the `warmup` of every `Schedule`."""

    name: ClassVar[str] = "constant"

    def _factor(self, rest: float) -> float:
        return 1.0


@dataclass(frozen=True, kw_only=True, repr=False)
class Linear(Schedule):
    """Falls to 0 in a straight line, after the `warmup` of every `Schedule`."""

    name: ClassVar[str] = "linear"

    def _factor(self, rest: float) -> float:
        return 1 - rest


@dataclass(frozen=True, kw_only=True, repr=False)
class Cosine(Schedule):
    """Falls to 0 along half a wave, ``(1 + cos(pi q)) / 2``, after the `warmup` of every `Schedule`."""

    name: ClassVar[str] = "cosine"

    def _factor(self, rest: float) -> float:
        return (1 + math.cos(math.pi * rest)) / 2


SCHEDULES = {cls.name: cls for cls in (Constant, Linear, Cosine)}
SCHEDULE = Composed(SCHEDULES)
