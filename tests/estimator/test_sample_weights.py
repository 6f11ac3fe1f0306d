"""Weights of examples have no unit: c times the weights train the same model."""

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier

from hashslide import SlideClassifier


@pytest.fixture(scope="module")
def data():
    """Dense features that are sums of their labels' patterns, and weights of all sizes."""
    r = np.random.RandomState(0)
    Y = (r.rand(800, 20) < 0.2).astype(int)
    X = Y @ (r.rand(20, 60) * (r.rand(20, 60) < 0.2)) + 0.1 * r.rand(800, 60)
    return X, Y, r.rand(800) + 0.01


def fit(X, Y, weight, optimizer):
    return SlideClassifier(optimizer=optimizer, random_state=0).fit(X, Y, sample_weight=weight)


def learn_in_parts(X, Y, weight, optimizer):
    model = SlideClassifier(optimizer=optimizer, batch_size=50, random_state=0)
    for _ in range(40):
        model.partial_fit(X, Y, sample_weight=weight)
    return model


@pytest.mark.parametrize("train", [fit, learn_in_parts])
@pytest.mark.parametrize("optimizer", ["adagrad", "adam", "sgd"])
def test_the_unit_of_the_weights_does_not_matter(data, train, optimizer):
    X, Y, weight = data
    score = train(X, Y, weight, optimizer).score(X, Y)
    assert score > 0.95
    for unit in (1e-6, 1e6):
        assert abs(train(X, Y, unit * weight, optimizer).score(X, Y) - score) < 0.01


def test_equal_weights_are_no_weights(data):
    X, Y, _ = data
    plain, weighted = (fit(X, Y, weight, "adagrad") for weight in (None, np.full(len(X), 1 / len(X))))
    np.testing.assert_array_equal(plain.decision_function(X), weighted.decision_function(X))


def test_boosting_trains_on_weights_that_sum_to_one(data):
    X, Y, _ = data
    y = Y.argmax(axis=1)
    single = SlideClassifier(random_state=0)
    boosted = AdaBoostClassifier(single, n_estimators=2, random_state=0).fit(X, y)
    assert boosted.score(X, y) > single.fit(X, y).score(X, y) - 0.01


@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_weights_of_labels_keep_their_meaning(data, loss):
    """Of softmax only the ratios matter; one-vs-all weighs positives against negatives."""
    X, Y, _ = data
    y = Y.argmax(axis=1)
    models = [
        SlideClassifier(loss=loss, label_weight=np.full(len(np.unique(y)), unit), random_state=0).fit(X, y)
        for unit in (1.0, 1e-4)
    ]
    same = np.array_equal(models[0].decision_function(X), models[1].decision_function(X))
    assert same == (loss == "softmax")
