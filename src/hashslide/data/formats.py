"""Reading and writing by the name of the file."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from scipy.sparse import csr_matrix

from hashslide.errors import InputError

from .npz import load_npz, save_npz
from .parquet import load_parquet, save_parquet
from .svmlight import load_svmlight, save_svmlight
from .xmc import load_xmc, save_xmc


class _Format(NamedTuple):
    suffixes: tuple[str, ...]
    load: Callable
    save: Callable
    text: bool  # may be compressed


_FORMATS = (
    _Format((".txt", ".xmc"), load_xmc, save_xmc, True),
    _Format((".svm", ".svmlight", ".libsvm"), load_svmlight, save_svmlight, True),
    _Format((".npz",), load_npz, save_npz, False),
    _Format((".parquet", ".pq", ".arrow", ".feather"), load_parquet, save_parquet, False),
)


def load(path: str | os.PathLike, *, lenient: bool = False, **options) -> tuple[csr_matrix, csr_matrix]:
    """Read a data set; the suffix of the name chooses the format.

    ========================================  ==================
    ``.txt``, ``.xmc``, also with ``.gz``     `load_xmc`
    ``.svm``, ``.svmlight``, ``.libsvm``,     `load_svmlight`
    also with ``.gz``
    ``.npz``                                  `load_npz`
    ``.parquet``, ``.pq``, ``.arrow``,        `load_parquet`
    ``.feather``
    ========================================  ==================

    Parameters
    ----------
    path : str or path
        The file.
    lenient : bool, default=False
        Repair what is harmless and say so in a `RepairWarning`.
    **options
        More arguments of the format's own function.

    Returns
    -------
    X : csr_matrix of float32, shape (points, features)
    Y : csr_matrix of float32, shape (points, labels)

    Raises
    ------
    InputError
        The suffix is unknown.
    DataFileError
        The file is not acceptable; the message names file, place, what was found and the remedy.
    OSError
        The file cannot be opened.
    """
    return _format_of(path).load(path, lenient=lenient, **options)


def save(path: str | os.PathLike, X, Y, **options) -> None:
    """Write a data set; the suffix of the name chooses the format as in `load`. Atomic.

    Parameters
    ----------
    path : str or path
        Where to write; an existing file is replaced.
    X : sparse matrix or array, shape (points, features)
    Y : sparse matrix or array, shape (points, labels)
    **options
        More arguments of the format's own function.

    Raises
    ------
    InputError
        The suffix is unknown, or X and Y are not acceptable.
    OutputError
        The file cannot be written.
    """
    _format_of(path).save(path, X, Y, **options)


def convert(
    source: str | os.PathLike, target: str | os.PathLike, *, lenient: bool = False, **options
) -> tuple[csr_matrix, csr_matrix]:
    """Read one file and write another; the suffixes choose the formats.

    Parameters
    ----------
    source, target : str or path
        Files; `target` appears whole or not at all.
    lenient : bool, default=False
        As in `load`.
    **options
        More arguments for reading, such as ``zero_based``.

    Returns
    -------
    X, Y : csr_matrix
        What was written.

    Raises
    ------
    InputError
        A suffix is unknown, or both names lead to one file.
    DataFileError
        As in `load`.
    OutputError
        The target cannot be written.
    """
    _format_of(target)
    if Path(target).exists() and Path(source).exists() and os.path.samefile(source, target):
        raise InputError(f"{source} and {target} are one file, which would be lost. Give another target.")
    X, Y = load(source, lenient=lenient, **options)
    save(target, X, Y)
    return X, Y


def suffixes() -> list[str]:
    """Return every suffix that `load` knows, compressed text first."""
    return [s + z for form in _FORMATS for s in form.suffixes for z in ([".gz", ""] if form.text else [""])]


def _format_of(path: str | os.PathLike) -> _Format:
    name = Path(path).name.lower()
    for form in _FORMATS:
        if (name.removesuffix(".gz") if form.text else name).endswith(form.suffixes):
            return form
    known = ", ".join(suffix for form in _FORMATS for suffix in form.suffixes)
    raise InputError(
        f"{os.fspath(path)}: unknown suffix. Known are {known}, the first two kinds also with .gz."
    )
