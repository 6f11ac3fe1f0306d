"""The header of a model file: built when saving, checked number by number when loading.

The format is specified in docs/how/model_file.md.
"""

import json
import math
import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from hashslide._core import build_info
from hashslide.errors import InputError, ModelFileError
from hashslide.precision import BFLOAT16

FORMAT_NAME = "hashslide"
FORMAT_VERSION = 1
MAX_HEADER_BYTES = 16 * 1024 * 1024
MAX_DIMENSIONS = 32
DATA_ALIGNMENT = 64
DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
}
DTYPE_CODES = {dtype: code for code, dtype in DTYPES.items()}

_RESERVED_KEYS = ("format", "format_version", "library_version", "string_tables", "checksums")
_METADATA = "__metadata__"  # no tensor may have this name: among the checksums it stands for the header
_CHECKSUM = re.compile("[0-9a-f]{8}")
_DAMAGED = "It is damaged: copy it again, or save the model again."
_SIGNATURES = {
    b"version ": "a Git LFS pointer, which stands for the file: fetch the content with git lfs pull",
    b"<!DOCTYP": "a web page, most likely the server's answer to a failed download",
    b"<!doctyp": "a web page, most likely the server's answer to a failed download",
    b"<html": "a web page, most likely the server's answer to a failed download",
    b"PK\x03\x04": "a zip archive (such as .npz or a PyTorch checkpoint)",
    b"\x1f\x8b": "a gzip file",
    b"\x89HDF": "an HDF5 file",
    b"GGUF": "a GGUF file",
    b"PAR1": "a Parquet file",
    b"\x93NUMPY": "a NumPy .npy file",
    b"\x80\x02": "a Python pickle",
    b"\x80\x03": "a Python pickle",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
}


@dataclass(frozen=True)
class TensorInfo:
    """One tensor of a model file.

    Attributes
    ----------
    name : str
    dtype : numpy.dtype
        Little-endian element type.
    shape : tuple of int
    begin, end : int
        Bytes from the start of the data section; ``end - begin`` is the size in bytes.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.end - self.begin


@dataclass(frozen=True)
class ModelSummary:
    """What a model file says about itself, without its arrays.

    Attributes
    ----------
    path : pathlib.Path
    file_bytes : int
        Length of the file.
    data_start : int
        Offset of the data section from the start of the file, in bytes.
    format_version : int
        Version of the format, see docs/how/model_file.md.
    library_version : str
        hashslide version that wrote the file.
    metadata : dict
        What was given to `hashslide.model_file.save_model`.
    string_tables : tuple of str
        Names of the arrays of strings; table ``t`` is stored in the tensors ``t.utf8`` and ``t.offsets``.
    tensors : tuple of TensorInfo
        In the order of the file.
    checksums : dict of str to int, or None
        CRC-32 of each tensor's bytes; None if the file has none.
    """

    path: Path
    file_bytes: int
    data_start: int
    format_version: int
    library_version: str
    metadata: dict[str, Any]
    string_tables: tuple[str, ...]
    tensors: tuple[TensorInfo, ...]
    checksums: dict[str, int] | None


def encode_header(
    ordered: list[tuple[str, Any]],
    tables: list[str],
    metadata: Mapping[str, Any],
    checksums: Mapping[str, int],
) -> bytes:
    """Return the bytes before the data section, for tensors in file order; the checksums change no length."""
    header: dict[str, Any] = {_METADATA: _encode_metadata(tables, metadata)}
    begin = 0
    for name, array in ordered:
        end = begin + array.nbytes
        code = DTYPE_CODES[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    sums = {name: f"{value:08x}" for name, value in checksums.items()}
    header[_METADATA]["checksums"] = json.dumps({_METADATA: f"{_header_checksum(header):08x}"} | sums)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % DATA_ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise InputError(
            f"names and metadata take {len(text):,} bytes; a model file's header holds at most "
            f"{MAX_HEADER_BYTES:,}. Pass large tables as arrays (strings too), not as metadata."
        )
    return len(text).to_bytes(8, "little") + text


def _header_checksum(header: dict[str, Any]) -> int:
    """Return the CRC-32 of a header without its checksums, as JSON in the order of the keys."""
    strings = {key: value for key, value in header[_METADATA].items() if key != "checksums"}
    text = json.dumps(header | {_METADATA: strings}, sort_keys=True, separators=(",", ":"))
    return zlib.crc32(text.encode())


def _encode_metadata(tables: list[str], metadata: Mapping[str, Any]) -> dict[str, str]:
    """Return the ``__metadata__`` strings: the format's own keys, then each metadata value as JSON."""
    encoded = {
        "format": FORMAT_NAME,
        "format_version": str(FORMAT_VERSION),
        "library_version": build_info()["version"],
        "string_tables": json.dumps(tables),
    }
    for key, value in metadata.items():
        if not isinstance(key, str) or key in _RESERVED_KEYS:
            reserved = ", ".join(_RESERVED_KEYS)
            raise InputError(f"metadata key {key!r} cannot be stored. Use a string other than {reserved}.")
        try:
            encoded[key] = json.dumps(value, allow_nan=False, default=_python_number)
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(
                f"metadata {key!r} is not JSON: {error}. Use None for a missing number."
            ) from None
    return encoded


def _python_number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def read_summary(file: BinaryIO, path: Path) -> ModelSummary:
    """Read and check the header and the length of the data section; leave `file` at that section's start."""
    file_bytes = os.fstat(file.fileno()).st_size
    header, data_start = _read_header(file, path, file_bytes)
    strings = header.get(_METADATA, {})
    version = _check_format(path, strings)
    described = {name: entry for name, entry in header.items() if name != _METADATA}
    tensors = tuple(_check_tensor(path, name, entry) for name, entry in described.items())
    tensors = _check_layout(path, tensors, data_start, file_bytes)
    values = {key: _decode_json(path, key, text) for key, text in strings.items() if _is_json(key)}
    return ModelSummary(
        path=path,
        file_bytes=file_bytes,
        data_start=data_start,
        format_version=version,
        library_version=strings.get("library_version", "unknown"),
        string_tables=_check_tables(path, values.pop("string_tables", None), tensors),
        checksums=_check_checksums(path, values.pop("checksums", None), header),
        metadata=values,
        tensors=tensors,
    )


def fail(path: Path, found: str, remedy: str = _DAMAGED) -> NoReturn:
    """Raise ModelFileError with what was found and what to do."""
    raise ModelFileError(f"{path} is not a usable model file: {found}. {remedy}")


def _short(value: object) -> str:
    """Return a value from a file as it may stand in a message."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _read_header(file: BinaryIO, path: Path, file_bytes: int) -> tuple[dict[str, Any], int]:
    prefix = file.read(8)
    kind = next((kind for magic, kind in _SIGNATURES.items() if prefix.startswith(magic)), None)
    remedy = f"{f'It looks like {kind}. ' if kind else ''}Give a model that hashslide saved."
    if len(prefix) < 8:
        fail(path, f"it has {len(prefix)} bytes, too few for a header", remedy)
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER_BYTES:
        fail(path, f"its header would take {length:,} bytes; accepted are {MAX_HEADER_BYTES:,}", remedy)
    if 8 + length > file_bytes:
        found = f"it ends in its header ({length:,} bytes, of which {file_bytes - 8:,} are there)"
        fail(path, found, remedy if kind else _DAMAGED)
    try:
        header = _parse_json(file.read(length).decode())
    except (ValueError, RecursionError) as error:
        fail(path, f"its header is not JSON ({_short(str(error))})", remedy)
    if not isinstance(header, dict):
        fail(path, f"its header is a JSON {type(header).__name__}, not an object", remedy)
    return header, 8 + length


def _parse_json(text: str) -> Any:
    """Parse strict JSON: no NaN or infinity, also not by a number like 1e999, no repeated names."""
    return json.loads(
        text, parse_constant=_refuse_constant, parse_float=_finite_float, object_pairs_hook=_unique_names
    )


def _finite_float(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError(f"{digits} is beyond the numbers")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name is repeated in an object")
    return result


def _is_json(key: str) -> bool:
    return key in ("string_tables", "checksums") or key not in _RESERVED_KEYS


def _decode_json(path: Path, key: str, text: str) -> Any:
    try:
        return _parse_json(text)
    except (ValueError, RecursionError) as error:
        fail(path, f"its metadata {_short(key)} is not JSON ({_short(str(error))})")


def _check_format(path: Path, strings: Any) -> int:
    """Return the version of the format after checking name and version."""
    if not isinstance(strings, dict) or not all(isinstance(value, str) for value in strings.values()):
        fail(path, "its __metadata__ is not an object of strings")
    name, version = strings.get("format"), strings.get("format_version", "")
    if name != FORMAT_NAME:
        found = f"it is a safetensors file of format {_short(name)}, not {FORMAT_NAME!r}"
        fail(path, found, "Give a model that hashslide saved.")
    if not (version.isascii() and version.isdigit() and len(version) < 10 and int(version) > 0):
        fail(path, f"its format version is {_short(version)}, not a positive number")
    if int(version) > FORMAT_VERSION:
        writer = _short(strings.get("library_version", "unknown"))
        found = f"it has format version {version}, written by hashslide {writer}"
        fail(path, found, f"This hashslide reads versions up to {FORMAT_VERSION}: upgrade it.")
    return int(version)


def _check_tensor(path: Path, name: str, entry: Any) -> TensorInfo:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        fail(path, f"tensor {_short(name)} is not described by dtype, shape and data_offsets alone")
    code, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    dtype = DTYPES.get(code) if isinstance(code, str) else None
    if dtype is None:
        fail(path, f"tensor {_short(name)} has dtype {_short(code)}; accepted are {', '.join(DTYPES)}")
    if not _are_counts(shape) or len(shape) > MAX_DIMENSIONS:
        fail(path, f"tensor {_short(name)} has shape {_short(shape)}, not at most {MAX_DIMENSIONS} counts")
    if not _are_counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        fail(path, f"tensor {_short(name)} has data_offsets {_short(offsets)}, not [begin, end]")
    # NumPy multiplies the non-zero dimensions even when one is 0.
    if prod(filter(None, shape)) * dtype.itemsize >= 2**63:
        fail(path, f"tensor {_short(name)} has shape {_short(shape)}, beyond 2^63 bytes")
    begin, end = offsets
    needed = prod(shape) * dtype.itemsize
    if end - begin != needed:
        fail(path, f"tensor {_short(name)} needs {needed:,} bytes but data_offsets hold {end - begin:,}")
    return TensorInfo(name, dtype, tuple(shape), begin, end)


def _are_counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)


def _check_layout(
    path: Path, tensors: tuple[TensorInfo, ...], data_start: int, file_bytes: int
) -> tuple[TensorInfo, ...]:
    """Return the tensors in file order after checking that they fill the data section, each aligned."""
    ordered = tuple(sorted(tensors, key=lambda tensor: (tensor.begin, tensor.end)))
    position = 0
    for tensor in ordered:
        name = _short(tensor.name)
        if tensor.begin != position:
            what = "overlaps the tensor before it" if tensor.begin < position else "leaves a gap before it"
            fail(path, f"tensor {name} {what} (starts at {tensor.begin:,}, expected {position:,})")
        if (data_start + tensor.begin) % tensor.dtype.itemsize:
            fail(path, f"tensor {name} is not aligned to its {tensor.dtype.itemsize}-byte elements")
        position = tensor.end
    expected = data_start + position
    if expected != file_bytes:
        state = "is truncated" if expected > file_bytes else "has bytes after the last tensor"
        fail(path, f"it {state} ({file_bytes:,} bytes, expected {expected:,})")
    return ordered


def _check_tables(path: Path, tables: Any, tensors: tuple[TensorInfo, ...]) -> tuple[str, ...]:
    if not isinstance(tables, list) or not all(isinstance(table, str) for table in tables):
        fail(path, "its metadata 'string_tables' is not a list of names")
    unused = {tensor.name: tensor for tensor in tensors}
    for table in tables:
        for part, dtype in ((f"{table}.utf8", DTYPES["U8"]), (f"{table}.offsets", DTYPES["I64"])):
            tensor = unused.pop(part, None)
            if tensor is None or tensor.dtype != dtype or len(tensor.shape) != 1:
                fail(path, f"string table {_short(table)} lacks a 1-D {dtype} tensor {_short(part)}")
        if table in unused:
            fail(path, f"{_short(table)} is both a string table and a tensor")
    return tuple(tables)


def _check_checksums(path: Path, checksums: Any, header: dict[str, Any]) -> dict[str, int] | None:
    """Return the checksums of the tensors, if there are any, after comparing that of the header."""
    if checksums is None:
        return None
    if not isinstance(checksums, dict) or checksums.keys() != header.keys():
        fail(path, "its metadata 'checksums' does not name its tensors")
    if not all(isinstance(text, str) and _CHECKSUM.fullmatch(text) for text in checksums.values()):
        fail(path, "its metadata 'checksums' holds other things than 8 hexadecimal digits each")
    values = {name: int(text, 16) for name, text in checksums.items()}
    expected, found = values.pop(_METADATA), _header_checksum(header)
    if found != expected:
        fail(path, f"its header has the checksum {found:08x}, expected {expected:08x}")
    return values
