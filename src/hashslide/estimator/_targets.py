"""Targets of every form, parsed into one.

A target is an indicator (sparse, or dense 0/1), a class vector, or a list of label lists; see
docs/estimator.md.
"""

import operator
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from hashslide._validation import blocks
from hashslide.csr import Csr, as_csr
from hashslide.errors import InputError

ACCEPTED = (
    "Accepted are a sparse indicator matrix (examples x labels), a dense 0/1 array, "
    "a vector with one class for each example, or a list of label lists"
)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Target:
    """A target before its labels have ids.

    Attributes
    ----------
    multilabel : bool
        False for a class vector.
    indptr : int64 array of shape (n_rows + 1,)
        Bounds of each row's items.
    items : array
        Label names; column numbers (int32) of an indicator.
    n_columns : int or None
        Columns of an indicator; None if the items are names.
    columns : array or None
        Names of the columns of an indicator, where it is a data frame.
    dense_dtype : dtype or None
        Of a dense indicator: predictions have the same form.
    """

    multilabel: bool
    indptr: NDArray[np.int64]
    items: NDArray
    n_columns: int | None = None
    columns: NDArray | None = None
    dense_dtype: np.dtype | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1


def parse_target(Y) -> Target:
    """Recognise the form of a target and check it.

    Raises
    ------
    InputError
        None, NaN, values other than 0 and 1 in an indicator, continuous classes, labels of mixed types, ...
    """
    if Y is None:
        raise InputError(f"SlideClassifier requires y to be passed, but the target y is None. {ACCEPTED}.")
    columns = _column_names(Y)
    if sparse.issparse(Y) or isinstance(Y, Csr):
        return _sparse_indicator(Y, None)
    if getattr(Y, "sparse", None) is not None and getattr(Y, "ndim", 1) == 2:
        return _sparse_indicator(Y.sparse.to_coo(), columns)
    if hasattr(Y, "__array__"):
        Y = np.asarray(Y)
    elif not isinstance(Y, Sequence) or isinstance(Y, str):
        raise InputError(f"Unknown label type: y is a {type(Y).__name__}. {ACCEPTED}.")
    if _holds_sequences(Y):
        rows = [_row_items(row, i) for i, row in enumerate(Y)]
        if not _is_rectangular_indicator(rows):
            return _label_lists(rows)
        Y = np.asarray(rows)
    array = as_array(Y)
    if array.ndim == 2 and array.shape[1] != 1:
        return _dense_indicator(array, columns)
    return _class_vector(array)


def _column_names(Y) -> NDArray | None:
    """Return the column names of a data frame, unless they are plain numbers."""
    columns = getattr(Y, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return np.array(columns, dtype=object)


def _sparse_indicator(Y, columns: NDArray | None) -> Target:
    matrix = as_csr(Y, name="y", dtype=None)
    wrong = np.flatnonzero(matrix.data != 1)
    if len(wrong):
        at = wrong[0]
        raise InputError(
            f"y holds {matrix.data[at]} at row {matrix.row_of(at)}, column {matrix.indices[at]} "
            "(repeated entries count as their sum); an indicator holds only 0 and 1: pass (y > 0), or a "
            "one-dimensional vector for classes."
        )
    return Target(True, matrix.indptr, matrix.indices, matrix.n_columns, columns)


def _dense_indicator(array: NDArray, columns: NDArray | None) -> Target:
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise InputError(
            f"Unknown label type: y has shape {array.shape} and dtype {array.dtype}. {ACCEPTED}."
        )
    rows_per_block = max(1, _BLOCK // max(1, array.shape[1]))
    counts, ids = [np.zeros(1, np.int64)], [np.empty(0, np.int32)]
    for first, last in blocks(len(array), rows_per_block):
        block = array[first:last]
        row, column = np.nonzero(block)
        wrong = np.flatnonzero(block[row, column] != 1)
        if len(wrong):
            value, at = block[row[wrong[0]], column[wrong[0]]], (first + row[wrong[0]], column[wrong[0]])
            _refuse_dense_value(value, *at)
        counts.append(np.bincount(row, minlength=last - first))
        ids.append(column.astype(np.int32))
    indptr = np.cumsum(np.concatenate(counts))
    return Target(True, indptr, np.concatenate(ids), array.shape[1], columns, array.dtype)


def _refuse_dense_value(value, row: int, column: int) -> None:
    if not np.isfinite(value):
        raise InputError(
            f"Input y contains {value} at row {row}, column {column}. An indicator holds only 0 and 1."
        )
    raise InputError(
        f"Unknown label type: the two-dimensional y holds {value} at row {row}, column {column}; "
        "an indicator holds only 0 and 1 (multiclass-multioutput and continuous targets are not supported)."
    )


def as_array(Y) -> NDArray:
    try:
        array = np.asarray(Y)
    except ValueError as error:
        raise InputError(f"Unknown label type: y is not rectangular ({error}). {ACCEPTED}.") from None
    if (
        array.dtype.kind == "U"
        and array.ndim == 1
        and isinstance(Y, Sequence)
        and not all(isinstance(label, str) for label in Y)
    ):
        raise InputError(
            "Unknown label type: y mixes strings with other types. Make all of its labels strings."
        )
    return array


def _class_vector(array: NDArray) -> Target:
    if array.ndim == 2:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. "
            "Change the shape of y to (n_samples,), "
            "for example using ravel().",
            DataConversionWarning,
            stacklevel=6,
        )
        array = array.ravel()
    if array.ndim != 1:
        raise InputError(
            f"y should be a 1d array or an indicator, got an array of shape {array.shape}. {ACCEPTED}."
        )
    items = check_class_items(array)
    return Target(False, np.arange(len(items) + 1), items)


def check_class_items(array: NDArray) -> NDArray:
    if array.dtype.kind in "biuU":
        return array
    if array.dtype.kind == "f":
        if np.isnan(array).any():
            raise InputError("Input y contains NaN. Drop or complete the examples without a class.")
        if np.isinf(array).any():
            raise InputError("Input y contains infinity. Classes are integers or strings.")
        if (array != np.floor(array)).any():
            value = array[array != np.floor(array)][0]
            raise InputError(
                f"Unknown label type: continuous. y holds {value}; classes are integers or strings."
            )
        return array
    if array.dtype.kind == "O":
        return _uniform_names(array.tolist())
    raise InputError(f"Unknown label type: y has dtype {array.dtype}. {ACCEPTED}.")


def _holds_sequences(Y) -> bool:
    """Tell whether the rows are lists, sets, tuples or arrays (rather than single labels)."""
    is_vector_of_objects = not isinstance(Y, np.ndarray) or (Y.ndim == 1 and Y.dtype.kind == "O")
    return (
        is_vector_of_objects and len(Y) > 0 and isinstance(Y[0], list | tuple | set | frozenset | np.ndarray)
    )


def _row_items(row, i: int) -> list:
    if isinstance(row, np.ndarray):
        return row.tolist()
    if isinstance(row, list | tuple | set | frozenset):
        return list(row)
    raise InputError(
        f"y[{i}] is {row!r} but other rows are lists. Give each example a list of labels, perhaps empty."
    )


def _is_rectangular_indicator(rows: list[list]) -> bool:
    """Tell whether nested lists are an indicator: rows of one length >= 2 that hold only 0 and 1."""
    width = len(rows[0])
    return width >= 2 and all(
        len(row) == width and all(not isinstance(item, str | list) and item in (0, 1) for item in row)
        for row in rows
    )


def _label_lists(rows: list[list]) -> Target:
    indptr = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=indptr[1:])
    items = _uniform_names([item for row in rows for item in row])
    return Target(True, indptr, items)


def _uniform_names(items: list) -> NDArray:
    """Return labels that are all strings (dtype object) or all integers (int64)."""
    if all(isinstance(item, str) for item in items):
        return np.array(items, dtype=object)
    for item in items:
        if isinstance(item, bool) or not hasattr(item, "__index__"):
            raise InputError(
                f"Unknown label type: y holds {item!r} of type {type(item).__name__}; "
                "labels are all strings or all integers."
            )
    try:
        return np.array([operator.index(item) for item in items], dtype=np.int64)
    except (TypeError, OverflowError) as error:
        raise InputError(
            f"Unknown label type: y holds what is no integer of 64 bits ({error}); use strings as labels."
        ) from None
