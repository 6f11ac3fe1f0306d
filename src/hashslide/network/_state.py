"""The arrays that make up a network."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide.precision import is_bfloat16

ROLES = ("weight", "optimizer", "count", "candidates", "tables")  # what the arrays of a state are for


class ArrayInfo(NamedTuple):
    """One array of a network's state.

    Attributes
    ----------
    role : {"weight", "optimizer", "count", "candidates", "tables"}
        A parameter; what the optimiser remembers; how much has been seen; a candidate list; a hash table.
    dtype : dtype
    shape : tuple of int
    values : {"numbers", "squares", "counts", "ids", "sorted_ids", "offsets"}
        What it may hold: any numbers (tables check theirs by themselves); sums of squares and counts, which
        are not negative; ids of labels, in any order or rising in each list; what rises from 0.
    """

    role: str
    dtype: np.dtype
    shape: tuple[int, ...]
    values: str


class FrozenNetwork:
    """What pickling a network at some moment gives, for whoever is pickled together with it."""

    def __init__(self, reduced: tuple[Any, ...]):
        self._reduced = reduced

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reduced


def state_for_core(state: dict[str, NDArray[Any]], copy: bool) -> dict[str, NDArray[Any]]:
    """Return a state as the core takes it, which copies the arrays or borrows them."""
    bits = {name: _as_bits(array) for name, array in state.items()}
    return bits if copy else {name: _safe_to_borrow(array) for name, array in bits.items()}


def _as_bits(array: NDArray[Any]) -> NDArray[Any]:
    """Return numbers of bfloat16 as their bits."""
    return array.view(np.uint16) if isinstance(array, np.ndarray) and is_bfloat16(array) else array


def _safe_to_borrow(array: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of integers that somebody could write to: the core uses them as indices."""
    is_safe = not isinstance(array, np.ndarray) or array.dtype.kind != "i" or not array.flags.writeable
    return array if is_safe else array.copy()
