"""Data frames and columns of pandas as arrays and matrices; other libraries bring ``__array__``."""

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.errors import InputError


def plain(values: Any, name: str) -> Any:
    """Return what is inside a data frame or a column of one; anything else as it is.

    Sparse columns become a SciPy matrix. Nullable numbers (``Int64``, ``boolean``, Arrow's) get NumPy's type,
    which has no place for missing values; NumPy would make objects of them.

    Parameters
    ----------
    values : object
    name : str
        What messages call it.

    Raises
    ------
    InputError
        A value is missing or masked, or sparse columns leave out a value other than 0.
    """
    if isinstance(values, np.ma.MaskedArray):
        return _unmasked(values, name)
    pandas = sys.modules.get("pandas")
    if pandas is None:
        return values
    if isinstance(values, pandas.DataFrame):
        dtypes = list(values.dtypes)
        if dtypes and all(isinstance(dtype, pandas.SparseDtype) for dtype in dtypes):
            return _sparse_matrix(values, dtypes, name)
    elif isinstance(values, pandas.Series | pandas.Index | pandas.api.extensions.ExtensionArray):
        dtypes = [values.dtype]
    else:
        return values
    extended = [isinstance(dtype, pandas.api.extensions.ExtensionDtype) for dtype in dtypes]
    if any(extended) and all(getattr(dtype, "kind", "O") in "biuf" for dtype in dtypes):
        _refuse_missing(np.asarray(values.isna()), name)
        return _to_numpy(values, np.result_type(*map(_numpy_dtype, dtypes)))
    return values


def _unmasked(values: np.ma.MaskedArray, name: str) -> NDArray[Any]:
    if np.ma.is_masked(values):
        raise InputError(
            f"{name} is a masked array with masked values, which count as missing. Fill them, as "
            f"{name}.filled(0), "
            "or drop their rows."
        )
    return values.data


def _sparse_matrix(frame: Any, dtypes: list[Any], name: str) -> Any:
    wrong = [dtype.fill_value for dtype in dtypes if dtype.fill_value != 0]
    if wrong:
        raise InputError(
            f"{name} has sparse columns that leave out {wrong[0]}; accepted are those that leave out 0. "
            f"Convert it: {name}.astype(pandas.SparseDtype(float, 0))."
        )
    return frame.sparse.to_coo()


def _refuse_missing(missing: NDArray[np.bool_], name: str) -> None:
    if missing.any():
        place = np.argwhere(missing)[0].tolist()
        where = f"row {place[0]}" + (f", column {place[1]}" if len(place) > 1 else "")
        raise InputError(
            f"Input {name} contains NaN at {where}: the value is missing. Fill it or drop the row."
        )


def _numpy_dtype(dtype: Any) -> np.dtype:
    """Return the NumPy dtype of a column of numbers."""
    return np.dtype(getattr(dtype, "numpy_dtype", getattr(dtype, "subtype", dtype)))


def _to_numpy(values: Any, dtype: np.dtype) -> NDArray[Any]:
    if hasattr(values, "columns"):
        array = np.empty(values.shape, dtype)
        for j in range(values.shape[1]):
            array[:, j] = values.iloc[:, j].to_numpy(dtype=dtype)
        return array
    return values.to_numpy(dtype=dtype)
