"""What the settings of `SlideClassifier` may be, without what only a running training needs.

The commands show and read them, so that this module imports neither scikit-learn nor SciPy.
"""

import math
import numbers
from dataclasses import dataclass
from typing import Any

from hashslide._interface import wording
from hashslide.settings.constraints import (
    Choice,
    Composed,
    Constraint,
    Flag,
    Integer,
    Real,
    allow_auto,
    constraints_of,
)
from hashslide.settings.network import NetworkConfig
from hashslide.settings.samplers import SAMPLERS
from hashslide.settings.schedules import SCHEDULE

__all__ = ["SETTINGS"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class _LabelWeight(Choice):
    """A name or an array, which is checked when the number of labels is known."""

    def convert(self, name: str, value: Any) -> Any:
        return super().convert(name, value) if isinstance(value, str | numbers.Number) else value

    def alternatives(self) -> list[str]:
        array = wording(["an array of one weight for each label"], [])
        return [*super().alternatives(), *array]


_NETWORK = constraints_of(NetworkConfig)

SETTINGS: dict[str, Constraint] = {
    "hidden": _NETWORK["hidden"],
    "epochs": Integer(1, 2**31, auto=True),
    "batch_size": Integer(1, 2**31, auto=True),
    "learning_rate": Real(0, math.inf, "()", auto=True),
    "loss": allow_auto(_NETWORK["loss"]),
    "optimizer": _NETWORK["optimizer"],
    "schedule": SCHEDULE,
    "input_dropout": allow_auto(_NETWORK["input_dropout"]),
    "active": _NETWORK["active"],
    "update": _NETWORK["update"],
    "precision": allow_auto(_NETWORK["precision"]),
    "negatives": allow_auto(_NETWORK["negatives"]),
    "hash": _NETWORK["hash"],
    "sampler": Composed(SAMPLERS, auto=True),
    "ranker": Flag(auto=True),
    "both_ways": Flag(auto=True),
    "example_power": allow_auto(_NETWORK["example_power"]),
    "label_weight": _LabelWeight(("propensity",), none=True),
    "validation_fraction": Real(0, 1, "()"),
    "approximate": Flag(auto=True),
}
