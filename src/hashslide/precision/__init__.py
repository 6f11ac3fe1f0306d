"""bfloat16 numbers, in which weights may be stored, in NumPy, which has no such type (docs/how/precision.md).

They are the upper halves of float32 numbers.

Arrays of them have the dtype `BFLOAT16`, a structure of one field that holds the 16 bits; in model files they
are the BF16 of the safetensors format.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BFLOAT16", "dtype_name", "is_bfloat16", "to_float32"]


def __dir__() -> list[str]:
    return __all__


#: The dtype of bfloat16 numbers: their 16 bits, in a field of that name.
BFLOAT16: np.dtype[Any] = np.dtype([("bfloat16", "<u2")])


def is_bfloat16(array: NDArray[Any]) -> bool:
    """Return whether an array holds bfloat16 numbers."""
    return array.dtype == BFLOAT16


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return the name of a dtype, "bfloat16" for `BFLOAT16`."""
    return "bfloat16" if dtype == BFLOAT16 else dtype.name


def to_float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return the numbers of an array, which may be of `BFLOAT16`, as float32.

    Parameters
    ----------
    array : ndarray
        Of `BFLOAT16`, which is exact in float32, or of any numbers.

    Returns
    -------
    float32 array of the same shape
        The array itself if it is one.

    Examples
    --------
    >>> import numpy as np
    >>> from hashslide.precision import BFLOAT16, to_float32
    >>> to_float32(np.array([0x3FC0], np.uint16).view(BFLOAT16))
    array([1.5], dtype=float32)
    """
    if not is_bfloat16(array):
        return array.astype(np.float32, copy=False)
    bits = np.ascontiguousarray(array).view(np.uint16).astype(np.uint32)
    return (bits << np.uint32(16)).view(np.float32)
