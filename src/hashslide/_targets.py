"""Targets of every form to label ids, and label ids back to names.

A target is an indicator (sparse, or dense 0/1), a class vector, or a list of label lists; see
docs/estimator.md.
"""

import contextlib
import operator
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from hashslide._validation import Csr, blocks, canonical, check_csr_structure
from hashslide.errors import InputError
from hashslide.selection import MAX_IDS

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
    if sparse.issparse(Y):
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
    array = _as_array(Y)
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
    if Y.ndim != 2:
        raise InputError(f"y is a sparse array of shape {Y.shape}. {ACCEPTED}.")
    matrix = Y.tocsr()
    check_csr_structure(matrix, "y")
    matrix = canonical(matrix)
    end = matrix.indptr[-1]
    if matrix.data.dtype.kind not in "biuf":
        raise InputError(f"y has dtype {matrix.data.dtype}; an indicator holds only 0 and 1.")
    if not matrix.data[:end].all():
        matrix = matrix.copy()
        matrix.eliminate_zeros()
        end = matrix.indptr[-1]
    _check_ones(matrix.data[:end], matrix.indptr, matrix.indices)
    indptr = np.ascontiguousarray(matrix.indptr, np.int64)
    indices = np.ascontiguousarray(matrix.indices[:end], np.int32)
    return Target(True, indptr, indices, matrix.shape[1], columns)


def _check_ones(data: NDArray, indptr: NDArray, indices: NDArray) -> None:
    wrong = np.flatnonzero(data != 1)
    if len(wrong) == 0:
        return
    at = wrong[0]
    row = int(np.searchsorted(indptr, at, side="right")) - 1
    if np.isnan(data[at]):
        raise InputError(
            f"Input y contains NaN at row {row}, column {indices[at]}. An indicator holds only 0 and 1."
        )
    raise InputError(
        f"y holds {data[at]} at row {row}, column {indices[at]} (repeated entries count as their sum); "
        "an indicator "
        "holds only 0 and 1: pass (y > 0), or a one-dimensional vector for classes."
    )


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


def _as_array(Y) -> NDArray:
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
    items = _check_class_items(array)
    return Target(False, np.arange(len(items) + 1), items)


def _check_class_items(array: NDArray) -> NDArray:
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


@dataclass(frozen=True)
class LabelNames:
    """The labels of a model: label id i is called ``names[i]``, or i itself if it has no names.

    Attributes
    ----------
    n : int
        Number of labels.
    names : array of shape (n,), or None
    """

    n: int
    names: NDArray | None = None

    @classmethod
    def learn(cls, target: Target, classes: ArrayLike | None = None) -> "LabelNames":
        """Return the labels of a target, sorted, or in the order of `classes` where given."""
        names = _check_classes(classes) if classes is not None else target.columns
        if target.n_columns is not None:
            if target.n_columns == 0 or target.n_columns > MAX_IDS:
                raise InputError(f"y has {target.n_columns} columns; accepted are 1 to {MAX_IDS} labels.")
            if names is not None and len(names) != target.n_columns:
                raise InputError(
                    f"classes holds {len(names)} names but y has {target.n_columns} columns. "
                    "Give one for each."
                )
            return cls(target.n_columns, names)
        if names is None:
            if len(target.items) == 0:
                raise InputError("y holds no label at all: at least one label or class is needed.")
            names = np.unique(target.items)
        return cls(len(names), names)

    def grown(self, target: Target, classes: ArrayLike | None = None) -> "LabelNames":
        """Return these labels followed by the new ones among the target's and `classes`.

        Raises
        ------
        InputError
            The target cannot be matched to these labels (ids against names, an indicator of another width).
        """
        named = classes if classes is not None else target.columns
        if self.names is None:
            return self._grown_ids(target, named)
        if target.n_columns is not None and named is None:
            if target.n_columns != self.n:
                raise InputError(
                    f"y has {target.n_columns} columns, the model {self.n} named labels. "
                    "Name y's by classes=."
                )
            return self
        seen = [] if named is None else [_check_classes(named)]
        if target.n_columns is None:
            seen.append(target.items)
        elif len(seen[0]) != target.n_columns:
            raise InputError(
                f"classes holds {len(seen[0])} names but y has {target.n_columns} columns. Give one for each."
            )
        known = set(self.names.tolist())
        new = sorted({name for names in seen for name in names.tolist()} - known, key=_type_and_value)
        if not new:
            return self
        old = self.names[:1].tolist()[0]
        for name in new:
            if _kind(name) is not _kind(old):
                raise InputError(
                    f"y or classes holds the label {name!r}, but the model's labels are like {old!r}. "
                    "Use one type."
                )
        return LabelNames(self.n + len(new), _appended(self.names, new))

    def _grown_ids(self, target: Target, named) -> "LabelNames":
        if target.n_columns is None or named is not None:
            raise InputError(
                "The model was trained on an indicator without names; pass an indicator here, "
                "without classes."
            )
        if target.n_columns < self.n:
            raise InputError(
                f"y has {target.n_columns} columns but the model has {self.n} labels. Add empty columns to y."
            )
        return LabelNames(target.n_columns)

    def encode(self, target: Target, classes: ArrayLike | None = None, *, drop_unknown: bool = False) -> Csr:
        """Return the target as a pattern (examples x labels).

        Parameters
        ----------
        target : Target
        classes : array-like, optional
            Names of the columns of an indicator.
        drop_unknown : bool
            Leave out labels that the model does not have, instead of refusing them.

        Raises
        ------
        InputError
            A label is unknown or occurs twice in a row, or an indicator has the wrong width.
        """
        columns = _check_classes(classes) if classes is not None else target.columns
        if target.n_columns is None:
            ids = self._ids(target.items)
        elif columns is None or self.names is None:
            if target.n_columns != self.n:
                raise InputError(
                    f"y has {target.n_columns} columns but the model has {self.n} labels. Give one for each."
                )
            return Csr(target.indptr, target.items, None, self.n)
        elif np.array_equal(columns, self.names):
            return Csr(target.indptr, target.items, None, self.n)
        else:
            ids = self._ids(columns)[target.items]
        indptr = target.indptr
        if (ids < 0).any():
            if not drop_unknown:
                at = int(np.flatnonzero(ids < 0)[0])
                names = target.items if target.n_columns is None else columns[target.items]
                label = names[at : at + 1].tolist()[0]
                raise InputError(
                    f"y holds the label {label!r}, which is not among the model's {self.n} classes."
                )
            known = np.concatenate([[0], np.cumsum(ids >= 0)])
            ids, indptr = ids[ids >= 0], known[indptr]
        return _sorted_pattern(indptr, ids, self)

    def _ids(self, names: NDArray) -> NDArray[np.int32]:
        """Return the ids of names, -1 where unknown."""
        if self.names is None:
            raise InputError(
                "The model was trained on an indicator; its labels have no names. Pass an indicator here."
            )
        lookup = {name: i for i, name in enumerate(self.names.tolist())}
        return np.fromiter((lookup.get(name, -1) for name in names.tolist()), np.int32, len(names))

    def decode(self, ids: NDArray[np.int64]) -> NDArray:
        """Return the names of label ids; the ids themselves if the labels have no names."""
        return ids if self.names is None else self.names[ids]

    def array(self) -> NDArray:
        """Return the name of every label, in the order of the ids."""
        return np.arange(self.n) if self.names is None else self.names


def _type_and_value(name) -> tuple:
    return isinstance(name, str), name


def _kind(name) -> type:
    return next((kind for kind in (str, bool) if isinstance(name, kind)), float)


def _appended(names: NDArray, new: list) -> NDArray:
    """Return the names and new ones of their kind; numbers in a type that holds all of them exactly."""
    if names.dtype.kind not in "iuf":
        return np.concatenate([names, np.array(new)])
    types = (np.float64,) if names.dtype.kind == "f" else (names.dtype, np.int64, np.uint64)
    for dtype in types:
        with contextlib.suppress(OverflowError):
            joined = np.concatenate([names.astype(dtype), np.array(new, dtype)])
            if joined.tolist() == [*names.tolist(), *new]:
                return joined
    raise InputError(
        f"no number type of 64 bits holds the model's labels and the new ones, {new[0]} to {new[-1]}. "
        "Use strings."
    )


def _check_classes(classes: ArrayLike) -> NDArray:
    array = _as_array(classes)
    if array.ndim != 1 or len(array) == 0:
        raise InputError(f"classes has shape {array.shape}; accepted is a non-empty list of label names.")
    array = _check_class_items(array)
    unique, counts = np.unique(array, return_counts=True)
    if len(unique) != len(array):
        raise InputError(
            f"classes holds {unique[counts > 1].tolist()[0]!r} more than once. Names must be unique."
        )
    return array


def _sorted_pattern(indptr: NDArray[np.int64], ids: NDArray[np.int32], labels: LabelNames) -> Csr:
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    if len(ids) > len(indptr) - 1 or (np.diff(indptr) > 1).any():
        ids = ids[np.lexsort((ids, row))]
        twice = np.flatnonzero((ids[1:] == ids[:-1]) & (row[1:] == row[:-1]))
        if len(twice):
            at = twice[0]
            name = labels.decode(ids[at : at + 1].astype(np.int64)).tolist()[0]
            raise InputError(f"y holds the label {name!r} twice in row {row[at]}. Give each label once.")
    return Csr(np.ascontiguousarray(indptr, np.int64), ids, None, labels.n)
