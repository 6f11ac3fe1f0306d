"""PartitionEstimator on a trained layer: errors, bias, probabilities of labels, bits and bad input."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from hashslide import SlideClassifier
from hashslide.data import builtin
from hashslide.errors import InputError
from hashslide.estimate import PartitionEstimator

SIGMAS = 4.5
METHODS = ("auto", "cells", "uniform", "hashing", "exact")


@pytest.fixture(scope="module")
def layer():
    """Weights and biases of 11,336 labels, and the activations of test examples."""
    mesh = builtin("pubmed-mesh")
    model = SlideClassifier(64, epochs=1, loss="softmax", random_state=0)
    model.fit(mesh.X_train[:4000], mesh.Y_train[:4000])
    network = model.network_
    return *network.label_rows(np.arange(11_336)), network.hidden(mesh.X_test[:300])


@pytest.fixture(scope="module")
def logits(layer):
    weights, bias, H = layer
    return H.astype(float) @ weights.T + bias


@pytest.mark.parametrize("method", ["auto", "cells"])
def test_errors_are_within_rtol_as_often_as_promised(layer, logits, method):
    weights, bias, H = layer
    estimator = PartitionEstimator(method=method, random_state=0, max_evaluations=11_336)
    found = estimator.fit(weights, bias).estimate(H)
    error = np.abs(np.expm1(found.log_value - logsumexp(logits, axis=1)))
    assert (error < 0.1).mean() > 0.95 - SIGMAS * np.sqrt(0.05 * 0.95 / len(H))
    assert found.evaluations.mean() < 11_336 / 2


@pytest.mark.parametrize("method", ["auto", "hashing"])
def test_the_estimate_is_unbiased_over_fresh_cells_draws_and_tables(method):
    rng = np.random.default_rng(2)
    weights, bias, H = rng.normal(size=(2100, 6)), rng.normal(size=2100), 0.5 * rng.normal(size=(3, 6))
    exact, rounds = logsumexp(H @ weights.T + bias, axis=1), 150
    ratio = []
    for seed in range(rounds):
        settings = {"rtol": 0.3, "cells": 20, "max_evaluations": 600}
        estimator = PartitionEstimator(method=method, random_state=seed, **settings).fit(weights, bias)
        ratio.append(np.exp(estimator.log_partition(H) - exact))
    error = np.std(ratio, axis=0, ddof=1) / np.sqrt(rounds)
    assert (np.abs(np.mean(ratio, axis=0) - 1) <= SIGMAS * error).all()
    assert (error > 0).all() and (error < 0.1).all()


def test_probabilities_of_some_labels_are_those_of_the_softmax(layer, logits):
    weights, bias, H = layer
    labels = np.argsort(-logits, axis=1)[:, :5]
    exact = np.take_along_axis(logits - logsumexp(logits, axis=1, keepdims=True), labels, axis=1)
    estimator = PartitionEstimator(random_state=0, rtol=0.05, max_evaluations=11_336).fit(weights, bias)
    found = estimator.log_probability(H, labels)
    assert found.shape == (300, 5)
    np.testing.assert_allclose(found, exact, atol=0.25)
    assert np.abs(found - exact).mean() < 0.05
    np.testing.assert_allclose(np.diff(found, axis=1), np.diff(exact, axis=1), atol=1e-4)  # logits are exact
    log_z, evaluations = estimator.estimate(H).log_value, estimator.estimate(H).evaluations
    np.testing.assert_allclose(estimator.log_partition(H), log_z)
    same = estimator.log_probability(H, [7, 9])
    np.testing.assert_allclose(same, logits[:, [7, 9]] - log_z[:, None], atol=1e-4)
    assert (estimator.evaluations_ == evaluations + 2).all()
    assert estimator.standard_errors_.shape == (300,)


@pytest.mark.parametrize("method", METHODS)
def test_bits_are_the_same_for_any_number_of_threads_and_after_pickling(layer, method):
    weights, bias, H = (array[:2500] for array in layer)
    models = [
        PartitionEstimator(method=method, random_state=1, n_jobs=jobs).fit(weights, bias) for jobs in (1, 3)
    ]
    models.append(pickle.loads(pickle.dumps(models[0])))
    first, *others = [model.estimate(H) for model in models]
    for other in others:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(first, other, strict=True))


def test_large_logits_neither_overflow_nor_vanish(layer, logits):
    weights, bias, H = layer
    for shift in (-2000.0, 2000.0):
        found = PartitionEstimator(random_state=0).fit(weights, bias + np.float32(shift)).log_partition(H[:5])
        np.testing.assert_allclose(found - shift, logsumexp(logits[:5], axis=1), atol=0.5)
    without = PartitionEstimator(method="exact").fit(weights).log_partition(H[:5])
    np.testing.assert_allclose(without, logsumexp(logits[:5] - bias, axis=1), atol=1e-4)


GOOD = np.random.default_rng(0).normal(size=(30, 4))


@pytest.mark.parametrize(
    ("weights", "bias", "message"),
    [
        (np.full((3, 2), np.nan), None, "weights contains NaN at row 0, column 0"),
        (np.zeros(3), None, "Expected 2D array"),
        (np.empty((0, 2)), None, "0 sample"),
        (sparse.csr_matrix(GOOD), None, "sparse matrix"),
        (GOOD * 1e300, None, "too large for"),
        (GOOD, np.zeros(3), r"bias has shape \(3,\); accepted is \(30,\)"),
        (GOOD, np.full(30, np.inf), "bias contains NaN or infinity at 0"),
    ],
)
def test_bad_layers_are_refused(weights, bias, message):
    with pytest.raises(InputError, match=message):
        PartitionEstimator().fit(weights, bias)


def test_bad_queries_labels_and_parameters_are_refused():
    model = PartitionEstimator().fit(GOOD)
    with pytest.raises(NotFittedError):
        clone(model).log_partition(GOOD)
    with pytest.raises(InputError, match="H has 3 columns; the layer takes 4"):
        model.log_partition(np.zeros((2, 3)))
    with pytest.raises(InputError, match="NaN"):
        model.log_partition(np.full((1, 4), np.nan))
    for labels, message in (
        ([[30]], "id 30"),
        ([[-1]], "id -1"),
        ([[0.5]], "integers"),
        ([[1], [2]], "accepted are"),
    ):
        with pytest.raises(InputError, match=message):
            model.log_probability(np.zeros((1, 4)), labels)
    for name, value in (("rtol", 2.0), ("method", "lsh"), ("max_evaluations", 1), ("n_jobs", 0)):
        with pytest.raises(InputError, match=name):
            PartitionEstimator(**{name: value}).fit(GOOD)
    with pytest.raises(InputError, match="Call fit again"):
        model.set_params(method="hashing").log_partition(np.zeros((1, 4)))
