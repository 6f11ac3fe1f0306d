"""The names that occur in one column of a table."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from hashslide._os_errors import StrPath, as_path

from .._repairs import fault
from .csv import open_csv
from .options import Columns, checked, import_pyarrow
from .parquet import open_parquet

__all__ = ["table_names"]


def __dir__() -> list[str]:
    return __all__


def table_names(
    path: StrPath, column: str, *, separator: str | None = None, delimiter: str | None = None
) -> NDArray[np.object_]:
    """Return all names in a column, sorted: what `load_parquet` and `load_csv` take as names of ids.

    Parameters
    ----------
    path : str or path
        A CSV file if the name ends in ``.csv`` or ``.tsv``, also with ``.gz``; else a Parquet or Arrow file.
    column : str
        Column with a name, or a list of names, in each row.
    separator : str, optional
        What stands between the names in one text. By default a text is one name.
    delimiter : str, optional
        What stands between two cells of a CSV file, as in `load_csv`.

    Returns
    -------
    ndarray of str objects, shape (names,)

    Raises
    ------
    DataFileError
        The column is missing or holds something else.
    InputError
        pyarrow is not installed, or an argument is not acceptable.
    OSError
        The file cannot be opened.
    """
    arrow = import_pyarrow()
    from .arrow_types import as_strings, item_kind, split_lists
    from .columns import used_columns

    columns = checked(Columns(features=column, values=None, labels=column, separator=separator))
    is_csv = as_path(path).name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))
    if is_csv:
        opened = open_csv(arrow, path, columns, delimiter)
    else:
        opened = open_parquet(arrow, path, partial(used_columns, path, columns))
    names: set[str] = set()
    with opened as table:
        column_type = table.schema.field(column).type
        if item_kind(column_type) not in ("names", "nothing"):
            found = f"column {column!r} holds {column_type}"
            raise fault(path, "", found, "name a column with a name, or a list of names, in each row")
        for batch in table.batches:
            items, _ = split_lists(batch.column(column), separator)
            names.update(as_strings(items.drop_null().unique()).to_pylist())
    return np.array(sorted(names), dtype=object)
