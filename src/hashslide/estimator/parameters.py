"""What each parameter of `SlideClassifier` may be: the table by which they are checked and read from text."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hashslide._checks import random_generator
from hashslide.callbacks import EarlyStopping
from hashslide.callbacks.base import check_callbacks
from hashslide.errors import InputError
from hashslide.network import effective_threads
from hashslide.settings import CustomHash
from hashslide.settings.classifier import SETTINGS
from hashslide.settings.constraints import Checked, Constraint, Flag, Integer
from hashslide.settings.layers import check_lookup

__all__ = ["PARAMETERS", "check_parameters", "check_values", "left_at_default"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class _Stopping(Flag):
    """True, False or an `EarlyStopping`."""

    def convert(self, name: str, value: Any) -> Any:
        return value if isinstance(value, EarlyStopping) else super().convert(name, value)

    def alternatives(self) -> list[str]:
        return [*super().alternatives(), "an EarlyStopping(...) of hashslide.callbacks"]


def _verbose(name: str, value: Any) -> int:
    return Integer(0, 2**31).check(name, int(value) if isinstance(value, bool | np.bool_) else value)


def _random_state(name: str, value: Any) -> Any:
    random_generator(value)
    return value


PARAMETERS: dict[str, Constraint] = SETTINGS | {
    "early_stopping": _Stopping(),
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
            f"{family.family} is not part of a model file. To train, load the model with it in Python: "
            "SlideClassifier.load(path, hash=...)."
        )
    return found


def check_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of some parameters as objects and Python's own types, each checked by itself."""
    found = {name: PARAMETERS[name].check(name, value) for name, value in values.items()}
    if "hash" in found and "sampler" in found and found["sampler"] != "auto":
        check_lookup(_Words("SlideClassifier"), found["sampler"], found["hash"])
    return found


def left_at_default(model: Any) -> set[str]:
    """Return the names of the parameters that have the constructor's own value."""
    of_constructor = inspect.signature(type(model)).parameters
    return {name for name in PARAMETERS if _is_same(getattr(model, name), of_constructor[name].default)}


def _is_same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


class _Words(str):
    """Text that shows without quotes."""

    __repr__ = str.__str__
