"""Metrics on what the classifier returns: names, lists, sets and classes; and pairs that are left out."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.metrics import accuracy_score

from hashslide import SlideClassifier, metrics
from hashslide.csr import as_csr
from hashslide.errors import InputError

CLASSES = np.array(["cat", "ant", "dog", "bee"], object)
Y = sparse.csr_matrix([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1]])
LISTS = [["dog", "cat"], ["ant"], [], ["bee", "dog"]]
IDS = np.array([[2, 1, 0], [0, 1, 2], [3, 2, 1], [3, 2, 0]])
NAMES = CLASSES[IDS]
P = np.array([0.5, 0.25, 1.0, 0.2])
INTEGERS = np.array([30, 2, 1, 0])  # names that look like ids

EXPECTED = metrics.summary(Y, IDS, (1, 2, 3), P)
UNSCORED = metrics.summary(Y, IDS, (1, 2, 3))

TRUTHS = {
    "matrix": Y,
    "csc": Y.tocsc(),
    "coo array": sparse.coo_array(Y),
    "Csr": as_csr(Y),
    "dense": Y.toarray(),
    "frame": pd.DataFrame(Y.toarray(), columns=CLASSES),
    "frame, other order": pd.DataFrame(Y.toarray(), columns=CLASSES)[["ant", "bee", "cat", "dog"]],
    "strings of NumPy": [np.array(row, np.dtypes.StringDType()) for row in LISTS],
    "nullable frame": pd.DataFrame(Y.toarray(), columns=CLASSES).astype("Int64"),
    "lists": LISTS,
    "sets": list(map(set, LISTS)),
    "tuples": list(map(tuple, LISTS)),
    "series": pd.Series(LISTS, index=[4, 5, 6, 7]),
    "nested indicator": Y.toarray().tolist(),
}
PREDICTIONS = {
    "objects": NAMES,
    "strings": NAMES.astype(str),
    "strings of NumPy": NAMES.astype(np.dtypes.StringDType()),
    "lists": NAMES.tolist(),
    "frame": pd.DataFrame(NAMES),
    "numbers": IDS,
}


@pytest.mark.parametrize("topk", PREDICTIONS.values(), ids=PREDICTIONS.keys())
@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS.keys())
def test_names_are_matched_whatever_holds_them(truth, topk):
    assert metrics.summary(truth, topk, (1, 2, 3), P, classes=CLASSES) == EXPECTED


@pytest.mark.parametrize("truth", [LISTS, list(map(set, LISTS)), pd.Series(LISTS)])
def test_names_on_both_sides_need_no_classes(truth):
    assert metrics.summary(truth, NAMES, (1, 2, 3)) == UNSCORED


def test_a_frame_names_its_columns():
    frame = TRUTHS["frame, other order"]
    assert metrics.summary(frame, NAMES, (1, 2, 3)) == UNSCORED
    assert metrics.precision_at_k(pd.DataFrame(Y.toarray()), IDS, 1) == EXPECTED["P@1"]


def test_integers_that_are_names_are_not_taken_for_ids():
    names = INTEGERS[IDS]
    assert metrics.summary(Y, names, (1, 2, 3), P, classes=INTEGERS) == EXPECTED
    assert metrics.summary([INTEGERS[row.indices].tolist() for row in Y], names, (1, 2, 3)) == UNSCORED
    with pytest.raises(InputError, match=r"topk\[0, 2\] is 30; ids go from 0 to 3.* pass classes="):
        metrics.precision_at_k(Y, names, 1)
    with pytest.raises(InputError, match=r"topk holds 3, which is not among classes, which are like 30"):
        metrics.precision_at_k(Y, IDS, 1, classes=INTEGERS)


def test_classes_of_a_vector_are_names():
    truth, topk = np.array(["ant", "bee", "cat"]), np.array([["bee", "ant"], ["bee", "ant"], ["bee", "dog"]])
    assert metrics.precision_at_k(truth, topk, 1) == 1 / 3
    assert metrics.recall_at_k(pd.Series(truth, dtype="category"), topk, 2) == 2 / 3
    assert metrics.precision_at_k([-1, 1, -1], [[-1, 1], [-1, 1], [1, -1]], 1) == 1 / 3
    assert metrics.precision_at_k([True, False], np.array([[True], [True]]), 1) == 1 / 2
    assert metrics.precision_at_k([1.0, 2.0], np.array([[1.0], [1.0]]), 1) == 1 / 2


def test_padding_among_names():
    padded = np.array([["dog", "cat", None], ["ant", None, None], [None] * 3, ["bee", None, None]], object)
    for options in ({}, {"classes": CLASSES}):
        assert metrics.precision_at_k(LISTS, padded, 3, **options) == (2 + 1 + 0 + 1) / 12
    assert metrics.precision_at_k(LISTS, pd.DataFrame(padded).astype("string"), 3) == (2 + 1 + 0 + 1) / 12
    assert metrics.precision_at_k([[5], [7, 5]], [[5, -1], [-1, -1]], 2) == 1 / 4
    assert metrics.precision_at_k([[], []], [[None], [None]], 1) == 0


def test_labels_that_the_model_does_not_know_count_as_missed():
    truth = [["dog", "yak"], ["ant"], ["yak"], ["bee", "dog"]]
    assert metrics.recall_at_k(truth, NAMES, 3, classes=CLASSES) == (1 / 2 + 1 + 0 + 1) / 4
    assert metrics.recall_at_k(truth, NAMES, 3) == (1 / 2 + 1 + 0 + 1) / 4
    with pytest.raises(InputError, match=r"propensity must hold 5 numbers .* with a count of 0 for l"):
        metrics.psp_at_k(truth, NAMES, 3, P, classes=CLASSES)


def test_k_may_exceed_the_labels_of_the_model_also_with_unknown_ones():
    assert metrics.precision_at_k([["yak"], ["ant"]], [["ant", "bee"]] * 2, 5, classes=["ant", "bee"]) == 0.1
    assert metrics.precision_at_k([["yak"], ["ant"]], [["ant", "bee"]] * 2, 5) == 0.1
    with pytest.raises(InputError, match=r"k is 3, but topk has 2 columns. Predict the 3 best"):
        metrics.precision_at_k([["yak"], ["ant"]], [["ant", "bee"]] * 2, 3, classes=["ant", "bee", "cat"])
    with pytest.raises(InputError, match=r"k is 2, but topk has 1 columns. Predict the 2 best"):
        metrics.precision_at_k([["yak"], ["ant"]], [["ant"], ["bee"]], 2)


BAD = {
    "names without classes": (Y, NAMES, {}, "topk holds labels like 'dog', but the columns of Y .* pass cl"),
    "ids against names": (LISTS, IDS, {}, "topk holds labels like 2, but Y like 'dog'. .* pass classes="),
    "unknown name": (
        Y,
        np.where(NAMES == "bee", "owl", NAMES),
        {"classes": CLASSES},
        "topk holds 'owl', which is not among classes, which are like 'cat'. Pass classes=model.classes_",
    ),
    "names against numbers": (Y, NAMES, {"classes": INTEGERS}, "topk holds 'dog', which is not among cl"),
    "too few classes": (Y, NAMES, {"classes": CLASSES[:3]}, "Y has 4 columns, but classes holds 3 names"),
    "repeated classes": (Y, NAMES, {"classes": ["a", "b", "c", "a"]}, "classes holds 'a' more than once"),
    "name twice": (LISTS, [["ant", "ant"]] * 4, {}, "topk holds label .* twice in row 0"),
    "truth twice": ([["a", "a"]], [["a"]], {}, "y holds the label 'a' twice in row 0"),
    "dates": (Y, np.zeros((4, 1), "datetime64[D]"), {}, "topk has shape .4, 1. of datetime64"),
    "predict": (LISTS, NAMES[:, 0], {}, r"topk has shape .4,. .* pass topk.reshape\(-1, 1\)"),
    "rows": (LISTS, NAMES[:3], {}, "Y has 4 rows and topk has 3"),
    "text": ("abcd", NAMES, {}, "Unknown label type: y is a str"),
    "missing": ([["a"], None], [["a"], ["a"]], {}, r"y\[1\] is None but other rows are lists"),
}


@pytest.mark.parametrize(("truth", "topk", "options", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_matched_is_refused(truth, topk, options, message):
    with pytest.raises(InputError, match=message):
        metrics.precision_at_k(truth, topk, 1, **options)


def test_propensities_of_lists_need_an_order():
    with pytest.raises(InputError, match=r"propensities need the order of the labels.* Pass classes="):
        metrics.psp_at_k(LISTS, NAMES, 1, P)


def test_propensities_count_for_themselves():
    counts = Y.sum(axis=0)
    expected = metrics.propensity(np.asarray(counts).ravel(), 4)
    for given in (
        counts,
        sparse.csr_matrix(counts),
        np.asarray(counts),
        pd.Series(np.asarray(counts).ravel()),
    ):
        np.testing.assert_array_equal(metrics.propensity(given, 4), expected)
    for given in (Y, Y.tocoo(), Y.toarray(), pd.DataFrame(Y.toarray())):
        np.testing.assert_array_equal(metrics.propensity(given), expected)
    np.testing.assert_array_equal(metrics.propensity(LISTS, classes=CLASSES), expected)
    np.testing.assert_array_equal(metrics.propensity(LISTS, classes=CLASSES[::-1]), expected[::-1])
    with pytest.raises(
        InputError, match=r"label_counts is a list. .* if it holds label lists, pass classes="
    ):
        metrics.propensity(LISTS)
    with pytest.raises(InputError, match=r"y holds the label 'ant', which is not among"):
        metrics.propensity(LISTS, classes=["cat", "dog", "bee"])


EXCLUDE = {
    "matrix": sparse.csr_matrix([[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]]),
    "lists": [["dog"], ["cat"], [], ["ant"]],
    "sets": [{"dog", "owl"}, {"cat"}, set(), {"ant"}],
}


@pytest.mark.parametrize("exclude", EXCLUDE.values(), ids=EXCLUDE.keys())
def test_excluded_pairs_are_neither_relevant_nor_predicted(exclude):
    left = [["cat"], ["ant"], [], ["bee", "dog"]]
    moved = [["ant", "cat", None], ["ant", "dog", None], ["bee", "dog", "ant"], ["bee", "dog", "cat"]]
    for truth, topk in ((Y, IDS), (Y, NAMES), (LISTS, NAMES)):
        found = metrics.summary(truth, topk, (1, 2), P, classes=CLASSES, exclude=exclude)
        assert found == metrics.summary(left, moved, (1, 2), P, classes=CLASSES)
    assert metrics.precision_at_k(Y, IDS, 1, classes=CLASSES, exclude=exclude) == 1 / 2


def test_excluded_pairs_take_columns():
    exclude = EXCLUDE["matrix"]
    message = "exclude leaves 1 of topk's 2 columns in row 0. Predict at least 3 labels for k = 2"
    with pytest.raises(InputError, match=message):
        metrics.precision_at_k(Y, IDS[:, :2], 2, exclude=exclude)
    everything = np.array([[2, 1, 0, 3]] * 4)
    assert metrics.precision_at_k(Y, everything, 4, exclude=np.ones((4, 4))) == 0
    with pytest.raises(InputError, match=r"exclude has 3 rows and Y has 4"):
        metrics.precision_at_k(Y, IDS, 1, exclude=exclude[:3])
    with pytest.raises(InputError, match=r"exclude has 5 columns, but there are 4 labels"):
        metrics.precision_at_k(Y, IDS, 1, exclude=np.ones((4, 5)))


def broken(kind: str, part: str):
    matrix = sparse.random(4, 4, 0.6, format=kind, random_state=0)
    array = getattr(matrix, part)
    array[-1] += 1000
    if part == "indptr":
        array[1] = 4000
    return matrix


@pytest.mark.parametrize(
    ("kind", "part"),
    [(kind, part) for kind in ("csr", "csc", "bsr") for part in ("indptr", "indices")]
    + [("coo", "row"), ("coo", "col")],
)
def test_broken_structure_is_seen_before_scipy_follows_it(kind, part):
    matrix = broken(kind, part)
    for call in (
        lambda: metrics.precision_at_k(matrix, IDS, 1),
        lambda: metrics.precision_at_k(Y, IDS, 1, exclude=matrix),
        lambda: metrics.summary(matrix, NAMES, (1,), P, classes=CLASSES),
        lambda: metrics.top_k_labels(matrix, 2),
        lambda: metrics.propensity(matrix),
    ):
        with pytest.raises(InputError):
            call()


FORMATS = ["csr", "csc", "coo", "bsr", "dia", "dok", "lil"]
DTYPES = [bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
DTYPES += [np.float32, np.float64, np.longdouble]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", FORMATS)
def test_scores_of_every_format_and_type_have_the_same_order(kind, dtype):
    rng = np.random.default_rng(1)
    dense = (rng.integers(0, 200, (20, 12)) * (rng.random((20, 12)) < 0.5)).astype(dtype)
    matrix = sparse.coo_matrix(dense).asformat(kind)
    expected = [sorted(np.flatnonzero(row), key=lambda j: (-int(row[j]), j))[:3] for row in dense]
    found = metrics.top_k_labels(matrix, 3)
    assert [[j for j in row if j >= 0] for row in found.tolist()] == expected
    assert metrics.top_k_labels(dense, 3)[:, 0].tolist() == [row[0] for row in expected]
    y = sparse.random(20, 12, 0.3, random_state=0) > 0
    assert metrics.precision_at_k(dense, [[0]] * 20, 1) == metrics.precision_at_k(matrix, [[0]] * 20, 1)
    assert 0 <= metrics.ndcg_at_k(y.asformat(kind), found, 3) <= 1


def test_extremes_of_the_integers_keep_their_order():
    for dtype in (np.int64, np.uint64):
        ends = np.iinfo(dtype)
        scores = np.array([[ends.min, ends.max, 1, ends.max - 1, ends.min + 1]], dtype)
        assert metrics.top_k_labels(scores, 5).tolist() == [[1, 3, 2, 4, 0]]
        entries = (scores[0], np.arange(5), [0, 5])
        assert metrics.top_k_labels(sparse.csr_matrix(entries, shape=(1, 5)), 5).tolist() == [[1, 3, 2, 4, 0]]


def test_repeated_scores_are_summed_without_wrapping_round():
    twice = sparse.csr_matrix((np.array([200, 100, 250], np.uint8), [1, 1, 2], [0, 3]), shape=(1, 4))
    assert metrics.top_k_labels(twice, 3).tolist() == [[1, 2, -1]]
    assert twice.nnz == 3
    cancelled = sparse.coo_matrix(([2.0, -2.0, -1.0], ([0, 0, 0], [1, 1, 2])), shape=(1, 4))
    assert metrics.top_k_labels(cancelled, 3).tolist() == [[1, 2, -1]]
    assert metrics.recall_at_k(cancelled, [[2]], 1) == 1


def test_the_decision_of_two_classes_is_no_matrix():
    with pytest.raises(
        InputError, match=r"scores is ndarray; .* pass numpy.column_stack\(\[-scores, scores\]\)"
    ):
        metrics.top_k_labels(np.array([0.5, -0.5]), 1)


def test_infinite_scores_have_a_place():
    scores = sparse.csr_matrix([[np.inf, 1.0, -np.inf]])
    assert metrics.top_k_labels(scores, 3).tolist() == [[0, 1, 2]]
    with pytest.raises(InputError, match=r"scores holds text that is no number"):
        metrics.top_k_labels(np.array([["a"]]), 1)


def test_accuracy_is_scikit_learns_to_the_last_bit():
    rng = np.random.default_rng(0)
    X, y = rng.random((997, 4)), rng.integers(0, 3, 997)
    model = SlideClassifier(hidden=4, epochs=2, random_state=0).fit(X, y)
    for weight in (None, rng.random(997), np.ones(997), rng.integers(0, 3, 997)):
        ours = model.score(X, y, sample_weight=weight)
        assert isinstance(ours, float) and ours == accuracy_score(y, model.predict(X), sample_weight=weight)
    assert model.score(X, y) == metrics.precision_at_k(y, model.predict_topk(X, 1)[0], 1)
