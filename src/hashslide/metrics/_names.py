"""The names of metrics, such as "nDCG@5"."""

import re
from collections.abc import Sequence
from typing import Any

from hashslide._interface import setting
from hashslide.errors import InputError


def parse_name(argument: str, name: Any, known: Sequence[str]) -> tuple[str, int]:
    """Return the metric and the k of a name such as "P@5".

    Parameters
    ----------
    argument : str
        What the caller calls the name, for the message.
    name : object
    known : sequence of str
        The metrics to accept.

    Raises
    ------
    InputError
        There is no such metric.
    """
    match = re.fullmatch(r"(\w+)@([1-9]\d{0,8})", name) if isinstance(name, str) else None
    if match is None or match[1] not in known:
        raise InputError(
            f"{setting(argument)} is {name!r}; accepted are {', '.join(f'{metric}@k' for metric in known)} "
            'with a number for k, such as "P@5".'
        )
    return match[1], int(match[2])
