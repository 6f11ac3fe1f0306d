"""NumPy archives: both matrices in one ``.npz``, or a pair of files written by ``scipy.sparse.save_npz``."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide._atomic import atomic_write
from hashslide._interface import setting
from hashslide._os_errors import StrPath, pass_on_system_errors
from hashslide.settings.limits import MAX_IDS

from ._pairs import checked_pair, of_equal_rows
from ._repairs import Repairs, fault, joined, warn_repairs
from ._rows import NamedData, checked_matrix, pattern
from .sources import open_regular

__all__ = ["load_npz", "read_npz", "save_npz"]


def __dir__() -> list[str]:
    return __all__


_KEYS = ("data", "indices", "indptr", "shape")
_PIECE = 1 << 20  # bytes: what is inflated is not held twice
# What is raised for other content, broken archives, pickled objects and foreign kinds of compression.
_UNREADABLE = (
    ValueError,
    KeyError,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


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
    ((X, Y, *_),) = read_npz(path, labels_file=labels_file, lenient=lenient)
    return X, Y


def read_npz(
    path: StrPath,
    *,
    labels_file: StrPath | None = None,
    lenient: bool = False,
    limit: int | None = None,
) -> Iterator[NamedData]:
    """Yield the blocks of a data set that `load_npz` reads.

    limit: about the number of ids in a block; None: all in one.
    """
    with ExitStack() as files:
        if labels_file is None:
            x = _Stored(files, path, "X_", "feature", lenient)
            y = _Stored(files, path, "Y_", "label", lenient)
        else:
            x = _Stored(files, path, "", "feature", lenient)
            y = _Stored(files, labels_file, "", "label", lenient)
        if x.n_rows != y.n_rows:
            found = f"{x.n_rows} rows of features and {y.n_rows} rows of labels"
            raise fault(path, "", found, "give two matrices with one row for each example")
        for X, Y in of_equal_rows(x.blocks(limit), y.blocks(limit)):
            yield NamedData(X, Y, None, None)


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


class _Stored:
    """One CSR matrix of an archive, which is read from its beginning to its end.

    Parameters
    ----------
    files : ExitStack
        Closes what is opened here.
    path, prefix, name, lenient
        The archive, what stands before the names of the arrays, "feature" or "label", and whether to repair.
    """

    def __init__(self, files: ExitStack, path: StrPath, prefix: str, name: str, lenient: bool) -> None:
        self._path, self._name, self._lenient = path, name, lenient
        file = files.enter_context(open_regular(path))
        with _explained(path):
            archive = files.enter_context(zipfile.ZipFile(file))
            names = sorted(member.removesuffix(".npy") for member in archive.namelist())
            stored: dict[str, Any] = {
                key: _Member(files, archive, prefix + key)
                for key in (*_KEYS, "format")
                if prefix + key in names
            }
            layout = stored.pop("format").read() if "format" in stored else np.array(b"csr")
        if prefix == "Y_":
            stored["data"] = _Ones(stored["indices"].shape if "indices" in stored else (0,))
        _check_arrays(path, stored, names, prefix, layout)
        with _explained(path):
            shape = stored["shape"].read()
        self._members = stored
        self.n_rows = math.prod(stored["indptr"].shape) - 1
        if shape.shape != (2,) or shape[0] != self.n_rows or not 0 <= shape[1] <= MAX_IDS:
            found = (
                f"shape {shape.tolist()} of the {name} matrix does not fit its {self.n_rows + 1} row offsets"
            )
            raise fault(path, "", found, "write the file again")
        self._n_columns = int(shape[1])

    def blocks(self, limit: int | None) -> Iterator[csr_matrix]:
        """Yield the rows in blocks of about `limit` ids; None: all in one."""
        n_items = self._members["indices"].shape[0]
        n_rows = self.n_rows if limit is None else max(1, limit * self.n_rows // max(1, n_items))
        first = begin = 0
        repairs: Repairs = []
        offsets = self._read("indptr", 1).astype(np.int64)
        while first == 0 or first < self.n_rows:
            last = min(self.n_rows, first + n_rows)
            offsets = np.concatenate([offsets[-1:], self._read("indptr", last - first).astype(np.int64)])
            is_last = last == self.n_rows
            end = n_items if is_last else int(np.clip(offsets[-1], begin, n_items))
            arrays = self._read("data", end - begin), self._read("indices", end - begin), offsets - begin
            checked = self._lenient, repairs, first
            matrix = checked_matrix(self._path, self._name, arrays, self._n_columns, *checked)
            if self._name == "label":
                matrix = pattern(self._path, matrix, self._lenient, repairs, first=first)
            if is_last:
                self._check_end()
                warn_repairs(self._path, joined(repairs), "row")
            yield matrix
            if is_last:
                return
            first, begin = last, end

    def _check_end(self) -> None:
        """Read what is left of the arrays, which has no items: their checksums are compared there."""
        for key in ("indptr", "data", "indices"):
            self._read(key, 1)

    def _read(self, key: str, n: int) -> NDArray[Any]:
        with _explained(self._path):
            return self._members[key].read(n)


class _Member:
    """One array of an archive, read from its beginning to its end."""

    def __init__(self, files: ExitStack, archive: zipfile.ZipFile, name: str) -> None:
        self._file: Any = files.enter_context(archive.open(f"{name}.npy"))
        header = {(1, 0): read_array_header_1_0, (2, 0): read_array_header_2_0}
        self.shape, _, self.dtype = header[read_magic(self._file)](self._file)
        if self.dtype.hasobject:
            raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
        self._n_left = math.prod(self.shape)

    def read(self, n: int | None = None) -> NDArray[Any]:
        """Return the next n items, or all that are left if there are fewer."""
        array = np.empty(self._n_left if n is None else min(n, self._n_left), self.dtype)
        left = array.data.cast("B") if len(array) else memoryview(b"")
        while left:
            n_bytes = self._file.readinto(left[:_PIECE])
            if not n_bytes:
                raise ValueError("an array ends before its last item")
            left = left[n_bytes:]
        self._n_left -= len(array)
        if not self._n_left and self._file.read(1):
            raise ValueError("an array goes on behind its last item")
        return array


class _Ones:
    """The values of labels, which an archive need not hold."""

    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self._n_left = shape, math.prod(shape)

    def read(self, n: int) -> NDArray[Any]:
        """Return the next n items, or all that are left if there are fewer."""
        n = min(n, self._n_left)
        self._n_left -= n
        return np.ones(n, np.float32)


@contextmanager
def _explained(path: StrPath) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        pass_on_system_errors(error)
        found = f"not a readable .npz archive ({error})"
        raise fault(path, "", found, "write it again") from None


def _check_arrays(
    path: StrPath, stored: dict[str, Any], names: list[str], prefix: str, layout: NDArray[Any]
) -> None:
    if layout.tolist() not in (b"csr", "csr", [b"csr"], ["csr"]):
        raise fault(
            path,
            "",
            f"a sparse matrix of the format {layout.item()!r}",
            "save it with scipy.sparse.save_npz(X.tocsr())",
        )
    if missing := [prefix + key for key in _KEYS if key not in stored]:
        found = f"no array {missing[0]!r}; the archive holds {', '.join(names) or 'nothing'}"
        labels_file = setting("labels_file")
        remedy = f"if the features are in a file of their own, name that of the labels with {labels_file}"
        raise fault(path, "", found, remedy)
    for key in _KEYS:
        kinds = "iufb" if key == "data" else "iu"
        if len(stored[key].shape) != 1 or stored[key].dtype.kind not in kinds:
            found = f"array {prefix + key!r} has {len(stored[key].shape)} dimensions of {stored[key].dtype}"
            raise fault(path, "", found, "write the file again")
