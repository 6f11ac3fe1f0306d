"""A pack: the shuffled examples of a training in one memory-mapped file."""

import hashlib
import json
import mmap
import warnings
from collections.abc import Iterator
from os import fspath
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hashslide import model_file
from hashslide._os_errors import StrPath, as_path
from hashslide._validation import blocks
from hashslide.csr import Csr
from hashslide.errors import DataFileError, ModelFileError

from .._repairs import fault
from .building import build_pack
from .origin import Origin, changed_origins

__all__ = ["KIND", "VERSION", "Pack", "is_pack"]


def __dir__() -> list[str]:
    return __all__


KIND = "Pack"
VERSION = 1
BLOCK_BYTES = 1 << 20  # of a block, on average: what is read together
_PAGE = mmap.PAGESIZE
_COUNTS = ("n_rows", "n_features", "n_labels", "window_bytes")
_ARRAYS = {
    "x.indptr": np.int64,
    "x.indices": np.int32,
    "x.values": np.float32,
    "y.indptr": np.int64,
    "y.indices": np.int32,
    "label_counts": np.int64,
}


class Pack:
    """Examples on disk, which are read while they are trained on; `build` makes one and `open` opens it.

    The examples are in a random order, so that any run of them is a fair sample, whatever the order of the
    sources was. ``SlideClassifier.fit(pack)`` trains on it in memory that does not depend on its size.

    Attributes
    ----------
    path : pathlib.Path
    n_rows, n_features, n_labels : int
    feature_names, label_names : array of str, or None
        None: the data hold ids.
    multilabel : bool
        False: each example was given as one class.
    label_counts : int64 array of shape (n_labels,)
        Examples of each label.
    x, y : `hashslide.csr.Csr`
        All features, and the labels as a pattern: arrays that lie in the mapped file.
    window_bytes : int
        About what of the file a training holds at once.
    key : str
        Changes with the content.
    """

    def __init__(self, path: Path, arrays: dict[str, NDArray[Any]], summary: model_file.ModelSummary) -> None:
        facts, self.path = summary.metadata, path
        self.n_rows, self.n_features, self.n_labels, self.window_bytes = (
            _count(path, facts, name) for name in _COUNTS
        )
        for name, dtype in _ARRAYS.items():
            if name not in arrays or arrays[name].dtype != dtype or arrays[name].ndim != 1:
                raise _damaged(path, f"it lacks the array {name!r} of {np.dtype(dtype)}")
        x, y = (_matrix(path, arrays, side, self.n_rows) for side in "xy")
        self.x, self.y = Csr.trusted(*x, self.n_features), Csr.trusted(*y, self.n_labels)
        self.label_counts = arrays["label_counts"]
        self.feature_names = _names(path, arrays, "feature_names", self.n_features)
        self.label_names = _names(path, arrays, "label_names", self.n_labels)
        if len(self.label_counts) != self.n_labels:
            raise _damaged(path, f"it counts {len(self.label_counts)} labels of {self.n_labels}")
        self.multilabel = facts["multilabel"] is True
        self.sum_of_squares = float(facts["sum_of_squares"])
        self.origins = [Origin(**origin) for origin in facts["origins"]]
        content = {name: value for name, value in facts.items() if name != "origins"}, summary.checksums
        self.key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        self._is_verified = False

    @classmethod
    def build(
        cls,
        sources: Any,
        path: StrPath,
        memory: str | int = "2GB",
        *,
        window: str | int = "256MB",
        seed: int = 0,
        format: str | None = None,
        lenient: bool = False,
        **options: Any,
    ) -> Self:
        """Write a pack from files or from any Python iterator, in bounded memory, and open it.

        Parameters
        ----------
        sources : path-like, sequence of path-like, or iterable
            Files in any format of `hashslide.data.load`, whose examples become one set; pipes and
            ``/dev/stdin`` too, where the format is a text. Or rows ``(features, labels)``: features are a
            mapping from names or ids to values, or a list of names or ids; labels a list of names or ids. Or
            blocks ``(X, Y)``, as `SlideClassifier.fit` takes them. Names get ids in the order in which they
            occur.
        path : path-like
            Replaced when the pack is whole.
        memory : str or int, default "2GB"
            What may be held of the examples; beyond it they wait in temporary files in the folder of `path`.
        window : str or int, default "256MB"
            About what a training will hold at once.
        seed : int, default 0
            Of the order of the examples.
        format, lenient, **options
            As in `hashslide.data.load`, for files.

        Returns
        -------
        Pack

        Raises
        ------
        InputError, DataFileError
            A source is not acceptable.
        OutputError
            The file cannot be written.
        """
        build_pack(
            sources, path, memory, window=window, seed=seed, format=format, lenient=lenient, options=options
        )
        return cls.open(path)

    @classmethod
    def open(cls, path: StrPath) -> Self:
        """Open a pack. Its header is checked; `verify` reads all of it.

        A warning says so where a source has changed since.

        Raises
        ------
        DataFileError
            It is missing, cut off, damaged, no pack, or of a newer version.
        """
        named = as_path(path)
        try:
            summary = model_file.inspect(named)
            _check_kind(named, summary.metadata)
            arrays, _ = model_file.load_model(named)
        except ModelFileError as error:
            raise DataFileError(
                f"{named} is not a usable pack. {error} Remedy: pack the data again."
            ) from error
        try:
            pack = cls(named, arrays, summary)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataFileError):
                raise
            raise _damaged(named, f"its header is not that of a pack ({error!r})") from error
        if changed := changed_origins(pack.origins):
            warnings.warn(
                f"{named} was made from {changed[0]}, which has changed since. Pack the data again, "
                "if you want to train on the changed data.",
                stacklevel=2,
            )
        return pack

    def verify(self) -> None:
        """Compare all of the file with its checksums; once for each object.

        Raises
        ------
        DataFileError
            It is damaged.
        """
        if self._is_verified:
            return
        try:
            model_file.inspect(self.path, verify=True)
        except ModelFileError as error:
            raise DataFileError(
                f"{self.path} is not a usable pack. {error} Remedy: pack the data again."
            ) from error
        self._is_verified = True
        self.advise(0, self.n_rows, mmap.MADV_DONTNEED)

    @property
    def block_rows(self) -> int:
        """Examples of a block, which are read together."""
        n_bytes = 8 * self.x.nnz + 4 * self.y.nnz + 16 * self.n_rows
        return max(1, BLOCK_BYTES * self.n_rows // max(1, n_bytes))

    def examples(self, first: int, last: int) -> tuple[Csr, Csr]:
        """Return features and labels of the examples `first` .. `last` - 1; their items stay in the file."""
        return self.x.block(first, last), self.y.block(first, last)

    def blocks(self, n_rows: int = 10_000) -> Iterator[tuple[Any, Any]]:
        """Yield the examples in blocks ``(X, y)``, as `SlideClassifier.partial_fit` takes them.

        Parameters
        ----------
        n_rows : int, default 10,000
            Examples of a block.

        Yields
        ------
        X : csr_matrix of float32
        y : csr_matrix of float32, or list of lists of str
            Lists, where the labels have names.
        """
        for first, last in blocks(self.n_rows, n_rows):
            x, y = self.examples(first, last)
            if self.label_names is None:
                yield x.to_scipy(), y.to_scipy()
            else:
                names = self.label_names[y.indices].tolist()
                yield x.to_scipy(), [names[a:b] for a, b in zip(y.indptr, y.indptr[1:], strict=False)]
            self.advise(first, last, mmap.MADV_DONTNEED)

    def advise(self, first: int, last: int, advice: int) -> None:
        """Tell the system what is needed of some examples: `mmap.MADV_WILLNEED` or `mmap.MADV_DONTNEED`."""
        if first >= last:
            return
        for matrix in (self.x, self.y):
            begin, end = int(matrix.indptr[first]), int(matrix.indptr[last])
            _advise(matrix.indptr, first, last + 1, advice)
            _advise(matrix.indices, begin, end, advice)
            if matrix.data is not None:
                _advise(matrix.data, begin, end, advice)

    def __len__(self) -> int:
        return self.n_rows

    def __repr__(self) -> str:
        return (
            f"Pack({fspath(self.path)!r}: {self.n_rows:,} examples, {self.n_features:,} features, "
            f"{self.n_labels:,} labels)"
        )


def is_pack(path: StrPath) -> bool:
    """Tell whether a file says that it is a pack."""
    try:
        return model_file.inspect(path).metadata.get("kind") == KIND
    except ModelFileError:
        return False


def _check_kind(path: Path, facts: dict[str, Any]) -> None:
    if facts.get("kind") != KIND:
        raise fault(path, "", f"it holds a {facts.get('kind')}, not a pack", "give a file of Pack.build")
    version = facts.get("pack_version")
    if version != VERSION:
        found = f"its pack version is {version!r}; this hashslide reads version {VERSION}"
        raise fault(path, "", found, "upgrade hashslide, or pack the data again")


def _damaged(path: Path, found: str) -> DataFileError:
    return fault(path, "", found, "pack the data again")


def _count(path: Path, facts: dict[str, Any], name: str) -> int:
    value = facts[name]
    if type(value) is not int or value < 0:
        raise _damaged(path, f"its header gives {name} as {value!r}")
    return value


def _matrix(
    path: Path, arrays: dict[str, NDArray[Any]], side: str, n_rows: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Return offsets, ids and values; each id is looked at where it is used (`Csr`)."""
    indptr, indices = arrays[f"{side}.indptr"], arrays[f"{side}.indices"]
    values = arrays["x.values"] if side == "x" else None
    n_values = len(indices) if values is None else len(values)
    fits = len(indptr) == n_rows + 1 and indptr[0] == 0 and indptr[-1] == len(indices) == n_values
    if not fits:
        raise _damaged(path, f"the arrays of {side} do not fit its {n_rows:,} examples")
    return indptr, indices, values


def _names(path: Path, arrays: dict[str, NDArray[Any]], kind: str, n: int) -> NDArray[Any] | None:
    names = arrays.get(kind)
    if names is not None and len(names) != n:
        raise _damaged(path, f"it has {len(names)} {kind} for {n}")
    return names


def _advise(array: NDArray[Any], first: int, last: int, advice: int) -> None:
    """Pass advice on the pages that hold some items of a mapped array."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if not isinstance(owner, mmap.mmap) or first >= last:
        return
    start = array.ctypes.data - np.frombuffer(owner, np.uint8).ctypes.data + first * array.itemsize
    end = start + (last - first) * array.itemsize
    start -= start % _PAGE
    owner.madvise(advice, start, end - start)
