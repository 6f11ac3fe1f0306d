"""How bfloat16 weights are rounded, in NumPy. Part of the specification in reference.py.

Weights are float32 arrays here that hold numbers of bfloat16.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.precision import BFLOAT16
from hashslide.reference.rng import CounterRng, mix

__all__ = ["RandomRounding", "bfloat16_bits", "nearest"]


def __dir__() -> list[str]:
    return __all__


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _truncated(x: NDArray[np.float32], added: NDArray[np.uint32]) -> NDArray[np.float32]:
    """The numbers with the lower half of their bits cleared, after an addition; NaN stays NaN."""
    bits = x.view(np.uint32) + added
    cut = (bits & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(x), np.float32(np.nan), cut)


def nearest(x: NDArray[Any]) -> NDArray[np.float32]:
    """To the nearest bfloat16 number; of two equally near ones to the even one."""
    x = np.ascontiguousarray(x, np.float32)
    return _truncated(x, np.uint32(0x7FFF) + ((x.view(np.uint32) >> np.uint32(16)) & np.uint32(1)))


def bfloat16_bits(x: NDArray[np.float32]) -> NDArray[Any]:
    """Numbers of bfloat16 as an array of that dtype."""
    return (x.view(np.uint32) >> np.uint32(16)).astype(np.uint16).view(BFLOAT16)


class RandomRounding:
    """To one of the two neighbours, at random, so that the mean is right (Gupta et al. 2015).

    16 random bits are added below the last place. Coordinate j of a row takes part j % 4 of word j // 4 of
    the stream of SplitMix64 that the seed, the step and the row begin.
    """

    def __init__(self, seed: int, stream: str) -> None:
        self.seed, self.stream = seed, stream

    def __call__(self, w: NDArray[np.float32], rows: NDArray[Any], step: int) -> NDArray[np.float32]:
        """The rows of weights after a step: w is (len(rows), width)."""
        key = CounterRng(self.seed, self.stream, step).bits(np.asarray(rows, np.uint64))
        place = np.arange(w.shape[1], dtype=np.uint64)
        with np.errstate(over="ignore"):
            words = mix(key[:, None] + place // np.uint64(4) * _GOLDEN)
        added = (words >> (np.uint64(16) * (place % np.uint64(4)))) & np.uint64(0xFFFF)
        return _truncated(np.ascontiguousarray(w, np.float32), added.astype(np.uint32))
