"""What every reader of tables needs first: pyarrow, and arguments that make sense."""

from typing import TYPE_CHECKING

from hashslide._interface import setting
from hashslide.errors import InputError

from .._rows import check_count

if TYPE_CHECKING:
    from .columns import Columns


def import_pyarrow():
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


def checked(columns: "Columns") -> "Columns":
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
    widths = {name: check_count(getattr(columns, name), name) for name in ("n_features", "n_labels")}
    return columns._replace(**widths)
