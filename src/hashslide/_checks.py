"""Checks of single settings: each returns the value as Python's own type or raises `InputError`."""

import numpy as np

from hashslide.errors import InputError


def check_int(name: str, value, low: int, high: int) -> int:
    """Return `value` as an int in [low, high]; NumPy integers are accepted, booleans are not."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or not low <= value <= high:
        raise InputError(f"{name} is {value!r}; accepted is an integer from {low} to {high}.")
    return int(value)


def check_float(name: str, value, low: float, high: float, brackets: str = "[]") -> float:
    """Return `value` as a float in the interval from `low` to `high`; round brackets leave an end out."""
    is_number = isinstance(value, int | float) or (hasattr(value, "__float__") and not isinstance(value, str))
    if is_number and not isinstance(value, bool):
        single = _single_precision(float(value))  # what the core works with
        above = min(value, single) > low or (brackets[0] == "[" and value >= low)
        below = max(value, single) < high or (brackets[1] == "]" and value <= high)
        if above and below:
            return float(value)
    interval = f"{brackets[0]}{low}, {high}{brackets[1]}"
    raise InputError(f"{name} is {value!r}; accepted is a number in {interval}.")


def _single_precision(value: float) -> float:
    """Round to float32; magnitudes below its normal numbers become 0."""
    with np.errstate(over="ignore", under="ignore"):
        single = float(np.float32(value))
    return single if abs(single) >= np.finfo(np.float32).tiny else 0.0


def check_bool(name: str, value) -> bool:
    """Return `value` if it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name} is {value!r}; accepted are True and False.")
    return bool(value)


def check_choice(name: str, value, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{name} is {value!r}; accepted are {', '.join(map(repr, choices))}.")
    return value


def is_auto(value) -> bool:
    """Tell whether a setting was left to "auto"."""
    return isinstance(value, str) and value == "auto"
