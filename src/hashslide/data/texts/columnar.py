"""Texts from Parquet and Arrow files. Needs the optional extra ``arrow`` (pyarrow)."""

from itertools import repeat

from hashslide._os_errors import StrPath

from .._repairs import fault
from ..tables.options import check_columns, import_pyarrow
from ..tables.parquet import open_parquet
from .rows import TextRows, columns_remedy

__all__ = ["read_columnar"]


def __dir__() -> list[str]:
    return __all__


def read_columnar(path: StrPath, rows: TextRows) -> None:
    """Read the columns of a file; its rows are counted from 0.

    Raises
    ------
    DataFileError
        A column is missing or of another type, or a row is not acceptable.
    """
    arrow = import_pyarrow()
    from ..tables.arrow_types import is_list, item_kind, plain

    texts = rows.texts

    def choose(names: list[str]) -> list[str]:
        check_columns(path, texts.used, names, columns_remedy(texts))
        return texts.used

    with open_parquet(arrow, path, choose) as table:
        for column in texts.columns:
            kind = table.schema.field(column).type
            if is_list(kind) or item_kind(kind) not in ("names", "nothing"):
                raise fault(path, "", f"column {column!r} holds {kind}", "name a column of texts")
        if texts.labels is not None:
            kind = table.schema.field(texts.labels).type
            if item_kind(kind) not in ("names", "numbers", "nothing"):
                remedy = "name a column of texts or whole numbers, or of lists of them"
                raise fault(path, "", f"column {texts.labels!r} holds {kind}", remedy)
        number = 0
        for batch in table.batches:
            columns = [plain(batch.column(name)).to_pylist() for name in texts.columns]
            labels = repeat(None) if texts.labels is None else plain(batch.column(texts.labels)).to_pylist()
            for *row, names in zip(*columns, labels, strict=False):
                rows.add(number, row, names)
                number += 1
