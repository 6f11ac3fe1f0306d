"""Locality-sensitive hashing in torch operations, on any device; see docs/frameworks/hashing.md.

The families draw the functions that the core's families draw for the same seed and round.
"""

from .cells import LearnedCells
from .codes import Codes, pack_bits
from .elementary import Elementary, ElementaryFamily
from .minhash import MinHash
from .simhash import SimHash
from .tables import Candidates, Tables
from .winners import DWTA, WTA

__all__ = [
    "DWTA",
    "WTA",
    "Candidates",
    "Codes",
    "Elementary",
    "ElementaryFamily",
    "LearnedCells",
    "MinHash",
    "SimHash",
    "Tables",
    "pack_bits",
]


def __dir__() -> list[str]:
    return sorted(__all__)
