"""Targets of every form, parsed into one.

A target is an indicator (sparse, or dense 0/1), a class vector, or a list of label lists; see
docs/reference/classifier.md.
"""

import operator
import warnings
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hashslide._frames import plain
from hashslide._validation import blocks
from hashslide.csr import Csr, as_csr
from hashslide.errors import InputError

__all__ = [
    "ACCEPTED",
    "Target",
    "as_array",
    "check_class_items",
    "column_names",
    "is_missing",
    "parse_target",
]


def __dir__() -> list[str]:
    return __all__


ACCEPTED = (
    "Accepted are a sparse indicator matrix (examples x labels), a dense 0/1 array, "
    "a vector with one class for each example, or a list of label lists"
)
_BLOCK = 1 << 20
_REMEDIES = {  # by the kind of a NumPy dtype
    "S": "Decode bytes: numpy.char.decode(y, 'utf-8')",
    "M": "Make strings of dates: y.astype(str)",
    "m": "Make integers of time spans: y.astype('int64')",
}


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
    items: NDArray[Any]
    n_columns: int | None = None
    columns: NDArray[Any] | None = None
    dense_dtype: np.dtype | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @property
    def is_lists(self) -> bool:
        """Whether it was given as label lists."""
        return self.multilabel and self.n_columns is None


def parse_target(Y: Any, *, lists: bool | None = False, n_labels: int | None = None) -> Target:
    """Recognise the form of a target and check it.

    Nested lists of one length >= 2 that hold only 0 and 1 are an indicator, as scikit-learn reads them. They
    could be label lists only if every row were [0, 1] or [1, 0], for a row holds no label twice; a single
    batch may look so.

    Parameters
    ----------
    Y
    lists : bool or None
        True: nested lists are always label lists, for a model that has learned such. False: as said above.
        None: refuse what could be both.
    n_labels : int, optional
        Number of labels, where known; what could be both is a list of labels unless there are just two.

    Raises
    ------
    InputError
        None, NaN, values other than 0 and 1 in an indicator, continuous classes, labels of mixed types, ...
    """
    if Y is None:
        raise InputError(f"SlideClassifier requires y to be passed, but the target y is None. {ACCEPTED}.")
    columns = column_names(Y)
    Y = plain(Y, "y")
    if sparse.issparse(Y) or isinstance(Y, Csr):
        return _sparse_indicator(Y, columns)
    if hasattr(Y, "__array__"):
        Y = np.asarray(Y)
        if Y.dtype.kind == "O" and Y.ndim == 2 and Y.shape[1] == 1 and _holds_rows(Y.ravel()):
            Y = Y.ravel()
    elif not isinstance(Y, Sequence) or isinstance(Y, str | bytes):
        remedy = (
            " Make a list of it: list(y)."
            if hasattr(Y, "__iter__") and not isinstance(Y, str | bytes)
            else ""
        )
        raise InputError(f"Unknown label type: y is a {type(Y).__name__}. {ACCEPTED}.{remedy}")
    if _holds_rows(Y):
        rows = [_row_items(row, i) for i, row in enumerate(Y)]
        has_sets = any(isinstance(row, Set) for row in Y)
        if lists or has_sets or not _is_rectangular_indicator(rows) or _are_lists(rows, lists, n_labels):
            return _label_lists(rows)
        Y = np.asarray(rows)
    array = as_array(Y)
    if array.ndim == 2 and array.shape[1] != 1:
        return _dense_indicator(array, columns)
    return _class_vector(array)


def column_names(Y: Any) -> NDArray[Any] | None:
    """Return the column names of a data frame, unless they are plain numbers."""
    columns = getattr(Y, "column_names", getattr(Y, "columns", None))  # the first is of Arrow's tables
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return np.array(list(columns), dtype=object)


def _sparse_indicator(Y: Any, columns: NDArray[Any] | None) -> Target:
    matrix = as_csr(Y, name="y", dtype=None)
    if matrix.data is not None and len(wrong := np.flatnonzero(matrix.data != 1)):
        raise InputError(
            f"y holds {matrix.data[wrong[0]]} at row {matrix.row_of(wrong[0])}, column "
            f"{matrix.indices[wrong[0]]} "
            "(repeated entries count as their sum); an indicator holds only 0 and 1: pass (y > 0), or a "
            "one-dimensional vector for classes."
        )
    return Target(True, matrix.indptr, matrix.indices, matrix.n_columns, columns)


def _dense_indicator(array: NDArray[Any], columns: NDArray[Any] | None) -> Target:
    if array.dtype.kind == "O":
        array = _object_indicator(array)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        remedy = " For label lists pass y.tolist()." if array.ndim == 2 and array.dtype.kind in "OUST" else ""
        raise InputError(
            f"Unknown label type: y has shape {array.shape} and dtype {array.dtype}. {ACCEPTED}.{remedy}"
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


def _object_indicator(array: NDArray[Any]) -> NDArray[Any]:
    """Return a matrix of Python numbers as one of NumPy's; anything else as it is."""
    missing = np.argwhere([[is_missing(value) for value in row] for row in array])
    if len(missing):
        row, column = missing[0]
        raise InputError(
            f"Input y contains NaN at row {row}, column {column}: {array[row, column]!r} is missing. "
            "An indicator holds only 0 and 1."
        )
    kinds = set(map(type, array.ravel().tolist()))
    if not all(issubclass(kind, int | float | np.bool_ | np.integer | np.floating) for kind in kinds):
        return array
    return array.astype(bool if kinds <= {bool, np.bool_} else np.float64)


def _refuse_dense_value(value: Any, row: int, column: int) -> NoReturn:
    if not np.isfinite(value):
        raise InputError(
            f"Input y contains {value} at row {row}, column {column}. An indicator holds only 0 and 1."
        )
    raise InputError(
        f"Unknown label type: the two-dimensional y holds {value} at row {row}, column {column}; "
        "an indicator holds only 0 and 1 (multiclass-multioutput and continuous targets are not supported). "
        "For label lists pass y.tolist()."
    )


def as_array(Y: Any) -> NDArray[Any]:
    """Return a vector or matrix as an array in which no label has changed its type."""
    if isinstance(Y, Sequence):
        kinds = set(map(type, Y))
        families = set(map(_family, kinds))
        if families > {"other"}:
            return check_class_items(np.array([*Y, None], dtype=object)[:-1])
        if "string" in families and len(families) > 1:
            raise InputError(
                "Unknown label type: y mixes strings with other types. Make all of its labels strings."
            )
        if families == {"boolean", "number"}:
            raise InputError(
                "Unknown label type: y mixes booleans with numbers. Make all of its labels integers."
            )
        if families == {"string"} and any(label.endswith("\0") for label in Y):
            return np.array(Y, dtype=object)  # arrays of strings drop zeros at the end
        if kinds and all(_family(kind) == "number" and _is_integer(kind) for kind in kinds):
            return _integers(list(Y))
    try:
        array = np.asarray(Y)
    except (ValueError, TypeError) as error:
        raise InputError(f"Unknown label type: y is not rectangular ({error}). {ACCEPTED}.") from None
    return array.astype(object) if array.dtype.kind == "T" else array


def _family(kind: type) -> str:
    if issubclass(kind, str):
        return "string"
    if issubclass(kind, bool | np.bool_):
        return "boolean"
    return "number" if issubclass(kind, int | float | np.integer | np.floating) else "other"


def _class_vector(array: NDArray[Any]) -> Target:
    if array.ndim == 2:
        from sklearn.exceptions import DataConversionWarning  # see random_generator in _checks

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


def check_class_items(array: NDArray[Any]) -> NDArray[Any]:
    """Return a vector of classes, all integers, whole numbers, booleans or strings."""
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
        return array if array.dtype.itemsize <= 8 else array.astype(np.float64)
    if array.dtype.kind == "O":
        items = array.tolist()
        kinds = {_family(type(item)) for item in items}
        if kinds == {"boolean"}:
            return array.astype(bool)
        if kinds == {"number"} and not all(map(_is_integer, set(map(type, items)))):
            return check_class_items(array.astype(np.float64))
        return _uniform_names(items, lambda i: i)
    remedy = _REMEDIES.get(array.dtype.kind)
    raise InputError(
        f"Unknown label type: y has dtype {array.dtype}. "
        f"{f'{remedy}, or give one of these.' if remedy else ''}"
        f"{' ' if remedy else ''}{ACCEPTED}."
    )


def _holds_rows(Y: Any) -> bool:
    """Tell whether any row is a list, set, tuple or array (rather than a single label)."""
    if isinstance(Y, np.ndarray) and not (Y.ndim == 1 and Y.dtype.kind == "O"):
        return False
    return any(map(_is_row, set(map(type, Y))))


def _is_row(kind: type) -> bool:
    is_list = hasattr(kind, "tolist") or hasattr(kind, "to_list")  # of NumPy, Arrow, pandas; of polars
    return issubclass(kind, list | tuple | Set) or (is_list and not issubclass(kind, np.generic))


def _row_items(row: Any, i: int) -> list[Any]:
    if isinstance(row, list | tuple | Set):
        return list(row)
    if _is_row(type(row)):
        items = row.tolist() if hasattr(row, "tolist") else row.to_list()
        if isinstance(items, list):
            return items
    raise InputError(
        f"y[{i}] is {row!r} but other rows are lists. Give each example a list of labels, perhaps empty."
    )


def _is_rectangular_indicator(rows: list[list[Any]]) -> bool:
    """Tell whether nested lists look like an indicator: rows of one length >= 2 that hold only 0 and 1."""
    width = len(rows[0])
    return width >= 2 and all(
        len(row) == width
        and all(_family(type(item)) in ("boolean", "number") and item in (0, 1) for item in row)
        for row in rows
    )


def _are_lists(rows: list[list[Any]], lists: bool | None, n_labels: int | None) -> bool:
    """Tell whether what looks like an indicator is label lists."""
    could_be_both = lists is None and all(row in ([0, 1], [1, 0]) for row in rows)
    if could_be_both and n_labels in (None, 2):
        raise InputError(
            f"y begins with {rows[0]}, which may be an indicator of two labels or a list of the labels 0 and "
            "1. "
            "Pass numpy.array(y) for an indicator, or sets, as [{0, 1}], for lists."
        )
    return could_be_both


def _label_lists(rows: list[list[Any]]) -> Target:
    indptr = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=indptr[1:])
    items = _uniform_names(
        [item for row in rows for item in row], lambda i: int(np.searchsorted(indptr, i, "right")) - 1
    )
    return Target(True, indptr, items)


def _uniform_names(items: list[Any], row_of: Callable[[int], int]) -> NDArray[Any]:
    """Return labels that are all strings (dtype object) or all integers."""
    kinds = set(map(type, items))
    if all(issubclass(kind, str) for kind in kinds):
        return np.array(items if kinds <= {str} else list(map(str, items)), dtype=object)
    if all(map(_is_integer, kinds)):
        return _integers(items)
    missing = next((i for i, item in enumerate(items) if is_missing(item)), None)
    if missing is not None:
        raise InputError(
            f"y holds {items[missing]!r} in row {row_of(missing)}: a label is missing. Drop the example, or "
            "give it a "
            "label (or the empty list, if it may have none)."
        )
    wrong = [i for i, item in enumerate(items) if not _is_integer(type(item))]
    at = next((i for i in wrong if not isinstance(items[i], str)), wrong[0])
    item, remedy = items[at], " Decode bytes: label.decode()." if isinstance(items[at], bytes) else ""
    raise InputError(
        f"Unknown label type: y holds {item!r} of type {type(item).__name__}; labels are all strings or all "
        "integers "
        f"(row {row_of(at)}).{remedy}"
    )


def _is_integer(kind: type) -> bool:
    return hasattr(kind, "__index__") and _family(kind) != "boolean"


def _integers(items: list[Any]) -> NDArray[Any]:
    """Return integers of any type as int64, or as uint64 where they need it."""
    try:
        numbers = [operator.index(item) for item in items]
        unsigned = max(numbers) >= 2**63 and min(numbers) >= 0
        return np.array(numbers, dtype=np.uint64 if unsigned else np.int64)
    except (TypeError, OverflowError) as error:
        raise InputError(
            f"Unknown label type: y holds what is no integer of 64 bits ({error}); use strings as labels."
        ) from None


def is_missing(item: Any) -> bool:
    """Tell whether a label is None, NaN, pandas.NA or NaT."""
    return (
        item is None
        or type(item).__name__ in ("NAType", "NaTType")
        or (isinstance(item, float | np.floating) and item != item)
    )
