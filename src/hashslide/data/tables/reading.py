"""From the batches of a table to X and Y. Imports pyarrow."""

from collections.abc import Iterator

import numpy as np

from hashslide._interface import setting
from hashslide.errors import InputError

from .._repairs import Repairs, joined, warn_repairs
from .._rows import NamedData
from .columns import Table, feature_columns
from .list_column import ListColumn
from .number_columns import NumberColumns
from .options import Columns

__all__ = ["read_table"]


def __dir__() -> list[str]:
    return __all__


def read_table(table: Table, columns: Columns, limit: int | None = None) -> Iterator[NamedData]:
    """Yield the rows of a table in blocks.

    limit: about the number of ids in a block; None: all in one. Only the last block has the final widths, and
    the names.

    Raises
    ------
    DataFileError
        A column is of another type, or a row is not acceptable.
    InputError
        A setting does not go with the others.
    """
    labels = ListColumn(table, columns, "label")
    dense = feature_columns(columns, table.schema.names)
    features: ListColumn | NumberColumns
    if dense is None:
        features = ListColumn(table, columns, "feature")
    else:
        _check_dense(columns)
        types = [table.schema.field(name).type for name in dense]
        features = NumberColumns(table.path, dense, types, columns.lenient)
    repairs: Repairs = []
    for batch in table.batches:
        if isinstance(features, NumberColumns):
            features.add(batch)
        else:
            values = None if columns.values is None else batch.column(columns.values)
            features.add(batch.column(columns.features), values)
        labels.add(batch.column(columns.labels), None)
        if limit is not None and features.n_items + labels.n_items >= limit:
            yield NamedData(features.matrix(repairs), labels.matrix(repairs), None, None)
    matrices = features.matrix(repairs), labels.matrix(repairs)
    warn_repairs(table.path, joined(repairs), "row")
    feature_names = np.array(dense, dtype=object) if isinstance(features, NumberColumns) else features.names()
    yield NamedData(*matrices, feature_names, labels.names())


def _check_dense(columns: Columns) -> None:
    if columns.feature_names is not None or columns.n_features is not None:
        raise InputError(
            "each feature is a column, so that their names and number are known. "
            f"Leave out {setting('feature_names')} and {setting('n_features')}."
        )
