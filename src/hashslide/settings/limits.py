"""Ranges that many settings share."""

import math
from typing import Annotated

from hashslide.settings.constraints import Flag, Integer, Real

__all__ = [
    "MAX_IDS",
    "MAX_PARTS",
    "BelowOne",
    "Count",
    "Finite",
    "NotNegative",
    "Parts",
    "Positive",
    "Share",
    "Size",
    "Switch",
]


def __dir__() -> list[str]:
    return __all__


MAX_IDS = 2**31 - 1  # ids are 32-bit in the core
MAX_PARTS = 10_000  # tables, hashes and norm ranges; so that a damaged file does not ask for all memory

Parts = Annotated[int, Integer(1, MAX_PARTS)]
Count = Annotated[int, Integer(1, MAX_IDS)]
Size = Annotated[int, Integer(0, MAX_IDS)]
Switch = Annotated[bool, Flag()]
Share = Annotated[float, Real(0, 1)]
BelowOne = Annotated[float, Real(0, 1, "[)")]
Positive = Annotated[float, Real(0, math.inf, "()")]
NotNegative = Annotated[float, Real(0, math.inf, "[)")]
Finite = Annotated[float, Real(-math.inf, math.inf, "()")]
