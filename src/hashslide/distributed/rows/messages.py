"""Arrays of several types in one message."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["Reader", "packed", "packed_size"]


def __dir__() -> list[str]:
    return __all__


_ALIGNED = 8  # bytes: every array begins at a multiple of its item's size


def packed(arrays: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
    """Return the bytes of all arrays, one after the other."""
    starts = np.cumsum([0, *(_padded(array.nbytes) for array in arrays)])
    message = np.empty(int(starts[-1]), np.uint8)
    for start, end, array in zip(starts, starts[1:], arrays, strict=False):
        message[start : start + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        message[start + array.nbytes : end] = 0
    return message


def packed_size(sizes: Sequence[int]) -> int:
    """Return the bytes of a message of arrays of so many bytes each."""
    return sum(_padded(size) for size in sizes)


def _padded(n_bytes: int) -> int:
    return -(-n_bytes // _ALIGNED) * _ALIGNED


class Reader:
    """Takes the arrays out of a message, in their order; they lie in its memory."""

    def __init__(self, message: NDArray[np.uint8]) -> None:
        self._message, self._at = message, 0

    def take(self, dtype: DTypeLike, *shape: int) -> NDArray[Any]:
        """Return the next array, of this type and shape."""
        kind = np.dtype(dtype)
        n_bytes = kind.itemsize * int(np.prod(shape))
        array = self._message[self._at : self._at + n_bytes].view(kind).reshape(shape)
        self._at += _padded(n_bytes)
        return array
