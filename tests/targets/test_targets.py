import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from hashslide.errors import InputError
from hashslide.targets import LabelNames, parse_target

INDICATOR = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]])


def encoded(Y, classes=None):
    target = parse_target(Y)
    labels = LabelNames.learn(target, classes)
    return labels, labels.encode(target, classes)


def with_explicit_zero():
    matrix = sparse.csr_matrix(INDICATOR)
    matrix.data[0] = 0
    return matrix


FORMS = {
    "csr": sparse.csr_matrix(INDICATOR),
    "csr array of booleans": sparse.csr_array(INDICATOR.astype(bool)),
    "csc of floats": sparse.csc_matrix(INDICATOR.astype(float)),
    "dense": INDICATOR,
    "dense floats": INDICATOR.astype(np.float32),
    "dense booleans": INDICATOR.astype(bool),
    "nested lists": INDICATOR.tolist(),
    "list of arrays": list(INDICATOR),
    "data frame": pd.DataFrame(INDICATOR),
    "sparse data frame": pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(INDICATOR)),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_every_indicator_becomes_the_same_pattern(form):
    labels, y = encoded(form)
    assert labels.n == 4 and labels.names is None and parse_target(form).multilabel
    assert (y.indptr.dtype, y.indices.dtype, y.data) == (np.int64, np.int32, None)
    np.testing.assert_array_equal(y.to_scipy().toarray(), INDICATOR)
    np.testing.assert_array_equal(labels.array(), np.arange(4))


def test_a_clean_indicator_is_not_copied():
    matrix = sparse.csr_matrix(INDICATOR)
    assert np.shares_memory(encoded(matrix)[1].indices, matrix.indices)


def test_explicit_zeros_of_an_indicator_are_no_labels():
    matrix = with_explicit_zero()
    np.testing.assert_array_equal(encoded(matrix)[1].to_scipy().toarray(), matrix.toarray())
    assert matrix.nnz == 8


def test_the_form_of_a_dense_indicator_is_kept():
    assert parse_target(INDICATOR.astype(np.float32)).dense_dtype == np.float32
    assert parse_target(sparse.csr_matrix(INDICATOR)).dense_dtype is None


@pytest.mark.parametrize(
    ("vector", "names"),
    [
        (np.array([3, 1, 3]), [1, 3]),
        ([True, False, True], [False, True]),
        (np.array([1.0, -2.0, 1.0]), [-2.0, 1.0]),
        (["b", "a", "b"], ["a", "b"]),
        (np.array(["b", "a", "b"], object), ["a", "b"]),
        (np.array([3, 1, 3], object), [1, 3]),
        (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
        (("b", "a", "b"), ["a", "b"]),
    ],
)
def test_class_vectors(vector, names):
    labels, y = encoded(vector)
    assert not parse_target(vector).multilabel
    assert labels.names.tolist() == names
    np.testing.assert_array_equal(y.to_scipy().toarray(), [[0, 1], [1, 0], [0, 1]])


def test_a_column_vector_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        assert encoded(np.array([[3], [1]]))[0].names.tolist() == [1, 3]


@pytest.mark.parametrize(
    "lists",
    [
        [["cat", "ant"], [], ["bee"]],
        [("cat", "ant"), (), ("bee",)],
        [{"cat", "ant"}, set(), {"bee"}],
        pd.Series([["cat", "ant"], [], ["bee"]]),
        [np.array(["cat", "ant"]), np.array([], str), np.array(["bee"])],
    ],
)
def test_label_lists(lists):
    labels, y = encoded(lists)
    assert labels.names.tolist() == ["ant", "bee", "cat"] and labels.names.dtype == object
    np.testing.assert_array_equal(y.to_scipy().toarray(), [[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    assert labels.decode(np.array([[2, 0]])).tolist() == [["cat", "ant"]]


def test_label_lists_of_integers_are_names_too():
    labels, y = encoded([[70, 5], [5], []])
    assert labels.names.tolist() == [5, 70]
    np.testing.assert_array_equal(y.to_scipy().toarray(), [[1, 1], [1, 0], [0, 0]])


def test_lists_of_one_label_are_label_lists():
    assert parse_target([["a"], ["b"]]).multilabel and parse_target([[0], [1]]).n_columns is None


def test_given_classes_fix_the_order():
    labels, y = encoded(["b", "a", "b"], classes=["b", "z", "a"])
    assert labels.names.tolist() == ["b", "z", "a"]
    np.testing.assert_array_equal(y.to_scipy().toarray(), [[1, 0, 0], [0, 0, 1], [1, 0, 0]])
    labels, y = encoded(sparse.csr_matrix(INDICATOR), classes=["d", "c", "b", "a"])
    assert labels.names.tolist() == ["d", "c", "b", "a"]
    np.testing.assert_array_equal(y.to_scipy().toarray(), INDICATOR)


def test_column_names_of_a_data_frame_are_label_names():
    labels, y = encoded(pd.DataFrame(INDICATOR, columns=list("wxyz")))
    assert labels.names.tolist() == list("wxyz")
    np.testing.assert_array_equal(y.to_scipy().toarray(), INDICATOR)


def fractional(form):
    dense = INDICATOR.astype(float)
    dense[2, 0] = 0.5
    return form(dense)


def repeated():
    return sparse.csr_matrix(([1, 1], [0, 0], [0, 2]), shape=(1, 2))


def out_of_range():
    matrix = sparse.csr_matrix(INDICATOR)
    matrix.indices = matrix.indices + 1
    return matrix


BAD = {
    "none": (None, "requires y to be passed, but the target y is None"),
    "scalar": (3, "Unknown label type: y is a int"),
    "text": ("abc", "Unknown label type: y is a str"),
    "fraction, sparse": (fractional(sparse.csr_matrix), "y holds 0.5 at row 2, column 0 .*only 0 and 1"),
    "fraction, dense": (fractional(np.asarray), "Unknown label type: .* 0.5 at row 2, column 0"),
    "counts": (INDICATOR * 2, "Unknown label type: .* 2 at row 0, column 1"),
    "repeated entry": (repeated(), "y holds 2 at row 0, column 0 .repeated entries count as their sum"),
    "id out of range": (out_of_range(), "y holds the column id 4; with 4 columns"),
    "NaN, sparse": (sparse.csr_matrix([[np.nan, 1]]), "y contains NaN at row 0, column 0"),
    "NaN, dense": (np.array([[np.nan, 1]]), "Input y contains nan at row 0, column 0"),
    "NaN, vector": ([1.0, np.nan], "Input y contains NaN"),
    "infinite": ([1.0, np.inf], "Input y contains infinity"),
    "continuous": ([0.5, 1.5], "Unknown label type: continuous. y holds 0.5"),
    "complex": (np.array([1j, 2j]), "Unknown label type: y has dtype complex128"),
    "sparse complex": (
        sparse.csr_matrix([[1j, 1]]),
        "Complex data not supported: y has dtype complex128",
    ),
    "sparse vector": (sparse.coo_array(np.array([1, 0])), "y is a sparse array of shape .2,."),
    "cube": (np.zeros((2, 2, 2)), "y should be a 1d array or an indicator, got an array of shape .2, 2, 2."),
    "bytes": (np.array([b"a", b"b"]), "Unknown label type: y has dtype .S1"),
    "mixed": (["a", 1], "Unknown label type: y mixes strings with other types"),
    "mixed objects": (
        np.array(["a", 1], object),
        "y holds 'a' of type str; labels are all strings or all int",
    ),
    "missing": (np.array(["a", None], object), "y holds None in row 1: a label is missing"),
    "ragged": ([1, [2, 3]], r"y\[0\] is 1 but other rows are lists"),
    "list and scalar": ([["a"], "b"], r"y\[1\] is 'b' but other rows are lists"),
    "mixed lists": ([["a"], [1]], "Unknown label type: y holds 'a'"),
    "booleans in lists": ([[True], [False, True]], "y holds True of type bool"),
    "huge in lists": ([[2**70], [1]], "y holds what is no integer of 64 bits .*; use strings"),
    "huge in vector": ([2**70, 1], "y holds what is no integer of 64 bits"),
    "array in lists": ([[np.array([1, 2])]], "y holds what is no integer of 64 bits"),
    "matrix of text": (np.array([["a", "b"]]), "Unknown label type: y has shape .1, 2. and dtype <U1"),
}


@pytest.mark.parametrize(("Y", "message"), BAD.values(), ids=BAD.keys())
def test_bad_targets_are_refused(Y, message):
    with pytest.raises(InputError, match=message):
        parse_target(Y)


BAD_LABELS = {
    "twice in a row": ([["a", "b"], ["c", "c"]], None, "y holds the label 'c' twice in row 1"),
    "no label": ([[], []], None, "y holds no label at all"),
    "no column": (sparse.csr_matrix((2, 0)), None, "y has 0 columns; accepted are 1 to"),
    "not in classes": (
        ["a", "b"],
        ["a", "c"],
        "y holds the label 'b', which is not among the model's 2 classes",
    ),
    "too few names": (INDICATOR, ["a"], "classes holds 1 names but y has 4 columns"),
    "repeated classes": (["a"], ["a", "b", "a"], "classes holds 'a' more than once"),
    "empty classes": (["a"], [], "classes has shape .0,."),
    "matrix of classes": (["a"], [["a", "b"]], "classes has shape .1, 2."),
}


@pytest.mark.parametrize(("Y", "classes", "message"), BAD_LABELS.values(), ids=BAD_LABELS.keys())
def test_bad_labels_are_refused(Y, classes, message):
    with pytest.raises(InputError, match=message):
        encoded(Y, classes)


def test_new_names_follow_the_old_ones():
    old = LabelNames.learn(parse_target(["b", "d"]))
    assert old.grown(parse_target(["d"])) is old
    assert old.grown(parse_target(sparse.csr_matrix((3, 2)))) is old
    grown = old.grown(parse_target(["c", "bbbb", "a"]))
    assert grown.names.tolist() == ["b", "d", "a", "bbbb", "c"]
    assert old.grown(parse_target(["d"]), classes=["b", "x"]).names.tolist() == ["b", "d", "x"]


@pytest.mark.parametrize(
    ("old", "new", "dtype"),
    [
        (np.array([1, 2], np.int8), 3, np.int8),
        (np.array([1, 2], np.int8), 300, np.int64),
        (np.array([1, 2], np.uint8), -1, np.int64),
        (np.array([1, 2], np.int32), 2**63, np.uint64),
        (np.array([1, 2]), 3.0, np.int64),
        (np.array([1.0, 2.0], np.float16), 70_001, np.float64),
        (np.array([True]), False, bool),
        (np.array(["a", "b"]), "longer", "<U6"),
    ],
)
def test_new_labels_fit_into_the_type_of_the_names(old, new, dtype):
    grown = LabelNames(len(old), old).grown(parse_target([new, new]))
    assert grown.names.tolist() == [*old.tolist(), new] and grown.names.dtype == dtype


def test_columns_are_matched_by_name():
    old = LabelNames.learn(parse_target([["b", "d"]]))
    target = parse_target(sparse.csr_matrix([[1, 0, 1], [0, 1, 0]]))
    grown = old.grown(target, classes=["d", "a", "b"])
    assert grown.names.tolist() == ["b", "d", "a"]
    pattern = grown.encode(target, classes=["d", "a", "b"]).to_scipy().toarray()
    np.testing.assert_array_equal(pattern, [[1, 1, 0], [0, 0, 1]])


def test_an_indicator_without_names_grows_by_columns():
    old = LabelNames(2)
    assert old.grown(parse_target(sparse.csr_matrix((1, 5)))) == LabelNames(5)


NAMED, IDS = LabelNames(2, np.array(["a", "b"], object)), LabelNames(4)
INTEGERS, BOOLEANS = LabelNames(2, np.array([1, 2], np.int8)), LabelNames(2, np.array([False, True]))


@pytest.mark.parametrize(
    ("labels", "Y", "classes", "message"),
    [
        (NAMED, INDICATOR, None, "y has 4 columns, the model 2 named labels. Name y's by classes="),
        (NAMED, INDICATOR, list("aabb"), "classes holds 'a' more than once"),
        (NAMED, INDICATOR, ["a"], "classes holds 1 names but y has 4 columns"),
        (NAMED, [1, 2], None, "y or classes holds the label 1, but the model's labels are like 'a'"),
        (INTEGERS, [[3], [1]], ["a", "b"], "holds the label 'a', but the model's labels are like 1. Use one"),
        (
            INTEGERS,
            [-1, 1],
            [2**63],
            "no number type of 64 bits holds the .* new ones, -1 to 9223372036854775808",
        ),
        (BOOLEANS, [1, 2], None, "holds the label 2, but the model's labels are like False. Use one type"),
        (IDS, ["a"], None, "The model was trained on an indicator without names"),
        (IDS, INDICATOR, list("abcd"), "The model was trained on an indicator without names"),
        (IDS, INDICATOR[:, :3], None, "y has 3 columns but the model has 4 labels. Add empty columns"),
    ],
)
def test_targets_that_do_not_match_the_model_are_refused(labels, Y, classes, message):
    with pytest.raises(InputError, match=message):
        labels.grown(parse_target(Y), classes)


def test_unknown_labels_can_be_dropped():
    pattern = NAMED.encode(parse_target([["z", "b"], ["z"], ["b", "a"]]), drop_unknown=True)
    np.testing.assert_array_equal(pattern.to_scipy().toarray(), [[0, 1], [0, 0], [1, 1]])
    with pytest.raises(InputError, match="y has 3 columns but the model has 4 labels"):
        IDS.encode(parse_target(INDICATOR[:, :3]), drop_unknown=True)
    with pytest.raises(InputError, match="The model was trained on an indicator; its labels have no names"):
        IDS.encode(parse_target(["a"]), drop_unknown=True)


def test_two_models_that_grow_from_one_keep_their_names_apart():
    parent = LabelNames.learn(parse_target(["a", "b"]))
    first = parent.grown(parse_target(["c", "d"]))
    second = parent.grown(parse_target(["d"]))
    third = second.grown(parse_target(["c", "e"]))
    assert [names.encode(parse_target([["d"]])).indices.tolist() for names in (first, second)] == [[3], [2]]
    assert third.encode(parse_target([["c", "e"]])).indices.tolist() == [3, 4]
    for names in (parent, second):
        with pytest.raises(InputError, match="y holds the label 'c', which is not among"):
            names.encode(parse_target(["c"]))
