"""Model files: one safetensors file that holds named arrays, string tables and JSON metadata.

docs/how/model_file.md specifies the format. Writing streams the arrays to a temporary file that replaces
the target in one step; loading checks every number of the header before it touches the data and runs no code.
"""

import contextlib
import os
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import _atomic
from hashslide._atomic import atomic_write
from hashslide._os_errors import StrPath, as_path, explain
from hashslide.errors import InputError, ModelFileError
from hashslide.model_file._header import (
    DATA_ALIGNMENT,
    DTYPE_CODES,
    MAX_DIMENSIONS,
    ModelSummary,
    TensorInfo,
    encode_header,
    fail,
    read_summary,
)
from hashslide.model_file.string_table import StringTable

__all__ = [
    "ModelSummary",
    "StreamedArray",
    "TensorInfo",
    "check_writable",
    "inspect",
    "load_model",
    "save_model",
]


def __dir__() -> list[str]:
    return __all__


_BLOCK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class StreamedArray:
    """An array that `save_model` writes piece by piece and that is never in memory as a whole.

    Attributes
    ----------
    dtype : numpy.dtype
    shape : tuple of int
    pieces : callable
        Called once; returns arrays of this dtype which have the elements in C order.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    pieces: Callable[[], Iterable[NDArray[Any]]]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return prod(self.shape) * self.dtype.itemsize


def save_model(
    path: StrPath, arrays: Mapping[str, np.ndarray | StreamedArray], metadata: Mapping[str, Any]
) -> None:
    """Write arrays and metadata to one file, atomically.

    The data go to a temporary file in the same folder, reach the disk, and then replace `path` in one step:
    a reader, or a crash at any moment, sees the old file or the new one, never a mixture. The same arguments
    give the same bytes. Arrays are streamed: strided or big-endian ones are copied in blocks of 16 MiB,
    others not at all.

    Parameters
    ----------
    path : path-like
        Target; replaced if it is a regular file. A symbolic link is followed.
    arrays : mapping of str to ndarray
        Integer or floating arrays of any shape, and one-dimensional arrays of ``str`` (dtype object or
        ``U``). A `StreamedArray` stands for one that is made while it is written.
    metadata : mapping of str to JSON value
        Small things only (the header holds 16 MiB); NumPy scalars become Python numbers.

    Raises
    ------
    InputError
        An array or metadata value that the format does not hold. Nothing is written.
    ModelFileError
        The file cannot be written (no such folder, no permission, disk full). An old file stays as it was.
    """
    check_writable(path)
    tensors, tables = _split_string_tables(arrays)
    ordered = sorted(tensors.items(), key=lambda item: (-_size_alignment(item[1].nbytes), item[0]))
    checksums = {name: 0 for name, _ in ordered}
    header = encode_header(ordered, tables, metadata, checksums)
    with atomic_write(path, ModelFileError) as file:
        file.write(header)
        for name, array in ordered:
            n_bytes = 0
            for block in _byte_blocks(array):
                file.write(block)
                checksums[name] = zlib.crc32(block, checksums[name])
                n_bytes += len(block)
            if n_bytes != array.nbytes:
                raise InputError(f"array {name!r} came in pieces of {n_bytes:,} bytes, not {array.nbytes:,}.")
        file.seek(0)
        file.write(encode_header(ordered, tables, metadata, checksums))  # of the same length


def load_model(
    path: StrPath, mmap: bool = True, verify: bool = False
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a model file.

    Parameters
    ----------
    path : path-like
    mmap : bool, default True
        True: numeric arrays are read-only views of the memory-mapped file; pages come from the disk when
        first used and are shared between processes. False: they are read into new writable arrays.
    verify : bool, default False
        Read every tensor and compare it with its checksum. That of the header is compared in any case.

    Returns
    -------
    arrays : dict of str to ndarray
        As given to `save_model`; arrays of strings come back with dtype object.
    metadata : dict

    Raises
    ------
    ModelFileError
        The file is missing, truncated, damaged, of another format or from a newer version, or there is not
        enough memory for it. Nothing in a file is ever executed.

    Notes
    -----
    A mapped file must not be changed in place while it is in use; replacing it, as `save_model` does, is
    safe.
    """
    with _open_regular(path) as file:
        summary = read_summary(file, Path(path))
        arrays = _map_tensors(file, summary) if mmap else _read_tensors(file, summary)
        if verify:
            _verify(arrays, summary)
        for table in summary.string_tables:
            utf8, offsets = arrays.pop(f"{table}.utf8"), arrays.pop(f"{table}.offsets")
            arrays[table] = _strings(summary.path, table, utf8, offsets)
    return arrays, summary.metadata


def inspect(path: StrPath, verify: bool = False) -> ModelSummary:
    """Read and check the header of a model file; the arrays are not touched.

    Parameters
    ----------
    path : path-like
    verify : bool, default False
        Read the arrays after all, and compare them with their checksums.

    Returns
    -------
    ModelSummary

    Raises
    ------
    ModelFileError
        As in `load_model`.
    """
    with _open_regular(path) as file:
        summary = read_summary(file, Path(path))
        if verify:
            _verify(_map_tensors(file, summary), summary)
    return summary


def check_writable(path: StrPath) -> None:
    """Find out before training whether a model can be saved under a name.

    Parameters
    ----------
    path : path-like
        A file that may or may not exist.

    Raises
    ------
    ModelFileError
        The folder is missing or not writable, or `path` exists and is not a regular file.
    """
    _atomic.check_writable(path, ModelFileError)


def _split_string_tables(
    arrays: Mapping[str, np.ndarray | StreamedArray],
) -> tuple[dict[str, np.ndarray | StreamedArray], list[str]]:
    """Return the numeric tensors by name, and the names of the string tables among the arrays."""
    tensors: dict[str, np.ndarray | StreamedArray] = {}
    tables = []
    for name, array in arrays.items():
        if not isinstance(name, str) or not name or name == "__metadata__":
            raise InputError(f"array name {name!r} cannot be stored. Use a string other than '__metadata__'.")
        if not isinstance(array, np.ndarray | np.generic | StreamedArray):
            found = f"array {name!r} is a {type(array).__name__}"
            raise InputError(f"{found}; accepted are NumPy arrays: pass np.asarray(...).")
        if not isinstance(array, StreamedArray) and array.dtype.kind in "UO":
            tables.append(name)
            for part, tensor in _string_table(name, array).arrays().items():
                _add_tensor(tensors, f"{name}.{part}", tensor)
        else:
            _add_tensor(tensors, name, array)
    if clash := set(tables) & set(tensors):
        raise InputError(f"two arrays would be stored as {min(clash)!r}. Rename one of them.")
    return tensors, tables


def _add_tensor(
    tensors: dict[str, np.ndarray | StreamedArray], name: str, array: np.ndarray | StreamedArray
) -> None:
    if array.dtype.newbyteorder("<") not in DTYPE_CODES:
        raise InputError(
            f"array {name!r} has dtype {array.dtype}, which a model file does not hold. "
            f"Accepted: integers and floats of 8 to 64 bits, and one-dimensional arrays of str."
        )
    if len(array.shape) > MAX_DIMENSIONS:
        raise InputError(f"array {name!r} has {len(array.shape)} dimensions; accepted are {MAX_DIMENSIONS}.")
    if name in tensors:
        raise InputError(f"two arrays would be stored as {name!r}. Rename one of them.")
    tensors[name] = array


def _string_table(name: str, array: np.ndarray) -> StringTable:
    if array.ndim != 1:
        raise InputError(f"array {name!r} of strings has {array.ndim} dimensions; accepted is 1.")
    strings = array.tolist()
    for i, string in enumerate(strings):
        if not isinstance(string, str):
            raise InputError(f"array {name!r} holds {string!r} at position {i}. Accepted are only str.")
    try:
        return StringTable.of(strings)
    except UnicodeEncodeError as error:
        raise InputError(f"array {name!r} holds {error.object!r}, which is not Unicode text.") from None


def _size_alignment(nbytes: int) -> int:
    """Return the largest power of two up to DATA_ALIGNMENT that divides a size.

    Tensors must follow each other without gaps. Written by falling alignment, each starts at a multiple of
    its own, which its element size divides.
    """
    return min(nbytes & -nbytes, DATA_ALIGNMENT) or DATA_ALIGNMENT


def _byte_blocks(array: np.ndarray | StreamedArray) -> Iterator[memoryview]:
    """Yield the elements in C order as little-endian bytes, in blocks of about 16 MiB."""
    if isinstance(array, StreamedArray):
        for piece in array.pieces():
            yield from _byte_blocks(piece.astype(array.dtype, copy=False))
        return
    if array.nbytes == 0:
        return
    if array.ndim == 0 or array.flags.c_contiguous:
        array = array.reshape(-1)
    elif array[0].nbytes > _BLOCK_BYTES:
        for part in array:
            yield from _byte_blocks(part)
        return
    step = max(1, _BLOCK_BYTES * len(array) // array.nbytes)
    for start in range(0, len(array), step):
        block = array[start : start + step]
        block = np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("<"))
        yield block.reshape(-1).view(np.uint8).data


@contextlib.contextmanager
def _open_regular(path: StrPath) -> Iterator[BufferedReader]:
    """Open a file; what the system refuses while it is read becomes a ModelFileError too."""
    try:
        mode = os.stat(as_path(path)).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            fail(Path(path), f"it is {kind}", "Give the model file itself.")
        with open(path, "rb") as file:
            yield file
    except (OSError, MemoryError) as error:
        raise ModelFileError(f"cannot read {path}: {explain(error)}") from error


def _map_tensors(file: BufferedReader, summary: ModelSummary) -> dict[str, np.ndarray]:
    whole = np.asarray(np.memmap(file, dtype=np.uint8, mode="r", shape=(summary.file_bytes,)))
    data = whole[summary.data_start :]
    return {t.name: data[t.begin : t.end].view(t.dtype).reshape(t.shape) for t in summary.tensors}


def _read_tensors(file: BufferedReader, summary: ModelSummary) -> dict[str, np.ndarray]:
    arrays = {}
    for tensor in summary.tensors:
        array = np.empty(tensor.shape, tensor.dtype)
        if file.readinto(array.reshape(-1).view(np.uint8).data) != tensor.nbytes:
            fail(summary.path, f"it ended inside tensor {tensor.name!r} while it was read")
        arrays[tensor.name] = array
    return arrays


def _verify(tensors: Mapping[str, np.ndarray], summary: ModelSummary) -> None:
    """Compare every tensor with its checksum."""
    if summary.checksums is None:
        fail(summary.path, "it has no checksums", "Load it without verifying it, and save it again.")
    for name, array in tensors.items():
        found, expected = 0, summary.checksums[name]
        for block in _byte_blocks(array):
            found = zlib.crc32(block, found)
        if found != expected:
            fail(summary.path, f"tensor {name!r} has the checksum {found:08x}, expected {expected:08x}")


def _strings(path: Path, name: str, utf8: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return an object array of the str of a table."""
    try:
        return StringTable(utf8, offsets).all(errors="strict")
    except InputError as error:
        fail(path, f"in string table {name!r} {error}")
    except UnicodeDecodeError as error:
        fail(path, f"string table {name!r} is not UTF-8 ({error.reason})")
