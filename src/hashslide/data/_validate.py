"""Checks of arguments that several readers share."""

from hashslide.errors import InputError
from hashslide.selection import MAX_IDS


def check_count(value: int | None, name: str) -> int | None:
    """`value` as an int from 0 to the largest number of ids, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__") or not 0 <= value <= MAX_IDS:
        raise InputError(
            f"{name} is {value!r}. Give a number from 0 to {MAX_IDS}, or None for the largest id + 1."
        )
    return int(value)
