"""Counter-based random numbers, as in core/rng.h."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["STREAMS", "CounterRng", "mix"]


def __dir__() -> list[str]:
    return __all__


STREAMS = {
    "input_weight": 0,
    "input_dropout": 1,
    "hidden_dropout": 2,
    "uniform_negatives": 3,
    "cells": 4,
    "simhash": 5,
    "wta": 6,
    "minhash": 7,
    "reservoir": 8,
    "sampler": 9,
    "ranker": 10,
    "input_rounding": 11,
    "rounding": 12,
    "ranker_rounding": 13,
    "kept_examples": 14,
    "replay": 15,
    "wire": 16,
    "estimate": 17,
    "examples": 18,
}


def mix(x: NDArray[np.uint64] | np.uint64) -> NDArray[np.uint64]:
    """Finaliser of SplitMix64 (Steele, Lea & Flood 2014), a bijection of the 64-bit integers."""
    with np.errstate(over="ignore"):
        x = np.asarray(x, np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


class CounterRng:
    """Random numbers that depend on (seed, stream, step, index) alone."""

    def __init__(self, seed: int, stream: str, step: int) -> None:
        self.key = mix(mix(mix(np.uint64(seed)) ^ np.uint64(STREAMS[stream])) ^ np.uint64(step))

    def bits(self, index: Any) -> NDArray[np.uint64]:
        """64 random bits for each index."""
        return mix(self.key ^ mix(index))

    def uniform(self, index: Any) -> NDArray[np.float32]:
        """Numbers in [0, 1) on a grid of 2^-24."""
        return (self.bits(index) >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)

    def below(self, index: Any, bound: int) -> NDArray[np.int64]:
        """Integers in 0 .. bound - 1: the high half of bits * bound (Lemire 2019)."""
        bits, half = self.bits(index), np.uint64(32)
        low = ((bits & np.uint64(0xFFFFFFFF)) * np.uint64(bound)) >> half
        return (((bits >> half) * np.uint64(bound) + low) >> half).astype(np.int64)
