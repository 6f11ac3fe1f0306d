"""How much a ranker counts: the choice, the calibration, and what is gained on real data."""

import numpy as np
import pytest
from scipy import sparse

from hashslide import SlideClassifier, metrics
from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.network import Network
from hashslide.ranking import RankerReport, held_out_rows, weigh
from hashslide.ranking.weighing import _logistic, _Pairs, _temperature, _usual
from hashslide.settings import NetworkConfig

N, D, L = 600, 40, 30


def task(seed=0):
    """Examples whose label is told by one feature alone, and a network that knows nothing."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, L, N)
    x = sparse.csr_matrix(
        (np.ones(2 * N), (np.repeat(np.arange(N), 2), np.c_[label, rng.integers(L, D, N)].ravel()))
    )
    y = sparse.csr_matrix((np.ones(N), (np.arange(N), label)), shape=(N, L))
    network = Network(NetworkConfig(n_features=D, n_labels=L, hidden=4, seed=1))
    network.set_label_prior(np.bincount(label, minlength=L), N)
    return network, as_csr(x), as_pattern(y)


def test_rows_that_are_held_out():
    rows = np.arange(10_000) * 3
    held_out = held_out_rows(rows, 5)
    assert len(held_out) == 400 and np.isin(held_out, rows).all() and (np.diff(held_out) > 0).all()
    np.testing.assert_array_equal(held_out, held_out_rows(rows, 5))
    assert len(np.intersect1d(held_out, held_out_rows(rows, 6))) < 60
    assert len(held_out_rows(np.arange(10**6), 0)) == 1000
    assert len(held_out_rows(np.arange(2_000), 0)) == 0


def test_a_ranker_that_knows_the_labels_counts_and_finds_them():
    network, x, y = task()
    made = network.make_ranker(x, y)
    report = weigh(network, made, x, y, 0, 1)
    assert report.margin > 0 and report.ndcg_with > 0.95 > report.ndcg_without and report.rows == N
    network.set_ranker(made, report.margin, report.prior)
    found, _ = network.predict_topk(x, 1)
    assert (found[:, 0] == y.indices).mean() > 0.95


def test_a_ranker_of_other_labels_does_not_count():
    network, x, y = task()
    of_others = Csr(y.indptr, np.random.default_rng(3).permutation(y.indices), None, L)
    network.train_batch(x, y, np.arange(N), 0.1)
    for _ in range(200):
        network.train_batch(x, y, np.arange(N), 0.1)
    report = weigh(network, network.make_ranker(x, of_others), x, y, 0, 1)
    assert (report.margin, report.prior) == (0, 0) and not report.is_needed
    assert report.ndcg_with == report.ndcg_without and 0 < report.slope < 10


def test_the_usual_pair_wins_unless_another_is_better_by_a_standard_error():
    rng = np.random.default_rng(0)
    same = rng.random(400)
    noise = rng.normal(size=400)
    found = {
        (1.5, 0.0): same,
        (4.0, 0.2): same + 0.1 * (noise - noise.mean()) + 0.001,
        (0.0, 0.0): same - 0.2,
    }
    assert _usual(found) == (1.5, 0.0)
    assert _usual(found | {(4.0, 0.2): same + 0.1 * (noise - noise.mean()) + 0.02}) == (4.0, 0.2)


def test_calibration_finds_the_slope_and_the_intercept_that_made_the_labels():
    rng = np.random.default_rng(1)
    score = rng.normal(0, 3, 200_000)
    true = rng.random(len(score)) < 1 / (1 + np.exp(-(0.6 * score - 1.5)))
    slope, intercept = _logistic(score, true.astype(float), np.ones(len(score)))
    assert slope == pytest.approx(0.6, abs=0.02) and intercept == pytest.approx(-1.5, abs=0.03)


def test_the_temperature_of_a_softmax_is_found():
    rng = np.random.default_rng(2)
    n, k = 20_000, 8
    score = rng.normal(0, 2, (n, k))
    p = np.exp(0.5 * score)
    drawn = (rng.random((n, 1)) > np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    true = np.zeros((n, k), bool)
    true[np.arange(n), np.minimum(drawn, k - 1)] = True
    labels = Csr(np.arange(0, n * k + 1, k), np.tile(np.arange(k, dtype=np.int32), n), None, k)
    pairs = _Pairs(labels, np.ones(n * k, bool), true.ravel(), np.ones(n * k))
    assert _temperature(score.ravel(), pairs) == pytest.approx(0.5, abs=0.04)


def test_no_labels_to_judge_by():
    network, x, _ = task()
    nothing = Csr(np.zeros(N + 1, np.int64), np.empty(0, np.int32), None, L)
    report = weigh(network, network.make_ranker(x, nothing), x, nothing, 0, 1)
    assert report.margin == RankerReport.fixed().margin == 1 and report.rows == 0


def test_a_ranker_gains_on_real_data(pubmed):
    rows, tests = slice(0, 6000), slice(0, 2000)
    x, y = pubmed.X_train[rows], pubmed.Y_train[rows]
    found = {}
    for ranker in (False, "auto"):
        model = SlideClassifier(hidden=64, epochs=3, ranker=ranker, random_state=0, n_jobs=2).fit(x, y)
        labels, _ = model.predict_topk(pubmed.X_test[tests], 5)
        found[ranker] = metrics.precision_at_k(pubmed.Y_test[tests], labels, 5)
        assert hasattr(model, "ranker_") == bool(ranker) == model.network_.has_ranker
    assert found["auto"] > found[False] + 0.01
