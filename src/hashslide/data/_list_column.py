"""One list column of ids or names of an Arrow table, on its way to a CSR matrix. Imports pyarrow."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide.errors import DataFileError, InputError
from hashslide.selection import MAX_IDS

from ._repairs import LENIENT, Repairs, fault, id_range
from ._rows import checked_matrix, row_of


class GrowingArray:
    """One-dimensional array that grows by realloc, so its items are never held twice."""

    def __init__(self, dtype: type) -> None:
        self._array = np.empty(0, dtype)
        self._size = 0

    def extend(self, items: NDArray) -> None:
        size = self._size + len(items)
        if size > len(self._array):
            self._array.resize(max(size, len(self._array) * 5 // 4), refcheck=False)
        # A value beyond float32 becomes infinite here and is refused later, with its row.
        with np.errstate(over="ignore"):
            self._array[self._size : size] = items
        self._size = size

    def finish(self) -> NDArray:
        self._array.resize(self._size, refcheck=False)
        return self._array


def item_kind(column_type: pa.DataType) -> str:
    """What the lists of a column hold: "ids", "numbers", "names", or "" if it has no lists of these."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_kind(column_type) for is_kind in lists):
        return ""
    item = column_type.value_type
    item = item.value_type if pa.types.is_dictionary(item) else item
    if pa.types.is_integer(item):
        return "ids"
    if pa.types.is_floating(item):
        return "numbers"
    return "names" if pa.types.is_string(item) or pa.types.is_large_string(item) else ""


def list_lengths(lists: pa.Array) -> NDArray[np.int64]:
    """Items in each row; 0 where the row is null."""
    return pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)


def null_rows(array: pa.Array) -> NDArray[np.int64]:
    """Positions that are null."""
    return np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))


class ListColumn:
    """Collects the rows of a list column of ids or names, batch by batch.

    Parameters
    ----------
    path, column
        Where the rows come from, for messages.
    kind : {"feature", "label"}
    column_type : pyarrow.DataType
    n : int or None
        Width of the matrix; None: largest id + 1.
    names : sequence of str or None
        Names of the ids, for a column of names; they set the width.
    lenient : bool
        As in `load_parquet`.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        column: str,
        kind: str,
        column_type: pa.DataType,
        n: int | None,
        names,
        lenient: bool,
    ) -> None:
        self._path, self._column, self._kind, self._lenient = path, column, kind, lenient
        self._names = None if names is None else _name_array(names, f"{kind}_names")
        self._n = n if names is None else len(self._names)
        self._check_type(column_type)
        self._ids = GrowingArray(np.int32)
        self._data = GrowingArray(np.float32)
        self._lengths = GrowingArray(np.int64)
        self._rows = 0
        self._repairs: dict[str, tuple[int, int]] = {}

    def add(self, lists: pa.Array, values: pa.Array | None) -> None:
        """Append the rows of one batch; every value is 1 without `values`."""
        self._check_null_lists(lists)
        lengths = list_lengths(lists)
        items = self._items(lists, lengths)
        ids = self._checked_ids(items, lengths) if self._names is None else self._look_up(items, lengths)
        data = np.ones(len(ids), np.float32) if values is None else self._values(values, lengths)
        if len(ids) and ids.min() < 0:
            ids, data, lengths = self._drop_unknown(ids, data, lengths)
        self._ids.extend(ids)
        self._data.extend(data)
        self._lengths.extend(lengths)
        self._rows += len(lengths)

    def matrix(self, repairs: Repairs) -> csr_matrix:
        """The CSR matrix of all rows; what was repaired is appended to `repairs`."""
        repairs.extend((kind, *counts) for kind, counts in self._repairs.items())
        data, ids = self._data.finish(), self._ids.finish()
        indptr = np.concatenate([[0], np.cumsum(self._lengths.finish())])
        n = int(ids.max(initial=-1)) + 1 if self._n is None else self._n
        if self._names is not None:  # the order of names in a row means nothing
            by_name = csr_matrix((data, ids, indptr), shape=(self._rows, n))
            by_name.sort_indices()
            data, ids, indptr = by_name.data, by_name.indices, by_name.indptr
        matrix = checked_matrix(self._path, self._kind, (data, ids, indptr), n, self._lenient, repairs)
        if self._kind == "label":
            matrix.data[:] = 1
        return matrix

    def _check_type(self, column_type: pa.DataType) -> None:
        kind = item_kind(column_type)
        if kind not in ("ids", "names"):
            remedy = "give a list of integer ids, or of names, in each row"
            raise fault(self._path, "", f"column {self._column!r} holds {column_type}", remedy)
        if kind == "names" and self._names is None:
            remedy = f"pass {self._kind}_names; parquet_names(path, {self._column!r}) collects them"
            raise fault(self._path, "", f"column {self._column!r} holds names", remedy)
        if kind == "ids" and self._names is not None:
            raise fault(self._path, "", f"column {self._column!r} holds ids", f"leave out {self._kind}_names")

    def _check_null_lists(self, lists: pa.Array) -> None:
        rows = null_rows(lists)
        if len(rows) and not self._lenient:
            raise self._fault(rows[0], f"column {self._column!r} is null", f"write an empty list, {LENIENT}")
        self._note("null-list", rows)

    def _items(self, lists: pa.Array, lengths: NDArray) -> pa.Array:
        items = lists.flatten()
        if items.null_count:
            row = _row_at(lengths, null_rows(items)[0])
            raise self._fault(
                row, f"a null in the list of {self._kind}s or values", "drop it or give it a value"
            )
        return items.dictionary_decode() if pa.types.is_dictionary(items.type) else items

    def _checked_ids(self, items: pa.Array, lengths: NDArray) -> NDArray:
        ids = items.to_numpy(zero_copy_only=False)
        limit = MAX_IDS if self._n is None else self._n
        bad = np.flatnonzero((ids < 0) | (ids >= limit))
        if len(bad):
            found = f"{self._kind} id {ids[bad[0]]} is out of range; accepted is {id_range(limit)}"
            raise self._fault(
                _row_at(lengths, bad[0]), found, f"correct the id, or pass a larger n_{self._kind}s"
            )
        return ids

    def _look_up(self, items: pa.Array, lengths: NDArray) -> NDArray[np.int64]:
        """Ids of names; -1 for one that is not known."""
        found = pc.index_in(items, value_set=self._names.cast(items.type))
        ids = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        bad = np.flatnonzero(ids < 0)
        if len(bad) and not self._lenient:
            text = f"{self._kind} name {items[int(bad[0])].as_py()!r} is not in {self._kind}_names"
            raise self._fault(
                _row_at(lengths, bad[0]), text, f"add it to {self._kind}_names, {LENIENT} to drop it"
            )
        return ids

    def _values(self, values: pa.Array, lengths: NDArray) -> NDArray:
        if item_kind(values.type) not in ("ids", "numbers"):
            raise fault(
                self._path,
                "",
                f"the column of values holds {values.type}",
                "give a list of numbers in each row",
            )
        value_lengths = list_lengths(values)
        rows = np.flatnonzero(value_lengths != lengths)
        if len(rows):
            found = f"{lengths[rows[0]]} ids but {value_lengths[rows[0]]} values"
            raise self._fault(rows[0], found, "give each id one value")
        return self._items(values, lengths).to_numpy(zero_copy_only=False)

    def _drop_unknown(
        self, ids: NDArray, data: NDArray, lengths: NDArray
    ) -> tuple[NDArray, NDArray, NDArray]:
        rows = np.repeat(np.arange(len(lengths)), lengths)
        known = ids >= 0
        self._note("unknown-name", np.unique(rows[~known]))
        return ids[known], data[known], np.bincount(rows[known], minlength=len(lengths))

    def _note(self, kind: str, rows: NDArray) -> None:
        if len(rows):
            count, first = self._repairs.get(kind, (0, self._rows + int(rows[0])))
            self._repairs[kind] = (count + len(rows), first)

    def _fault(self, row: int, found: str, remedy: str) -> DataFileError:
        return fault(self._path, f"row {self._rows + int(row)}", found, remedy)


def _row_at(lengths: NDArray, position: int) -> int:
    return row_of(np.concatenate([[0], np.cumsum(lengths)]), position)


def _name_array(names, argument: str) -> pa.Array:
    array = pa.array([str(name) for name in names], type=pa.string())
    if len(pc.unique(array)) != len(array):
        raise InputError(f"{argument} holds a name twice. Give every id a name of its own.")
    return array
