import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.errors import InputError, InputTypeError

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
    assert_is_clean(as_csr(form), DENSE)
    if before is not None:
        assert type(form) is type(before) and (form != before).nnz == 0


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.int64])
def test_integers_and_booleans(dtype):
    dense = np.array([[0, 1], [1, 0]], dtype)
    assert_is_clean(as_csr(dense), dense)
    assert_is_clean(as_csr(sparse.csr_matrix(dense)), dense)


def test_a_dense_matrix_of_many_blocks():
    dense = (np.random.default_rng(0).random((3_000, 1_000)) < 0.01).astype(np.float64)
    assert_is_clean(as_csr(dense), dense)


def test_clean_arrays_are_not_copied():
    matrix = sparse.random(200, 100, 0.1, "csr", np.float32, random_state=0)
    matrix.sort_indices()
    csr = as_csr(matrix)
    assert np.shares_memory(csr.indices, matrix.indices) and np.shares_memory(csr.data, matrix.data)
    assert as_csr(csr) is csr


def test_a_wrong_note_of_scipy_is_not_trusted():
    matrix = unsorted()
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    assert_is_clean(as_csr(matrix), DENSE)


def test_blocks_and_chosen_rows():
    csr = as_csr(FORMS["csr matrix"])
    np.testing.assert_array_equal(csr.block(1, 3).to_scipy().toarray(), DENSE[1:3])
    np.testing.assert_array_equal(csr.take(np.array([2, 0, 2, 1])).to_scipy().toarray(), DENSE[[2, 0, 2, 1]])
    assert np.shares_memory(csr.block(0, 2).data, csr.data)


def test_only_a_pattern_has_no_values():
    csr = as_csr(FORMS["csr matrix"])
    assert csr.values is csr.data
    with pytest.raises(InputError, match="pattern without values"):
        _ = as_pattern(csr).values
    assert (as_csr(as_pattern(csr)).values == 1).all()


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
        as_csr(matrix)


def test_objects_that_are_no_numbers_are_a_type_error():
    with pytest.raises(
        InputTypeError, match="argument must be a string or a real number, not 'dict'"
    ) as caught:
        as_csr([[{"a": 1}, 2]])
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, InputError)


FORMATS = ("csr", "csc", "coo", "lil", "dok", "dia", "bsr")
DTYPES = (bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)
DTYPES += (np.float16, np.float32, np.float64, np.longdouble)


@pytest.mark.parametrize(
    ("form", "dtype"),
    # SciPy itself builds no other formats of float16.
    [(f, d) for f in FORMATS for d in DTYPES if d != np.float16 or f in ("csr", "csc", "coo")],
)
@pytest.mark.parametrize("kind", [sparse.coo_matrix, sparse.coo_array])
def test_every_format_and_dtype(form, dtype, kind):
    dense = np.array([[0, 1, 0, 0], [0, 0, 0, 0], [2, 0, 3, 0], [0, 0, 0, 4]], dtype)
    row, column = np.nonzero(dense)
    if dtype == np.float16:
        matrix = getattr(sparse, kind.__name__.replace("coo", form))(
            sparse.coo_matrix(dense.astype(np.float32))
        )
        matrix.data = matrix.data.astype(dtype)
    else:
        matrix = kind((dense[row, column], (row, column)), shape=dense.shape).asformat(form)
    assert_is_clean(as_csr(matrix), dense.astype(np.float32))


def compressed(form, data, dtype=np.float64, index=np.int32):
    """[[0, 0, .5], [1 + 2, 0, 0]] with unsorted rows and a repeated entry, flagged as canonical."""
    indices, indptr = np.array([2, 0, 0], index), np.array([0, 1, 3], index)
    matrix = form((np.asarray(data, dtype), indices, indptr), shape=(2, 3))
    matrix.has_sorted_indices = matrix.has_canonical_format = True
    return matrix


@pytest.mark.parametrize("index", [np.int32, np.int64, np.uint32])
def test_repeated_entries_are_summed_whatever_the_flags_say(index):
    matrix = compressed(sparse.csr_matrix, [5, 1, 2])
    matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
    assert_is_clean(as_csr(matrix), np.array([[0, 0, 5], [3, 0, 0]], np.float32))
    assert matrix.nnz == 3


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csr_array])
def test_sums_of_narrow_integers_do_not_wrap_round(form):
    matrix = compressed(form, [200, 200, 100], np.uint8)
    assert as_csr(matrix).data.tolist() == [200, 300]
    assert as_csr(matrix.tocoo(), dtype=None).data.tolist() == [200, 300]


def test_stored_zeros_are_dropped_unless_wanted():
    matrix = sparse.csr_matrix((np.array([0.0, 2, 0, 1, 1e-60]), [0, 2, 1, 2, 3], [0, 2, 3, 5]), shape=(3, 4))
    csr = as_csr(matrix)
    assert (csr.indptr.tolist(), csr.indices.tolist(), csr.data.tolist()) == ([0, 1, 1, 2], [2, 2], [2, 1])
    assert as_csr(matrix, keep_zeros=True).indices.tolist() == [0, 2, 1, 2, 3]
    pattern = as_pattern(matrix)
    assert pattern.data is None and pattern.indices.tolist() == [2, 2, 3]
    assert as_csr(pattern).data.tolist() == [1, 1, 1]
    cancelled = compressed(sparse.csr_matrix, [5, 1, -1])
    assert as_pattern(cancelled).indices.tolist() == [2]
    assert as_csr(Csr(csr.indptr, csr.indices, np.float32([0, 1]), 4)).indices.tolist() == [2]


def test_the_dtype_that_is_asked_for():
    matrix = sparse.csr_matrix(np.array([[2**53 + 1, 0]]))
    assert as_csr(matrix, dtype=None).data.tolist() == [2**53 + 1]
    assert as_csr(matrix, dtype=np.float64).data.dtype == np.float64
    assert as_csr([[0, np.inf]], finite=False).data.tolist() == [np.inf]


def damage(form, **arrays):
    matrix = sparse.coo_matrix(DENSE).asformat(form)
    for name, array in arrays.items():
        setattr(matrix, name, array)
    return matrix


def lists(row, ids, values):
    matrix = sparse.lil_matrix(DENSE)
    matrix.rows[row], matrix.data[row] = ids, values
    return matrix


def entry(key):
    matrix = sparse.dok_matrix(DENSE)
    matrix._dict[key] = 1.0
    return matrix


BROKEN = {
    "csr, pointers of floats": damage("csr", indptr=np.array([0.0, 2, 2, 4])),
    "csr, pointers of two dimensions": damage("csr", indptr=np.array([[0, 2, 2, 4]])),
    "csr, too few pointers": damage("csr", indptr=np.array([0, 4])),
    "csr, no pointers": damage("csr", indptr=np.array([], np.int32)),
    "csr, too few values": damage("csr", data=np.ones(1)),
    "csc, pointers": damage("csc", indptr=np.array([0, 10**9, 2, 3, 4], np.int32)),
    "csc, last pointer": damage("csc", indptr=np.array([0, 1, 2, 3, 10**9], np.int32)),
    "csc, ids": damage("csc", indices=np.array([0, 3, 0, -2], np.int32)),
    "bsr, pointers": damage("bsr", indptr=np.array([0, 10**9], np.int32)),
    "bsr, ids": damage("bsr", indices=np.full(4, 10**6, np.int32)),
    "bsr, blocks": damage("bsr", data=np.ones((4, 2, 5))),
    "coo, rows": damage("coo", row=np.array([0, 10**9, 0, 1], np.int32)),
    "coo, negative columns": damage("coo", col=np.array([0, -(10**9), 0, 1], np.int32)),
    "coo, too few values": damage("coo", data=np.ones(2)),
    "coo, float rows": damage("coo", coords=(np.array([0, 1.5, 0, 1]), np.zeros(4, int))),
    "dia, offsets": damage("dia", offsets=np.array([0, 1, 2, 3, 4, 5, 6, 7], np.int32)),
    "lil, ids": lists(0, [10**6], [1.0]),
    "lil, too few values": lists(0, [0, 1, 2], [1.0]),
    "lil, too many values": lists(0, [0], [1.0] * 10**5),
    "lil, text": lists(0, ["a"], [1.0]),
    "dok, ids": entry((10**6, 0)),
    "dok, negative ids": entry((0, -5)),
}


@pytest.mark.parametrize("matrix", BROKEN.values(), ids=BROKEN.keys())
def test_a_damaged_structure_never_reaches_scipy(matrix):
    with pytest.raises(InputError):
        as_csr(matrix)


GOOD = {
    "indptr": np.array([0, 2, 3]),
    "indices": np.array([0, 1, 2], np.int32),
    "data": np.ones(3, np.float32),
    "n_columns": 3,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indptr": np.array([0, 2, 3], np.int32)}, "indptr of a Csr must be a contiguous array of int64"),
        ({"indices": [0, 1, 2]}, "indices of a Csr must be a contiguous array of int32"),
        ({"indices": np.array([1, 0, 2], np.int32)}, "a row of a Csr is not sorted"),
        ({"indices": np.array([1, 1, 2], np.int32)}, "a row of a Csr is not sorted"),
        ({"indices": np.array([0, 1, 3], np.int32)}, "Csr holds the column id 3"),
        ({"indptr": np.array([0, 2, 2])}, "a Csr of 2 items has 3 indices and 3 values"),
        ({"indptr": np.array([0, 3, 2])}, "Csr.indptr does not rise"),
        ({"data": np.ones(2, np.float32)}, "Csr.indptr ends at 3 but there are 3 indices and 2 values"),
    ],
)
def test_a_csr_cannot_be_made_of_arrays_that_do_not_fit(change, message):
    Csr(**GOOD)
    with pytest.raises(InputError, match=message):
        Csr(**GOOD | change)
