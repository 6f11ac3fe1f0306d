"""What the columns of Arrow tables hold, whatever the way they are stored in. Imports pyarrow."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = [
    "as_numbers",
    "as_strings",
    "is_list",
    "item_kind",
    "item_type",
    "null_rows",
    "plain",
    "plain_type",
    "split_lists",
]


def __dir__() -> list[str]:
    return __all__


_LISTS = ("is_list", "is_large_list", "is_fixed_size_list", "is_list_view", "is_large_list_view")
_NAMES = (
    *("is_string", "is_large_string", "is_string_view"),
    *("is_binary", "is_large_binary", "is_binary_view", "is_fixed_size_binary"),
)
_NUMBERS = ("is_integer", "is_floating", "is_decimal")


def plain_type(column_type: pa.DataType) -> pa.DataType:
    """Return the type of `plain` of an array of the given type."""
    while True:
        if isinstance(column_type, pa.BaseExtensionType):
            column_type = column_type.storage_type
        elif pa.types.is_dictionary(column_type) or _is(column_type, ("is_run_end_encoded",)):
            column_type = column_type.value_type
        else:
            return column_type


def plain(array: pa.Array) -> pa.Array:
    """Return the values themselves: without extension type, dictionary and run ends."""
    while True:
        if isinstance(array.type, pa.BaseExtensionType):
            array = array.storage
        elif pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        elif _is(array.type, ("is_run_end_encoded",)):
            array = pc.run_end_decode(array)
        else:
            return array


def is_list(column_type: pa.DataType) -> bool:
    """Tell whether each row holds a list."""
    return _is(plain_type(column_type), _LISTS)


def item_type(column_type: pa.DataType) -> pa.DataType:
    """Return the type of a column's items: those of its lists, or the column's own."""
    column_type = plain_type(column_type)
    return plain_type(column_type.value_type) if _is(column_type, _LISTS) else column_type


def item_kind(column_type: pa.DataType) -> str:
    """Return what the items are: "numbers", "names", "truth values", "nothing" (only nulls), or ""."""
    item = item_type(column_type)
    if _is(item, _NUMBERS):
        return "numbers"
    if _is(item, _NAMES):
        return "names"
    if pa.types.is_boolean(item):
        return "truth values"
    return "nothing" if pa.types.is_null(item) else ""


def null_rows(array: pa.Array) -> NDArray[np.int64]:
    """Return the positions that are null."""
    return np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False))


def as_numbers(items: pa.Array) -> NDArray[Any]:
    """Return plain items without nulls as a NumPy array of integers or floats."""
    if pa.types.is_integer(items.type) or pa.types.is_floating(items.type):
        return items.to_numpy(zero_copy_only=False)
    if pa.types.is_boolean(items.type):
        items = items.cast(pa.int8())
    return items.cast(pa.float64()).to_numpy(zero_copy_only=False)


def as_strings(items: pa.Array) -> pa.Array:
    """Return names as strings.

    Raises
    ------
    pyarrow.ArrowInvalid
        They are bytes that are not UTF-8.
    """
    return items.cast(pa.large_string())


def split_lists(column: pa.Array, separator: str | None) -> tuple[pa.Array, NDArray[np.int64]]:
    """Return the items of all rows, and how many each row has.

    A null has none. A row of a column without lists has one item, or, of text, those between separators;
    empty text has none.
    """
    column = plain(column)
    if not _is(column.type, _LISTS):
        if not _is(column.type, _NAMES):
            lengths = column.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
            return column.drop_null(), lengths
        return _split_text(as_strings(column), separator)
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    items = plain(column.flatten())
    return items, lengths.to_numpy(zero_copy_only=False).astype(np.int64)


def _split_text(column: pa.Array, separator: str | None) -> tuple[pa.Array, NDArray[np.int64]]:
    if separator is None:
        items, rows = column, np.arange(len(column))
    else:
        lists = pc.split_pattern(column, separator)
        items = pc.utf8_trim_whitespace(lists.flatten())
        lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
        rows = np.repeat(np.arange(len(column)), lengths)
    filled = pc.fill_null(pc.not_equal(items, ""), False)
    rows = rows[filled.to_numpy(zero_copy_only=False)]
    return items.filter(filled), np.bincount(rows, minlength=len(column))


def _is(column_type: pa.DataType, kinds: tuple[str, ...]) -> bool:
    """Tell whether a type is of one of the kinds; older pyarrow lacks some of them."""
    return any(hasattr(pa.types, kind) and getattr(pa.types, kind)(column_type) for kind in kinds)
