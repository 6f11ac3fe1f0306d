"""NumPy archives: both matrices in one ``.npz``, or a pair of files written by ``scipy.sparse.save_npz``."""

import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide._atomic import atomic_write
from hashslide._interface import setting
from hashslide._os_errors import StrPath, pass_on_system_errors
from hashslide.settings.limits import MAX_IDS

from ._pairs import checked_pair
from ._repairs import Repairs, fault, warn_repairs
from ._rows import checked_matrix, pattern
from .sources import open_regular

__all__ = ["load_npz", "save_npz"]


def __dir__() -> list[str]:
    return __all__


_KEYS = ("data", "indices", "indptr", "shape")
# What np.load raises for other content, broken archives, pickled objects and foreign kinds of compression.
_UNREADABLE = (ValueError, EOFError, OSError, AttributeError, RuntimeError, zipfile.BadZipFile, zlib.error)


def load_npz(
    path: StrPath, labels_file: StrPath | None = None, *, lenient: bool = False
) -> tuple[csr_matrix, csr_matrix]:
    """Read a data set from NumPy archives; pickled objects are never loaded.

    Parameters
    ----------
    path : str or path
        An archive of `save_npz`, or, with `labels_file`, the feature matrix as written by
        ``scipy.sparse.save_npz``.
    labels_file : str or path, optional
        The label matrix as written by ``scipy.sparse.save_npz``: a label for every stored value.
    lenient : bool, default=False
        Sort ids, sum values of repeated features, count repeated labels once, drop labels stored with the
        value 0, and say so in a `RepairWarning`.

    Returns
    -------
    X : csr_matrix of float32, shape (examples, features)
    Y : csr_matrix of float32, shape (examples, labels)
        1 where the example has the label.

    Raises
    ------
    DataFileError
        An archive is damaged, holds something else, is not CSR, or its ids or values are not acceptable.
    OSError
        A file cannot be opened.
    """
    if labels_file is None:
        x = _read(path, "X_", "feature", lenient)
        y = _read(path, "Y_", "label", lenient)
    else:
        x = _read(path, "", "feature", lenient)
        y = _read(labels_file, "", "label", lenient)
    if x.shape[0] != y.shape[0]:
        found = f"{x.shape[0]} rows of features and {y.shape[0]} rows of labels"
        raise fault(path, "", found, "give two matrices with one row for each example")
    return x, y


def save_npz(path: StrPath, X: Any, Y: Any) -> None:
    """Write a data set as one compressed NumPy archive; it appears whole or not at all.

    The arrays are named as in ``scipy.sparse.save_npz`` behind the prefixes ``X_`` and ``Y_``; labels have no
    values.

    Parameters
    ----------
    path : str or path
        Where to write, with any suffix; an existing file is replaced.
    X : sparse matrix or array, shape (examples, features)
    Y : sparse matrix or array, shape (examples, labels)

    Raises
    ------
    InputError
        X or Y is not a matrix, their numbers of rows differ, or X holds NaN or infinity.
    OutputError
        The file cannot be written.
    """
    x, y = checked_pair(X, Y)
    with atomic_write(path) as file:
        np.savez_compressed(
            file,
            X_data=x.values,
            X_indices=x.indices,
            X_indptr=x.indptr,
            X_shape=np.array(x.shape, dtype=np.int64),
            Y_indices=y.indices,
            Y_indptr=y.indptr,
            Y_shape=np.array(y.shape, dtype=np.int64),
        )


def _read(path: StrPath, prefix: str, name: str, lenient: bool) -> csr_matrix:
    arrays = _arrays(path, prefix)
    data, indices, indptr, shape = (arrays[key] for key in _KEYS)
    if shape.shape != (2,) or shape[0] != len(indptr) - 1 or not 0 <= shape[1] <= MAX_IDS:
        found = f"shape {shape.tolist()} of the {name} matrix does not fit its {len(indptr)} row offsets"
        raise fault(path, "", found, "write the file again")
    repairs: Repairs = []
    matrix = checked_matrix(path, name, (data, indices, indptr), int(shape[1]), lenient, repairs)
    if name == "label":
        matrix = pattern(path, matrix, lenient, repairs)
    warn_repairs(path, repairs, "row")
    return matrix


def _arrays(path: StrPath, prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays of one matrix, one-dimensional and of a numeric kind each."""
    with open_regular(path) as file:
        try:
            archive = np.load(file, allow_pickle=False)
            names = sorted(archive.files)
            stored = {key: archive[prefix + key] for key in (*_KEYS, "format") if prefix + key in names}
        except _UNREADABLE as error:
            pass_on_system_errors(error)
            found = f"not a readable .npz archive ({error})"
            raise fault(path, "", found, "write it again") from None
    if prefix == "Y_":
        stored["data"] = np.ones(np.size(stored.get("indices", ())), dtype=np.float32)
    _check_arrays(path, stored, names, prefix)
    return stored


def _check_arrays(path: StrPath, stored: dict[str, NDArray[Any]], names: list[str], prefix: str) -> None:
    layout = stored.pop("format", np.array(b"csr")).item()
    if layout not in (b"csr", "csr"):
        raise fault(
            path,
            "",
            f"a sparse matrix of the format {layout!r}",
            "save it with scipy.sparse.save_npz(X.tocsr())",
        )
    if missing := [prefix + key for key in _KEYS if key not in stored]:
        found = f"no array {missing[0]!r}; the archive holds {', '.join(names) or 'nothing'}"
        labels_file = setting("labels_file")
        remedy = f"if the features are in a file of their own, name that of the labels with {labels_file}"
        raise fault(path, "", found, remedy)
    for key in _KEYS:
        kinds = "iufb" if key == "data" else "iu"
        if stored[key].ndim != 1 or stored[key].dtype.kind not in kinds:
            found = f"array {prefix + key!r} has {stored[key].ndim} dimensions of {stored[key].dtype}"
            raise fault(path, "", found, "write the file again")
