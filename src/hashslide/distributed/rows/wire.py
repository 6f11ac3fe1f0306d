"""How rows and their gradients travel: as they are, or as bfloat16 in half the bytes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import _core

__all__ = ["nearest", "rounded_randomly", "widened"]


def __dir__() -> list[str]:
    return __all__


def nearest(rows: NDArray[Any]) -> NDArray[np.uint16]:
    """Return the bits of the nearest bfloat16 numbers; of bits, the same."""
    if rows.dtype == np.uint16:
        return rows
    bits = np.empty(rows.shape, np.uint16)
    _core.to_wire(rows.reshape(-1), None, bits.reshape(-1))
    return bits


def rounded_randomly(rows: NDArray[np.float32], seed: int, step: int, part: int) -> NDArray[np.uint16]:
    """Return bits of bfloat16 neighbours, each with the chance that makes the mean right.

    Error feedback would have to keep what rounding has left of each row until the row is touched again: for
    every row that this machine has ever touched. Rounding at random keeps nothing (Gupta et al. 2015).

    Parameters
    ----------
    rows : float32 array
    seed, step, part : int
        The random numbers depend on these alone.
    """
    bits = np.empty(rows.shape, np.uint16)
    _core.round_randomly(rows.reshape(-1), seed, step, part, bits.reshape(-1))
    return bits


def widened(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the numbers of bits."""
    rows = np.empty(bits.shape, np.float32)
    _core.from_wire(np.ascontiguousarray(bits).reshape(-1), rows.reshape(-1))
    return rows
