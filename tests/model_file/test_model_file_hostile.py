"""Hostile, truncated, foreign and newer model files are refused before any data is used."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from hashslide.errors import ModelFileError
from hashslide.model_file import inspect, load_model, save_model


def write_raw(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    """Write a safetensors file by hand; `header` is bytes or a JSON value."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def header_with(tensors: dict, **metadata: object) -> dict:
    own = {"format": "hashslide", "format_version": "1", "library_version": "0.1.0", "string_tables": "[]"}
    return {"__metadata__": own | metadata, **tensors}


def tensor(dtype: object, shape: object, offsets: object) -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "model.hashslide"
    arrays = {"output.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "step": np.array([5])}
    save_model(path, arrays | {"classes": np.array(["cat", "dog", "émeu"])}, {"config": {"hidden": 4}})
    return path


def test_tensors_beyond_4_gib(tmp_path):
    n = 5 * 2**30
    path = write_raw(tmp_path / "m", header_with({"a": tensor("U8", [n], [0, n])}))
    with open(path, "r+b") as file:
        file.seek(n - 1, os.SEEK_END)
        file.write(b"\x07")
    array = load_model(path)[0]["a"]
    assert array.shape == (n,) and array[-1] == 7 and array[2**32] == 0


F4 = tensor("F32", [2], [0, 8])
HOSTILE_HEADERS = {
    "not an object": ([1], 0, "its header is a JSON list, not an object"),
    "no metadata": (
        {"a": F4},
        8,
        "it is a safetensors file of format None, not 'hashslide'. Give a model that",
    ),
    "other format": (
        {"__metadata__": {"format": "pt"}},
        0,
        "a safetensors file of format 'pt', not 'hashslide'",
    ),
    "metadata list": ({"__metadata__": ["x"]}, 0, "its __metadata__ is not an object of strings"),
    "metadata number": (header_with({}, n=3), 0, "its __metadata__ is not an object of strings"),
    "metadata not JSON": (header_with({}, n="{"), 0, "its metadata 'n' is not JSON"),
    "metadata NaN": (header_with({}, n="NaN"), 0, "its metadata 'n' is not JSON .*NaN is not JSON"),
    "metadata beyond numbers": (header_with({}, n="1e999"), 0, "its metadata 'n' is not JSON .*beyond"),
    "metadata deep": (header_with({}, n="[" * 10**6), 0, "its metadata 'n' is not JSON"),
    "metadata huge number": (header_with({}, n="9" * 10**5), 0, "its metadata 'n' is not JSON"),
    "newer": (
        header_with({}, format_version="2", library_version="9.1"),
        0,
        "format version 2, written by hashslide '9.1'. This hashslide reads versions up to 1: upgrade it",
    ),
    "no version": (
        {"__metadata__": {"format": "hashslide"}},
        0,
        "its format version is '', not a positive number",
    ),
    "version zero": (header_with({}, format_version="0"), 0, "its format version is '0'"),
    "version text": (header_with({}, format_version="\u0661"), 0, "its format version is"),
    "version long": (header_with({}, format_version="1" * 5000), 0, "its format version is"),
    "entry list": (header_with({"a": []}), 0, "tensor 'a' is not described by dtype, shape and data_offsets"),
    "entry lacks": (header_with({"a": {"dtype": "F32"}}), 0, "tensor 'a' is not described by"),
    "entry more": (header_with({"a": F4 | {"x": 1}}), 8, "tensor 'a' is not described by"),
    "dtype": (header_with({"a": tensor("F8", [8], [0, 8])}), 8, "has dtype 'F8'; accepted are F64, F32"),
    "dtype object": (header_with({"a": tensor({"F32": 1}, [2], [0, 8])}), 8, "has dtype {'F32': 1}"),
    "shape number": (header_with({"a": tensor("F32", 2, [0, 8])}), 8, "has shape 2, not at most 32 counts"),
    "shape negative": (header_with({"a": tensor("F32", [-2], [0, 8])}), 8, r"has shape \[-2\], not at most"),
    "shape float": (header_with({"a": tensor("F32", [2.0], [0, 8])}), 8, r"has shape \[2.0\]"),
    "shape bool": (header_with({"a": tensor("F32", [True, 2], [0, 8])}), 8, r"has shape \[True, 2\]"),
    "shape text": (header_with({"a": tensor("F32", ["2"], [0, 8])}), 8, r"has shape \['2'\]"),
    "shape deep": (header_with({"a": tensor("F32", [1] * 33, [0, 4])}), 4, "not at most 32 counts"),
    "shape overflow": (
        header_with({"a": tensor("F32", [2**31, 2**31, 2], [0, 8])}),
        8,
        r"beyond 2\^63 bytes",
    ),
    "shape wraps": (header_with({"a": tensor("F32", [2**62 + 2], [0, 8])}), 8, r"beyond 2\^63 bytes"),
    "shape empty overflow": (
        header_with({"a": tensor("U8", [0, 2**62, 4], [0, 0])}),
        0,
        r"beyond 2\^63 bytes",
    ),
    "shape beyond int64": (header_with({"a": tensor("U8", [0, 2**64], [0, 0])}), 0, "not at most 32 counts"),
    "offsets number": (header_with({"a": tensor("F32", [2], 8)}), 8, r"data_offsets 8, not \[begin, end\]"),
    "offsets three": (header_with({"a": tensor("F32", [2], [0, 4, 8])}), 8, "data_offsets .* not"),
    "offsets negative": (header_with({"a": tensor("F32", [2], [-8, 0])}), 8, "data_offsets .* not"),
    "offsets swapped": (header_with({"a": tensor("F32", [2], [8, 0])}), 8, "data_offsets .* not"),
    "too small": (
        header_with({"a": tensor("F32", [3], [0, 8])}),
        8,
        "needs 12 bytes but data_offsets hold 8",
    ),
    "gap": (
        header_with({"a": tensor("F32", [1], [4, 8])}),
        8,
        "leaves a gap before it .starts at 4, expected 0",
    ),
    "overlap": (
        header_with({"a": F4, "b": tensor("F32", [2], [4, 12])}),
        12,
        "'b' overlaps the tensor before",
    ),
    "same": (header_with({"a": F4, "b": F4}), 8, "tensor 'b' overlaps the tensor before it"),
    "misaligned": (
        header_with({"a": tensor("U8", [2], [0, 2]), "b": tensor("F32", [1], [2, 6])}),
        6,
        "tensor 'b' is not aligned to its 4-byte elements",
    ),
    "truncated data": (
        header_with({"a": F4}),
        7,
        "it is truncated .* copy it again, or save the model again",
    ),
    "no data": (header_with({"a": tensor("F32", [2**40], [0, 2**42])}), 8, "it is truncated"),
    "appended": (header_with({"a": F4}), 9, "it has bytes after the last tensor"),
    "long name": (header_with({"a" * 10**5: []}), 0, r"tensor 'aaa.{1,100}\.\.\. is not described by"),
    "tables text": (header_with({}, string_tables='"x"'), 0, "'string_tables' is not a list of names"),
    "tables numbers": (header_with({}, string_tables="[1]"), 0, "'string_tables' is not a list of names"),
    "tables deep": (header_with({}, string_tables="[" * 10**6), 0, "metadata 'string_tables' is not JSON"),
    "table missing": (
        header_with({}, string_tables='["x"]'),
        0,
        "string table 'x' lacks a 1-D uint8 tensor 'x.utf8'",
    ),
    "table twice": (
        header_with(
            {"x.offsets": tensor("I64", [1], [0, 8]), "x.utf8": tensor("U8", [0], [8, 8])},
            string_tables='["x", "x"]',
        ),
        8,
        "string table 'x' lacks",
    ),
    "table and tensor": (
        header_with(
            {
                "x.offsets": tensor("I64", [1], [0, 8]),
                "x.utf8": tensor("U8", [0], [8, 8]),
                "x": tensor("U8", [0], [8, 8]),
            },
            string_tables='["x"]',
        ),
        8,
        "'x' is both a string table and a tensor",
    ),
    "table dtype": (
        header_with(
            {"x.offsets": tensor("F64", [1], [0, 8]), "x.utf8": tensor("U8", [0], [8, 8])},
            string_tables='["x"]',
        ),
        8,
        "string table 'x' lacks a 1-D int64 tensor 'x.offsets'",
    ),
}


@pytest.mark.parametrize("name", HOSTILE_HEADERS)
def test_hostile_headers(tmp_path, name):
    header, data_bytes, message = HOSTILE_HEADERS[name]
    path = write_raw(tmp_path / "m", header, bytes(data_bytes))
    for read in (inspect, load_model, lambda p: load_model(p, mmap=False)):
        with pytest.raises(ModelFileError, match=message) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has 0 bytes, too few for a header"),
        (b"\x01\x02\x03", "it has 3 bytes"),
        (b"\xff" * 100, "its header would take 18,446,744,073,709,551,615 bytes; accepted are 16,777,216"),
        (bytes(8), "its header is not JSON"),
        (bytes(100), "its header is not JSON"),
        ((50).to_bytes(8, "little") + b"{}", "it ends in its header .50 bytes, of which 2 are there"),
        ((8).to_bytes(8, "little") + b"\xef\xbb\xbf{}   ", "its header is not JSON"),
        ((8).to_bytes(8, "little") + b"\xff" * 8, "its header is not JSON"),
        ((8).to_bytes(8, "little") + b'{"a":1,}', "its header is not JSON"),
        ((16).to_bytes(8, "little") + b'{"a":1,"a":2}   ', "a name is repeated in an object"),
        ((2**20).to_bytes(8, "little") + b"[" * 2**20, "its header is not JSON"),
        (b"3 5 2\n0,1 0:1.0 2:3.5\n", "its header would take"),
        (b"PK\x03\x04" + bytes(50), "It looks like a zip archive"),
        (b"\x1f\x8b\x08\x00" + b"\xff" * 50, "It looks like a gzip file"),
        (b"PAR1" + b"\xff" * 50, "It looks like a Parquet file"),
        (b"\x93NUMPY\x01\x00" + bytes(50), "It looks like a NumPy .npy file"),
        (pickle.dumps({"weights": list(range(1000))}), "It looks like a Python pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer, .* git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "It looks like a web page"),
        (b"<html>\n<body>404</body></html>", "It looks like a web page"),
    ],
)
def test_foreign_and_damaged_files(tmp_path, content, message):
    (tmp_path / "m").write_bytes(content)
    for read in (inspect, load_model):
        with pytest.raises(ModelFileError, match=message):
            read(tmp_path / "m")


def test_pickles_are_not_executed(tmp_path):
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    (tmp_path / "m").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ModelFileError):
        load_model(tmp_path / "m")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("utf8", "offsets", "message"),
    [
        (b"abc", [0, 4], "in string table 'x' the offsets of strings do not rise from 0 to their 3 bytes"),
        (b"abc", [1, 3], "do not rise"),
        (b"abc", [0, 2], "do not rise"),
        (b"abc", [0, 2, 1, 3], "do not rise"),
        (b"abc", [0, -1, 3], "do not rise"),
        (b"abc", [], "do not rise"),
        (b"\xff\xfe\xfd", [0, 3], "string table 'x' is not UTF-8"),
        ("é".encode(), [0, 1, 2], "string table 'x' is not UTF-8"),
    ],
)
def test_hostile_string_tables(tmp_path, utf8, offsets, message):
    bounds = np.array(offsets, "<i8").tobytes()
    tensors = {
        "x.offsets": tensor("I64", [len(offsets)], [0, len(bounds)]),
        "x.utf8": tensor("U8", [len(utf8)], [len(bounds), len(bounds) + len(utf8)]),
    }
    path = write_raw(tmp_path / "m", header_with(tensors, string_tables='["x"]'), bounds + utf8)
    with pytest.raises(ModelFileError, match=message):
        load_model(path)


CHECKSUMS = {
    "list": ("[]", "does not name its tensors"),
    "other names": ('{"__metadata__": "00000000"}', "does not name its tensors"),
    "number": ('{"__metadata__": "00000000", "a": 1}', "other things than 8 hexadecimal digits"),
    "short": ('{"__metadata__": "00000000", "a": "123"}', "other things than 8 hexadecimal digits"),
    "line break": ('{"__metadata__": "00000000", "a": "12345678\\n"}', "other things than 8 hexadecimal"),
    "header": ('{"__metadata__": "00000000", "a": "12345678"}', "its header has the checksum"),
}


@pytest.mark.parametrize(("checksums", "message"), CHECKSUMS.values(), ids=CHECKSUMS.keys())
def test_hostile_checksums(tmp_path, checksums, message):
    path = write_raw(tmp_path / "m", header_with({"a": F4}, checksums=checksums), bytes(8))
    with pytest.raises(ModelFileError, match=message):
        load_model(path)


def test_what_is_not_a_readable_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, message in {
        tmp_path: "it is a folder. Give the model file itself",
        tmp_path / "pipe": "it is not a regular file",
        tmp_path / "none": "cannot read .*No such file or directory. Check the name and its folder",
        tmp_path / "loop": "cannot read .*symbolic links lead in a circle",
    }.items():
        for read in (inspect, load_model):
            with pytest.raises(ModelFileError, match=message):
                read(path)


def test_truncation_anywhere_is_noticed(tmp_path, saved):
    content = saved.read_bytes()
    path = tmp_path / "cut"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            inspect(path)


def test_fuzzed_headers_load_or_are_refused(tmp_path, saved):
    """Whatever bytes of the header change, the outcome is a model inside the file or ModelFileError."""
    content = saved.read_bytes()
    header_end = inspect(saved).data_start
    rng = np.random.default_rng(1)
    path = tmp_path / "fuzzed"
    refused = 0
    for _ in range(2000):
        changed = bytearray(content)
        for position in rng.integers(0, header_end, rng.integers(1, 4)):
            changed[position] = rng.choice([rng.integers(256), *b'0123456789,:[]{}"'])
        path.write_bytes(changed)
        try:
            arrays, _ = load_model(path)
        except ModelFileError:
            refused += 1
            continue
        assert sum(a.nbytes for a in arrays.values() if a.dtype != object) <= len(content)
    assert refused > 1000
