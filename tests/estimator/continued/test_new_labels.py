"""Labels never seen before are predicted after one call with a few examples, and the old ones stay."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_digits

from hashslide import SlideClassifier
from hashslide.csr import as_csr
from hashslide.errors import InputError
from hashslide.estimator.preparing import training_data
from hashslide.living.new_labels import FEW_EXAMPLES, MAX_WIDTH, ActivationMoments, labels_to_place
from hashslide.metrics import precision_at_k
from hashslide.precision import to_float32


@pytest.fixture(scope="module")
def digits():
    """The digits 0 to 7 for training, a model of them, and the data of 8 and 9."""
    X, y = load_digits(return_X_y=True)
    is_old, is_train = y < 8, np.arange(len(X)) % 3 > 0
    model = SlideClassifier(random_state=0).fit(X[is_old & is_train], y[is_old & is_train])
    return X, y, is_old, is_train, model


def copy_of(model, tmp_path):
    model.save(tmp_path / "m")
    return SlideClassifier.load(tmp_path / "m")


@pytest.mark.parametrize("k", [3, 5, 10])
def test_new_classes_are_predicted_and_old_ones_stay(digits, tmp_path, k):
    X, y, is_old, is_train, model = digits
    rows = np.concatenate([np.flatnonzero((y == 8) & is_train)[:k], np.flatnonzero((y == 9) & is_train)[1:k]])
    learned = copy_of(model, tmp_path).partial_fit(X[rows], y[rows])
    assert (learned.predict(X[rows]) != y[rows]).sum() <= 1
    old, new = is_old & ~is_train, ~is_old & ~is_train
    assert learned.score(X[old], y[old]) > model.score(X[old], y[old]) - 0.02
    assert learned.score(X[new], y[new]) > 0.1


@pytest.mark.parametrize("optimizer", ["adagrad", "adam"])
def test_new_labels_of_several_are_predicted(pubmed_small, optimizer):
    d = pubmed_small
    counts = np.asarray(d.Y_train.sum(axis=0)).ravel()
    new = np.flatnonzero((counts >= 8) & (counts <= 12))[:3]
    columns = np.concatenate([np.setdiff1d(np.arange(len(counts)), new), new])
    Y, Y_test, n_old = d.Y_train[:, columns], d.Y_test[:, columns], len(counts) - 3
    has_new = np.diff(Y[:, n_old:].tocsr().indptr) > 0
    changes = []
    for seed in range(3):
        model = SlideClassifier(hidden=64, optimizer=optimizer, random_state=seed)
        model.fit(d.X_train[~has_new], Y[~has_new][:, :n_old])
        before = precision_at_k(Y_test[:, :n_old], labels_of(model, d), 5)
        model.partial_fit(d.X_train[has_new], Y[has_new])
        labels, _ = model.predict_topk(d.X_train[has_new], 10)
        rows, which = Y[has_new][:, n_old:].nonzero()
        assert (labels[rows] == (which + n_old)[:, None]).any(axis=1).mean() > 0.5
        found = labels_of(model, d)
        changes.append(precision_at_k(Y_test[:, :n_old], np.where(found < n_old, found, -1), 5) - before)
    assert np.mean(changes) > -0.03


def labels_of(model, d):
    return model.predict_topk(d.X_test, 5)[0]


def test_placing_changes_nothing_but_the_new_rows(digits, tmp_path):
    X, y, _, _, model = digits
    before = {name: array.copy() for name, array in model.network_.state().items()}
    rows = np.flatnonzero(y == 9)[:4]
    learned = copy_of(model, tmp_path).partial_fit(X[rows], y[rows])
    after = learned.network_.state()
    for name in ("input.weight", "input.bias"):
        assert_array_equal(after[name], before[name])
    for name in ("output.weight", "output.bias"):
        assert_array_equal(after[name][:8], before[name])
        assert np.abs(to_float32(after[name][8])).sum() > 0
    assert learned.n_iter_ == model.n_iter_  # nothing was trained
    assert learned.network_.label_counts.tolist() == [*before["label_counts"], 4]


def test_a_new_label_with_many_examples_is_trained(digits, tmp_path):
    X, y, _, _, model = digits
    rows = np.flatnonzero(y == 9)[: FEW_EXAMPLES + 1]
    learned = copy_of(model, tmp_path).partial_fit(X[rows], y[rows])
    assert learned.n_iter_ == model.n_iter_ + 1


def test_the_same_rows_for_any_number_of_threads(digits, tmp_path):
    X, y, _, _, model = digits
    rows = np.flatnonzero(y >= 8)[:9]
    states = [
        copy_of(model, tmp_path).set_params(n_jobs=n).partial_fit(X[rows], y[rows]).network_.state()
        for n in (1, 2)
    ]
    assert_array_equal(states[0]["output.weight"], states[1]["output.weight"])


def test_hashed_labels_find_the_new_ones():
    rng = np.random.RandomState(0)
    X = np.repeat(np.eye(12), 20, axis=0) + 0.05 * rng.rand(240, 12)
    y = np.repeat(np.arange(12), 20)
    old = y < 10
    model = SlideClassifier(hash="dwta", active="per_example", random_state=0).fit(X[old], y[old])
    model.partial_fit(X[~old][::10], y[~old][::10])
    assert model.score(X[~old], y[~old]) > 0.9 and model.score(X[old], y[old]) > 0.9


def plain_direction(h, u):
    covariance = np.cov(h.T, bias=True)
    ridge = np.trace(covariance) / h.shape[1]
    return (u - h.mean(axis=0)) @ np.linalg.inv(covariance + ridge * np.eye(h.shape[1]))


def test_moments_and_directions_are_those_of_plain_numpy(digits):
    X, y, is_old, _, model = digits
    x = as_csr(X[is_old][:600])
    h = model.network_.hidden(x)
    moments = ActivationMoments.of(model.network_, training_data(x, x), 1)
    assert_allclose(moments.mean, h.mean(axis=0), atol=1e-5)
    assert_allclose(moments.covariance, np.cov(h.T, bias=True), atol=1e-5)
    u = h[y[is_old][:600] == 3].mean(axis=0)
    assert_allclose(moments.direction(u[None])[0], plain_direction(h, u), rtol=1e-3, atol=1e-3)
    parts = [
        ActivationMoments.of(model.network_, training_data(x.block(a, b), x.block(a, b)), 1)
        for a, b in ((0, 200), (200, 600))
    ]
    joined = parts[0].joined(parts[1])
    assert joined.n_examples == 600
    assert_allclose(joined.mean, moments.mean, atol=1e-5)
    assert_allclose(joined.covariance, moments.covariance, atol=1e-5)


def test_wide_layers_are_only_centred(digits):
    X, y, *_ = digits
    model = SlideClassifier(hidden=MAX_WIDTH + 1, epochs=2, ranker=False, random_state=0)
    model.fit(X[:200], y[:200] % 4)
    assert model._moments.covariance.size == 0
    model.partial_fit(X[200:206], np.full(6, 4))
    assert model.score(X[200:206], np.full(6, 4)) >= 0.5


def test_labels_of_few_examples_are_placed():
    counts = np.array([5, 50, 1, FEW_EXAMPLES, FEW_EXAMPLES + 1, 0])
    y = sparse.csr_matrix(np.arange(60)[:, None] < counts, dtype=np.float32)
    assert labels_to_place(as_csr(y), 2).tolist() == [2, 3]


@pytest.mark.parametrize(
    ("labels", "weight", "bias", "message"),
    [
        ([8], np.zeros((1, 256)), [0.0], "ids from 0 to 7"),
        ([-1], np.zeros((1, 256)), [0.0], "ids from 0 to 7"),
        ([0.5], np.zeros((1, 256)), [0.0], "ids from 0 to 7"),
        ([1], np.zeros((2, 256)), [0.0], "have the shapes"),
        ([1], np.zeros((1, 255)), [0.0], "have the shapes"),
        ([1], np.zeros((1, 256)), [0.0, 1.0], "have the shapes"),
        ([1], np.full((1, 256), np.nan), [0.0], "holds NaN"),
        ([1], np.zeros((1, 256)), [np.inf], "holds NaN"),
    ],
)
def test_rows_that_do_not_fit_are_refused(digits, labels, weight, bias, message):
    network = digits[-1].network_
    before = network.state()["output.weight"].copy()
    with pytest.raises(InputError, match=message):
        network.set_label_rows(labels, weight, bias)
    assert_array_equal(network.state()["output.weight"], before)


def test_rows_are_read_as_they_were_set(digits, tmp_path):
    network = copy_of(digits[-1], tmp_path).network_
    weight, bias = network.label_rows([3, 1])
    assert_array_equal(weight, to_float32(network.state()["output.weight"][[3, 1]]))
    network.set_label_rows([1, 3], weight, bias)
    assert_array_equal(network.label_rows([1, 3])[0], weight)
    assert_array_equal(network.label_rows([1, 3])[1], bias)


def test_pair_logits_are_those_of_all_labels(pubmed_small):
    d = pubmed_small
    model = SlideClassifier(hidden=16, epochs=2, ranker=False, random_state=0)
    model.fit(d.X_train[:400], d.Y_train[:400])
    x, y = as_csr(d.X_test[:50]), as_csr(d.Y_test[:50])
    logits = model.network_.logits(x)
    assert_allclose(
        model.network_.pair_logits(x, y, 2), logits[d.Y_test[:50].nonzero()], rtol=1e-4, atol=1e-4
    )
    with pytest.raises(InputError, match="y has the shape"):
        model.network_.pair_logits(x, as_csr(d.Y_test[:49]))


def test_scores_stay_in_their_range_when_every_call_brings_new_labels():
    r = np.random.RandomState(0)
    X = r.rand(60, 40)
    model = SlideClassifier(random_state=0).fit(X, np.repeat(np.arange(6), 10))
    first = None
    for call in range(30):
        model.partial_fit(X + 0.1 * r.rand(60, 40), 6 + 5 * call + np.arange(60) % 5)
        largest = np.abs(model.decision_function(X)[:, -5:]).max()
        first = first or largest
    assert largest < 3 * first
