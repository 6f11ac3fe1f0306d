"""Checks and repairs of widths and of CSR arrays from a file (text is checked while it is parsed)."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide._interface import setting
from hashslide._os_errors import StrPath
from hashslide.errors import DataFileError, InputError
from hashslide.settings.limits import MAX_IDS

from ._repairs import Repairs, fault, id_range, or_lenient


class NamedData(NamedTuple):
    """X and Y, and the names of their columns where the data hold names instead of ids, else None."""

    X: csr_matrix
    Y: csr_matrix
    feature_names: NDArray[np.object_] | None
    label_names: NDArray[np.object_] | None


def checked_matrix(
    path: StrPath,
    name: str,
    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    n_columns: int,
    lenient: bool,
    repairs: Repairs,
    first_row: int = 0,
) -> csr_matrix:
    """A clean float32 CSR matrix from ``(data, indices, indptr)`` of a file. Rows are named from `first_row`.

    `name` is "feature" or "label". Repairs are appended to `repairs`. Data is finite in the result, ids
    ascend.
    """
    data, indices, indptr = arrays
    _check_offsets(path, name, indptr, len(indices), len(data))
    _check_ids(path, name, indices, indptr, n_columns, first_row)
    data = _as_float32(data)
    _check_finite(path, name, data, indptr, first_row)
    falls = _falls(indices, indptr)
    if len(falls) and not lenient:
        raise _order_fault(path, name, indices, indptr, falls[0], first_row)
    matrix = csr_matrix(
        (data, indices.astype(np.int32, copy=False), indptr), shape=(len(indptr) - 1, n_columns)
    )
    if len(falls):
        _merge(matrix, name, falls, repairs, first_row)
        _check_finite(path, name, matrix.data, matrix.indptr, first_row)
    matrix.has_canonical_format = True
    return matrix


def row_of(indptr: NDArray[Any], position: int) -> int:
    """Row that holds the stored value at `position`."""
    return int(np.searchsorted(indptr, position, side="right")) - 1


def _as_float32(data: NDArray[Any]) -> NDArray[np.float32]:
    """`data` in single precision; what does not fit becomes infinite."""
    with np.errstate(over="ignore"):
        return data.astype(np.float32, copy=False)


def pattern(
    path: StrPath,
    matrix: csr_matrix,
    lenient: bool,
    repairs: Repairs,
    unit: str = "row",
    first: int = 0,
) -> csr_matrix:
    """`matrix`, which holds labels, with ones where it was not 0; its first `unit` has the number `first`."""
    zeros = np.flatnonzero(matrix.data == 0)
    if len(zeros):
        rows = np.unique(np.searchsorted(matrix.indptr, zeros, side="right") - 1)
        if not lenient:
            found = f"label id {matrix.indices[zeros[0]]} is stored with the value 0"
            remedy = f"leave out what is no label, {or_lenient()}"
            raise fault(path, f"{unit} {first + rows[0]}", found, remedy)
        repairs.append(("zero-label", len(rows), first + int(rows[0])))
        matrix.eliminate_zeros()
    matrix.data[:] = 1
    return matrix


def check_count(value: int | None, name: str) -> int | None:
    """`value` as an int from 0 to the largest number of ids, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__") or not 0 <= value <= MAX_IDS:
        raise InputError(
            f"{setting(name)} is {value!r}. "
            f"Give a number from 0 to {MAX_IDS}, or None for the largest id + 1."
        )
    return int(value)


def _check_offsets(path: StrPath, name: str, indptr: NDArray[Any], n_indices: int, n_data: int) -> None:
    found = None
    if len(indptr) == 0 or indptr[0] != 0 or indptr[-1] != n_indices or (np.diff(indptr) < 0).any():
        found = (
            f"the row offsets of the {name} matrix do not ascend from 0 to {n_indices}, the number of its ids"
        )
    elif n_data != n_indices:
        found = f"the {name} matrix has {n_data} values for {n_indices} ids"
    if found:
        raise fault(path, "", found, "write the file again, for example with save_npz")


def _check_ids(
    path: StrPath,
    name: str,
    indices: NDArray[Any],
    indptr: NDArray[Any],
    n_columns: int,
    first_row: int,
) -> None:
    bad = np.flatnonzero((indices < 0) | (indices >= n_columns))
    if len(bad):
        found = f"{name} id {indices[bad[0]]} is out of range; accepted is {id_range(n_columns)}"
        remedy = f"correct the id, or give a larger number of {name}s"
        raise fault(path, f"row {first_row + row_of(indptr, bad[0])}", found, remedy)


def _check_finite(path: StrPath, name: str, data: NDArray[Any], indptr: NDArray[Any], first_row: int) -> None:
    bad = np.flatnonzero(~np.isfinite(data))
    if len(bad):
        found = f"a {name} value is NaN, infinite or beyond the range of float32"
        raise fault(path, f"row {first_row + row_of(indptr, bad[0])}", found, "replace or drop it")


def _falls(indices: NDArray[Any], indptr: NDArray[Any]) -> NDArray[Any]:
    """Positions whose id is not larger than the one before in the same row."""
    falls = np.flatnonzero(indices[1:] <= indices[:-1]) + 1
    return falls[indptr[np.searchsorted(indptr, falls)] != falls]


def _order_fault(
    path: StrPath,
    name: str,
    indices: NDArray[Any],
    indptr: NDArray[Any],
    position: int,
    first_row: int,
) -> DataFileError:
    repeated = indices[position] == indices[position - 1]
    found = f"{name} id {indices[position]} {'is repeated' if repeated else 'follows a larger one'}"
    remedy = f"sort the {name} ids of each row and give each one once, {or_lenient()}"
    return fault(path, f"row {first_row + row_of(indptr, position)}", found, remedy)


def _merge(matrix: csr_matrix, name: str, falls: NDArray[Any], repairs: Repairs, first_row: int) -> None:
    """Sort the rows of `matrix` and sum repeated ids, in place."""
    rows = np.searchsorted(matrix.indptr, falls, side="right") - 1
    unsorted = np.unique(rows[matrix.indices[falls] < matrix.indices[falls - 1]])
    before = matrix.indptr.copy()
    matrix.sum_duplicates()
    repeated = np.flatnonzero(np.diff(matrix.indptr) < np.diff(before))
    for kind, found in ((f"unsorted-{name}s", unsorted), (f"repeated-{name}", repeated)):
        if len(found):
            repairs.append((kind, len(found), first_row + int(found[0])))
