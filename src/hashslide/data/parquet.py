"""Parquet and Arrow files with list columns: feature ids or names, their values, label ids or names.

Needs the optional extra ``arrow`` (pyarrow).
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide._atomic import atomic_write
from hashslide.csr import Csr
from hashslide.errors import InputError

from ._pairs import checked_pair
from ._repairs import Repairs, fault, warn_repairs
from ._validate import check_count

_METADATA = b"hashslide"
_ROWS_PER_BATCH = 1 << 16


def load_parquet(
    path: str | os.PathLike,
    *,
    features: str = "features",
    values: str | None = "values",
    labels: str = "labels",
    n_features: int | None = None,
    n_labels: int | None = None,
    feature_names=None,
    label_names=None,
    lenient: bool = False,
) -> tuple[csr_matrix, csr_matrix]:
    """Read a data set from list columns of a Parquet or Arrow (IPC, Feather 2) file; the content tells which.

    Parameters
    ----------
    path : str or path
        The file.
    features, labels : str, default="features", "labels"
        Columns with a list of ids from 0, or of names, in each row.
    values : str or None, default="values"
        Column with as many numbers as `features` has ids; None: every value is 1.
    n_features, n_labels : int, optional
        Width of X and Y. By default what `save_parquet` noted in the file, else the largest id decides.
    feature_names, label_names : sequence of str, optional
        Needed where a column holds names: name i gets id i (`parquet_names` collects them). They set the
        width.
    lenient : bool, default=False
        Sort ids, sum values of repeated features, count repeated labels once, read null as an empty list,
        drop names that are not in the given ones, and say so in a `RepairWarning`. A column of names is
        sorted silently.

    Returns
    -------
    X : csr_matrix of float32, shape (points, features)
    Y : csr_matrix of float32, shape (points, labels)
        1 where the point has the label.

    Raises
    ------
    DataFileError
        A column is missing or of another type, or a row is not acceptable (rows are named from 0).
    InputError
        pyarrow is not installed, or an argument is not acceptable.
    OSError
        The file cannot be opened.
    """
    arrow = _pyarrow()
    from ._list_column import ListColumn

    n_features, n_labels = check_count(n_features, "n_features"), check_count(n_labels, "n_labels")
    schema, batches = _open(arrow, path, [c for c in (features, values, labels) if c is not None])
    noted = _noted_widths(path, schema)
    n_features = noted.get("n_features") if n_features is None else n_features
    n_labels = noted.get("n_labels") if n_labels is None else n_labels
    x_type, y_type = schema.field(features).type, schema.field(labels).type
    x = ListColumn(path, features, "feature", x_type, n_features, feature_names, lenient)
    y = ListColumn(path, labels, "label", y_type, n_labels, label_names, lenient)
    for batch in batches:
        x.add(batch.column(features), batch.column(values) if values is not None else None)
        y.add(batch.column(labels), None)
    repairs: Repairs = []
    matrices = x.matrix(repairs), y.matrix(repairs)
    warn_repairs(path, repairs, "row")
    return matrices


def parquet_names(path: str | os.PathLike, column: str) -> NDArray[np.object_]:
    """All names in a list column, sorted: the ids of `load_parquet` for ``feature_names`` or ``label_names``.

    Parameters
    ----------
    path : str or path
        A Parquet or Arrow file.
    column : str
        Column with a list of names in each row.

    Returns
    -------
    ndarray of str objects, shape (names,)

    Raises
    ------
    DataFileError
        The column is missing or holds something else.
    InputError
        pyarrow is not installed.
    """
    arrow = _pyarrow()
    from ._list_column import item_kind

    schema, batches = _open(arrow, path, [column])
    if item_kind(schema.field(column).type) != "names":
        found = f"column {column!r} holds {schema.field(column).type}"
        raise fault(path, "", found, "name a column with a list of names in each row")
    found: set[str] = set()
    for batch in batches:
        found.update(batch.column(column).flatten().unique().to_pylist())
    found.discard(None)
    return np.array(sorted(found), dtype=object)


def save_parquet(path: str | os.PathLike, X, Y) -> None:
    """Write a data set as list columns ``labels``, ``features`` and ``values``; atomic.

    Parameters
    ----------
    path : str or path
        Where to write: an Arrow file if the name ends in ``.arrow`` or ``.feather``, else Parquet.
    X : sparse matrix or array, shape (points, features)
    Y : sparse matrix or array, shape (points, labels)

    Raises
    ------
    InputError
        pyarrow is not installed, X or Y is not a matrix, their numbers of rows differ, or X holds NaN or
        infinity.
    OutputError
        The file cannot be written.
    """
    arrow = _pyarrow()
    x, y = checked_pair(X, Y)
    sizes = json.dumps({"n_features": x.n_columns, "n_labels": y.n_columns})
    ids, reals = arrow.large_list(arrow.int32()), arrow.large_list(arrow.float32())
    schema = arrow.schema({"labels": ids, "features": ids, "values": reals}, metadata={_METADATA: sizes})
    with atomic_write(path) as file, _writer(arrow, path, file, schema) as writer:
        for begin in range(0, x.n_rows, _ROWS_PER_BATCH):
            writer.write_batch(_batch(arrow, x, y, begin, begin + _ROWS_PER_BATCH, schema))


def _pyarrow():
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            "Parquet and Arrow files need pyarrow, which is missing. Run: pip install 'hashslide[arrow]'"
        ) from None
    return pyarrow


def _open(arrow, path: str | os.PathLike, columns: list[str]):
    """Schema of the file and an iterator over record batches with `columns`."""
    with open(path, "rb") as file:
        is_arrow = file.read(6) == b"ARROW1"
    try:
        if is_arrow:
            source = arrow.ipc.open_file(arrow.memory_map(os.fspath(path)))
            schema, batches = source.schema, _arrow_batches(source, columns)
        else:
            source = arrow.parquet.ParquetFile(path)
            schema = source.schema_arrow
            batches = source.iter_batches(batch_size=_ROWS_PER_BATCH, columns=columns)
        names = schema.names
    except _unreadable(arrow) as error:
        found = f"neither a Parquet nor an Arrow file ({error})"
        raise fault(path, "", found, "write the file again") from None
    for column in columns:
        if column not in names:
            found = f"no column {column!r}; there are: {', '.join(names)}"
            remedy = "name the columns with features=, values= and labels= (values=None: every value is 1)"
            raise fault(path, "", found, remedy)
    return schema, _readable(arrow, path, batches)


def _arrow_batches(source, columns: list[str]) -> Iterator:
    for i in range(source.num_record_batches):
        batch = source.get_batch(i).select(columns)
        batch.validate(full=True)  # offsets of a damaged file would lead out of its memory
        yield batch


def _readable(arrow, path: str | os.PathLike, batches: Iterator) -> Iterator:
    try:
        yield from batches
    except _unreadable(arrow) as error:
        raise fault(path, "", f"the data is damaged ({error})", "download or write the file again") from None


def _unreadable(arrow) -> tuple[type[Exception], ...]:
    return (arrow.ArrowException, OSError, ValueError)


def _noted_widths(path: str | os.PathLike, schema) -> dict[str, int]:
    """Widths that `save_parquet` noted, which a file of another origin lacks."""
    text = (schema.metadata or {}).get(_METADATA, b"{}")
    try:
        sizes = json.loads(text)
        return {key: check_count(sizes[key], key) for key in ("n_features", "n_labels") if key in sizes}
    except (ValueError, TypeError):
        found = f"the note of the matrices' widths is {text!r}"
        raise fault(path, "", found, "write the file again with save_parquet") from None


def _writer(arrow, path: str | os.PathLike, file, schema):
    if Path(path).suffix.lower() in (".arrow", ".feather"):
        return arrow.ipc.new_file(file, schema)
    return arrow.parquet.ParquetWriter(file, schema, compression="zstd")


def _batch(arrow, x: Csr, y: Csr, begin: int, end: int, schema):
    def lists(indptr: NDArray, items: NDArray):
        offsets = indptr[begin : end + 1]
        part = items[offsets[0] : offsets[-1]]
        return arrow.LargeListArray.from_arrays(arrow.array(offsets - offsets[0]), arrow.array(part))

    labels = lists(y.indptr, y.indices)
    features, values = lists(x.indptr, x.indices), lists(x.indptr, x.data)
    return arrow.RecordBatch.from_arrays([labels, features, values], schema=schema)
