"""KernelDensity: scikit-learn's contract and values, the error that is asked for, bits, and bad input."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KernelDensity as TreeDensity
from sklearn.utils.estimator_checks import parametrize_with_checks

from hashslide.errors import InputError
from hashslide.estimate import Estimate, KernelDensity

SIGMAS = 4.5


@pytest.fixture(autouse=True)
def array_api(monkeypatch):
    """Let scikit-learn's check of array API inputs run instead of being skipped."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks([KernelDensity(), KernelDensity("scott", kernel="exponential", method="hashing")])
def test_the_contract_of_estimators(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        check(estimator)


@pytest.fixture(scope="module")
def points():
    """Patches of handwritten digits, 25 pixels each: 28,752 points of rather few dimensions."""
    images = load_digits().images.astype(np.float32) / 16
    windows = np.lib.stride_tricks.sliding_window_view(images, (5, 5), axis=(1, 2))
    return np.random.default_rng(0).permutation(windows.reshape(-1, 25))


@pytest.mark.parametrize("kernel", ["gaussian", "exponential"])
@pytest.mark.parametrize("bandwidth", [0.3, 1.0, "scott", "silverman"])
@pytest.mark.parametrize("weighted", [False, True])
def test_values_are_scikit_learns(points, kernel, bandwidth, weighted):
    X, Q = points[:3000], points[3000:3050].astype(float)
    weight = np.random.default_rng(1).random(len(X)) if weighted else None
    theirs = TreeDensity(bandwidth=bandwidth, kernel=kernel, rtol=1e-8).fit(X, sample_weight=weight)
    ours = KernelDensity(bandwidth, kernel=kernel, method="exact").fit(X, sample_weight=weight)
    assert ours.bandwidth_ == pytest.approx(theirs.bandwidth_)
    np.testing.assert_allclose(ours.score_samples(Q), theirs.score_samples(Q), rtol=1e-6, atol=2e-5)
    assert ours.score(Q) == pytest.approx(theirs.score(Q), rel=1e-6)
    assert (ours.evaluations_ == 3000).all()


@pytest.mark.parametrize("kernel", ["gaussian", "exponential"])
@pytest.mark.parametrize("bandwidth", [0.25, 0.5, 1.0])
def test_errors_are_within_rtol_as_often_as_promised(points, kernel, bandwidth):
    X, Q = points[:-400], points[-400:]
    settings = {"kernel": kernel, "random_state": 0, "max_evaluations": 20_000}
    exact = KernelDensity(bandwidth, method="exact", **settings).fit(X).score_samples(Q)
    model = KernelDensity(bandwidth, **settings).fit(X)
    error = np.abs(np.expm1(model.estimate(Q).log_value - exact))
    chance = 0.95 - SIGMAS * np.sqrt(0.05 * 0.95 / len(Q))
    assert (error < 0.1).mean() > chance
    tight = clone(model).set_params(rtol=0.03).fit(X)
    closer = tight.estimate(Q)
    assert np.abs(np.expm1(closer.log_value - exact)).mean() < max(0.5 * error.mean(), 0.002)
    assert closer.evaluations.mean() > model.estimate(Q).evaluations.mean()


def test_it_takes_hardly_more_than_uniform_draws_and_often_far_less(points):
    X, Q = points[:-100], points[-100:]
    overhead = 512 + 8 * np.sqrt(len(X))  # the pilot, the centres, the cell that is counted
    for bandwidth, gain in ((0.2, 2.0), (0.35, 1.5), (2.0, 0.0)):
        models = [
            KernelDensity(bandwidth, method=method, random_state=0, max_evaluations=25_000).fit(X)
            for method in ("auto", "uniform")
        ]
        ours, uniform = (model.estimate(Q).evaluations.mean() for model in models)
        assert ours < uniform + overhead
        assert ours * gain < uniform


def test_a_querys_cost_does_not_grow_with_the_points():
    rng = np.random.default_rng(0)
    X, Q = rng.normal(size=(128_000, 4)), rng.normal(size=(50, 4))
    few, many = (KernelDensity(0.4, random_state=0).fit(X[:n]) for n in (8_000, 128_000))
    ratio = many.estimate(Q).evaluations.mean() / few.estimate(Q).evaluations.mean()
    assert ratio < 4  # the square root of 16
    narrow = KernelDensity(0.05, random_state=0, max_evaluations=1000).fit(X)
    assert narrow.estimate(Q).evaluations.max() <= 1000 + 64 + len(narrow._sums.spreads)


def test_low_densities_warn_and_say_how_large_the_error_is(points):
    X, Q = points[:-50], points[-50:]
    model = KernelDensity(0.15, random_state=0, max_evaluations=500).fit(X)
    with pytest.warns(ConvergenceWarning, match=r"of 50 densities .* Raise max_evaluations"):
        model.score_samples(Q)
    assert model.standard_errors_.max() > 0.1 / 1.96


@pytest.mark.parametrize("method", ["auto", "hashing"])
def test_bits_depend_on_neither_threads_nor_the_place_of_a_query(points, method):
    X, Q = points[: 20_000 if method == "auto" else 2500], points[-100:]
    bandwidth, answers = 0.4 if method == "auto" else 2.0, []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for jobs in (1, 2, 3):
            model = KernelDensity(bandwidth, method=method, random_state=3, n_jobs=jobs).fit(X)
            answers.append(model.estimate(Q))
        backwards = model.estimate(Q[::-1])
    for other in [*answers[1:], Estimate(*(array[::-1] for array in backwards))]:
        for array, same in zip(other, answers[0], strict=True):
            assert array.tobytes() == same.tobytes()
    again = pickle.loads(pickle.dumps(model)).estimate(Q)
    assert again.log_value.tobytes() == answers[0].log_value.tobytes()
    other_seed = clone(model).set_params(random_state=4).fit(X).estimate(Q)
    assert (other_seed.log_value != answers[0].log_value).any()


def test_the_place_and_the_unit_of_the_data_do_not_matter(points):
    X, Q = points[:5000].astype(float), points[-50:].astype(float)
    near = KernelDensity(0.5, method="exact").fit(X).score_samples(Q)
    far = KernelDensity(0.5, method="exact").fit(X + 1e6).score_samples(Q + 1e6)
    np.testing.assert_allclose(far, near, atol=1e-4)
    small = KernelDensity(0.5e-9, method="exact").fit(X * 1e-9).score_samples(Q * 1e-9)
    np.testing.assert_allclose(small + 25 * np.log(1e-9), near, atol=1e-4)


def test_far_queries_have_a_finite_log_density(points):
    model = KernelDensity(0.01, method="exact", max_evaluations=10**6).fit(points[:5000])
    query = np.full((1, 25), 40.0)
    exact = logsumexp(-0.5 * ((query - points[:5000].astype(float)) ** 2).sum(axis=1) / 1e-4)
    constant = -12.5 * np.log(2 * np.pi) - 25 * np.log(0.01) - np.log(5000)
    assert model.score_samples(query)[0] == pytest.approx(exact + constant, rel=1e-5)


@pytest.mark.parametrize("kernel", ["gaussian", "exponential"])
def test_samples_come_from_the_density(kernel):
    rng = np.random.default_rng(0)
    X = rng.normal(loc=[5, 0, -5], size=(3000, 3))
    weight = (X[:, 0] > 5).astype(float)
    model = KernelDensity(0.5, kernel=kernel, random_state=0).fit(X, sample_weight=weight)
    drawn = model.sample(40_000, random_state=1)
    variance = 0.25 if kernel == "gaussian" else 0.25 * (3 + 1)  # d (d + 1) h^2 over d directions
    mean, spread = X[weight > 0].mean(axis=0), X[weight > 0].var(axis=0) + variance
    assert (np.abs(drawn.mean(axis=0) - mean) < SIGMAS * np.sqrt(spread / len(drawn))).all()
    np.testing.assert_allclose(drawn.var(axis=0), spread, rtol=0.08)


def test_a_search_finds_the_bandwidth(points):
    search = GridSearchCV(KernelDensity(random_state=0), {"bandwidth": [0.02, 0.2, 5.0]}, cv=2)
    assert search.fit(points[:1500]).best_params_ == {"bandwidth": 0.2}


def test_memory_is_that_of_the_points_and_no_more(points):
    model = KernelDensity(0.5, random_state=0).fit(points)
    cells = len(model._sums.spreads)
    assert model._sums.memory_bytes <= points.nbytes + cells * (4 * 25 + 4 + 8) + 8


GOOD = np.random.default_rng(0).normal(size=(30, 2))
BAD_PARAMETERS = [
    ({"bandwidth": 0}, "bandwidth is 0; accepted are a number above 0"),
    ({"bandwidth": -1.0}, "bandwidth is -1.0"),
    ({"bandwidth": np.nan}, "bandwidth is nan"),
    ({"bandwidth": "wide"}, "scott"),
    ({"bandwidth": None}, "bandwidth is None"),
    ({"kernel": "tophat"}, "kernel is 'tophat'"),
    ({"rtol": 0.0}, "rtol is 0.0"),
    ({"confidence": 1.0}, "confidence is 1.0"),
    ({"method": "best"}, "method is 'best'"),
    ({"cells": 0}, "cells is 0"),
    ({"max_evaluations": 1.5}, "max_evaluations is 1.5"),
    ({"n_jobs": 0}, "n_jobs is 0"),
    ({"random_state": "x"}, "random_state is 'x'"),
]


@pytest.mark.parametrize(("parameters", "message"), BAD_PARAMETERS)
def test_bad_parameters_are_refused_by_fit_and_later(parameters, message):
    with pytest.raises(InputError, match=message):
        KernelDensity(**parameters).fit(GOOD)
    if "bandwidth" not in parameters:
        model = KernelDensity().fit(GOOD).set_params(**parameters)
        with pytest.raises(InputError, match=message):
            model.score_samples(GOOD)


BAD_POINTS = [
    (np.where(np.arange(60).reshape(30, 2) == 7, np.nan, GOOD), "NaN at row 3, column 1"),
    (np.where(np.arange(60).reshape(30, 2) == 6, np.inf, GOOD), "infinity .* row 3, column 0"),
    (np.empty((0, 2)), "0 sample"),
    (np.empty((3, 0)), "0 feature"),
    (np.zeros(4), "Expected 2D array, got 1D"),
    (np.zeros((2, 2, 2)), "Expected 2D array, got 3D"),
    (sparse.csr_matrix(GOOD), "sparse matrix"),
    (GOOD * 1j, "Complex"),
    ([["a", "b"]], "no number"),
    ([[1, 2], [3]], "rectangular"),
    (GOOD * 1e30, "bandwidths from the mean"),
]


@pytest.mark.parametrize(("points", "message"), BAD_POINTS, ids=[message for _, message in BAD_POINTS])
def test_bad_points_are_refused_as_data_and_as_queries(points, message):
    with pytest.raises(InputError, match=message):
        KernelDensity().fit(points)
    with pytest.raises(InputError, match=message):
        KernelDensity().fit(GOOD).estimate(points)


@pytest.mark.parametrize(
    ("weight", "message"),
    [(np.ones(3), "shape"), (-np.ones(30), "negative"), (np.zeros(30), "zero"), (np.full(30, np.nan), "NaN")],
)
def test_bad_weights_are_refused(weight, message):
    with pytest.raises(InputError, match=message):
        KernelDensity().fit(GOOD, sample_weight=weight)


def test_other_features_are_refused():
    model = KernelDensity().fit(pd.DataFrame(GOOD, columns=["a", "b"]))
    with pytest.raises(InputError, match="expecting 2 features"):
        model.score_samples(np.zeros((1, 3)))
    with pytest.raises(InputError, match="feature names"):
        model.score_samples(pd.DataFrame(GOOD, columns=["a", "c"]))
    with pytest.raises(NotFittedError):
        KernelDensity().score_samples(GOOD)
    with pytest.raises(InputError, match="n_samples"):
        model.sample(0)
    with pytest.raises(InputError, match="Call fit again"):
        model.set_params(method="hashing").estimate(pd.DataFrame(GOOD, columns=["a", "b"]))
