"""The sparse matrix of this package, and the way into it from whatever users bring.

`as_csr` looks at the structure before anything is handed to SciPy, whose conversions trust it. What is clean
already is passed on, never copied; nothing sparse is ever made dense. Checks that need a temporary array work
in blocks, so that they add little to the memory.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy import sparse

from hashslide._frames import plain
from hashslide._validation import as_numeric, blocks, check_real, first_true, to_float32
from hashslide.errors import InputError
from hashslide.settings.limits import MAX_IDS

__all__ = ["Csr", "as_csr", "as_pattern"]


def __dir__() -> list[str]:
    return __all__


_BLOCK = 1 << 20  # items of a temporary array


@dataclass(frozen=True)
class Csr:
    """A compressed sparse row matrix whose structure has been checked: the C++ core takes it without looking.

    `as_csr` makes one of anything else. Whoever makes one of arrays of their own has them checked, O(nnz).

    Parameters
    ----------
    indptr : int64 array of shape (n_rows + 1,)
        Row i owns the items ``indptr[i]`` to ``indptr[i + 1] - 1``.
    indices : int32 array of shape (nnz,)
        Column of each item: sorted and unique within a row, in [0, n_columns).
    data : array of shape (nnz,), or None for a 0/1 pattern
        Value of each item.
    n_columns : int

    Raises
    ------
    InputError
        The arrays do not fit each other, or a row is not sorted.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    data: NDArray[Any] | None
    n_columns: int

    def __post_init__(self) -> None:
        for name, dtype in (("indptr", np.int64), ("indices", np.int32)):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or not array.flags.c_contiguous:
                raise InputError(
                    f"{name} of a Csr must be a contiguous array of {np.dtype(dtype)}. Use as_csr(X)."
                )
        n_items = len(self.indices) if self.data is None else len(self.data)
        _check_compressed("Csr", self.indptr, self.indices, n_items, (len(self.indptr) - 1, self.n_columns))
        if self.indptr[-1] != len(self.indices) or n_items != len(self.indices):
            raise InputError(
                f"a Csr of {self.indptr[-1]} items has {len(self.indices)} indices and {n_items} values. "
                "Give each item one of both."
            )
        if not _is_canonical(self.indptr, self.indices):
            raise InputError("a row of a Csr is not sorted, or names a column twice. Use as_csr(X).")

    @classmethod
    def trusted(
        cls, indptr: NDArray[Any], indices: NDArray[Any], data: NDArray[Any] | None, n_columns: int
    ) -> "Csr":
        """Return a matrix of arrays that are known to be in order, or are checked as the core reads them."""
        csr = object.__new__(cls)
        for name, value in (
            ("indptr", indptr),
            ("indices", indices),
            ("data", data),
            ("n_columns", n_columns),
        ):
            object.__setattr__(csr, name, value)
        return csr

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.n_rows, self.n_columns

    @property
    def nnz(self) -> int:
        """Number of items."""
        return len(self.indices)

    @property
    def values(self) -> NDArray[Any]:
        """Value of each item.

        Raises
        ------
        InputError
            There are none: it is a pattern.
        """
        if self.data is None:
            raise InputError(
                "a Csr is a 0/1 pattern without values; accepted here is one with values. "
                "as_csr(pattern) makes them 1."
            )
        return self.data

    def block(self, first: int, last: int) -> "Csr":
        """Return rows `first` .. `last` - 1; the items are shared, not copied."""
        indptr = self.indptr[first : last + 1]
        items = slice(indptr[0], indptr[-1])
        data = None if self.data is None else self.data[items]
        return Csr.trusted(indptr - indptr[0], self.indices[items], data, self.n_columns)

    def take(self, rows: NDArray[np.int64]) -> "Csr":
        """Return a copy of the given rows."""
        lengths = np.diff(self.indptr)[rows]
        indptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        shifts = self.indptr[rows] - indptr[:-1]
        indices = np.empty(indptr[-1], np.int32)
        data = None if self.data is None else np.empty(indptr[-1], self.data.dtype)
        bounds = np.unique([*np.searchsorted(indptr, range(0, int(indptr[-1]), _BLOCK)), len(lengths)])
        for first, last in pairwise(bounds):
            start, end = indptr[first], indptr[last]
            items = np.arange(start, end)
            items += np.repeat(shifts[first:last], lengths[first:last])
            indices[start:end] = self.indices[items]
            if data is not None and self.data is not None:
                data[start:end] = self.data[items]
        return Csr.trusted(indptr, indices, data, self.n_columns)

    def row_of(self, item: int) -> int:
        """Return the row that owns an item."""
        return int(np.searchsorted(self.indptr, item, side="right")) - 1

    def to_scipy(self, dtype: np.dtype | type = np.float32) -> sparse.csr_matrix:
        """Return a SciPy matrix around the same arrays; a pattern gets ones of the given dtype."""
        data = np.ones(len(self.indices), dtype) if self.data is None else self.data
        matrix = sparse.csr_matrix((data, self.indices, self.indptr), shape=self.shape, copy=False)
        matrix.has_canonical_format = True
        return matrix


def as_csr(
    X: Any,
    *,
    name: str = "X",
    dtype: DTypeLike | None = np.float32,
    keep_zeros: bool = False,
    finite: bool = True,
) -> Csr:
    """Return a matrix of any form as a `Csr`.

    Parameters
    ----------
    X : Csr, SciPy sparse matrix or array of any format, array-like or data frame, of shape (n, d)
        Booleans, integers or floats. Repeated entries of a sparse matrix are summed, as SciPy defines them;
        whether its rows are sorted is seen by looking, not by SciPy's flags.
    name : str
        What messages call it.
    dtype : float32, float64 or None
        Of the values; None: that of X, where integers may become wider.
    keep_zeros : bool
        Whether values that are stored but 0 stay. They mean the same as values that are not stored.
    finite : bool
        Whether NaN and infinity are refused.

    Returns
    -------
    Csr
        Around the arrays of X where these are in order.

    Raises
    ------
    InputError
        X is no matrix of real numbers, its index arrays are damaged, or a value is not finite or beyond
        `dtype`.
    """
    if isinstance(X, Csr):
        csr = X
    else:
        X = plain(X, name)
        csr = _from_sparse(X, name) if sparse.issparse(X) else _from_dense(X, name, dtype)
    csr = _with_dtype(csr, dtype, name)
    if finite:
        _check_finite(csr, name)
    return csr if keep_zeros else _without_zeros(csr)


def as_pattern(Y: Any, *, name: str = "Y") -> Csr:
    """Return where a matrix of any form is not 0.

    Parameters
    ----------
    Y : as X of `as_csr`
    name : str
        What messages call it.

    Returns
    -------
    Csr
        Without data.

    Raises
    ------
    InputError
        As `as_csr`.
    """
    csr = as_csr(Y, name=name, dtype=None)
    return Csr.trusted(csr.indptr, csr.indices, None, csr.n_columns)


def _from_sparse(X: Any, name: str) -> Csr:
    if X.ndim != 2:
        raise InputError(
            f"{name} is a sparse array of shape {X.shape}; accepted are two dimensions (examples, features)."
        )
    check_real(X.dtype, name)
    _check_width(X.shape[1], name)
    matrix = _checked_rows(X, name)
    end = int(matrix.indptr[-1])
    indptr, indices, data = matrix.indptr, matrix.indices[:end], matrix.data[:end]
    if not _is_canonical(indptr, indices):
        copy = sparse.csr_matrix((_widened(data), indices, indptr), shape=matrix.shape, copy=True)
        copy.has_sorted_indices = copy.has_canonical_format = False
        copy.sum_duplicates()
        indptr, indices, data = copy.indptr, copy.indices, copy.data
    return Csr.trusted(
        np.ascontiguousarray(indptr, np.int64),
        np.ascontiguousarray(indices, np.int32),
        np.ascontiguousarray(data),
        int(matrix.shape[1]),
    )


def _checked_rows(X: Any, name: str) -> sparse.csr_matrix:
    """Return a sparse matrix as CSR, perhaps not canonical, after a look at its structure."""
    n_rows, n_columns = X.shape
    if X.format == "csr":
        _check_compressed(name, X.indptr, X.indices, len(X.data), (n_rows, n_columns))
        return X
    if X.format == "csc":
        _check_compressed(name, X.indptr, X.indices, len(X.data), (n_columns, n_rows), of="row")
        return X.tocsr()
    if X.format == "lil":
        return _checked_lists(X, name)
    if X.format == "bsr":
        _check_blocks(X, name)
    elif X.format == "dia":
        _check_diagonals(X, name)
    try:
        coordinates = X.tocoo(copy=False)
    except (TypeError, ValueError) as error:  # SciPy's own look at them
        raise InputError(f"{name} is damaged: {error}. Build the matrix again.") from None
    return _checked_coordinates(coordinates.row, coordinates.col, coordinates.data, X.shape, name)


def _check_compressed(
    name: str,
    indptr: NDArray[Any],
    indices: NDArray[Any],
    n_items: int,
    shape: tuple[int, int],
    of: str = "column",
) -> None:
    """Refuse compressed index arrays that are damaged: reading them could run outside of their memory."""
    for part, array in (("indptr", indptr), ("indices", indices)):
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise InputError(
                f"{name}.{part} has {array.ndim} dimensions of {array.dtype}; accepted is one of integers."
            )
    if len(indptr) != shape[0] + 1 or len(indptr) == 0 or indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        raise InputError(
            f"{name}.indptr does not rise from 0 with one step for each row. Build the matrix again."
        )
    if indptr[-1] > min(len(indices), n_items):
        raise InputError(
            f"{name}.indptr ends at {indptr[-1]} but there are {len(indices)} indices and {n_items} values. "
            "Build the matrix again."
        )
    _check_ids(name, indices[: int(indptr[-1])], shape[1], of)


def _check_ids(name: str, ids: NDArray[Any], n: int, of: str) -> None:
    if len(ids) == 0:
        return
    low, high = ids.min(), ids.max()
    if low < 0 or high >= n:
        raise InputError(
            f"{name} holds the {of} id {low if low < 0 else high}; with {n} {of}s, ids run from 0 to {n - 1}."
        )


def _check_blocks(X: Any, name: str) -> None:
    if X.data.ndim != 3 or 0 in X.data.shape[1:]:
        raise InputError(f"{name}.data has the shape {X.data.shape}, not (blocks, rows, columns).")
    height, width = X.data.shape[1:]
    if X.shape[0] % height or X.shape[1] % width:
        raise InputError(
            f"{name} of shape {X.shape} does not consist of blocks of {height} rows and {width} columns. "
            "Build the matrix again."
        )
    blocks = X.shape[0] // height, X.shape[1] // width
    _check_compressed(name, X.indptr, X.indices, len(X.data), blocks, of="block")


def _check_diagonals(X: Any, name: str) -> None:
    offsets, data = X.offsets, X.data
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or data.ndim != 2 or len(data) != len(offsets):
        raise InputError(
            f"{name} has offsets of shape {offsets.shape} and data of shape {data.shape}; accepted is one "
            "row of data for each offset. Build the matrix again."
        )


def _checked_lists(X: Any, name: str) -> sparse.csr_matrix:
    """Return the CSR matrix of a list of rows; O(rows) in Python, as the lists are Python's own."""
    lengths = np.fromiter(map(len, X.rows), np.int64, len(X.rows))
    values = np.fromiter(map(len, X.data), np.int64, len(X.data))
    if len(lengths) != X.shape[0] or not np.array_equal(lengths, values):
        raise InputError(f"{name} has rows with more column ids than values, or fewer. Build it again.")
    row = np.repeat(np.arange(len(lengths)), lengths)
    try:
        column = np.fromiter((i for ids in X.rows for i in ids), np.int64, len(row))
        data = np.fromiter((value for values in X.data for value in values), X.dtype, len(row))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} holds what is no number: {error}. Build the matrix again.") from None
    return _checked_coordinates(row, column, data, X.shape, name)


def _checked_coordinates(
    row: NDArray[Any], column: NDArray[Any], data: NDArray[Any], shape: tuple[int, int], name: str
) -> sparse.csr_matrix:
    """Return the CSR matrix of coordinates that lie inside, with sums that do not wrap round."""
    if not (row.ndim == column.ndim == data.ndim == 1 and len(row) == len(column) == len(data)):
        raise InputError(
            f"{name} has {row.shape} rows and {column.shape} columns for {data.shape} values. "
            "Give each value one of both."
        )
    for ids, n, of in ((row, shape[0], "row"), (column, shape[1], "column")):
        if ids.dtype.kind not in "iu":
            raise InputError(f"{name} has {of} ids of {ids.dtype}; accepted are integers.")
        _check_ids(name, ids, n, of)
    return sparse.coo_matrix((_widened(data), (row, column)), shape=shape).tocsr()


def _widened(data: NDArray[Any]) -> NDArray[Any]:
    """Return values in a dtype that SciPy adds up without wrapping round."""
    if data.dtype.kind in "iu" and data.dtype != np.uint64:
        return data.astype(np.int64, copy=False)
    return data.astype(np.float32) if data.dtype == np.float16 else data


def _from_dense(X: Any, name: str, dtype: DTypeLike | None) -> Csr:
    array = as_numeric(X, name)
    if array.ndim != 2:
        remedy = "Reshape your data: X.reshape(1, -1) for one example, X.reshape(-1, 1) for one feature."
        raise InputError(
            f"Expected 2D array, got {array.ndim}D array of shape {array.shape} as {name}. {remedy}"
        )
    _check_width(array.shape[1], name)
    rows_per_block = max(1, _BLOCK // max(1, array.shape[1]))
    counts, ids = [np.zeros(1, np.int64)], [np.empty(0, np.int32)]
    values = [_cast(np.empty(0, array.dtype), dtype, name)]
    for first, last in blocks(len(array), rows_per_block):
        block = array[first:last]
        row, column = np.nonzero(block)
        counts.append(np.bincount(row, minlength=last - first))
        ids.append(column.astype(np.int32))
        values.append(_cast(block[row, column], dtype, name))
    indptr = np.cumsum(np.concatenate(counts))
    return Csr.trusted(indptr, np.concatenate(ids), np.concatenate(values), array.shape[1])


def _check_width(n_columns: int, name: str) -> None:
    if n_columns > MAX_IDS:
        raise InputError(
            f"{name} has {n_columns} columns; at most {MAX_IDS} are possible. Drop unused columns."
        )


def _with_dtype(csr: Csr, dtype: DTypeLike | None, name: str) -> Csr:
    if csr.data is None:
        data = None if dtype is None else np.ones(csr.nnz, dtype)
    else:
        data = _cast(csr.data, dtype, name)
    return csr if data is csr.data else Csr.trusted(csr.indptr, csr.indices, data, csr.n_columns)


def _cast(data: NDArray[Any], dtype: DTypeLike | None, name: str) -> NDArray[Any]:
    if dtype is None or data.dtype == dtype:
        return data
    return to_float32(data, name) if dtype == np.float32 else data.astype(dtype)


def _without_zeros(csr: Csr) -> Csr:
    if csr.data is None or csr.data.all():
        return csr
    kept = csr.data != 0
    indptr = csr.indptr - np.searchsorted(np.flatnonzero(~kept), csr.indptr)
    return Csr.trusted(indptr, csr.indices[kept], csr.data[kept], csr.n_columns)


def _check_finite(csr: Csr, name: str) -> None:
    if csr.data is None or csr.data.dtype.kind != "f":
        return
    for first, last in blocks(csr.nnz, _BLOCK):
        finite = np.isfinite(csr.data[first:last])
        if not finite.all():
            at = first + first_true(~finite)
            value = "NaN" if np.isnan(csr.data[at]) else "infinity (inf)"
            raise InputError(
                f"{name} contains {value} at row {csr.row_of(at)}, column {csr.indices[at]}. "
                "Values must be finite: replace it or drop the row."
            )


def _is_canonical(indptr: NDArray[Any], indices: NDArray[Any]) -> bool:
    """Tell whether column ids rise strictly within each row. O(nnz), in blocks."""
    for first, last in blocks(int(indptr[-1]) - 1, _BLOCK):
        fallen = np.flatnonzero(indices[first + 1 : last + 1] <= indices[first:last]) + first + 1
        begin = indptr[np.searchsorted(indptr, fallen)]  # of the next row: there the ids may fall
        if (begin != fallen).any():
            return False
    return True
