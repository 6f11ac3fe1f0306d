"""Rows on their way into a random order, in bounded memory.

What fits into memory is shuffled there. What does not is dealt out, piece by piece, to `N_BUCKETS` temporary
files, each row to a random one; every file is then shuffled for itself. The result is a random order of all
rows: so shuffles Rao (1961) in two passes.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide._core import gather_rows
from hashslide.csr import Csr

__all__ = ["SIDES", "Shuffle"]


def __dir__() -> list[str]:
    return __all__


N_BUCKETS = 256
SIDES = ("x", "y")
_PIECE = 1 << 20  # rows or so of an array that is written
_TYPES = {"lengths": np.int32, "indices": np.int32, "values": np.float32}


class Shuffle:
    """Takes rows, and returns the arrays of all of them in a random order.

    Parameters
    ----------
    folder : path-like
        Where temporary files are made, if there have to be some.
    memory : int
        Bytes of rows that are held.
    seed : int
    """

    def __init__(self, folder: str | Path, memory: int, seed: int) -> None:
        self._folder, self._memory, self._seed = folder, memory, seed
        self._held: list[tuple[Csr, Csr]] = []
        self._n_held_bytes = 0
        self._n_dealt = 0
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self.n_rows = 0
        self.n_items = dict.fromkeys(SIDES, 0)

    def __enter__(self) -> "Shuffle":
        return self

    def __exit__(self, *error: object) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()

    def add(self, x: Csr, y: Csr) -> None:
        """Take rows; y is a pattern."""
        self._held.append((x, y))
        self.n_rows += x.n_rows
        self.n_items["x"] += x.nnz
        self.n_items["y"] += y.nnz
        self._n_held_bytes += 8 * x.nnz + 4 * y.nnz + 16 * x.n_rows
        if self._n_held_bytes > self._memory // 3:
            self._deal()

    def close(self) -> None:
        """No rows follow."""
        if self._temporary is not None and self._held:
            self._deal()
        if self._temporary is None:
            self._whole = _joined(self._held)
            self._whole_order = self._order(0, self.n_rows)
            self._held = []

    def offsets(self, side: str) -> Iterator[NDArray[np.int64]]:
        """Yield the row offsets of features ("x") or labels ("y"), piece by piece."""
        end = 0
        yield np.zeros(1, np.int64)
        for lengths, order, _ in self._buckets(side):
            offsets = end + np.cumsum(lengths[order], dtype=np.int64)
            end = int(offsets[-1]) if len(offsets) else end
            yield offsets

    def items(self, side: str, what: str) -> Iterator[NDArray[Any]]:
        """Yield the "indices" or "values" of features or labels, piece by piece."""
        for lengths, order, items_of in self._buckets(side):
            items, indptr = items_of(what), _indptr(lengths)
            rows_at_once = max(1, _PIECE * max(1, len(lengths)) // max(1, len(items)))
            for first in range(0, len(order), rows_at_once):
                found = gather_rows(indptr, items.view(np.uint32), order[first : first + rows_at_once])
                yield found.view(_TYPES[what])

    def _buckets(
        self, side: str
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64], Callable[[str], NDArray[Any]]]]:
        """Yield the row lengths of each bucket, the order of its rows, and what returns its items."""
        if self._temporary is None:
            matrix = self._whole[SIDES.index(side)]
            arrays: dict[str, Any] = {"indices": matrix.indices, "values": matrix.data}
            lengths = np.diff(matrix.indptr).astype(np.int32)
            yield lengths, self._whole_order, arrays.__getitem__
            return
        for bucket in range(N_BUCKETS):
            lengths = self._read(bucket, side, "lengths")
            yield lengths, self._order(bucket, len(lengths)), partial(self._read, bucket, side)

    def _order(self, bucket: int, n: int) -> NDArray[np.int64]:
        return np.random.default_rng([self._seed, 1, bucket]).permutation(n)

    def _deal(self) -> None:
        """Move what is held to the buckets."""
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix=".hashslide-pack-", dir=self._folder)
        pair = _joined(self._held)
        self._held, self._n_held_bytes = [], 0
        bucket = np.random.default_rng([self._seed, 0, self._n_dealt]).integers(0, N_BUCKETS, pair[0].n_rows)
        self._n_dealt += 1
        order = np.argsort(bucket, kind="stable")
        bounds = np.concatenate([[0], np.cumsum(np.bincount(bucket, minlength=N_BUCKETS))])
        for side, matrix in zip(SIDES, pair, strict=True):
            lengths = np.diff(matrix.indptr)[order].astype(np.int32)
            ends = _indptr(lengths)[bounds]
            self._append(side, "lengths", lengths, bounds)
            for what, items in (("indices", matrix.indices), ("values", matrix.data)):
                if items is not None:
                    self._append(side, what, gather_rows(matrix.indptr, items.view(np.uint32), order), ends)

    def _append(self, side: str, what: str, items: NDArray[Any], bounds: NDArray[np.int64]) -> None:
        for bucket in range(N_BUCKETS):
            part = items[bounds[bucket] : bounds[bucket + 1]]
            with open(self._path(bucket, side, what), "ab") as file:
                file.write(part.data.cast("B") if len(part) else b"")

    def _read(self, bucket: int, side: str, what: str) -> NDArray[Any]:
        return np.fromfile(self._path(bucket, side, what), _TYPES[what])

    def _path(self, bucket: int, side: str, what: str) -> str:
        assert self._temporary is not None
        return os.path.join(self._temporary.name, f"{side}-{what}-{bucket}")


def _indptr(lengths: NDArray[np.int32]) -> NDArray[np.int64]:
    indptr = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=indptr[1:])
    return indptr


def _joined(held: list[tuple[Csr, Csr]]) -> tuple[Csr, Csr]:
    """Return the rows of all blocks, one after the other. A single block is passed on as it is."""
    if len(held) == 1:
        return held[0]
    return _stacked([x for x, _ in held], np.float32), _stacked([y for _, y in held], None)


def _stacked(blocks: list[Csr], dtype: type | None) -> Csr:
    lengths = [np.diff(block.indptr) for block in blocks]
    indices = np.concatenate([*(block.indices for block in blocks), np.empty(0, np.int32)])
    values = None if dtype is None else np.concatenate([*(b.values for b in blocks), np.empty(0, dtype)])
    width = max((block.n_columns for block in blocks), default=0)
    indptr = _indptr(np.concatenate([*lengths, np.empty(0, np.int64)]).astype(np.int32))
    return Csr.trusted(indptr, indices, values, width)
