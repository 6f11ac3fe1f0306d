"""CSR matrices around the arrays of a file, and clean arrays out of CSR matrices."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from hashslide.errors import InputError

MAX_IDS = np.iinfo(np.int32).max


class Rows(NamedTuple):
    """Points in the layout of the C++ core: two CSR matrices, the second without values."""

    x_indptr: NDArray[np.int64]
    x_indices: NDArray[np.int32]
    x_data: NDArray[np.float32]
    y_indptr: NDArray[np.int64]
    y_indices: NDArray[np.int32]


def pair_from_rows(rows: Rows, n_features: int, n_labels: int) -> tuple[csr_matrix, csr_matrix]:
    """X and Y around clean arrays: nothing is copied but the offsets, the labels' ones are made here.

    SciPy wants offsets and ids of one integer type: from 2^31 stored values on it widens the ids to 64 bit.
    """
    n_points = len(rows.x_indptr) - 1
    x = _clean_csr(rows.x_data, rows.x_indices, rows.x_indptr, (n_points, n_features))
    ones = np.ones(len(rows.y_indices), dtype=np.float32)
    return x, _clean_csr(ones, rows.y_indices, rows.y_indptr, (n_points, n_labels))


def rows_from_pair(X, Y) -> Rows:
    """Arrays of two matrices with equal numbers of rows: sorted, unique, finite, labels without zeros.

    Raises
    ------
    InputError
        A matrix is not two-dimensional, the numbers of rows differ, or a value is NaN or infinite.
    """
    x, y = as_csr(X, "X"), as_csr(Y, "Y")
    if x.shape[0] != y.shape[0]:
        raise InputError(f"X has {x.shape[0]} rows and Y has {y.shape[0]}. Give both one row for each point.")
    y = without_zeros(y)
    data = as_float32(x.data)
    if not np.isfinite(data).all():
        row = row_of(x.indptr, np.flatnonzero(~np.isfinite(data))[0])
        raise InputError(f"X holds NaN, infinity or a value beyond float32 in row {row}. Replace or drop it.")
    return Rows(_offsets(x), _ids(x), data, _offsets(y), _ids(y))


def as_csr(matrix, name: str) -> csr_matrix:
    """`matrix` (sparse or dense) as CSR with sorted, unique ids; the argument is never changed."""
    if getattr(matrix, "ndim", None) != 2:
        raise InputError(
            f"{name} is {type(matrix).__name__}, not a two-dimensional matrix. Pass a SciPy sparse matrix."
        )
    if matrix.shape[1] > MAX_IDS:
        raise InputError(
            f"{name} has {matrix.shape[1]} columns; at most {MAX_IDS} are possible. Drop unused columns."
        )
    csr = matrix.tocsr() if issparse(matrix) else csr_matrix(matrix)
    if not csr.has_canonical_format:
        csr = csr.copy() if csr is matrix else csr
        csr.sum_duplicates()
    return csr


def without_zeros(csr: csr_matrix) -> csr_matrix:
    """The same matrix, copied only if it stores zeros."""
    if csr.data.all():
        return csr
    csr = csr.copy()
    csr.eliminate_zeros()
    return csr


def as_float32(data: NDArray) -> NDArray[np.float32]:
    """`data` in single precision; what does not fit becomes infinite."""
    with np.errstate(over="ignore"):
        return data.astype(np.float32, copy=False)


def row_of(indptr: NDArray, position: int) -> int:
    """Row that holds the stored value at `position`."""
    return int(np.searchsorted(indptr, position, side="right")) - 1


def _clean_csr(data: NDArray, indices: NDArray, indptr: NDArray, shape: tuple[int, int]) -> csr_matrix:
    matrix = csr_matrix((data, indices, indptr), shape=shape, copy=False)
    matrix.has_canonical_format = True
    return matrix


def _offsets(csr: csr_matrix) -> NDArray[np.int64]:
    return np.ascontiguousarray(csr.indptr, dtype=np.int64)


def _ids(csr: csr_matrix) -> NDArray[np.int32]:
    return np.ascontiguousarray(csr.indices, dtype=np.int32)
