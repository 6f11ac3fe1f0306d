"""What each parameter of `SlideClassifier` may be: the table by which they are checked and read from text."""

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hashslide._checks import random_generator
from hashslide.callbacks import EarlyStopping
from hashslide.callbacks.base import check_callbacks
from hashslide.errors import InputError
from hashslide.network import effective_threads
from hashslide.settings import CustomHash, NetworkConfig
from hashslide.settings.constraints import (
    Checked,
    Choice,
    Composed,
    Constraint,
    Flag,
    Integer,
    Real,
    allow_auto,
    constraints_of,
)
from hashslide.settings.layers import check_lookup
from hashslide.settings.samplers import SAMPLERS
from hashslide.settings.schedules import SCHEDULE

__all__ = ["PARAMETERS", "check_parameters", "check_values"]


def __dir__() -> list[str]:
    return __all__


_NETWORK = constraints_of(NetworkConfig)


@dataclass(frozen=True)
class _Stopping(Flag):
    """True, False or an `EarlyStopping`."""

    def convert(self, value: Any) -> Any:
        return value if isinstance(value, EarlyStopping) else super().convert(value)

    def alternatives(self) -> list[str]:
        return [*super().alternatives(), "an EarlyStopping(...) of hashslide.callbacks"]


@dataclass(frozen=True)
class _LabelWeight(Choice):
    """A name or an array, which is checked when the number of labels is known."""

    def convert(self, value: Any) -> Any:
        return super().convert(value) if isinstance(value, str | numbers.Number) else value

    def alternatives(self) -> list[str]:
        return [*super().alternatives(), "an array of one weight for each label"]


def _verbose(name: str, value: Any) -> int:
    return Integer(0, 2**31).check(name, int(value) if isinstance(value, bool | np.bool_) else value)


def _random_state(name: str, value: Any) -> Any:
    random_generator(value)
    return value


PARAMETERS: dict[str, Constraint] = {
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
    "negatives": allow_auto(_NETWORK["negatives"]),
    "hash": _NETWORK["hash"],
    "sampler": Composed(SAMPLERS, auto=True),
    "direct": allow_auto(_NETWORK["direct"]),
    "example_power": allow_auto(_NETWORK["example_power"]),
    "label_weight": _LabelWeight(("propensity",), none=True),
    "early_stopping": _Stopping(),
    "validation_fraction": Real(0, 1, "()"),
    "approximate": Flag(auto=True),
    "callbacks": Checked(lambda name, value: check_callbacks(value), "a list of callbacks"),
    "verbose": Checked(_verbose, "True, False or an integer"),
    "n_jobs": Checked(lambda name, value: effective_threads(value), "None or an integer"),
    "random_state": Checked(_random_state, "an integer"),
}


def check_parameters(model: Any) -> dict[str, Any]:
    """Return the parameters as objects and Python's own types: names of settings become settings.

    Raises
    ------
    InputError
        One is not acceptable, or they do not go together.
    """
    found = check_values({name: getattr(model, name) for name in PARAMETERS})
    family = found["hash"]
    if isinstance(family, CustomHash) and family.is_missing:
        raise InputError(
            f"{family.family} is not part of a model file; to train, load the model with it: "
            "SlideClassifier.load(path, hash=...)."
        )
    return found


def check_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of some parameters as objects and Python's own types, each checked by itself."""
    found = {name: PARAMETERS[name].check(name, value) for name, value in values.items()}
    if "hash" in found and "sampler" in found and found["sampler"] != "auto":
        check_lookup(_Words("SlideClassifier"), found["sampler"], found["hash"])
    return found


class _Words(str):
    """Text that shows without quotes."""

    __repr__ = str.__str__
