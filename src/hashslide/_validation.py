"""Checks of dense arrays and of how arrays go together; `hashslide.csr` has those of matrices.

Every function either returns clean arrays or raises `InputError` with what was found, what is accepted and
what to do. Arrays that are clean already are passed on, never copied.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide._frames import plain
from hashslide.errors import InputError, InputTypeError


def check_not_empty(x: Any, estimator: str, *, name: str = "X") -> None:
    """Refuse a matrix without rows or without columns."""
    shape = f"(shape=({x.n_rows}, {x.n_columns}))"
    if x.n_rows == 0:
        raise InputError(
            f"Found array with 0 sample(s) {shape} while a minimum of 1 is required by {estimator} in {name}."
        )
    if x.n_columns == 0:
        raise InputError(
            "Found array with 0 feature(s) "
            f"{shape} while a minimum of 1 is required by {estimator} in {name}."
        )


def check_same_rows(n_x: int, n_y: int, names: str = "X and Y") -> None:
    """Refuse X and Y of different length."""
    if n_x != n_y:
        raise InputError(
            f"{names} have inconsistent numbers of samples: {n_x} and {n_y}. "
            "Give both one row for each example."
        )


def check_sample_weight(weight: Any, n_rows: int) -> NDArray[np.float32] | None:
    """Return the weights of some examples relative to their mean, float32, or None if all are equal.

    The mean is that of the positive weights. So weights of any unit train the same model: the optimisers'
    constants, such as Adagrad's first accumulator, are in units of one ordinary example.

    Raises
    ------
    InputError
        Not one finite number >= 0 for each example, or all of them 0.
    """
    if weight is None:
        return None
    weight = as_numeric(weight, "sample_weight").astype(np.float64, copy=False)
    if weight.shape != (n_rows,):
        raise InputError(
            f"sample_weight has shape {weight.shape}; accepted is ({n_rows},), one weight for each row of X."
        )
    if not np.isfinite(weight).all():
        raise InputError(
            f"sample_weight contains NaN or infinity at {first_true(~np.isfinite(weight))}. "
            "Weights must be finite."
        )
    if (weight < 0).any():
        at = first_true(weight < 0)
        raise InputError(f"sample_weight[{at}] is {weight[at]:g}, negative. Weights must be 0 or more.")
    if not weight.any():
        raise InputError(
            "sample_weight is zero everywhere: sample weights must contain at least one non-zero number."
        )
    weight = weight / weight.max()  # so that the sum of large ones is finite
    weight /= weight[weight > 0].mean()
    return None if np.ptp(weight) == 0 else weight.astype(np.float32)


def blocks(n: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of consecutive blocks that cover 0 .. n - 1."""
    for first in range(0, n, size):
        yield first, min(first + size, n)


def as_numeric(values: Any, name: str) -> NDArray[Any]:
    """Return a dense array of a real numeric dtype."""
    try:
        array = np.asarray(plain(values, name))
    except ValueError as error:
        raise InputError(
            f"{name} is not a rectangular array of numbers ({error}). Rows must have equal length."
        ) from None
    if array.dtype.kind in "OUS":
        try:
            array = array.astype(np.float64)
        except TypeError as error:
            raise InputTypeError(
                f"{name} holds an object that is no number: {error}. Convert it first."
            ) from None
        except ValueError as error:
            raise InputError(
                f"{name} holds text that is no number: {error}. Encode it as numbers first."
            ) from None
        except OverflowError as error:
            raise InputError(f"{name} holds a number beyond float64: {error}. Scale the data down.") from None
    check_real(array.dtype, name)
    return array


def to_float32(data: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Return an array in single precision, without a copy if it is so already."""
    if data.dtype == np.float32:
        return data
    with np.errstate(over="ignore"):
        single = data.astype(np.float32)
    if data.dtype.kind == "f" and np.isinf(single).any() and np.isfinite(data[np.isinf(single)]).any():
        value = data[np.isinf(single) & np.isfinite(data)].flat[0]
        raise InputError(
            f"{name} contains {value:g}, a value too large for dtype('float32'). Scale the data down."
        )
    return single


def check_real(dtype: np.dtype, name: str) -> None:
    """Refuse a dtype that holds no real numbers."""
    if dtype.kind == "c":
        raise InputError(f"Complex data not supported: {name} has dtype {dtype}. Pass real numbers.")
    if dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {dtype}; accepted are booleans, integers and floats.")


def first_true(mask: NDArray[np.bool_]) -> int:
    """Return the first position that holds True."""
    return int(np.flatnonzero(mask)[0])
