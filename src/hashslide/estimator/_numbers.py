"""The numbers in a model's arrays: what no training leaves behind is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.errors import InputError

SQUARES = (".adagrad", ".adam_v")  # endings of the names of what sums squares
COUNTS = ("progress", "label_counts", ".examples", ".moves")  # and of counts
MOST = 2**53  # of a count: no sum of two overflows, and a float holds it exactly
_BLOCK = 2**20
_SAMPLES, _SAMPLE = 64, 1024


def check_numbers(state: Mapping[str, NDArray[Any]], every: bool) -> None:
    """Refuse NaN, infinity, negative sums of squares and counts that would overflow.

    Parameters
    ----------
    state : mapping of str to ndarray
        Arrays of a network. The floats of hash tables are left to the tables.
    every : bool
        Read all numbers. False: of arrays beyond 4 MB only 64 pieces of 4 KB, evenly spread, so that a mapped
        file is not read as a whole.

    Raises
    ------
    InputError
    """
    for name, array in state.items():
        if name.endswith(COUNTS) and array.dtype.kind in "iu" and array.size and array.max() > MOST:
            raise InputError(f"the array {name!r} holds {array.max()}; counts end at 2^53")
        if array.dtype.kind != "f" or ".index." in name:
            continue
        low, high = _range(array.reshape(-1), every)
        if not np.isfinite([low, high]).all():
            raise InputError(f"the array {name!r} holds NaN or infinity, as after a training that diverged")
        if low < 0 and name.endswith(SQUARES):
            raise InputError(f"the array {name!r} holds {low}; sums of squares are not negative")


def _range(values: NDArray[Any], every: bool) -> tuple[float, float]:
    """Return the least and the largest number; both NaN if there is one."""
    ends = [(0.0, 0.0)]
    with np.errstate(invalid="ignore"):
        ends += [(block.min(), block.max()) for block in _blocks(values, every)]
        low, high = np.array(ends, np.float64).T
        return low.min(), high.max()


def _blocks(values: NDArray[Any], every: bool) -> Iterator[NDArray[Any]]:
    if every or len(values) <= _BLOCK:
        for begin in range(0, len(values), _BLOCK):
            yield values[begin : begin + _BLOCK]
    else:
        for begin in np.linspace(0, len(values) - _SAMPLE, _SAMPLES).astype(np.int64):
            yield values[begin : begin + _SAMPLE]
