"""Prediction: scores, probabilities, labels, bounds."""

import numpy as np
import pytest
from estimator_helpers import fast
from scipy import sparse

from hashslide import metrics
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier, _predicting


def test_topk_is_exact(text):
    d, model = text
    logits = model.decision_function(d.X_test)
    labels, scores = model.predict_topk(d.X_test, 7)
    assert labels.shape == scores.shape == (300, 7) and scores.dtype == np.float32
    np.testing.assert_allclose(scores, -np.sort(-logits, axis=1)[:, :7], rtol=1e-4, atol=1e-4)
    assert set(labels.ravel()) <= set(d.label_names) and isinstance(labels[0, 0], str)
    column = {name: i for i, name in enumerate(model.classes_)}
    ids = np.vectorize(column.get)(labels)
    np.testing.assert_allclose(np.take_along_axis(logits, ids, 1), scores, rtol=1e-4, atol=1e-4)


def test_topk_of_one_row_and_of_many_agree(text):
    d, model = text
    labels, scores = model.predict_topk(d.X_test, 5)
    for i in range(0, 300, 60):
        one_labels, one_scores = model.predict_topk(d.X_test[i], 5)
        np.testing.assert_allclose(one_scores[0], scores[i], rtol=1e-4, atol=1e-4)
        assert one_labels[0, 0] == labels[i, 0]


def test_ids_are_returned_where_there_are_no_names(small):
    labels, _ = fast().fit(*small).predict_topk(small[0], 2)
    assert labels.dtype == np.int64


def test_k_beyond_the_labels_gives_all_of_them():
    labels, scores = fast().fit(np.eye(3), ["a", "b", "c"]).predict_topk(np.eye(3), 10)
    assert labels.shape == scores.shape == (3, 3)
    assert sorted(labels[0]) == ["a", "b", "c"]


def test_an_empty_row_gets_the_prior():
    Y = sparse.csr_matrix(np.repeat([[1, 0, 0], [1, 0, 1], [1, 1, 1]], [5, 3, 1], axis=0))
    X = sparse.csr_matrix(np.eye(9)[:, :8])
    model = fast(epochs=1, learning_rate=1e-6).fit(X, Y)
    labels, probabilities = model.predict_topk(sparse.csr_matrix((2, 8)), 3, probabilities=True)
    assert labels.tolist() == [[0, 2, 1]] * 2
    np.testing.assert_allclose(probabilities, [[9.5 / 10, 4.5 / 10, 1.5 / 10]] * 2, rtol=1e-4)
    np.testing.assert_array_equal(model.predict(sparse.csr_matrix((1, 8))).toarray(), [[1, 0, 0]])


PROBABILITIES = {
    "multi-label": ({}, True),
    "multi-label softmax": ({"loss": "softmax"}, True),
    "classes": ({}, False),
    "classes, bce": ({"loss": "bce"}, False),
}


@pytest.mark.parametrize(("settings", "multilabel"), PROBABILITIES.values(), ids=PROBABILITIES.keys())
def test_probabilities_agree_with_each_other(settings, multilabel, small, monkeypatch):
    X, Y = small
    Y = Y[:, :40] if multilabel else np.arange(400) % 7
    model = fast(**settings).fit(X, Y)
    monkeypatch.setattr(_predicting, "_BLOCK_BYTES", 1000)  # many blocks of rows
    probabilities = model.predict_proba(X)
    ids, top = model.predict_topk(X, 3, probabilities=True)
    np.testing.assert_allclose(np.take_along_axis(probabilities, ids, 1), top, rtol=1e-4)
    assert (probabilities > 0).all() and (probabilities < 1).all()
    if not multilabel or settings:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    if multilabel:
        np.testing.assert_array_equal(model.predict(X).toarray(), probabilities > 0.5)
    else:
        np.testing.assert_array_equal(model.predict(X), probabilities.argmax(axis=1))


def test_multilabel_predictions_are_sparse(text):
    d, model = text
    predicted = model.predict(d.X_test)
    assert sparse.issparse(predicted) and predicted.format == "csr" and predicted.shape == d.Y_test.shape
    assert 0 < predicted.nnz < 0.01 * predicted.shape[0] * predicted.shape[1]
    assert set(predicted.data) == {1}


def test_two_classes():
    X, y = np.eye(10)[:, :6], np.array(["no", "yes"] * 5)
    model = fast(epochs=30).fit(X, y)
    decision = model.decision_function(X)
    assert decision.shape == (10,)
    np.testing.assert_array_equal(model.predict(X), np.where(decision > 0, "yes", "no"))
    assert model.score(X[:6], y[:6]) == 1


def test_score_is_precision_at_one_or_accuracy(text, small):
    d, model = text
    topk = SlideClassifier.predict_topk(model, d.X_test, 1)[0]
    ids = np.searchsorted(np.sort(d.label_names), topk)
    ids = np.argsort(d.label_names)[ids]
    assert model.score(d.X_test, d.Y_test) == pytest.approx(metrics.precision_at_k(d.Y_test, ids, 1))
    X, y = small[0], np.array(list("abcd"))[np.arange(400) % 4]
    single = fast().fit(X, y)
    right = single.predict(X) == y
    weight = np.linspace(0, 1, 400)
    assert single.score(X, y) == pytest.approx(right.mean())
    assert single.score(X, y, sample_weight=weight) == pytest.approx(np.average(right, weights=weight))
    assert single.score(X, ["z"] * 400) == 0


def test_dense_results_are_bounded(text, monkeypatch):
    d, model = text
    monkeypatch.setattr(_predicting, "DENSE_LIMIT_BYTES", 10 * len(model.classes_) * 4)
    assert model.decision_function(d.X_test[:10]).shape[0] == 10
    for method, n in [("decision_function", 11), ("predict_proba", 6)]:
        with pytest.raises(
            InputError, match=rf"{method} would return {n} x 3654 numbers .* Use predict_topk\(X, k\)"
        ):
            getattr(model, method)(d.X_test[:n])
    assert model.predict(d.X_test).shape[0] == 300
    dense = fast().fit(d.X_train[:100], d.Y_train[:100].toarray())
    with pytest.raises(InputError, match="predict would return 300 x 3654 numbers"):
        dense.predict(d.X_test)
