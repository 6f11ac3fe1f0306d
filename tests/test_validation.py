import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hashslide._validation import (
    Csr,
    InputTypeError,
    check_features,
    check_not_empty,
    check_same_rows,
    check_sample_weight,
)
from hashslide.errors import InputError

DENSE = np.array([[0, 2, 0, 1.5], [0, 0, 0, 0], [-1, 0, 3, 0]])


def assert_is_clean(csr: Csr, dense):
    assert (csr.indptr.dtype, csr.indices.dtype, csr.data.dtype) == (np.int64, np.int32, np.float32)
    assert all(a.flags.c_contiguous and a.ndim == 1 for a in (csr.indptr, csr.indices, csr.data))
    assert (csr.n_rows, csr.n_columns) == dense.shape
    for row in range(csr.n_rows):
        assert (np.diff(csr.indices[csr.indptr[row] : csr.indptr[row + 1]]) > 0).all()
    np.testing.assert_array_equal(csr.to_scipy().toarray(), dense)


def unsorted():
    return sparse.csr_matrix(
        (np.array([1.5, 2.0, 3, -1]), np.array([3, 1, 2, 0]), np.array([0, 2, 2, 4])), shape=(3, 4)
    )


def repeated():
    data, indices = np.array([1.0, 1.0, 1.5, -1, 3]), np.array([1, 1, 3, 0, 2])
    return sparse.csr_matrix((data, indices, np.array([0, 3, 3, 5])), shape=(3, 4))


FORMS = {
    "csr matrix": sparse.csr_matrix(DENSE),
    "csr array": sparse.csr_array(DENSE),
    "csr, 64-bit indices": sparse.csr_matrix(DENSE, dtype=np.float32),
    "csc": sparse.csc_matrix(DENSE),
    "coo": sparse.coo_matrix(DENSE),
    "lil": sparse.lil_matrix(DENSE),
    "bsr": sparse.bsr_matrix(DENSE),
    "unsorted": unsorted(),
    "repeated": repeated(),
    "float64": DENSE,
    "float16": DENSE.astype(np.float16),
    "fortran": np.asfortranarray(DENSE),
    "strided": np.repeat(DENSE, 2, axis=1)[:, ::2],
    "list": DENSE.tolist(),
    "objects": DENSE.astype(object),
    "numbers as text": DENSE.astype(str),
    "data frame": pd.DataFrame(DENSE, columns=list("abcd")),
    "sparse data frame": pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(DENSE)),
}
FORMS["csr, 64-bit indices"].indices = FORMS["csr, 64-bit indices"].indices.astype(np.int64)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_form_becomes_the_same_clean_matrix(form):
    before = form.copy() if sparse.issparse(form) else None
    assert_is_clean(check_features(form), DENSE)
    if before is not None:
        assert type(form) is type(before) and (form != before).nnz == 0


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64])
def test_integers_and_booleans(dtype):
    dense = np.array([[0, 1], [1, 0]], dtype)
    assert_is_clean(check_features(dense), dense)
    assert_is_clean(check_features(sparse.csr_matrix(dense)), dense)


def test_a_dense_matrix_of_many_blocks():
    dense = (np.random.default_rng(0).random((3_000, 1_000)) < 0.01).astype(np.float64)
    assert_is_clean(check_features(dense), dense)


def test_clean_arrays_are_not_copied():
    matrix = sparse.random(200, 100, 0.1, "csr", np.float32, random_state=0)
    matrix.sort_indices()
    csr = check_features(matrix)
    assert np.shares_memory(csr.indices, matrix.indices) and np.shares_memory(csr.data, matrix.data)
    assert check_features(csr) is csr


def test_a_wrong_note_of_scipy_is_not_trusted():
    matrix = unsorted()
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    assert_is_clean(check_features(matrix), DENSE)


def test_blocks_and_chosen_rows():
    csr = check_features(FORMS["csr matrix"])
    np.testing.assert_array_equal(csr.block(1, 3).to_scipy().toarray(), DENSE[1:3])
    np.testing.assert_array_equal(csr.take(np.array([2, 0, 2, 1])).to_scipy().toarray(), DENSE[[2, 0, 2, 1]])
    assert np.shares_memory(csr.block(0, 2).data, csr.data)


def with_value(value, form=np.asarray):
    dense = DENSE.copy()
    dense[2, 2] = value
    return form(dense)


def damaged(indptr=None, indices=None):
    matrix = FORMS["csr matrix"].copy()
    if indptr is not None:
        matrix.indptr = np.array(indptr)
    if indices is not None:
        matrix.indices = np.array(indices)
    return matrix


BAD = {
    "NaN": (with_value(np.nan), "X contains NaN at row 2, column 2"),
    "infinity": (with_value(np.inf), "X contains infinity .* at row 2, column 2"),
    "sparse NaN": (with_value(np.nan, sparse.csr_matrix), "X contains NaN at row 2, column 2"),
    "sparse infinity": (with_value(-np.inf, sparse.csc_matrix), "X contains infinity .* at row 2, column 2"),
    "too large": (with_value(1e300), "X contains 1e.300, a value too large for dtype.'float32'"),
    "complex": (DENSE + 1j, "Complex data not supported: X has dtype complex128"),
    "sparse complex": (sparse.csr_matrix(DENSE + 1j), "Complex data not supported"),
    "vector": (DENSE[0], "Expected 2D array, got 1D array of shape .4,. as X. Reshape your data"),
    "cube": (np.zeros((2, 2, 2)), "Expected 2D array, got 3D array"),
    "sparse vector": (sparse.coo_array(DENSE[0]), "X is a sparse array of shape .4,."),
    "words": ([["a", "b"]], "X holds text that is no number: .*'a'.* Encode it"),
    "beyond float64": ([[10**400, 1]], "X holds a number beyond float64: .* Scale the data down"),
    "mixed names": (pd.DataFrame(np.eye(2), columns=["a", 1]), "the column names of X are not acceptable"),
    "ragged": ([[1, 2], [3]], "X is not a rectangular array"),
    "dates": (np.array([["2020-01-01"]], "M8[D]"), "X has dtype datetime64.D.; accepted are booleans"),
    "dense, too wide": (np.broadcast_to(1.0, (1, 2**31)), "X has 2147483648 columns; at most 2147483647"),
    "too wide": (sparse.csr_matrix((1, 2**31)), "X has 2147483648 columns; at most 2147483647"),
    "id too large": (
        damaged(indices=[1, 4, 0, 2]),
        "X holds the column id 4; with 4 columns, ids run from 0 to 3",
    ),
    "negative id": (damaged(indices=[1, 3, -1, 2]), "X holds the column id -1"),
    "falling indptr": (damaged(indptr=[0, 3, 2, 4]), "X.indptr does not rise"),
    "indptr from 1": (damaged(indptr=[1, 2, 2, 4]), "X.indptr does not rise"),
    "indptr beyond": (damaged(indptr=[0, 2, 2, 9]), "X.indptr ends at 9 but there are 4 indices"),
}


@pytest.mark.parametrize(("matrix", "message"), BAD.values(), ids=BAD.keys())
def test_bad_features_are_refused(matrix, message):
    with pytest.raises(InputError, match=message):
        check_features(matrix)


def test_objects_that_are_no_numbers_are_a_type_error():
    with pytest.raises(
        InputTypeError, match="argument must be a string or a real number, not 'dict'"
    ) as caught:
        check_features([[{"a": 1}, 2]])
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, InputError)


def test_empty_matrices_are_refused():
    for shape, message in [
        ((0, 3), r"0 sample\(s\) \(shape=\(0, 3\)\)"),
        ((3, 0), r"0 feature\(s\) \(shape=\(3, 0\)\)"),
    ]:
        with pytest.raises(
            InputError, match=f"Found array with {message} while a minimum of 1 is required by Me"
        ):
            check_not_empty(check_features(sparse.csr_matrix(shape)), "Me")


def test_differing_lengths_are_refused():
    check_same_rows(3, 3)
    with pytest.raises(InputError, match="X and Y have inconsistent numbers of samples: 3 and 4"):
        check_same_rows(3, 4)


def test_sample_weights():
    assert check_sample_weight(None, 3) is None
    assert check_sample_weight([1, 1, 1], 3) is None
    weight = check_sample_weight(pd.Series([0, 1, 2.5]), 3)
    assert weight.dtype == np.float32 and weight.tolist() == [0, 1, 2.5]
    given = np.array([0, 2], np.float32)
    assert check_sample_weight(given, 2) is given


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 2], r"sample_weight has shape \(2,\); accepted is \(3,\)"),
        (2.0, r"sample_weight has shape \(\)"),
        ([[1], [1], [1]], r"sample_weight has shape \(3, 1\)"),
        ([1, np.nan, 1], "sample_weight contains NaN or infinity at 1"),
        ([1, 1, np.inf], "sample_weight contains NaN or infinity at 2"),
        ([1, -0.5, 1], r"sample_weight\[1\] is -0.5, negative"),
        ([0, 0, 0], "sample_weight is zero everywhere"),
        (["a", "b", "c"], "sample_weight holds text"),
        ([1e300, 1, 1], "sample_weight contains 1e.300, a value too large"),
    ],
)
def test_bad_sample_weights_are_refused(weight, message):
    with pytest.raises(InputError, match=message):
        check_sample_weight(weight, 3)
