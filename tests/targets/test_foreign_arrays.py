"""Targets and features as the libraries around NumPy hold them: nullable, sparse, Arrow, polars, xarray."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

from hashslide import SlideClassifier, metrics
from hashslide.csr import as_csr
from hashslide.errors import InputError
from hashslide.targets import LabelNames, parse_target

polars = pytest.importorskip("polars")
xarray = pytest.importorskip("xarray")

INDICATOR = np.array([[0, 1, 0], [0, 0, 0], [1, 0, 1], [1, 1, 1]])
FRAME = pd.DataFrame(INDICATOR, columns=list("abc"))
ARROW = pd.ArrowDtype(pa.int64())

INDICATORS = {
    "Int64": FRAME.astype("Int64"),
    "UInt8": FRAME.astype("UInt8"),
    "boolean": FRAME.astype("boolean"),
    "Float64": FRAME.astype("Float64"),
    "Arrow": FRAME.astype(ARROW),
    "mixed": FRAME.astype({"a": "Int64", "b": "float32"}),
    "objects": FRAME.astype(object),
    "sparse": FRAME.astype(pd.SparseDtype(int, 0)),
    "sparse booleans": FRAME.astype(pd.SparseDtype(bool, False)),
    "partly sparse": FRAME.astype({"a": pd.SparseDtype(int, 0)}),
    "polars": polars.DataFrame(INDICATOR, schema=list("abc")),
    "xarray": xarray.DataArray(INDICATOR, dims=("row", "label")),
    "Arrow table": pa.table({name: FRAME[name] for name in "abc"}),
    "masked, whole": np.ma.masked_array(INDICATOR, mask=False),
}


@pytest.mark.parametrize("form", INDICATORS.values(), ids=INDICATORS.keys())
def test_columns_of_every_library_are_labels(form):
    target = parse_target(form)
    labels = LabelNames.learn(target)
    assert labels.n == 3 and target.multilabel
    columns = list("abc") if hasattr(form, "columns") else None  # arrays have no names
    assert columns == (None if target.columns is None else target.columns.tolist())
    np.testing.assert_array_equal(labels.encode(target).to_scipy().toarray(), INDICATOR)
    assert target.dense_dtype is None or target.dense_dtype.kind in "biuf"


@pytest.mark.parametrize("form", INDICATORS.values(), ids=INDICATORS.keys())
def test_columns_of_every_library_are_features(form):
    np.testing.assert_array_equal(as_csr(form).to_scipy().toarray(), INDICATOR)


def test_a_model_of_nullable_frames_predicts_numbers():
    X = pd.DataFrame(np.eye(4), columns=list("wxyz"))
    model = SlideClassifier(hidden=4, epochs=2, random_state=0).fit(
        X.astype("Float64"), FRAME.astype("Int64")
    )
    assert model.classes_.tolist() == ["a", "b", "c"] and model.feature_names_in_.tolist() == list("wxyz")
    assert model.predict(X).dtype == np.int64
    assert model.score(X.astype("Float32"), FRAME.astype("boolean")) >= 0
    with pytest.raises(ValueError, match="feature names should match those that were passed during fit"):
        model.predict_topk(X[list("zyxw")].astype("Float64"))


VECTORS = {
    "Int64": (pd.Series([3, 1, 3], dtype="Int64"), [1, 3]),
    "Int8 with index": (pd.Series([3, 1, 3], index=[7, 8, 9], dtype="Int8"), [1, 3]),
    "boolean": (pd.Series([True, False, True], dtype="boolean"), [False, True]),
    "string": (pd.Series(["b", "a", "b"], dtype="string"), ["a", "b"]),
    "string of Arrow": (pd.Series(["b", "a", "b"], dtype="string[pyarrow]"), ["a", "b"]),
    "text of Arrow": (pd.Series(["b", "a", "b"], dtype=pd.ArrowDtype(pa.string())), ["a", "b"]),
    "category of text": (pd.Series(["b", "a", "b"], dtype="category"), ["a", "b"]),
    "category of integers": (pd.Categorical([3, 1, 3]), [1, 3]),
    "index": (pd.Index(["b", "a", "b"]), ["a", "b"]),
    "Arrow": (pa.array([3, 1, 3]), [1, 3]),
    "Arrow chunks": (pa.chunked_array([["b", "a"], ["b"]]), ["a", "b"]),
    "polars": (polars.Series(["b", "a", "b"]), ["a", "b"]),
    "polars integers": (polars.Series([3, 1, 3]), [1, 3]),
    "xarray": (xarray.DataArray([3, 1, 3]), [1, 3]),
    "NumPy strings": (np.array(["b", "a", "b"], np.dtypes.StringDType()), ["a", "b"]),
    "list of NumPy strings": ([np.str_("b"), np.str_("a"), np.str_("b")], ["a", "b"]),
    "list of NumPy integers": ([np.int8(3), np.uint64(1), 3], [1, 3]),
    "objects, booleans": (np.array([True, False, True], object), [False, True]),
    "objects, whole floats": (np.array([3.0, 1, 3], object), [1.0, 3.0]),
    "beyond int64": ([2**63 + 1, 5, 2**63 + 1], [5, 2**63 + 1]),
    "negative": ([5, -5, 5], [-5, 5]),
    "zeros at the end": (["b", "a\0", "b"], ["a\0", "b"]),
    "long floats": (np.array([3, 1, 3], np.longdouble), [1.0, 3.0]),
}


@pytest.mark.parametrize(("vector", "names"), VECTORS.values(), ids=VECTORS.keys())
def test_columns_of_classes(vector, names):
    target = parse_target(vector)
    labels = LabelNames.learn(target)
    assert not target.multilabel and labels.names.tolist() == names and labels.names.dtype.itemsize <= 8
    np.testing.assert_array_equal(labels.encode(target).to_scipy().toarray(), [[0, 1], [1, 0], [0, 1]])


LISTS = {
    "list of tuples": [("b", "c"), ("a",), ()],
    "list of keys": [{"b": 1, "c": 2}.keys(), {"a": 1}.keys(), set()],
    "series of arrays": pd.Series([np.array(["b", "c"]), np.array(["a"]), np.array([], str)]),
    "series of sets with index": pd.Series([{"b", "c"}, {"a"}, frozenset()], index=[5, 6, 7]),
    "column of a frame": pd.DataFrame({"labels": [["b", "c"], ["a"], []]}),
    "objects": pd.Series([["b", "c"], ["a"], []]).to_numpy(),
    "empty row first": [[], ["a", "b", "c"], []],
    "rows of series": [pd.Series(["b", "c"]), pd.Series(["a"]), pd.Series([], dtype=object)],
    "Arrow lists": pa.array([["b", "c"], ["a"], []]).to_pandas(),
    "Arrow lists of pandas": pd.Series([["b", "c"], ["a"], []], dtype=pd.ArrowDtype(pa.list_(pa.string()))),
    "polars": polars.Series([["b", "c"], ["a"], []]),
    "rows of polars": [polars.Series(["b", "c"]), polars.Series(["a"]), polars.Series([], dtype=str)],
}


@pytest.mark.parametrize("lists", LISTS.values(), ids=LISTS.keys())
def test_columns_of_label_lists(lists):
    target = parse_target(lists)
    labels = LabelNames.learn(target)
    assert target.is_lists and labels.from_lists and labels.names.tolist() == ["a", "b", "c"]
    assert labels.encode(target).nnz == 3


MISSING = {
    "Int64 frame": (FRAME.astype("Int64").mask(FRAME == 1), "Input y contains NaN at row 0, column 1"),
    "object frame": (FRAME.astype(object).mask(FRAME == 1, None), "Input y contains NaN at row 0, column 1"),
    "Int64": (pd.Series([1, None], dtype="Int64"), "Input y contains NaN at row 1"),
    "boolean": (pd.Series([None, True], dtype="boolean"), "Input y contains NaN at row 0"),
    "string": (pd.Series(["a", None], dtype="string"), "y holds .* in row 1: a label is missing. Drop the"),
    "category": (pd.Series(["a", None], dtype="category"), "y holds nan in row 1: a label is missing"),
    "None": (["a", None], "y holds None in row 1: a label is missing"),
    "NA": ([1, pd.NA], "y holds <NA> in row 1: a label is missing"),
    "NaN among strings": (np.array(["a", np.nan], object), "y holds nan in row 1: a label is missing"),
    "NaN among numbers": (np.array([1, np.nan], object), "Input y contains NaN"),
    "in lists": ([["a"], ["b", None]], "y holds None in row 1: a label is missing"),
    "NA in lists": ([[5], [], [pd.NA, 1]], "y holds <NA> in row 2: a label is missing"),
    "a list": ([["a"], None], r"y\[1\] is None but other rows are lists. Give .* perhaps empty"),
    "the first list": ([None, ["a"]], r"y\[0\] is None but other rows are lists"),
    "masked": (np.ma.masked_array([1, 2], [False, True]), r"y is a masked array .* y.filled\(0\)"),
}


@pytest.mark.parametrize(("Y", "message"), MISSING.values(), ids=MISSING.keys())
def test_missing_labels_are_refused(Y, message):
    with pytest.raises(InputError, match=message):
        parse_target(Y)


UNKNOWN = {
    "generator": ((i for i in range(3)), r"y is a generator. .* Make a list of it: list\(y\)"),
    "map": (map(str, [1, 2]), r"y is a map. .* list\(y\)"),
    "set": ({1, 2}, r"y is a set. .* list\(y\)"),
    "bytes": (b"abc", "y is a bytes"),
    "bytes in a list": ([b"a", b"b"], r"y has dtype .S1. Decode bytes: numpy.char.decode\(y, 'utf-8'\)"),
    "bytes in lists": ([[b"a"], [b"b"]], r"y holds b'a' of type bytes; .* Decode bytes: label.decode\(\)"),
    "bytes among strings": (["a", b"b"], "y holds b'b' of type bytes; .* Decode bytes"),
    "dates": (np.array(["2020-01-01"], "datetime64[D]"), r"Make strings of dates: y.astype\(str\)"),
    "dates in pandas": (pd.Series(pd.to_datetime(["2020-01-01"])), "Make strings of dates"),
    "dates in lists": ([[datetime.date(2020, 1, 1)]], "y holds datetime.date.2020, 1, 1. of type date"),
    "spans": (np.array([1, 2], "timedelta64[s]"), "Make integers of time spans"),
    "booleans and numbers": ([True, 2], "y mixes booleans with numbers"),
    "booleans and integers of NumPy": ([np.True_, np.int64(2)], "y mixes booleans with numbers"),
    "floats in lists": ([[1.5], [2.0]], "y holds 1.5 of type float; labels are all strings or all integers"),
    "both ends": ([2**63, -1], "y holds what is no integer of 64 bits"),
    "lists in lists": ([[["a"]], [["b"]]], "y holds .'a'. of type list"),
    "text matrix": (np.array([["a", "b"], ["c", "d"]]), r"For label lists pass y.tolist\(\)"),
    "integer matrix": (np.array([[5, 7], [5, 9]]), r"y holds 5 at row 0, .* For label lists pass y.tolist"),
    "strings in a frame": (pd.DataFrame({"a": ["x"], "b": ["y"]}), "y has shape .1, 2. and dtype object"),
    "complex": ([1j, 2j], "y has dtype complex128"),
    "scalar array": (np.array(3), "y should be a 1d array"),
}


@pytest.mark.parametrize(("Y", "message"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_other_targets_are_refused_with_a_remedy(Y, message):
    with pytest.raises(InputError, match=message):
        parse_target(Y)


def test_columns_of_one_name_are_refused():
    frame = pd.DataFrame(INDICATOR[:, :2], columns=["a", "a"])
    with pytest.raises(InputError, match="classes holds 'a' more than once"):
        LabelNames.learn(parse_target(frame))


BAD_FEATURES = {
    "NA": (FRAME.astype("Int64").mask(FRAME == 1), "Input X contains NaN at row 0, column 1: the value is m"),
    "NA in objects": (
        FRAME.astype(object).mask(FRAME == 1, pd.NA),
        "X holds an object that is no number: .*NA",
    ),
    "text": (pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), "X holds text that is no number: .*'x'"),
    "category": (pd.DataFrame({"a": pd.Categorical(["x", "y"])}), "X holds text that is no number"),
    "dates": (pd.DataFrame({"a": pd.to_datetime(["2020-01-01"])}), "X has dtype datetime64"),
    "dates and numbers": (
        pd.DataFrame({"a": pd.to_datetime(["2020-01-01"]), "b": [1]}),
        "X holds an object that is no number: .*Timestamp",
    ),
    "lists": (pd.DataFrame({"a": [[1], [2]]}), "X holds"),
    "sparse NaN": (
        FRAME.astype(pd.SparseDtype(float)),
        r"X has sparse columns that leave out nan; .* X.astype\(pandas.SparseDtype\(float, 0\)\)",
    ),
    "masked": (np.ma.masked_array(np.eye(2), np.eye(2)), "X is a masked array with masked values"),
    "polars text": (polars.DataFrame({"a": ["x", "y"]}), "X holds text that is no number"),
    "polars null": (polars.DataFrame({"a": [1, None]}), "X contains NaN at row 1, column 0"),
}


@pytest.mark.parametrize(("X", "message"), BAD_FEATURES.values(), ids=BAD_FEATURES.keys())
def test_bad_columns_of_features_are_refused(X, message):
    with pytest.raises(InputError, match=message):
        as_csr(X)


def test_sparse_frames_stay_sparse():
    matrix = sparse.random(20, 5000, 0.001, format="csr", random_state=0)
    frame = pd.DataFrame.sparse.from_spmatrix(matrix)
    assert as_csr(frame).nnz == matrix.nnz


def test_a_frame_without_columns_is_no_matrix_of_labels():
    with pytest.raises(InputError, match="y has 0 columns"):
        LabelNames.learn(parse_target(pd.DataFrame(index=range(3))))


def test_weights_may_be_nullable():
    X, weight = np.eye(3), pd.Series([1.0, None, 2.0], dtype="Float64")
    model = SlideClassifier(hidden=2, epochs=1, random_state=0)
    model.fit(X, [1, 2, 3], sample_weight=weight.fillna(0.5))
    with pytest.raises(InputError, match="Input sample_weight contains NaN at row 1"):
        model.fit(X, [1, 2, 3], sample_weight=weight)
    with pytest.raises(InputError, match="Input label_counts contains NaN at row 1"):
        metrics.propensity(weight, 5)
