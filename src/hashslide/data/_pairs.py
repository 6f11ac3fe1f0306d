"""Features and labels of some examples: out of a parser's arrays, and clean on their way to a file."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_matrix

from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.errors import InputError


def pair_from_rows(rows: tuple[Any, ...], n_features: int, n_labels: int) -> tuple[csr_matrix, csr_matrix]:
    """X and Y around clean arrays: nothing is copied but the offsets, the labels' values are made here.

    `rows` holds offsets, ids and values of X, then offsets and ids of Y. SciPy wants offsets and ids of one
    integer type: from 2^31 stored values on it widens the ids to 64 bit.
    """
    x_indptr, x_indices, x_data, y_indptr, y_indices = rows
    n_rows = len(x_indptr) - 1
    x = _clean_csr(x_data, x_indices, x_indptr, (n_rows, n_features))
    ones = np.ones(len(y_indices), dtype=np.float32)
    return x, _clean_csr(ones, y_indices, y_indptr, (n_rows, n_labels))


def of_equal_rows(
    X: Iterator[csr_matrix], Y: Iterator[csr_matrix]
) -> Iterator[tuple[csr_matrix, csr_matrix]]:
    """Yield blocks of both with the same rows, until one ends; then what is left of the other is read.

    A single block on each side is passed on as it is.
    """
    x, y = next(X), next(Y)
    while True:
        n = min(x.shape[0], y.shape[0])
        if x.shape[0] == y.shape[0]:
            yield x, y
            x, y = next(X, None), next(Y, None)
        else:
            yield x[:n], y[:n]
            x, y = x[n:], y[n:]
            x = x if x.shape[0] else next(X, None)
            y = y if y.shape[0] else next(Y, None)
        if x is None or y is None:
            for _ in chain(X, Y):
                pass
            return


def checked_pair(
    X: Any, Y: Any, *, dtype: DTypeLike | None = np.float32, pattern: bool = True
) -> tuple[Csr, Csr]:
    """Return X with its stored zeros, and where Y is 1, or with `pattern=False` Y like X.

    Raises
    ------
    InputError
        X or Y is not a matrix or holds NaN or infinity, Y as a pattern something else than 0 and 1, or the
        numbers of rows differ. Lists are refused too: label lists would be taken for an indicator.
    """
    for matrix, name in ((X, "X"), (Y, "Y")):
        if not isinstance(matrix, Csr) and getattr(matrix, "ndim", None) != 2:
            raise InputError(
                f"{name} is {type(matrix).__name__}, not a two-dimensional matrix. "
                "Pass a SciPy sparse matrix."
            )
    x = as_csr(X, dtype=dtype, keep_zeros=True)
    y = _indicator(Y) if pattern else as_csr(Y, name="Y", dtype=dtype, keep_zeros=True)
    if x.n_rows != y.n_rows:
        raise InputError(f"X has {x.n_rows} rows and Y has {y.n_rows}. Give both one row for each example.")
    return x, y


def _indicator(Y: Any) -> Csr:
    csr = as_csr(Y, name="Y", dtype=None)
    if csr.data is not None and len(wrong := np.flatnonzero(csr.data != 1)):
        raise InputError(
            f"Y holds {csr.data[wrong[0]]} in row {csr.row_of(wrong[0])} (repeated entries add up); "
            "accepted are 0 and 1. Pass Y > 0, if that is what marks a label."
        )
    return as_pattern(csr)


def _clean_csr(
    data: NDArray[Any], indices: NDArray[Any], indptr: NDArray[Any], shape: tuple[int, int]
) -> csr_matrix:
    matrix = csr_matrix((data, indices, indptr), shape=shape, copy=False)
    matrix.has_canonical_format = True
    return matrix
