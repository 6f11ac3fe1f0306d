"""Randomly damaged files give a valid result or a DataFileError, never anything else."""

import gzip
import warnings

import numpy as np
import pytest

from hashslide import data
from hashslide.data import RepairWarning, load_npz, load_svmlight, load_xmc, save_npz, save_svmlight, save_xmc
from hashslide.errors import DataFileError

TOKENS = [
    b"\n",
    b" ",
    b",",
    b":",
    b"-",
    b"nan",
    b"1e99",
    b"0",
    b"99999999999",
    b"\r",
    b"\0",
    b"#",
    b"\xff",
    b".",
]


def mutate(body: bytes, rng: np.random.Generator) -> bytes:
    """One to three random cuts, insertions, repetitions or exchanged bytes."""
    for _ in range(rng.integers(1, 4)):
        begin, end = sorted(rng.integers(0, len(body) + 1, 2))
        end = min(end, begin + rng.integers(1, 30))
        match rng.integers(0, 5):
            case 0:
                body = body[:begin] + body[end:]
            case 1:
                body = body[:begin] + TOKENS[rng.integers(len(TOKENS))] + body[begin:]
            case 2:
                body = body[:end] + body[begin:end] + body[end:]
            case 3:
                body = body[:begin] + rng.bytes(1) + body[begin + 1 :]
            case 4:
                body = (
                    body[:begin] if rng.random() < 0.2 else body[:begin] + body[begin:end][::-1] + body[end:]
                )
    return body


def assert_valid(X, Y):
    assert X.shape[0] == Y.shape[0]
    assert np.isfinite(X.data).all() and (Y.data == 1).all()
    for matrix in (X, Y):
        matrix.check_format(full_check=True)
        rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        keys = rows * max(matrix.shape[1], 1) + matrix.indices
        assert (np.diff(keys) > 0).all()


@pytest.fixture(scope="module")
def bodies(tmp_path_factory, pubmed_small):
    folder = tmp_path_factory.mktemp("fuzz")
    X, Y = pubmed_small.X_train[:12, :3000], pubmed_small.Y_train[:12]
    save_xmc(folder / "a.txt", X, Y)
    save_xmc(folder / "a.txt.gz", X, Y)
    save_svmlight(folder / "a.svm", X, Y)
    save_npz(folder / "a.npz", X, Y)
    save_xmc(folder / "a_X_Xf.txt", X, Y)
    rows = [f"{'|'.join(map(str, labels.indices))},{i},{i / 7}" for i, labels in enumerate(Y)]
    (folder / "a.csv").write_text("labels,features,values\n" + "\n".join(rows) + "\n")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def load_csv(path, lenient):
    return data.load_csv(path, separator="|", lenient=lenient)


def load_with_labels(path, lenient):
    """The damaged file as the labels of sound features."""
    sound = path.with_name("sound.txt")
    sound.write_text("12 1\n" + "0:1\n" * 12)
    return load_xmc(sound, path, lenient=lenient)


CASES = [
    *(("a.txt", load_xmc), ("a.txt.gz", load_xmc), ("a.svm", load_svmlight), ("a.npz", load_npz)),
    *(("a_X_Y.txt", load_with_labels), ("a.csv", load_csv)),
]


@pytest.mark.parametrize("lenient", [False, True], ids=["strict", "lenient"])
@pytest.mark.parametrize(("name", "load"), CASES, ids=[name for name, _ in CASES])
def test_damaged_files(tmp_path, bodies, name, load, lenient):
    rng = np.random.default_rng(0)
    outcomes = {"valid": 0, "refused": 0}
    path = tmp_path / name
    for _ in range(150):
        path.write_bytes(mutate(bodies[name], rng))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RepairWarning)
                X, Y = load(path, lenient=lenient)
        except DataFileError as error:
            assert str(path) in str(error) and "Remedy: " in str(error)
            outcomes["refused"] += 1
        else:
            assert_valid(X, Y)
            outcomes["valid"] += 1
    assert outcomes["refused"] > 30
    assert outcomes["valid"] > 5 or name != "a.txt"


def test_damaged_text_inside_sound_gzip(tmp_path, bodies):
    rng = np.random.default_rng(1)
    path = tmp_path / "a.txt.gz"
    refused = 0
    for _ in range(100):
        path.write_bytes(gzip.compress(mutate(bodies["a.txt"], rng), 1))
        try:
            assert_valid(*load_xmc(path))
        except DataFileError:
            refused += 1
    assert refused > 10
