"""Parquet and Arrow files. Needs the optional extra ``arrow`` (pyarrow)."""

import json
import mmap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide._atomic import atomic_write
from hashslide._os_errors import StrPath, as_path, pass_on_system_errors
from hashslide.csr import Csr

from .._pairs import checked_pair
from .._repairs import fault
from .._rows import NamedData, check_count
from ..sources import open_regular
from .options import Columns, checked, import_pyarrow

if TYPE_CHECKING:
    from .columns import Table

__all__ = ["load_parquet", "open_parquet", "read_parquet", "save_parquet"]


def __dir__() -> list[str]:
    return __all__


_METADATA = b"hashslide"
_ROWS_PER_BATCH = 1 << 16  # that are written together
_ROWS_READ = 1 << 13  # together


def load_parquet(
    path: StrPath,
    *,
    features: str | Sequence[str] = "features",
    values: str | None = "values",
    labels: str = "labels",
    separator: str | None = None,
    n_features: int | None = None,
    n_labels: int | None = None,
    feature_names: Sequence[str] | None = None,
    label_names: Sequence[str] | None = None,
    lenient: bool = False,
) -> tuple[csr_matrix, csr_matrix]:
    """Read a data set from the columns of a Parquet or Arrow (IPC, Feather 2) file; the content tells which.

    Parameters
    ----------
    path : str or path
        The file.
    features : str or sequence of str, default="features"
        One column with a list of ids from 0, or of names, in each row. Several columns, in a list: each is a
        feature with one number in each row; ``"*"`` means all columns but the labels.
    values : str or None, default="values"
        Column with as many numbers as `features` has ids; None: every value is 1. Not used where each feature
        is a column.
    labels : str, default="labels"
        Column with a list of ids from 0, or of names, in each row, or with a single one.
    separator : str, optional
        What stands between the names in columns of text, such as ``";"``. By default a text is one name.
    n_features, n_labels : int, optional
        Width of X and Y. By default what `save_parquet` noted in the file, else the largest id decides.
    feature_names, label_names : sequence of str, optional
        Needed where a column holds names: name i gets id i (`table_names` collects them). They set the width.
    lenient : bool, default=False
        Sort ids, sum values of repeated features, count repeated labels once, read null as an empty list, or
        as 0 where each feature is a column, drop names that are not in the given ones, and say so in a
        `RepairWarning`. A column of names is sorted silently.

    Returns
    -------
    X : csr_matrix of float32, shape (examples, features)
    Y : csr_matrix of float32, shape (examples, labels)
        1 where the example has the label.

    Raises
    ------
    DataFileError
        A column is missing or of another type, or a row is not acceptable (rows are named from 0).
    InputError
        pyarrow is not installed, or an argument is not acceptable.
    OSError
        The file cannot be opened.
    """
    (data,) = read_parquet(
        path,
        features=features,
        values=values,
        labels=labels,
        separator=separator,
        n_features=n_features,
        n_labels=n_labels,
        feature_names=feature_names,
        label_names=label_names,
        lenient=lenient,
    )
    return data.X, data.Y


def read_parquet(path: StrPath, *, limit: int | None = None, **settings: Any) -> Iterator[NamedData]:
    """Yield the blocks of a data set that `load_parquet` reads, with its names; see `read_table`.

    `settings` are those of `Columns`.
    """
    arrow = import_pyarrow()
    from .columns import feature_columns, used_columns
    from .reading import read_table

    columns = checked(Columns(**settings))
    with open_parquet(arrow, path, partial(used_columns, path, columns)) as table:
        noted = _noted_widths(path, table.schema)
        if feature_columns(columns, table.schema.names) is not None:
            noted.pop("n_features", None)
        given: dict[str, Any] = {
            name: width for name, width in noted.items() if getattr(columns, name) is None
        }
        yield from read_table(table, columns._replace(**given), limit)


def save_parquet(path: StrPath, X: Any, Y: Any) -> None:
    """Write a data set as list columns ``labels``, ``features`` and ``values``; atomic.

    Parameters
    ----------
    path : str or path
        Where to write: an Arrow file if the name ends in ``.arrow`` or ``.feather``, else Parquet.
    X : sparse matrix or array, shape (examples, features)
    Y : sparse matrix or array, shape (examples, labels)

    Raises
    ------
    InputError
        pyarrow is not installed, X or Y is not a matrix, their numbers of rows differ, or X holds NaN or
        infinity.
    OutputError
        The file cannot be written.
    """
    arrow = import_pyarrow()
    x, y = checked_pair(X, Y)
    sizes = json.dumps({"n_features": x.n_columns, "n_labels": y.n_columns})
    ids, reals = arrow.large_list(arrow.int32()), arrow.large_list(arrow.float32())
    schema = arrow.schema({"labels": ids, "features": ids, "values": reals}, metadata={_METADATA: sizes})
    with atomic_write(path) as file, _writer(arrow, path, file, schema) as writer:
        for begin in range(0, x.n_rows, _ROWS_PER_BATCH):
            writer.write_batch(_batch(arrow, x, y, begin, begin + _ROWS_PER_BATCH, schema))


@contextmanager
def open_parquet(
    arrow: ModuleType, path: StrPath, choose: Callable[[list[str]], list[str]]
) -> Iterator["Table"]:
    """Open a file; `choose` returns those of its columns that are read, or refuses the file."""
    from .columns import Table

    with open_regular(path) as file:
        is_arrow = file.read(6) == b"ARROW1"
        file.seek(0)
        try:
            if is_arrow:
                memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                source = arrow.ipc.open_file(arrow.BufferReader(arrow.py_buffer(memory)))
                schema = source.schema
            else:
                source = arrow.parquet.ParquetFile(file)
                schema = source.schema_arrow
            names = schema.names
        except _unreadable(arrow) as error:
            pass_on_system_errors(error)
            found = f"neither a Parquet nor an Arrow file ({error})"
            raise fault(path, "", found, "write the file again") from None
        used = choose(names)
        if is_arrow:
            batches = _arrow_batches(source, used)
        else:
            batches = source.iter_batches(batch_size=_ROWS_READ, columns=used)
        yield Table(path, schema, _readable(arrow, path, batches), text=False)


def _arrow_batches(source: Any, columns: list[str]) -> Iterator[Any]:
    for i in range(source.num_record_batches):
        batch = source.get_batch(i).select(columns)
        batch.validate(full=True)  # offsets of a damaged file would lead out of its memory
        for first in range(0, batch.num_rows, _ROWS_READ):
            yield batch.slice(first, _ROWS_READ)


def _readable(arrow: ModuleType, path: StrPath, batches: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from batches
    except _unreadable(arrow) as error:
        pass_on_system_errors(error)
        raise fault(path, "", f"the data is damaged ({error})", "download or write the file again") from None


def _unreadable(arrow: ModuleType) -> tuple[type[Exception], ...]:
    return (arrow.ArrowException, OSError, ValueError)


def _noted_widths(path: StrPath, schema: Any) -> dict[str, int | None]:
    """Widths that `save_parquet` noted, which a file of another origin lacks."""
    text = (schema.metadata or {}).get(_METADATA, b"{}")
    try:
        sizes = json.loads(text)
        return {key: check_count(sizes[key], key) for key in ("n_features", "n_labels") if key in sizes}
    except (ValueError, TypeError):
        found = f"the note of the matrices' widths is {text!r}"
        raise fault(path, "", found, "write the file again") from None


def _writer(arrow: ModuleType, path: StrPath, file: BinaryIO, schema: Any) -> Any:
    if as_path(path).suffix.lower() in (".arrow", ".feather"):
        return arrow.ipc.new_file(file, schema)
    return arrow.parquet.ParquetWriter(file, schema, compression="zstd")


def _batch(arrow: ModuleType, x: Csr, y: Csr, begin: int, end: int, schema: Any) -> Any:
    def lists(indptr: NDArray[Any], items: NDArray[Any]) -> Any:
        offsets = indptr[begin : end + 1]
        part = items[offsets[0] : offsets[-1]]
        return arrow.LargeListArray.from_arrays(arrow.array(offsets - offsets[0]), arrow.array(part))

    labels = lists(y.indptr, y.indices)
    features, values = lists(x.indptr, x.indices), lists(x.indptr, x.values)
    return arrow.RecordBatch.from_arrays([labels, features, values], schema=schema)
