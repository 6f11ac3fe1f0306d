"""Checks of single settings: each returns the value as Python's own type or raises `InputError`."""

import math
import operator
from typing import Any

import numpy as np

from hashslide._interface import setting
from hashslide.errors import InputError


def as_int(value: Any) -> int | None:
    """Return an integer of Python or NumPy as an int; None for anything else, also for booleans."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def check_int(name: str, value: Any, low: int, high: int) -> int:
    """Return `value` as an int in [low, high]; NumPy integers are accepted, booleans are not."""
    number = as_int(value)
    if number is None or not low <= number <= high:
        is_long = number is not None and abs(number) >= 10**100  # Python does not print the longest ones
        found = "an integer of more than 100 digits" if is_long else repr(value)
        raise InputError(f"{setting(name)} is {found}; accepted is an integer from {low} to {high}.")
    return number


def check_float(name: str, value: Any, low: float, high: float, brackets: str = "[]") -> float:
    """Return `value` as a float in the interval from `low` to `high`; round brackets leave an end out."""
    number = _as_float(value)
    single = _single_precision(number)  # what the core works with
    above = min(number, single) > low or (brackets[0] == "[" and number >= low)
    below = max(number, single) < high or (brackets[1] == "]" and number <= high)
    if not (above and below):
        interval = f"{brackets[0]}{low}, {high}{brackets[1]}"
        raise InputError(f"{setting(name)} is {value!r}; accepted is a number in {interval}.")
    return number


def _as_float(value: Any) -> float:
    """Return a number as a float; NaN, which is in no interval, for anything else."""
    try:
        return math.nan if isinstance(value, bool | np.bool_ | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _single_precision(value: float) -> float:
    """Round to float32; magnitudes below its normal numbers become 0."""
    with np.errstate(over="ignore", under="ignore"):
        single = float(np.float32(value))
    return single if abs(single) >= np.finfo(np.float32).tiny else 0.0


def check_bool(name: str, value: Any) -> bool:
    """Return `value` if it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{setting(name)} is {value!r}; accepted are True and False.")
    return bool(value)


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{setting(name)} is {value!r}; accepted are {', '.join(map(repr, choices))}.")
    return value


def random_generator(random_state: Any) -> np.random.RandomState:
    """Return the generator that a seed, a generator or None stands for."""
    from sklearn.utils import check_random_state  # a second to import: not for those who read data or measure

    try:
        return check_random_state(random_state)
    except ValueError as error:
        raise InputError(f"{setting('random_state')} is {random_state!r}: {error}.") from None


def is_auto(value: Any) -> bool:
    """Tell whether a setting was left to "auto"."""
    return isinstance(value, str) and value == "auto"
