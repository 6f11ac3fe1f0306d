"""NumPy archives: one file or a pair of SciPy's, and what is refused."""

import numpy as np
import pytest
from scipy import sparse

from hashslide.data import RepairWarning, load_npz, save_npz
from hashslide.errors import DataFileError, InputError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.npz"


def assert_equal(got, expected):
    assert got.shape == expected.shape and got.dtype == np.float32
    assert (got != expected).nnz == 0 and got.has_canonical_format


def test_one_file(path, pubmed_small):
    save_npz(path, pubmed_small.X_test, pubmed_small.Y_test)
    X, Y = load_npz(path)
    assert_equal(X, pubmed_small.X_test)
    assert_equal(Y, pubmed_small.Y_test)


def test_any_suffix_is_kept(tmp_path):
    save_npz(tmp_path / "data.bin", np.ones((1, 1)), np.ones((1, 1)))
    assert [p.name for p in tmp_path.iterdir()] == ["data.bin"]


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int8, bool])
def test_pair_of_scipy(tmp_path, pubmed_small, kind):
    sparse.save_npz(tmp_path / "x.npz", pubmed_small.X_test)
    sparse.save_npz(tmp_path / "y.npz", sparse.csr_array(pubmed_small.Y_test.astype(kind)))
    X, Y = load_npz(tmp_path / "x.npz", tmp_path / "y.npz")
    assert_equal(X, pubmed_small.X_test)
    assert_equal(Y, pubmed_small.Y_test)


def test_every_stored_label_value_counts_as_one(tmp_path):
    sparse.save_npz(tmp_path / "x.npz", sparse.csr_matrix(np.eye(2)))
    sparse.save_npz(tmp_path / "y.npz", sparse.csr_matrix(np.array([[3.0, 0], [0, -2]])))
    assert load_npz(tmp_path / "x.npz", tmp_path / "y.npz")[1].toarray().tolist() == [[1, 0], [0, 1]]


GOOD = {
    "X_data": np.float32([1, 2, 3]),
    "X_indices": np.int32([0, 2, 1]),
    "X_indptr": np.int64([0, 2, 3]),
    "X_shape": np.int64([2, 3]),
    "Y_indices": np.int32([1, 0]),
    "Y_indptr": np.int64([0, 1, 2]),
    "Y_shape": np.int64([2, 2]),
}


def test_the_arrays_that_the_refused_ones_differ_from_are_read(path):
    np.savez(path, **GOOD)
    X, Y = load_npz(path)
    assert X.toarray().tolist() == [[1, 0, 2], [0, 3, 0]] and Y.toarray().tolist() == [[0, 1], [1, 0]]


REFUSED = {
    "missing": (
        {"X_indptr": None},
        "no array 'X_indptr'; the archive holds X_data, .*name that of the labels with labels_file",
    ),
    "missing-labels": ({"Y_indices": None}, "no array 'Y_indices'"),
    "id-large": (
        {"X_indices": np.int32([0, 3, 1])},
        "row 0: feature id 3 is out of range; accepted is 0 to 2",
    ),
    "id-negative": (
        {"Y_indices": np.int32([1, -1])},
        "row 1: label id -1 is out of range; accepted is 0 to 1",
    ),
    "id-beyond-32-bit": ({"X_indices": np.int64([0, 2**32 + 1, 1])}, "feature id 4294967297 is out of range"),
    "unsorted": (
        {"X_indices": np.int32([2, 0, 1])},
        "row 0: feature id 0 follows a larger one. Remedy: .*lenient",
    ),
    "repeated": ({"X_indices": np.int32([2, 2, 1])}, "row 0: feature id 2 is repeated"),
    "nan": ({"X_data": np.float32([1, 2, np.nan])}, "row 1: a feature value is NaN, infinite or beyond"),
    "beyond-float32": (
        {"X_data": np.float64([1, 1e39, 3])},
        "row 0: a feature value is NaN, infinite or beyond",
    ),
    "offsets-fall": (
        {"X_indptr": np.int64([0, 4, 3])},
        "row offsets of the feature matrix do not ascend from 0 to 3",
    ),
    "offsets-start": ({"X_indptr": np.int64([1, 2, 3])}, "do not ascend from 0 to 3"),
    "offsets-end": ({"X_indptr": np.int64([0, 2, 9])}, "do not ascend from 0 to 3"),
    "values-short": ({"X_data": np.float32([1, 2])}, "the feature matrix has 2 values for 3 ids"),
    "shape-rows": (
        {"X_shape": np.int64([5, 3])},
        "shape \\[5, 3\\] of the feature matrix does not fit its 3 row",
    ),
    "shape-short": ({"X_shape": np.int64([2])}, "shape \\[2\\] of the feature matrix does not fit"),
    "shape-wide": ({"X_shape": np.int64([2, 2**31])}, "shape \\[2, 2147483648\\] of the feature matrix"),
    "two-dimensional": ({"X_data": np.ones((3, 1))}, "array 'X_data' has 2 dimensions of float64"),
    "real-ids": ({"X_indices": np.float64([0, 2, 1])}, "array 'X_indices' has 1 dimensions of float64"),
    "complex-values": ({"X_data": np.complex64([1, 2, 3])}, "array 'X_data' has 1 dimensions of complex64"),
    "objects": ({"X_data": np.array([1, "a", None], object)}, "not a readable .npz archive"),
    "rows-differ": (
        {"Y_indptr": np.int64([0, 1, 2, 2]), "Y_shape": np.int64([3, 2])},
        "2 rows of features and 3 rows of labels",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(path, case):
    changes, message = REFUSED[case]
    arrays = {key: value for key, value in (GOOD | changes).items() if value is not None}
    np.savez(path, **arrays)
    with pytest.raises(DataFileError, match=message) as error:
        load_npz(path)
    assert str(error.value).startswith(str(path)) and "Remedy: " in str(error.value)


def test_a_single_scipy_matrix_needs_its_labels(path):
    sparse.save_npz(path, sparse.csr_matrix(np.eye(2)))
    with pytest.raises(DataFileError, match=r"no array 'X_data'.*name that of the labels with labels_file"):
        load_npz(path)


def test_other_sparse_formats_are_refused(path):
    sparse.save_npz(path, sparse.coo_matrix(np.eye(2)))
    with pytest.raises(DataFileError, match=r"a sparse matrix of the format b'coo'. Remedy: .*tocsr"):
        load_npz(path, path)


@pytest.mark.parametrize("content", [b"no archive", b"PK\x03\x04 broken"])
def test_other_content_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"not a readable .npz archive"):
        load_npz(path)


def test_a_single_array_is_refused(path):
    with open(path, "wb") as file:
        np.save(file, np.eye(2))
    with pytest.raises(DataFileError, match=r"not a readable .npz archive"):
        load_npz(path)


def test_missing_file(path):
    with pytest.raises(FileNotFoundError):
        load_npz(path)


def test_lenient(path):
    changes = {
        "X_indices": np.int32([2, 2, 1]),
        "Y_indices": np.int32([1, 0]),
        "Y_indptr": np.int64([0, 2, 2]),
    }
    np.savez(path, **(GOOD | changes))
    with pytest.warns(RepairWarning) as warned:
        X, Y = load_npz(path, lenient=True)
    assert [str(w.message) for w in warned] == [
        f"{path}: repaired repeated features (values summed) in 1 row, first row 0.",
        f"{path}: repaired labels out of order (sorted) in 1 row, first row 0.",
    ]
    assert all(w.filename == __file__ for w in warned)
    assert X.toarray().tolist() == [[0, 0, 3], [0, 3, 0]] and Y.toarray().tolist() == [[1, 1], [0, 0]]


def test_repeated_labels_count_once(path):
    np.savez(path, **(GOOD | {"Y_indices": np.int32([1, 1]), "Y_indptr": np.int64([0, 2, 2])}))
    with pytest.warns(RepairWarning, match=r"repeated labels \(kept once\) in 1 row"):
        _, Y = load_npz(path, lenient=True)
    assert Y.toarray().tolist() == [[0, 1], [0, 0]]


def test_labels_stored_as_zero(tmp_path):
    x, y = tmp_path / "x.npz", tmp_path / "y.npz"
    sparse.save_npz(x, sparse.csr_matrix(np.eye(2)))
    sparse.save_npz(y, sparse.csr_matrix((np.float32([1, 0, 1]), [0, 1, 1], [0, 2, 3]), shape=(2, 2)))
    with pytest.raises(
        DataFileError, match=r"y.npz, row 0: label id 1 is stored with the value 0. .*lenient=True"
    ):
        load_npz(x, y)
    with pytest.warns(RepairWarning, match=r"labels with the value 0 \(dropped\) in 1 row"):
        assert load_npz(x, y, lenient=True)[1].toarray().tolist() == [[1, 0], [0, 1]]


def test_saving_refuses_bad_matrices(path):
    with pytest.raises(InputError, match="X has 1 rows and Y has 2"):
        save_npz(path, np.ones((1, 1)), np.ones((2, 1)))
    assert not path.exists()
