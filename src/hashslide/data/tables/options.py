"""Settings and result of the readers of tables, and pyarrow, which they need."""

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import NamedTuple

from hashslide._interface import setting
from hashslide._os_errors import StrPath
from hashslide.errors import InputError

from .._repairs import fault
from .._rows import check_count

__all__ = ["Columns", "check_columns", "checked", "import_pyarrow"]


def __dir__() -> list[str]:
    return __all__


class Columns(NamedTuple):
    """Which columns of a table are what, and how they are read; see `load_parquet`."""

    features: str | Sequence[str] = "features"
    values: str | None = "values"
    labels: str = "labels"
    separator: str | None = None
    n_features: int | None = None
    n_labels: int | None = None
    feature_names: Sequence[str] | None = None
    label_names: Sequence[str] | None = None
    collect_names: bool = False
    known_names: Mapping[str, dict[str, int]] | None = None
    lenient: bool = False


def import_pyarrow() -> ModuleType:
    """Return pyarrow with the modules for files.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            "Parquet, Arrow and CSV files need pyarrow, which is missing. Run: pip install 'hashslide[arrow]'"
        ) from None
    return pyarrow


def check_columns(path: StrPath, wanted: Sequence[str], names: Sequence[str], remedy: str) -> None:
    """Look whether a table has all columns that are wanted.

    Raises
    ------
    DataFileError
        A column is missing, or two bear the same name.
    """
    for column in wanted:
        if names.count(column) != 1:
            found = f"{'no column' if column not in names else 'two columns'} {column!r}"
            raise fault(path, "", f"{found}; there are: {', '.join(names)}", remedy)


def checked(columns: Columns) -> Columns:
    """Return the settings with widths as Python's own integers.

    Raises
    ------
    InputError
        A setting is not acceptable.
    """
    for name in ("features", "values", "labels", "separator"):
        value = getattr(columns, name)
        if name == "features" and isinstance(value, list | tuple) and value:
            continue
        if value is None and name in ("values", "separator"):
            continue
        if not isinstance(value, str) or not value:
            what = "the text that stands between two names" if name == "separator" else "the name of a column"
            raise InputError(f"{setting(name)} is {value!r}. Give {what}.")
    return columns._replace(
        n_features=check_count(columns.n_features, "n_features"),
        n_labels=check_count(columns.n_labels, "n_labels"),
    )
