"""Building a pack: from sources to one file, in bounded memory."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide import model_file
from hashslide._atomic import check_writable
from hashslide._checks import as_int, check_int
from hashslide._interface import setting
from hashslide._os_errors import StrPath, as_path, explain
from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.errors import DataFileError, InputError, ModelFileError, OutputError
from hashslide.model_file import StreamedArray

from ..formats import read_blocks
from .examples import read_examples
from .growing import Names
from .origin import Origin
from .shuffling import SIDES, Shuffle

__all__ = ["build_pack", "parse_bytes"]


def __dir__() -> list[str]:
    return __all__


_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZE = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([KMGT]?B|)\s*", re.IGNORECASE)
_LEAST_MEMORY = 10**6
_ITEMS = 1 << 16  # of a temporary array, which stays in the cache
_BYTES_PER_ID = 16  # of a block while it is read: ids, values, and a text or a copy of them


class _Block(NamedTuple):
    """Some examples, and whether one may have several labels."""

    x: Csr
    y: Csr
    multilabel: bool = True


class _Facts:
    """What `fit` needs to know of all examples, counted while they pass."""

    def __init__(self) -> None:
        self.label_counts = np.zeros(0, np.int64)
        self.widths = dict.fromkeys(SIDES, 0)
        self.sum_of_squares = 0.0
        self.multilabel: bool | None = None

    def add(self, block: _Block) -> None:
        x, y = block.x, block.y
        self.widths = {"x": max(self.widths["x"], x.n_columns), "y": max(self.widths["y"], y.n_columns)}
        if len(self.label_counts) < self.widths["y"]:
            self.label_counts = np.pad(self.label_counts, (0, self.widths["y"] - len(self.label_counts)))
        if y.nnz > y.n_columns:
            self.label_counts[: y.n_columns] += np.bincount(y.indices, minlength=y.n_columns)
        else:  # without a look at all labels
            ids, counts = np.unique(y.indices, return_counts=True)
            self.label_counts[ids] += counts
        for begin in range(0, x.nnz, _ITEMS):
            self.sum_of_squares += float(np.square(x.values[begin : begin + _ITEMS], dtype=np.float64).sum())
        if x.n_rows:
            self.multilabel = block.multilabel or bool(self.multilabel)


def build_pack(
    sources: Any,
    path: StrPath,
    memory: str | int,
    *,
    window: str | int,
    seed: int,
    format: str | None,
    lenient: bool,
    options: Mapping[str, Any],
) -> None:
    """Write a pack; see `Pack.build`."""
    n_bytes, window_bytes = parse_bytes("memory", memory), parse_bytes("window", window)
    check_int("seed", seed, 0, 2**63 - 1)
    check_writable(path)
    facts = _Facts()
    origins: list[Origin] = []
    feature_names, label_names = Names("feature"), Names("label")
    limit = max(1000, n_bytes // 8 // _BYTES_PER_ID)
    paths = _paths_of(sources)
    blocks: Iterator[_Block]
    if paths is None:
        found = read_examples(sources, feature_names, label_names, limit)
        blocks = (_Block(x, y, multilabel) for x, y, multilabel in found)
    else:
        names = feature_names, label_names
        blocks = _of_files(paths, limit, names, origins, {"format": format, "lenient": lenient, **options})
    folder = Path(os.path.realpath(as_path(path))).parent
    try:
        with Shuffle(folder, n_bytes, seed) as shuffle:
            for block in blocks:
                facts.add(block)
                shuffle.add(block.x, block.y)
            if shuffle.n_rows == 0:
                raise InputError("the sources hold no example. Give at least one.")
            shuffle.close()
            _write(path, shuffle, facts, feature_names, label_names, origins, window_bytes, seed)
    except ModelFileError as error:
        raise OutputError(str(error)) from error
    except OSError as error:
        if isinstance(error, DataFileError) or error.filename is None or not _is_in(error.filename, folder):
            raise
        raise OutputError(f"cannot write temporary files in {folder}: {explain(error)}") from error


def _is_in(name: Any, folder: Path) -> bool:
    return isinstance(name, str) and Path(name).is_relative_to(folder) and ".hashslide-pack-" in name


def _write(
    path: StrPath,
    shuffle: Shuffle,
    facts: _Facts,
    feature_names: Names,
    label_names: Names,
    origins: list[Origin],
    window_bytes: int,
    seed: int,
) -> None:
    arrays: dict[str, Any] = {}
    n_rows, n_items = shuffle.n_rows, shuffle.n_items
    for side in SIDES:
        arrays[f"{side}.indptr"] = _streamed(np.int64, n_rows + 1, partial(shuffle.offsets, side))
        arrays[f"{side}.indices"] = _streamed(
            np.int32, n_items[side], partial(shuffle.items, side, "indices")
        )
    arrays["x.values"] = _streamed(np.float32, n_items["x"], partial(shuffle.items, "x", "values"))
    for names, side in ((feature_names, "x"), (label_names, "y")):
        if names.are_used:
            arrays[f"{names.kind}_names"] = names.array()
            facts.widths[side] = len(names.ids)
    arrays["label_counts"] = np.pad(facts.label_counts, (0, facts.widths["y"] - len(facts.label_counts)))
    metadata = {
        "kind": "Pack",
        "pack_version": 1,
        "n_rows": n_rows,
        "n_features": facts.widths["x"],
        "n_labels": facts.widths["y"],
        "sum_of_squares": facts.sum_of_squares,
        "multilabel": facts.multilabel,
        "window_bytes": window_bytes,
        "seed": seed,
        "origins": [vars(origin) for origin in origins],
    }
    model_file.save_model(path, arrays, metadata)


def _streamed(dtype: type, n: int, pieces: Callable[[], Iterator[NDArray[Any]]]) -> StreamedArray:
    return StreamedArray(np.dtype(dtype), (n,), pieces)


def _paths_of(sources: Any) -> list[Path] | None:
    """Return the files that the sources are, or None if they are examples."""
    if isinstance(sources, str | os.PathLike):
        return [as_path(sources)]
    if (
        isinstance(sources, list | tuple)
        and sources
        and all(isinstance(s, str | os.PathLike) for s in sources)
    ):
        return [as_path(source) for source in sources]
    return None


def _of_files(
    paths: list[Path],
    limit: int,
    names: tuple[Names, Names],
    origins: list[Origin],
    options: dict[str, Any],
) -> Iterator[_Block]:
    """Yield the examples of all files. A name means the same in each of them."""
    known = {names.kind: names.ids for names in names}
    for path in paths:
        is_over = Event()
        with ThreadPoolExecutor(1) as digesting:  # beside the reading
            origin = digesting.submit(Origin.of, path, is_over.is_set)
            try:
                for block in read_blocks(path, limit, known_names=known, **options):
                    yield _Block(as_csr(block.X, keep_zeros=True), as_pattern(block.Y))
            except BaseException:
                is_over.set()
                raise
        for of_kind, given in zip(names, (block.feature_names, block.label_names), strict=True):
            of_kind.note(given is not None, f"the file {path}")
            if given is not None and of_kind.of_items(given.tolist(), str(path)) != list(range(len(given))):
                raise DataFileError(
                    f"{path}: it names its {of_kind.kind}s in another order than the first file."
                )
        if (found := origin.result()) is not None:
            origins.append(found)


def parse_bytes(name: str, size: str | int) -> int:
    """Return a size such as "2GB" in bytes.

    Raises
    ------
    InputError
        It is none, or less than a megabyte.
    """
    number = as_int(size)
    if number is None and isinstance(size, str) and (match := _SIZE.fullmatch(size)):
        number = int(float(match[1]) * _UNITS[match[2].upper()])
    if number is None or number < _LEAST_MEMORY:
        raise InputError(f"{setting(name)} is {size!r}; accepted are sizes from 1MB on, such as '2GB'.")
    return number
