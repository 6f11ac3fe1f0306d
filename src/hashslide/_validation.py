"""From what users bring to the arrays that the C++ core trusts.

Every function either returns clean arrays or raises `InputError` with what was found, what is accepted and
what to do. Arrays that are clean already are passed on, never copied; nothing sparse is ever made dense.
Checks that need a temporary array work in blocks, so that they add little to the memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import _get_feature_names

from hashslide.errors import InputError, InputTypeError
from hashslide.selection import MAX_IDS

_BLOCK = 1 << 20  # items of a temporary array


@dataclass(frozen=True)
class Csr:
    """A clean compressed sparse row matrix: what the C++ core takes without looking.

    Attributes
    ----------
    indptr : int64 array of shape (n_rows + 1,)
    indices : int32 array
        Sorted and unique within each row, in [0, n_columns).
    data : float32 array, or None for a 0/1 pattern
        Finite.
    n_columns : int
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[np.float32] | None
    n_columns: int

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    def block(self, first: int, last: int) -> "Csr":
        """Return rows `first` .. `last` - 1; the items are shared, not copied."""
        indptr = self.indptr[first : last + 1]
        items = slice(indptr[0], indptr[-1])
        data = None if self.data is None else self.data[items]
        return Csr(indptr - indptr[0], self.indices[items], data, self.n_columns)

    def take(self, rows: NDArray[np.int64]) -> "Csr":
        """Return a copy of the given rows."""
        lengths = np.diff(self.indptr)[rows]
        indptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        items = np.arange(indptr[-1]) + np.repeat(self.indptr[rows] - indptr[:-1], lengths)
        data = None if self.data is None else self.data[items]
        return Csr(indptr, self.indices[items], data, self.n_columns)

    def to_scipy(self, dtype: np.dtype | type = np.float32) -> sparse.csr_matrix:
        """Return a SciPy matrix around the same arrays; a pattern gets ones of the given dtype."""
        data = np.ones(len(self.indices), dtype) if self.data is None else self.data
        matrix = sparse.csr_matrix(
            (data, self.indices, self.indptr), shape=(self.n_rows, self.n_columns), copy=False
        )
        matrix.has_canonical_format = True
        return matrix


def check_features(X, *, name: str = "X") -> Csr:
    """Return the features of some examples as clean arrays.

    Parameters
    ----------
    X : array-like, sparse matrix or array, or data frame of shape (n, d)
        Numbers; NaN and infinity are refused. Repeated entries of a sparse matrix are summed, as SciPy
        defines them.
    name : str
        What messages call it.

    Returns
    -------
    Csr

    Raises
    ------
    InputError
    """
    if isinstance(X, Csr):
        return X
    _check_column_names(X, name)
    X = _unframe(X)
    csr = _sparse_features(X, name) if sparse.issparse(X) else _dense_features(X, name)
    _check_finite(csr, name)
    return csr


def check_not_empty(x: Csr, estimator: str, *, name: str = "X") -> None:
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


def check_sample_weight(weight, n_rows: int) -> NDArray[np.float32] | None:
    """Return the weights of some examples, float32 and contiguous, or None if every weight is 1.

    Raises
    ------
    InputError
        Not one finite number >= 0 for each example, or all of them 0.
    """
    if weight is None:
        return None
    weight = to_float32(as_numeric(weight, "sample_weight"), "sample_weight")
    if weight.shape != (n_rows,):
        raise InputError(
            f"sample_weight has shape {weight.shape}; accepted is ({n_rows},), one weight for each row of X."
        )
    if not np.isfinite(weight).all():
        raise InputError(
            f"sample_weight contains NaN or infinity at {_first(~np.isfinite(weight))}. "
            "Weights must be finite."
        )
    if (weight < 0).any():
        at = _first(weight < 0)
        raise InputError(f"sample_weight[{at}] is {weight[at]:g}, negative. Weights must be 0 or more.")
    if not weight.any():
        raise InputError(
            "sample_weight is zero everywhere: sample weights must contain at least one non-zero number."
        )
    return None if (weight == 1).all() else np.ascontiguousarray(weight)


def blocks(n: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of consecutive blocks that cover 0 .. n - 1."""
    for first in range(0, n, size):
        yield first, min(first + size, n)


def check_csr_structure(matrix: sparse.csr_matrix, name: str) -> None:
    """Refuse a CSR matrix whose index arrays are damaged; reading it could run outside of its arrays."""
    indptr, indices, n_columns = matrix.indptr, matrix.indices, matrix.shape[1]
    if n_columns > MAX_IDS:
        raise InputError(
            f"{name} has {n_columns} columns; at most {MAX_IDS} are possible. Drop unused columns."
        )
    if len(indptr) != matrix.shape[0] + 1 or indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        raise InputError(
            f"{name}.indptr does not rise from 0 with one step for each row. Build the matrix again."
        )
    if indptr[-1] > min(len(indices), len(matrix.data)):
        raise InputError(
            f"{name}.indptr ends at {indptr[-1]} but there are {len(indices)} indices. "
            "Build the matrix again."
        )
    if indptr[-1] == 0:
        return
    used = indices[: indptr[-1]]
    low, high = used.min(), used.max()
    if low < 0 or high >= n_columns:
        wrong = low if low < 0 else high
        raise InputError(
            f"{name} holds the column id {wrong}; with {n_columns} columns, "
            f"ids run from 0 to {n_columns - 1}."
        )


def canonical(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    """Return the matrix with sorted and unique column ids: itself if it is so already, else a copy."""
    if _is_canonical(matrix.indptr, matrix.indices):
        return matrix
    matrix = matrix.copy()
    matrix.has_sorted_indices = matrix.has_canonical_format = False  # whatever its owner had noted
    matrix.sum_duplicates()
    return matrix


def as_numeric(values, name: str) -> NDArray:
    """Return a dense array of a real numeric dtype."""
    try:
        array = np.asarray(values)
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
    _check_real(array.dtype, name)
    return array


def to_float32(data: NDArray, name: str) -> NDArray[np.float32]:
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


def _check_column_names(X, name: str) -> None:
    """Refuse a data frame whose column names scikit-learn would refuse later, with the model half changed."""
    try:
        _get_feature_names(X)
    except (TypeError, ValueError) as error:
        raise InputError(f"the column names of {name} are not acceptable: {error}") from None


def _unframe(X):
    """Return the matrix inside a pandas data frame of sparse columns; anything else as it is."""
    frame = getattr(X, "sparse", None) if hasattr(X, "dtypes") and hasattr(X, "columns") else None
    return frame.to_coo() if frame is not None and len(X.columns) else X


def _sparse_features(X, name: str) -> Csr:
    if X.ndim != 2:
        raise InputError(
            f"{name} is a sparse array of shape {X.shape}; accepted are two dimensions (examples, features)."
        )
    _check_real(X.dtype, name)
    matrix = X.tocsr()
    check_csr_structure(matrix, name)
    matrix = canonical(matrix)
    end = matrix.indptr[-1]
    return Csr(
        indptr=np.ascontiguousarray(matrix.indptr, np.int64),
        indices=np.ascontiguousarray(matrix.indices[:end], np.int32),
        data=np.ascontiguousarray(to_float32(matrix.data[:end], name)),
        n_columns=matrix.shape[1],
    )


def _dense_features(X, name: str) -> Csr:
    array = as_numeric(X, name)
    if array.ndim != 2:
        remedy = "Reshape your data: X.reshape(1, -1) for one example, X.reshape(-1, 1) for one feature."
        raise InputError(
            f"Expected 2D array, got {array.ndim}D array of shape {array.shape} as {name}. {remedy}"
        )
    if array.shape[1] > MAX_IDS:
        raise InputError(f"{name} has {array.shape[1]} columns; at most {MAX_IDS} are possible.")
    rows_per_block = max(1, _BLOCK // max(1, array.shape[1]))
    counts, ids, values = [np.zeros(1, np.int64)], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    for first, last in blocks(len(array), rows_per_block):
        block = array[first:last]
        row, column = np.nonzero(block)
        counts.append(np.bincount(row, minlength=last - first))
        ids.append(column.astype(np.int32))
        values.append(to_float32(block[row, column], name))
    return Csr(np.cumsum(np.concatenate(counts)), np.concatenate(ids), np.concatenate(values), array.shape[1])


def _check_real(dtype: np.dtype, name: str) -> None:
    if dtype.kind == "c":
        raise InputError(f"Complex data not supported: {name} has dtype {dtype}. Pass real numbers.")
    if dtype.kind not in "biuf":
        raise InputError(f"{name} has dtype {dtype}; accepted are booleans, integers and floats.")


def _check_finite(csr: Csr, name: str) -> None:
    for first, last in blocks(len(csr.data), _BLOCK):
        finite = np.isfinite(csr.data[first:last])
        if not finite.all():
            at = first + _first(~finite)
            row = int(np.searchsorted(csr.indptr, at, side="right")) - 1
            value = "NaN" if np.isnan(csr.data[at]) else "infinity (inf)"
            raise InputError(
                f"{name} contains {value} at row {row}, column {csr.indices[at]}. "
                "Values must be finite: replace it or drop the row."
            )


def _is_canonical(indptr: NDArray, indices: NDArray) -> bool:
    """Tell whether column ids rise strictly within each row. O(nnz), in blocks."""
    starts = np.unique(indptr[1:-1])  # positions where the next row begins: there the ids may fall
    for first, last in blocks(int(indptr[-1]) - 1, _BLOCK):
        fallen = np.flatnonzero(indices[first + 1 : last + 1] <= indices[first:last]) + first + 1
        if not np.isin(fallen, starts, assume_unique=True).all():
            return False
    return True


def _first(mask: NDArray[np.bool_]) -> int:
    return int(np.flatnonzero(mask)[0])
