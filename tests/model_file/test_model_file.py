"""Model files: what is written comes back, atomically; everything else is refused with a clear message."""

import json
import os
import re
import resource
import signal
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from hashslide.errors import InputError, ModelFileError
from hashslide.model_file import check_writable, inspect, load_model, save_model

DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"]
METADATA = {"config": {"hidden": 3, "rate": 0.1, "name": "é"}, "history": [{"loss": 1.5}, {"loss": None}]}


def example_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {f"dtype.{d}": rng.integers(0, 100, (3, 5)).astype(d) for d in DTYPES}
    arrays["scalar"] = np.array(7, np.int64)
    arrays["empty"] = np.empty((0, 4), np.float32)
    arrays["output.weight"] = rng.normal(size=(33, 16)).astype(np.float32)
    arrays["classes"] = np.array(["", "cat", "Größe", "日本語", "a\x00b", "🙂"], object)
    return arrays


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "model.hashslide"
    save_model(path, example_arrays(), METADATA)
    return path


# What is written comes back


@pytest.mark.parametrize("mmap", [True, False])
def test_round_trip(saved, mmap):
    arrays, metadata = load_model(saved, mmap=mmap)
    assert metadata == METADATA
    expected = example_arrays()
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_mapped_arrays_are_read_only_aligned_views(saved):
    arrays, _ = load_model(saved)
    weight = arrays["output.weight"]
    assert type(weight) is np.ndarray
    assert not weight.flags.writeable and not weight.flags.owndata
    assert weight.ctypes.data % 64 == 0
    assert all(a.ctypes.data % a.itemsize == 0 for a in arrays.values() if a.dtype != object)


def test_read_arrays_are_writable(saved):
    arrays, _ = load_model(saved, mmap=False)
    arrays["output.weight"] += 1
    again, _ = load_model(saved, mmap=False)
    np.testing.assert_array_equal(again["output.weight"], example_arrays()["output.weight"])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(60, dtype=np.float32).reshape(3, 4, 5).transpose(2, 0, 1),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(20)[::-3],
        np.arange(12, dtype=">i4").reshape(3, 4),
        np.broadcast_to(np.float32(2), (2, 3)),
        np.array(1.5, ">f8"),
    ],
    ids=["transposed", "fortran", "reversed", "big-endian", "broadcast", "big-endian-scalar"],
)
def test_any_memory_layout(tmp_path, array):
    save_model(tmp_path / "m", {"a": array}, {})
    np.testing.assert_array_equal(load_model(tmp_path / "m")[0]["a"], array)


def test_blocks_of_large_strided_arrays_are_in_order(tmp_path):
    array = np.arange(2 * 5_000_000, dtype=np.float32).reshape(5_000_000, 2).T
    save_model(tmp_path / "m", {"a": array}, {})
    np.testing.assert_array_equal(load_model(tmp_path / "m")[0]["a"], array)


def test_same_arguments_give_the_same_bytes(tmp_path, saved):
    reversed_arrays = dict(reversed(example_arrays().items()))
    save_model(tmp_path / "again", reversed_arrays, METADATA)
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_numpy_scalars_in_metadata_become_numbers(tmp_path):
    save_model(tmp_path / "m", {}, {"n": np.int64(3), "x": [np.float32(0.5)], "b": np.bool_(True)})
    assert load_model(tmp_path / "m")[1] == {"n": 3, "x": [0.5], "b": True}


def test_large_string_tables_cost_their_bytes(tmp_path):
    names = np.array([f"label {i}" for i in range(200_000)])
    save_model(tmp_path / "m", {"classes": names}, {})
    np.testing.assert_array_equal(load_model(tmp_path / "m")[0]["classes"], names)
    text = sum(map(len, names.tolist()))
    assert (tmp_path / "m").stat().st_size < text + 8 * 200_001 + 4096


def test_inspect_describes_the_file(saved):
    summary = inspect(saved)
    assert summary.metadata == METADATA
    assert summary.format_version == 1 and summary.library_version == "0.1.0"
    assert summary.string_tables == ("classes",)
    assert summary.file_bytes == saved.stat().st_size
    assert summary.data_start % 64 == 0
    assert summary.checksums.keys() == {t.name for t in summary.tensors}
    by_name = {t.name: t for t in summary.tensors}
    assert by_name["output.weight"].shape == (33, 16) and by_name["output.weight"].dtype == np.float32
    assert by_name["output.weight"].nbytes == 33 * 16 * 4
    assert sum(t.nbytes for t in summary.tensors) + summary.data_start == summary.file_bytes


def test_safetensors_library_reads_our_files(saved):
    expected = example_arrays()
    with safetensors.safe_open(saved, framework="np") as file:
        assert file.metadata()["format"] == "hashslide"
        assert json.loads(file.metadata()["config"]) == METADATA["config"]
        assert set(file.keys()) == (expected.keys() - {"classes"}) | {"classes.utf8", "classes.offsets"}
        for name in expected.keys() - {"classes"}:
            np.testing.assert_array_equal(file.get_tensor(name), expected[name])
        assert bytes(file.get_tensor("classes.utf8")).decode() == "".join(expected["classes"])


def test_files_of_the_safetensors_library_with_our_metadata_load(tmp_path):
    tensors = {"b": np.arange(5, dtype=np.float32), "a": np.arange(3)}
    metadata = {"format": "hashslide", "format_version": "1", "string_tables": "[]", "config": '{"n": 2}'}
    safetensors.numpy.save_file(tensors, tmp_path / "m", metadata)
    arrays, metadata = load_model(tmp_path / "m")
    assert metadata == {"config": {"n": 2}}
    np.testing.assert_array_equal(arrays["b"], tensors["b"])


# Memory


def traced_peak(function) -> int:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_saving_copies_no_contiguous_array(tmp_path):
    array = np.ones((1000, 16_000), np.float32)
    assert traced_peak(lambda: save_model(tmp_path / "m", {"a": array}, {})) < 2**20


def test_saving_strided_arrays_copies_blocks_only(tmp_path):
    array = np.ones((16_000, 1000), np.float32).T
    assert traced_peak(lambda: save_model(tmp_path / "m", {"a": array}, {})) < 40 * 2**20


def test_mapping_allocates_nothing_of_the_size_of_the_arrays(tmp_path):
    save_model(tmp_path / "m", {"a": np.ones((1000, 4000), np.float32)}, {})
    assert traced_peak(lambda: load_model(tmp_path / "m")) < 2**20


# Atomic writing


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        save_model(tmp_path / "m", {}, {})
    finally:
        os.umask(old)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o640


def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "m")
    save_model(tmp_path / "link", {"a": np.arange(3)}, {})
    assert (tmp_path / "link").is_symlink()
    assert load_model(tmp_path / "real" / "m")[0]["a"].tolist() == [0, 1, 2]


def test_a_mapped_model_survives_being_replaced(saved):
    arrays, _ = load_model(saved)
    save_model(saved, {"other": np.zeros(1000)}, {})
    np.testing.assert_array_equal(arrays["output.weight"], example_arrays()["output.weight"])


def test_a_full_disk_leaves_the_old_file_and_nothing_else(saved):
    before = saved.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(
            ModelFileError, match=r"cannot write .*File too large.*old file there is unchanged"
        ):
            save_model(saved, {"a": np.zeros(2**20)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


def test_interrupting_a_save_leaves_the_old_file_and_nothing_else(saved):
    before = saved.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    old_handler = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            save_model(saved, {"a": np.broadcast_to(np.float32(1), (2**33,))}, {})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old_handler)
    assert saved.read_bytes() == before
    assert os.listdir(saved.parent) == [saved.name]


# Checksums


def flip(path: Path, position: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[position] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("mmap", [True, False])
def test_verifying_finds_a_changed_bit_of_any_tensor(saved, mmap):
    summary = inspect(saved, verify=True)
    load_model(saved, mmap, verify=True)
    for tensor in summary.tensors:
        if not tensor.nbytes:
            continue
        position = summary.data_start + (tensor.begin + tensor.end) // 2
        flip(saved, position)
        message = rf"tensor '{re.escape(tensor.name)}' has the checksum .*, expected .*copy it again"
        with pytest.raises(ModelFileError, match=message):
            load_model(saved, mmap, verify=True)
        with pytest.raises(ModelFileError, match=message):
            inspect(saved, verify=True)
        flip(saved, position)
    load_model(saved, mmap, verify=True)


def test_checksums_are_those_of_zlib_and_cover_all_layouts(tmp_path):
    array = np.arange(12, dtype=">i4").reshape(3, 4).T
    save_model(tmp_path / "m", {"a": array, "empty": np.zeros(0)}, {})
    assert inspect(tmp_path / "m").checksums == {"a": zlib.crc32(array.astype("<i4").tobytes()), "empty": 0}


def test_a_changed_number_of_the_header_is_always_found(saved):
    content = saved.read_bytes()
    position = content.index(b"0.1", content.index(b"rate"))  # the metadata rate of 0.1
    saved.write_bytes(content[:position] + b"0.7" + content[position + 3 :])
    with pytest.raises(ModelFileError, match="its header has the checksum"):
        load_model(saved)


def test_a_file_without_checksums_cannot_be_verified(tmp_path):
    metadata = {"format": "hashslide", "format_version": "1", "string_tables": "[]"}
    safetensors.numpy.save_file({"a": np.arange(3)}, tmp_path / "m", metadata)
    assert inspect(tmp_path / "m").checksums is None
    with pytest.raises(ModelFileError, match=r"has no checksums\. Load it without verifying it"):
        load_model(tmp_path / "m", verify=True)


# What cannot be written


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"a": np.array([True])},
            "array 'a' has dtype bool, which a model file does not hold. Accepted: integers",
        ),
        ({"a": np.array([1j])}, "array 'a' has dtype complex128"),
        ({"a": [1, 2]}, "array 'a' is a list; accepted are NumPy arrays"),
        ({"a": np.array([b"x"])}, r"array 'a' has dtype \|S1"),
        ({"a": np.array(["x", 1], object)}, "array 'a' holds 1 at position 1. Accepted are only str"),
        ({"a": np.array([["x"]])}, "array 'a' of strings has 2 dimensions; accepted is 1"),
        ({"a": np.array(["\ud800"], object)}, "which is not Unicode text"),
        ({"": np.zeros(1)}, "array name '' cannot be stored"),
        ({3: np.zeros(1)}, "array name 3 cannot be stored"),
        ({"__metadata__": np.zeros(1)}, "array name '__metadata__' cannot be stored"),
        ({"a": np.array(["x"]), "a.utf8": np.zeros(1)}, "two arrays would be stored as 'a.utf8'. Rename"),
        ({"a.offsets": np.zeros(1), "a": np.array(["x"])}, "two arrays would be stored as 'a.offsets'"),
        ({"a": np.array(["x"]), "a.utf8": np.array(["x"])}, "two arrays would be stored as 'a.utf8'"),
        ({"a": np.zeros((1,) * 40)}, "array 'a' has 40 dimensions; accepted are 32"),
    ],
)
def test_arrays_that_cannot_be_stored(tmp_path, arrays, message):
    with pytest.raises(InputError, match=message):
        save_model(tmp_path / "m", arrays, {})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"x": float("nan")}, "metadata 'x' is not JSON: .*Use None for a missing number"),
        ({"x": {1, 2}}, "metadata 'x' is not JSON: set is not a JSON type"),
        ({"x": np.zeros(3)}, "metadata 'x' is not JSON: ndarray"),
        (
            {"format": "y"},
            "metadata key 'format' cannot be stored. Use a string other than format, format_version",
        ),
        ({1: "y"}, "metadata key 1 cannot be stored"),
        ({"x": "y" * 2**24}, "a model file's header holds at most 16,777,216. Pass large tables as arrays"),
    ],
)
def test_metadata_that_cannot_be_stored(tmp_path, metadata, message):
    with pytest.raises(InputError, match=message):
        save_model(tmp_path / "m", {}, metadata)
    assert os.listdir(tmp_path) == []


def test_targets_that_cannot_be_written(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for target, message in {
        tmp_path: "it is a folder. Give the name of a file",
        tmp_path / "pipe": "it is not a regular file",
        tmp_path / "none" / "m": "there is no folder .*none. Create it first",
        tmp_path / "file" / "m": "there is no folder .*file",
        Path("/proc/m"): "cannot write /proc/m: ",
    }.items():
        with pytest.raises(ModelFileError, match=message):
            save_model(target, {}, {})
    assert sorted(os.listdir(tmp_path)) == ["file", "pipe"]
    with pytest.raises(ModelFileError, match="it is a folder"):
        check_writable(tmp_path)
    assert check_writable(tmp_path / "new") is None
