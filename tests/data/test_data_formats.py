"""The choice of the format by the name of the file, conversion, and the built-in set."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hashslide import data
from hashslide.data import RepairWarning
from hashslide.errors import DataFileError, InputError

NAMES = [
    *("a.txt", "a.xmc", "a.txt.gz", "A.TXT.GZ", "a.b.txt"),
    *("a.svm", "a.svmlight", "a.libsvm", "a.svm.gz"),
    *("a.npz", "a.parquet", "a.pq", "a.arrow", "a.feather"),
]


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load(tmp_path, pubmed_small, name):
    X, Y = pubmed_small.X_train[:40], pubmed_small.Y_train[:40]
    data.save(tmp_path / name, X, Y)
    widths = {"n_features": X.shape[1], "n_labels": Y.shape[1]} if ".svm" in name or ".lib" in name else {}
    got_x, got_y = data.load(str(tmp_path / name), **widths)
    assert got_x.shape == X.shape and (got_x != X).nnz == 0
    assert got_y.shape == Y.shape and (got_y != Y).nnz == 0


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_is_loaded_also_without_examples(tmp_path, name):
    empty = np.empty((0, 3))
    if ".svm" in name or ".lib" in name:
        with pytest.raises(InputError, match=r"there are no rows, which svmlight cannot say. Write .txt"):
            data.save(tmp_path / name, empty, empty)
        assert not (tmp_path / name).exists()
    else:
        data.save(tmp_path / name, empty, empty)
        assert [matrix.shape for matrix in data.load(tmp_path / name)] == [(0, 3), (0, 3)]


@pytest.mark.parametrize("name", [*NAMES, "a.csv"])
def test_an_empty_file_is_said_to_be_empty(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(DataFileError, match=r"the file is empty. Remedy: check that it was written"):
        data.load(tmp_path / name)


@pytest.mark.parametrize("name", ["a.txt", "a.npz", "a.parquet"])
def test_symbolic_links_are_followed(tmp_path, name):
    (tmp_path / "real").touch()
    (tmp_path / name).symlink_to(tmp_path / "real")
    data.save(tmp_path / name, np.eye(2), np.eye(2))
    assert (tmp_path / name).is_symlink() and (tmp_path / "real").stat().st_size > 0


@pytest.mark.parametrize("name", ["a.tab", "a", "a.gz", "a.npz.gz", "txt", "a.txt.zip"])
def test_unknown_suffix(tmp_path, name):
    for call in (data.load, lambda path: data.save(path, np.eye(1), np.eye(1))):
        with pytest.raises(
            InputError, match=r"unknown suffix. Known are .txt\[.gz\], .*, .npz, .* format='xmc'"
        ):
            call(tmp_path / name)


def test_convert(tmp_path):
    source, target = tmp_path / "a.svm", tmp_path / "a.txt"
    source.write_text("1 0:1 2:5\n0 1:2\n")
    X, Y = data.convert(source, target, zero_based=True)
    assert target.read_text() == "2 3 2\n1 0:1 2:5\n0 1:2\n"
    assert X.toarray().tolist() == [[1, 0, 5], [0, 2, 0]] and Y.toarray().tolist() == [[0, 1], [1, 0]]


def test_convert_refuses_before_it_reads(tmp_path):
    for name, message in (("a.tab", "unknown suffix"), ("a.csv", "CSV is read but not written here")):
        with pytest.raises(InputError, match=message):
            data.convert(tmp_path / "none.txt", tmp_path / name)


def test_convert_is_strict_unless_told_otherwise(tmp_path):
    source, target = tmp_path / "a.txt", tmp_path / "b.txt"
    source.write_text("1 2 2\n1,0 0:1\n")
    with pytest.raises(DataFileError, match="label id 0 follows a larger one"):
        data.convert(source, target)
    assert not target.exists()
    with pytest.warns(RepairWarning, match="labels out of order") as warned:
        data.convert(source, target, lenient=True)
    assert warned[0].filename == __file__
    assert target.read_text() == "1 2 2\n0,1 0:1\n"


@pytest.mark.parametrize("suffix", ["txt", "svm", "npz", "parquet"])
def test_load_warns_at_the_callers_line(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix in ("txt", "svm"):
        path.write_text(("1 2 2\n" if suffix == "txt" else "") + "1,0 1:1\n")
    elif suffix == "npz":
        arrays = {"X_data": np.ones(2), "X_indices": [1, 0], "X_indptr": [0, 2], "X_shape": [1, 2]}
        np.savez(path, **arrays, Y_indices=np.array([], int), Y_indptr=[0, 0], Y_shape=[1, 1])
    else:
        pq.write_table(pa.table({"labels": [[1, 0]], "features": [[0]], "values": [[1.0]]}), path)
    with pytest.warns(RepairWarning) as warned:
        data.load(path, lenient=True)
    assert warned[0].filename == __file__


def test_builtin(pubmed):
    assert data.builtin_names() == ["pubmed-mesh"]
    assert pubmed.X_train.shape == (27268, 28551) and pubmed.Y_train.shape == (27268, 11336)
    assert pubmed.X_test.shape == (3040, 28551) and pubmed.Y_test.shape == (3040, 11336)
    assert len(pubmed.feature_names) == 28551 and len(pubmed.label_names) == 11336
    lengths = np.sqrt(np.asarray(pubmed.X_train.multiply(pubmed.X_train).sum(axis=1)))
    np.testing.assert_allclose(lengths, 1, atol=0.01)
    frequent = pubmed.label_names[np.argmax(np.bincount(pubmed.Y_train.indices))]
    assert frequent == "Humans"


def test_builtin_files_have_a_readme():
    folder = data.builtin_path("pubmed-mesh")
    assert "National Library of Medicine" in (folder / "README.md").read_text()
    assert {p.name for p in folder.glob("*.gz")} == {
        f"{s}.txt.gz" for s in ("train", "test", "labels", "features")
    }


@pytest.mark.parametrize("name", ["none", "", "..", "pubmed-mesh/.."])
def test_unknown_builtin(name):
    with pytest.raises(InputError, match=r"No built-in data set .* There are: pubmed-mesh"):
        data.builtin(name)
