"""What a model has learned decides how nested lists are read, in every method and after loading."""

import copy
import pickle

import numpy as np
import pytest
from scipy import sparse

from hashslide import SlideClassifier
from hashslide.errors import InputError

X = np.random.RandomState(0).rand(60, 5)


def small(**settings) -> SlideClassifier:
    return SlideClassifier(hidden=4, epochs=2, random_state=0, **settings)


def through_a_file(model, tmp_path):
    model.save(tmp_path / "m")
    return SlideClassifier.load(tmp_path / "m")


@pytest.fixture(params=["itself", "pickled", "copied", "loaded"])
def listed(request, tmp_path):
    """A model of ten labels that were given as lists of integers."""
    model = small().fit(X, [[i % 9, 9] for i in range(60)])
    ways = {
        "itself": lambda m: m,
        "pickled": lambda m: pickle.loads(pickle.dumps(m)),
        "copied": copy.deepcopy,
    }
    return through_a_file(model, tmp_path) if request.param == "loaded" else ways[request.param](model)


@pytest.mark.parametrize("sets", [[{0, 1}], [frozenset((0, 1))], [{0: 1, 1: 1}.keys()], [{0, 1}, [0, 1]]])
def test_sets_are_never_an_indicator(sets):
    model = small().fit(X, (sets * 60)[:60])
    assert model.network_.label_counts.tolist() == [60, 60]
    assert model.classes_.tolist() == [0, 1] and sparse.issparse(model.predict(X))


@pytest.mark.parametrize("y", [[[0, 1]], [[1, 0]], [(0, 1)], [np.array([0, 1])], [{0, 1}]])
def test_a_model_of_lists_reads_lists_in_every_method(listed, y):
    before = listed.network_.label_counts.copy()
    listed.partial_fit(X[:1], y)
    expected = before + np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    assert listed.network_.label_counts.tolist() == expected.tolist()
    best = listed.predict_topk(X[:1], 1)[0][0, 0]
    assert listed.score(X[:1], y) == float(best in (0, 1))
    listed.build_approximate(X[:1], y)
    listed.tune_approximate(X[:1], y)


def test_an_evaluation_set_is_read_like_the_target():
    lists = [[i % 9, 9] for i in range(60)]
    model = small().fit(X, lists, eval_set=(X[:2], [[0, 1], [1, 0]]))
    hits = np.isin(model.predict_topk(X[:2], 1)[0], [0, 1])
    assert model.history_[-1]["val_P@1"] == hits.mean()


def test_two_labels_learned_from_lists_stay_labels():
    model = small().fit(X, [[0], [1], [0, 1]] * 20)
    before = model.network_.label_counts.copy()
    model.partial_fit(X[:2], [[0, 1], [0, 1]])
    assert model.network_.label_counts.tolist() == (before + 2).tolist()


def test_an_indicator_stays_an_indicator():
    rows = [[int(i % 3 == j) for j in range(2)] for i in range(60)]
    model = small().fit(X, rows)
    before = model.network_.label_counts.copy()
    model.partial_fit(X[:1], [[0, 1]])
    assert model.network_.label_counts.tolist() == [before[0], before[1] + 1]
    with pytest.raises(InputError, match="trained on an indicator without names; pass an indicator here"):
        model.partial_fit(X[:1], [{0, 1}])


def test_a_model_of_lists_takes_indicators_that_can_be_nothing_else(listed):
    row = np.zeros((1, 10), int)
    row[0, 3] = 1
    before = listed.network_.label_counts[3]
    for y in (row, sparse.csr_matrix(row)):
        listed.partial_fit(X[:1], y)
    assert listed.network_.label_counts[3] == before + 2
    with pytest.raises(InputError, match=r"y holds the label 0 twice in row 0. Give each label once"):
        listed.partial_fit(X[:1], row.tolist())


def test_a_first_batch_that_may_be_both_is_refused():
    for y in ([[0, 1]], [[1, 0], [0, 1]]):
        with pytest.raises(InputError, match=r"an indicator of two labels or a list of the labels 0 and 1"):
            small().partial_fit(X[: len(y)], y)
        with pytest.raises(InputError, match=r"Pass numpy.array.y. for an indicator, or sets"):
            small().partial_fit(X[: len(y)], y, classes=["no", "yes"])
    named = small().partial_fit(X[:1], [[0, 1]], classes=[0, 1, 2])
    assert named.network_.label_counts.tolist() == [1, 1, 0]
    assert small().partial_fit(X[:1], np.array([[0, 1]])).network_.label_counts.tolist() == [0, 1]
    assert small().partial_fit(X[:1], [{0, 1}]).network_.label_counts.tolist() == [1, 1]
    assert small().partial_fit(X[:2], [[0, 1], [0, 0]]).network_.label_counts.tolist() == [0, 1]


@pytest.mark.parametrize("value", ["yes", None, 1])
def test_a_file_that_does_not_say_it_right_is_refused(value, tmp_path):
    from hashslide import model_file
    from hashslide.errors import ModelFileError

    small().fit(X, [["a"], ["b"]] * 30).save(tmp_path / "m")
    arrays, metadata = model_file.load_model(tmp_path / "m")
    model_file.save_model(tmp_path / "n", arrays, metadata | {"label_lists": value})
    with pytest.raises(ModelFileError, match="label_lists is"):
        SlideClassifier.load(tmp_path / "n")
