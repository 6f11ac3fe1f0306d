"""Sums from cells and hash tables: against NumPy, and the laws of the estimates at 4.5 standard errors."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import norm

from hashslide import _core
from hashslide.estimate.sums import CellSums
from hashslide.reference.rng import CounterRng, mix

SIGMAS = 4.5  # 7 in a million
N, D = 4000, 3
SEEDS = 400


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(8, D)) * 3
    return (centres[rng.integers(8, size=N)] + rng.normal(size=(N, D))).astype(np.float32)


@pytest.fixture(scope="module")
def weights(points):
    rng = np.random.default_rng(1)
    return (rng.random(len(points)) * (rng.random(len(points)) < 0.7)).astype(np.float32)


@pytest.fixture(scope="module")
def queries(points):
    """In the middle of points, at their edge, and away from all."""
    return np.stack([points[5], points[points[:, 0].argmax()] + 0.5, points.max(0) + 2]).astype(np.float32)


def terms_of(term, queries, points):
    if term == "product":
        return np.exp(queries.astype(float) @ points.T.astype(float))
    distance = cdist(queries, points)
    return np.exp(-0.5 * distance**2 if term == "gaussian" else -distance)


def settings(method="auto", rtol=0.5, most=1500):
    return {"rtol": rtol, "confidence": 0.95, "method": method, "max_evaluations": most}


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("term", ["gaussian", "exponential", "product"])
@pytest.mark.parametrize("method", ["auto", "cells", "uniform"])
def test_the_estimate_is_unbiased_and_its_error_is_what_it_says(
    points, weights, queries, method, term, weighted
):
    w = weights if weighted else None
    queries = queries * np.float32(0.3 if term == "product" else 1.0)
    sums, order = CellSums.of(points, w, 40, 0, 1)
    exact = terms_of(term, queries, points[order]) @ (np.ones(N) if w is None else w[order].astype(float))
    found = [sums.estimate(queries, term, settings(method), seed, 1) for seed in range(SEEDS)]
    ratio = np.array([np.exp(one.log_value) / exact for one in found])
    error = ratio.std(axis=0, ddof=1)
    assert (np.abs(ratio.mean(axis=0) - 1) < SIGMAS * error / np.sqrt(SEEDS) + 1e-5).all()
    stated = np.sqrt(np.square(ratio * [one.standard_error for one in found]).mean(axis=0))
    assert (stated > error * (1 - SIGMAS * 0.75 / np.sqrt(SEEDS))).all()  # rather too large than too small
    assert (stated < 3 * error + 0.01).all()
    evaluations = np.array([one.evaluations for one in found])
    assert (evaluations <= 1500 + 64 + len(sums.spreads)).all()


@pytest.mark.parametrize("term", ["gaussian", "exponential", "product"])
def test_counting_all_points_is_numpys_sum(points, weights, queries, term):
    sums, order = CellSums.of(points, weights, 10, 0, 1)
    exact = terms_of(term, queries, points[order]) @ weights[order].astype(float)
    found = sums.estimate(queries, term, settings("exact"), 0, 1)
    np.testing.assert_allclose(found.log_value, np.log(exact), rtol=2e-6, atol=2e-5)
    assert (found.standard_error == 0).all()
    assert (found.evaluations == N).all()


def test_uniform_draws_are_those_of_a_plain_twin(points, queries):
    """Stratified: the i-th of m draws lies in the i-th of m equal stretches; the pilot's 250 come first."""
    sums, _ = CellSums.of(points, None, 40, 0, 1)
    found = sums.estimate(queries, "gaussian", settings("uniform", most=2000), 7, 1)
    pilot = 2000 // 8
    for query, log_value, evaluations in zip(queries, found.log_value, found.evaluations, strict=True):
        key = np.uint64(0)
        for bits in query.view(np.uint32):
            key = mix(key ^ np.uint64(bits))
        m = evaluations - pilot
        within = (CounterRng(7, "estimate", key).bits(pilot + np.arange(m)) >> np.uint64(11)) * 2.0**-53
        rows = np.minimum(N - 1, ((np.arange(m) + within) / m * N).astype(int))
        value = terms_of("gaussian", query[None], sums.points[rows]).mean() * N
        assert log_value == pytest.approx(np.log(value), abs=1e-4)


def test_cells_hold_near_points_and_are_summed_up_as_by_numpy(points):
    sums, order = CellSums.of(points, None, 40, 0, 2)
    assert (np.sort(order) == np.arange(N)).all()
    np.testing.assert_array_equal(sums.points, points[order])
    traces, squares = [], []
    for c, (first, last) in enumerate(zip(sums.begin[:-1], sums.begin[1:], strict=True)):
        cell = sums.points[first:last].astype(float)
        np.testing.assert_allclose(sums.centres[c], cell.mean(axis=0), atol=1e-5)
        away = cell - cell.mean(axis=0)
        spread = (away**2).sum(axis=1).mean()
        assert sums.spreads[c] == pytest.approx(spread, rel=1e-4)
        traces.append(len(cell) * spread**2)
        squares.append(len(cell) * ((away[1:] * away[:-1]).sum(axis=1) ** 2).mean())
    assert sums.dimension == pytest.approx(sum(traces) / sum(squares), rel=1e-3)
    whole = ((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert sums.spreads.mean() < whole / 5


def test_euclidean_hashes_agree_as_their_law_says(points):
    bin_width, hashes = 3.0, 4000
    a, b = points[:2]
    directions, offsets, *_ = (
        np.asarray(x) for x in _core.distance_tables(points, 1, hashes, bin_width, 8, 0, 1)
    )
    codes = np.floor((np.stack([a, b]) @ directions.reshape(hashes, D).T + offsets) / bin_width)
    law = _core.distance_agreement(float(np.linalg.norm(a - b)) / bin_width)
    agreed = (codes[0] == codes[1]).mean()
    assert abs(agreed - law) < SIGMAS * np.sqrt(law * (1 - law) / hashes)
    r = 1.7
    closed = 1 - 2 * norm.cdf(-1 / r) - 2 * r / np.sqrt(2 * np.pi) * (1 - np.exp(-1 / (2 * r * r)))
    assert _core.distance_agreement(r) == pytest.approx(closed)


@pytest.mark.parametrize("term", ["gaussian", "exponential"])
def test_hash_tables_estimate_without_bias(points, weights, queries, term):
    queries = queries[:2]  # tables seldom find what is far away
    sums = np.r_[0.0, np.cumsum(weights, dtype=np.float64)]
    exact = terms_of(term, queries, points) @ weights.astype(float)
    tables, ratio = 40, []
    for seed in range(200):
        made = [np.asarray(x) for x in _core.distance_tables(points, tables, 2, 6.0, 600, seed, 1)]
        log_value, *_ = _core.estimate_sums_by_hashing(
            points, sums, *made, tables, 6.0, queries, term, 0.01, seed, 1
        )
        ratio.append(np.exp(np.asarray(log_value)) / exact)
    error = np.std(ratio, axis=0, ddof=1) / np.sqrt(len(ratio))
    assert (np.abs(np.mean(ratio, axis=0) - 1) < SIGMAS * error).all()
    assert (error < 0.15).all()
