"""The numbers in a model's arrays: what no training leaves behind is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.precision import is_bfloat16

_BLOCK = 2**20
_SAMPLES, _SAMPLE = 64, 1024


def check_finite(state: Mapping[str, NDArray[Any]], every: bool) -> None:
    """Refuse NaN and infinity, before the arrays become a network.

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
        if is_bfloat16(array):
            # The largest magnitude, as an integer; from infinity on all bits of the exponent are set.
            magnitudes = (block & 0x7FFF for block in _blocks(array.reshape(-1).view(np.uint16), every))
            finite = max((int(block.max()) for block in magnitudes if len(block)), default=0) < 0x7F80
        elif array.dtype.kind != "f" or ".index." in name:
            continue
        else:
            finite = bool(np.isfinite(_range(array.reshape(-1), every)).all())
        if not finite:
            raise InputError(f"the array {name!r} holds NaN or infinity, as after a training that diverged")


def check_squares(network: Network, every: bool) -> None:
    """Refuse negative sums of squares, which the schema knows; integers are checked by the core itself.

    Parameters
    ----------
    network : Network
        With finite numbers.
    every : bool
        As in `check_finite`.

    Raises
    ------
    InputError
    """
    state = network.state("optimizer")
    for name, info in network.schema().items():
        if info.values == "squares":
            low, _ = _range(state[name].reshape(-1), every)
            if low < 0:
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
