"""One column of ids or names, one or several in each row, on its way to a CSR matrix. Imports pyarrow."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide._interface import setting, wording
from hashslide.errors import InputError
from hashslide.settings.limits import MAX_IDS

from .._repairs import Repairs, fault, id_range, or_lenient
from .._rows import checked_matrix, row_of
from .arrow_types import as_numbers, as_strings, is_list, item_kind, null_rows, plain, split_lists
from .columns import Table
from .options import Columns
from .rows import RowCollector

__all__ = ["ListColumn", "NameList"]


def __dir__() -> list[str]:
    return __all__


_INTEGER = r"^[+-]?[0-9]{1,18}$"


class NameList:
    """Ids of names: given ones, or all that occur.

    Parameters
    ----------
    names : sequence of str or None
        Name i has id i. None: every name that is looked up gets an id.
    argument : str
        What messages call the names.
    known : dict from str to int, optional
        Ids of names from elsewhere, which grows by those that are looked up.
    """

    def __init__(
        self, names: Sequence[str] | None, argument: str, known: dict[str, int] | None = None
    ) -> None:
        self.is_given = names is not None
        given = [str(name) for name in names] if names is not None else []
        self._ids = {name: i for i, name in enumerate(given)} if self.is_given or known is None else known
        if len(self._ids) < len(given):
            raise InputError(f"{setting(argument)} holds a name twice. Give every id a name of its own.")

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self, names: pa.Array) -> NDArray[np.int64]:
        """Return the ids of an array of strings; -1 for one that is not among the given ones."""
        distinct = names.unique()
        if self.is_given:
            ids = [self._ids.get(name, -1) for name in distinct.to_pylist()]
        else:
            ids = [self._ids.setdefault(name, len(self._ids)) for name in distinct.to_pylist()]
        places = pc.index_in(names, value_set=distinct).to_numpy(zero_copy_only=False)
        return np.array(ids, np.int64)[places] if len(ids) else np.empty(0, np.int64)

    def array(self) -> NDArray[np.object_]:
        """Return the names by id."""
        return np.array(list(self._ids), dtype=object)


class ListColumn:
    """Collects the rows of a column of ids or names, batch by batch.

    Parameters
    ----------
    table : Table
    columns : Columns
    kind : {"feature", "label"}
    """

    def __init__(self, table: Table, columns: Columns, kind: str) -> None:
        self._path, self._text, self._kind = table.path, table.text, kind
        self._column: str = getattr(columns, f"{kind}s")
        self._lenient, self._separator = columns.lenient, columns.separator
        self._n: int | None = getattr(columns, f"n_{kind}s")
        given = getattr(columns, f"{kind}_names")
        is_named = given is not None or columns.collect_names
        known = None if columns.known_names is None else columns.known_names[kind]
        self._names = NameList(given, f"{kind}_names", known) if is_named else None
        self._rows, self._largest = RowCollector(table.path), -1
        self._check_type(table.schema.field(self._column).type)

    def add(self, column: pa.Array, values: pa.Array | None) -> None:
        """Append the rows of one batch; every value is 1 without `values`."""
        self._check_null_rows(plain(column))
        items, lengths = self._split(column)
        ids = self._checked_ids(items, lengths) if self._names is None else self._look_up(items, lengths)
        data = np.ones(len(ids), np.float32) if values is None else self._values(values, lengths)
        if len(ids) and ids.min() < 0:
            ids, data, lengths = self._drop_unknown(ids, data, lengths)
        self._rows.extend(ids, data, lengths)

    @property
    def n_items(self) -> int:
        """Ids of the rows that `matrix` has not returned yet."""
        return self._rows.n_items

    def matrix(self, repairs: Repairs) -> csr_matrix:
        """Return the CSR matrix of the rows since the last time, as wide as all rows so far ask for.

        What was repaired is appended to `repairs`.
        """
        data, ids, indptr, first_row = self._rows.take(repairs)
        self._largest = max(self._largest, int(ids.max(initial=-1)))
        n = self._n if self._names is None else len(self._names)
        n = self._largest + 1 if n is None else n
        if self._names is not None:  # the order of names in a row means nothing
            by_name = csr_matrix((data, ids, indptr), shape=(len(indptr) - 1, n))
            by_name.sort_indices()
            data, ids, indptr = by_name.data, by_name.indices, by_name.indptr
        arrays = data, ids, indptr
        matrix = checked_matrix(self._path, self._kind, arrays, n, self._lenient, repairs, first_row)
        if self._kind == "label":
            matrix.data[:] = 1
        return matrix

    def names(self) -> NDArray[np.object_] | None:
        """Return the names of the ids, if the column holds names."""
        return None if self._names is None else self._names.array()

    def _check_type(self, column_type: pa.DataType) -> None:
        kind, found = item_kind(column_type), f"column {self._column!r} holds {column_type}"
        if kind not in ("numbers", "names", "nothing"):
            remedy = "give integer ids, or names, or a list of these in each row"
            raise fault(self._path, "", found, remedy)
        if kind == "numbers" and self._kind == "feature" and not is_list(column_type):
            remedy = wording(
                f"give {setting('features', [self._column])} if each column is a feature",
                f"write {setting('features')} '{self._column},' if each column is a feature",
            )
            raise fault(self._path, "", f"{found}, not lists", remedy)
        if kind == "names" and self._names is None and not self._text:
            raise fault(self._path, "", f"column {self._column!r} holds names", self._names_remedy())
        if kind == "numbers" and self._names is not None and self._names.is_given:
            remedy = f"leave out {setting(f'{self._kind}_names')}"
            raise fault(self._path, "", f"column {self._column!r} holds ids", remedy)
        if kind == "numbers":
            self._names = None

    def _names_remedy(self) -> str:
        return f"give {setting(f'{self._kind}_names')}; table_names(path, {self._column!r}) collects them"

    def _check_null_rows(self, column: pa.Array) -> None:
        rows = null_rows(column)
        if len(rows) and not self._lenient:
            remedy = f"write an empty list, {or_lenient()}"
            raise self._rows.fault(rows[0], f"column {self._column!r} is null", remedy)
        self._rows.note("null-list", rows)

    def _split(self, column: pa.Array) -> tuple[pa.Array, NDArray[Any]]:
        try:
            items, lengths = split_lists(column, self._separator)
            items = as_strings(items) if item_kind(column.type) == "names" else items
        except pa.ArrowInvalid as error:
            raise fault(self._path, "", f"column {self._column!r}: {error}", "write names in UTF-8") from None
        if items.null_count:
            row = _row_at(lengths, null_rows(items)[0])
            found = f"a null in the list of {self._kind}s or values"
            raise self._rows.fault(row, found, "drop it or give it a value")
        return items, lengths

    def _checked_ids(self, items: pa.Array, lengths: NDArray[Any]) -> NDArray[Any]:
        ids = self._text_ids(items, lengths) if self._text else as_numbers(items)
        ids = ids.astype(np.float64) if ids.dtype == np.float16 else ids  # which ends before the limit
        bad = np.flatnonzero(ids != np.floor(ids)) if ids.dtype.kind == "f" else np.empty(0, np.intp)
        if len(bad):
            found = f"{self._kind} id {ids[bad[0]]} is not an integer"
            raise self._rows.fault(_row_at(lengths, bad[0]), found, "give integer ids, or names")
        limit = MAX_IDS if self._n is None else self._n
        bad = np.flatnonzero(~((ids >= 0) & (ids < limit)))
        if len(bad):
            found = f"{self._kind} id {ids[bad[0]]} is out of range; accepted is {id_range(limit)}"
            remedy = f"correct the id, or give a larger {setting(f'n_{self._kind}s')}"
            raise self._rows.fault(_row_at(lengths, bad[0]), found, remedy)
        return ids

    def _text_ids(self, items: pa.Array, lengths: NDArray[Any]) -> NDArray[np.int64]:
        items = as_strings(items)
        is_id = pc.match_substring_regex(items, _INTEGER).to_numpy(zero_copy_only=False)
        bad = np.flatnonzero(~is_id)
        if len(bad):
            found = f"{items[int(bad[0])].as_py()!r} in column {self._column!r} is no {self._kind} id"
            more = f", or {setting('separator')} if it is several ids" if self._separator is None else ""
            raise self._rows.fault(_row_at(lengths, bad[0]), found, f"{self._names_remedy()}{more}")
        return items.cast(pa.int64()).to_numpy(zero_copy_only=False)

    def _look_up(self, items: pa.Array, lengths: NDArray[Any]) -> NDArray[np.int64]:
        """Return ids of names; -1 for one that is not known."""
        assert self._names is not None
        ids = self._names.ids(as_strings(items))
        bad = np.flatnonzero(ids < 0)
        if len(bad) and not self._lenient:
            names = setting(f"{self._kind}_names")
            found = f"{self._kind} name {items[int(bad[0])].as_py()!r} is not in {names}"
            remedy = f"add it to {names}, {or_lenient()} to drop it"
            raise self._rows.fault(_row_at(lengths, bad[0]), found, remedy)
        return ids

    def _values(self, values: pa.Array, lengths: NDArray[Any]) -> NDArray[Any]:
        kind = item_kind(values.type)
        if not self._text and kind not in ("numbers", "truth values", "nothing"):
            found = f"the column of values holds {values.type}"
            raise fault(self._path, "", found, "give a list of numbers in each row")
        items, value_lengths = self._split(values)
        rows = np.flatnonzero(value_lengths != lengths)
        if len(rows):
            found = f"{lengths[rows[0]]} ids but {value_lengths[rows[0]]} values"
            raise self._rows.fault(rows[0], found, "give each id one value")
        try:
            return as_numbers(items)
        except pa.ArrowInvalid as error:
            raise fault(self._path, "", f"the column of values: {error}", "give numbers") from None

    def _drop_unknown(
        self, ids: NDArray[Any], data: NDArray[Any], lengths: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        rows = np.repeat(np.arange(len(lengths)), lengths)
        known = ids >= 0
        self._rows.note("unknown-name", np.unique(rows[~known]))
        return ids[known], data[known], np.bincount(rows[known], minlength=len(lengths))


def _row_at(lengths: NDArray[Any], position: int) -> int:
    return row_of(np.concatenate([[0], np.cumsum(lengths)]), position)
