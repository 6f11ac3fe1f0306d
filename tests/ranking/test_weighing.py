"""How much a ranker counts: the choice, the calibration, and what is gained on real data."""

import numpy as np
import pytest
from scipy import sparse
from threadpoolctl import threadpool_limits

from hashslide import SlideClassifier, metrics
from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.network import Network
from hashslide.ranking import Blend, Judged, RankerReport, judge_in_turn, judging, n_held_out, weigh, weighing
from hashslide.ranking.calibration import logistic_regression, platt_scaling, temperature
from hashslide.ranking.judging import JudgedPairs
from hashslide.ranking.weighing import _added, _is_as_good, _largest_within_error, _line, _stack
from hashslide.settings import NetworkConfig
from hashslide.training import TrainingData

N, D, L = 600, 40, 30


def task(seed=0, n_labels=L, **settings):
    """Examples whose label is told by one feature alone, and a network that knows nothing."""
    rng = np.random.default_rng(seed)
    width = n_labels + D - L
    label = rng.integers(0, n_labels, N)
    x = sparse.csr_matrix(
        (np.ones(2 * N), (np.repeat(np.arange(N), 2), np.c_[label, rng.integers(n_labels, width, N)].ravel()))
    )
    y = sparse.csr_matrix((np.ones(N), (np.arange(N), label)), shape=(N, n_labels))
    network = Network(NetworkConfig(n_features=width, n_labels=n_labels, hidden=4, seed=1, **settings))
    network.set_label_prior(np.bincount(label, minlength=n_labels), N)
    return network, as_csr(x), as_pattern(y)


def test_rows_that_are_held_out():
    x = as_csr(np.arange(1, 30_001, dtype=np.float32)[:, None])
    data = TrainingData(x=x, y=as_pattern(np.ones((30_000, 1))), rows=np.arange(10_000) * 3)
    kept, copy = data.held_out(400, 5)
    held_out = copy.x
    rows = held_out.values.astype(int) - 1
    assert len(rows) == 400 and np.isin(rows, data.rows).all() and (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(np.sort(np.r_[rows, kept.rows]), data.rows)
    np.testing.assert_array_equal(held_out.values, data.held_out(400, 5)[1].x.values)
    assert len(np.intersect1d(held_out.values, data.held_out(400, 6)[1].x.values)) < 60
    assert [n_held_out(n) for n in (10_000, 10**6, 2_000)] == [400, 1000, 0]


def weighed(network, ranker, x, y):
    return weigh([Judged(network, ranker, x, y)], network.config.loss, 0, 1)


def test_a_ranker_that_knows_the_labels_counts_and_finds_them():
    network, x, y = task()
    made = network.make_ranker(x, y)
    report = weighed(network, made, x, y)
    assert any(report.blend) and report.ndcg_with > 0.95 > report.ndcg_without and report.rows == N
    network.set_ranker(made, report.blend)
    found, _ = network.predict_topk(x, 1)
    assert (found[:, 0] == y.indices).mean() > 0.95


def test_a_ranker_of_other_labels_does_not_count():
    network, x, y = task()
    of_others = Csr(y.indptr, np.random.default_rng(3).permutation(y.indices), None, L)
    network.train_batch(x, y, np.arange(N), 0.1)
    for _ in range(200):
        network.train_batch(x, y, np.arange(N), 0.1)
    report = weighed(network, network.make_ranker(x, of_others), x, y)
    assert not any(report.blend) and not report.is_needed
    assert report.ndcg_with == report.ndcg_without and 0 < report.slope < 10


def test_labels_that_the_network_has_not_met_do_not_count():
    """They would make all that is true look unlikely: the finished model will have met them."""
    network, x, y = task()
    counts = np.bincount(y.indices, minlength=L)
    made = network.make_ranker(x, y)
    is_met = y.indices < L // 2
    known = Csr(np.append(0, np.cumsum(is_met)), y.indices[is_met], None, L)
    network.set_label_prior(np.where(np.arange(L) < L // 2, counts, 0), N)
    report = weighed(network, made, x, y)
    assert report.rows == is_met.sum() < N
    assert report == weighed(network, made, x, known)
    pairs = JudgedPairs.draw(Judged(network, made, x, y), 0, 1)
    of_labels = np.bincount(pairs.row, pairs.weight)
    assert of_labels.min() >= L // 2 and of_labels.max() <= L, "met labels, and candidates"


def test_fewer_examples_judge_where_they_have_very_many_pairs(monkeypatch):
    network, x, y = task()
    judged = Judged(network, network.make_ranker(x, y), x, y)
    assert len(JudgedPairs.draw(judged, 0, 1).n_labels) == N
    monkeypatch.setattr(judging, "MOST_PAIRS", 20_000)
    pairs = JudgedPairs.draw(judged, 0, 1)
    assert N / 4 < len(pairs.n_labels) <= N / 2 and len(pairs.row) <= 20_000


def test_a_draw_takes_as_many_places_as_it_weighs():
    row = np.array([0, 0, 0, 1, 1, 1, 1])
    weight = np.array([1, 7, 1, 1, 1, 2.5, 1])
    nothing = np.zeros(7)
    pairs = JudgedPairs(np.ones(2, int), row, row > 5, row > 5, weight, nothing, nothing, nothing, nothing)
    scores = np.array([3.0, 2, 1, 1, 2, 3, 3])  # the last two are equal: the first one goes first
    assert pairs.ranks(scores).tolist() == [1, 8, 9, 5.5, 4.5, 2.5, 3.5]
    np.testing.assert_array_equal(
        pairs.ranks(scores), JudgedPairs.joined([pairs, pairs]).ranks(np.tile(scores, 2))[7:]
    )


def test_what_lifts_labels_that_the_network_has_not_named_does_not_count(monkeypatch):
    """Among the network's best labels it would be as good as ever; in prediction others take their places."""
    network, x, y = task(n_labels=500)
    made = network.make_ranker(x, y)
    assert weighed(network, made, x, y).is_needed
    lines = iter([(50.0, 0.0), (0.0, 0.0)])
    monkeypatch.setattr(weighing, "_line", lambda *_: next(lines))
    report = weighed(network, made, x, y)
    assert not report.is_needed


def test_what_is_gained_is_what_prediction_gains(pubmed_small, monkeypatch):
    data = pubmed_small
    model = SlideClassifier(hidden=16, epochs=4, ranker=False, random_state=0).fit(data.X_train, data.Y_train)
    network, x, y = model.network_, as_csr(data.X_test), as_pattern(data.Y_test)
    made = network.make_ranker(as_csr(data.X_train), as_pattern(data.Y_train))
    report = weighed(network, made, x, y)
    known = np.flatnonzero(data.Y_test.getnnz(axis=1))
    assert report.rows == len(known) and report.is_needed
    for blend, expected in ((None, report.ndcg_without), (report.blend, report.ndcg_with)):
        if blend is not None:
            network.set_ranker(made, blend)
        found = metrics.ndcg_at_k(data.Y_test[known], network.predict_topk(x.take(known), 5)[0], 5)
        assert found == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize(
    ("n", "expected"), [(99, False), (100, True), (3737, True), (3738, False), (10**6, False)]
)
def test_examples_judge_in_turn_where_they_are_enough_but_none_can_be_spared(n, expected):
    assert judge_in_turn(n) == expected
    assert not (expected and n_held_out(n))


def test_stacking_finds_the_coefficients_that_made_the_labels():
    rng = np.random.default_rng(0)
    columns = rng.normal([0, 5, -1, 7], [1, 3, 0.1, 0], (4000 * 20, 4))  # the last one is constant
    truth = np.array([1.0, -0.5, 8.0, 3.0])
    centred = columns - [0, 5, -1, 7]
    is_true = rng.random(len(columns)) < 1 / (1 + np.exp(1.0 - centred @ truth))
    found = _stack(columns, is_true.reshape(4000, 20))
    np.testing.assert_allclose(found[:3], truth[:3], rtol=0.08)
    assert found[3] == 0


def test_stacking_counts_every_example_the_same():
    """A label of an example that has a hundred weighs a hundredth: they do not drown the others."""
    rng = np.random.default_rng(1)
    signal = rng.normal(size=(2000, 100))
    is_true = signal > 2  # few labels
    is_true[:100] = signal[:100] < 1.3  # many, told the other way round
    few = _stack(signal[100:].reshape(-1, 1), is_true[100:])
    both = _stack(signal.reshape(-1, 1), is_true)
    assert few[0] > 1 and both[0] > 0.25 * few[0]


def test_the_line_of_least_squares():
    x = np.array([1.0, 2.0, 4.0])
    assert _line(x, 3 - 0.5 * x) == pytest.approx((3, -0.5))
    assert _line(np.full(3, 2.0), np.array([1.0, 2.0, 6.0])) == pytest.approx((3, 0))


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_a_blend_adds_in_proportion_to_its_strength(strength):
    whole = Blend(0.1, 2.0, -0.1, 0.3, 0.2, 1.0, -0.2, 0.4, 0.1)
    log_f = np.linspace(-8, -1, 50)
    margin, association = np.sin(log_f), np.cos(log_f) + 1
    for is_candidate in (True, False):
        of_whole, scaled = (
            _added(blend, log_f, margin, association, np.full(50, is_candidate))
            for blend in (whole, whole.scaled(strength))
        )
        np.testing.assert_allclose(scaled, strength * of_whole, atol=1e-12)


@pytest.mark.parametrize(
    ("gains", "noise", "expected"),
    [
        ([0.0, 0.2, 0.3, 0.4], 0.0, 3),
        ([0.0, 0.2, 0.3, 0.25], 0.0, 2),
        ([0.0, 0.2, 0.3, 0.28], 1.0, 3),  # .4 standard errors below the best
        ([0.0, 0.2, 0.3, 0.27], 1.0, 2),  # .6 of them
        ([0.0, 0.2, 0.3, -0.5], 1.0, 2),
        ([0.0, -0.1, -0.1, -0.001], 1.0, 0),  # where nothing is best, chance keeps nothing
        ([0.0, 0.0, 0.0, 0.0], 0.0, 0),
        ([0.0, 0.02, 0.01, 0.0], 1.0, 0),  # .4 standard errors better than nothing
        ([0.0, 0.03, -0.5, -0.5], 1.0, 1),  # .6 of them
    ],
)
def test_the_largest_fraction_within_half_a_standard_error_is_taken(gains, noise, expected):
    """Of 400 examples, whose differences have a standard error of `noise` / 20."""
    difference = noise * np.tile([1.0, -1.0], 200)  # of mean 0
    signs = np.array([0.0, 1.0, 0.0, -1.0])
    found = 0.5 + np.array(gains)[:, None] + signs[:, None] * difference
    assert _largest_within_error(found, is_wanted=False) == expected
    of_wanted = {0: 3, 1: 1, 2: 2, 3: 3}[expected]  # what does no harm is kept
    assert _largest_within_error(found, is_wanted=True) == of_wanted


@pytest.mark.parametrize(
    ("difference", "expected"), [(0.0, True), (0.02, True), (-0.02, True), (-0.03, False)]
)
def test_what_is_less_than_half_a_standard_error_worse_is_as_good(difference, expected):
    """Of 400 examples, whose differences have a standard error of .05."""
    best = np.full(400, 0.5)
    assert _is_as_good(best + difference + np.tile([1.0, -1.0], 200), best) == expected


@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_rarer_labels_go_first_only_where_that_is_as_good(loss, monkeypatch):
    """Not among labels of which an example has one, and not where the first five get worse."""
    network, x, y = task(loss=loss)
    made = network.make_ranker(x, y)
    report = weighed(network, made, x, y)
    monkeypatch.setattr(weighing, "RARER", 0.0)
    plain = weighed(network, made, x, y)
    assert report.blend.prior == plain.blend.prior - (0.1 if loss == "bce" else 0)
    monkeypatch.setattr(weighing, "RARER", 100.0)
    assert weighed(network, made, x, y) == plain


def test_calibration_finds_the_slope_and_the_intercept_that_made_the_labels():
    rng = np.random.default_rng(1)
    score = rng.normal(0, 3, 200_000)
    true = rng.random(len(score)) < 1 / (1 + np.exp(-(0.6 * score - 1.5)))
    slope, intercept = platt_scaling(score, true, np.ones(len(score)))
    assert slope == pytest.approx(0.6, abs=0.02) and intercept == pytest.approx(-1.5, abs=0.03)


def test_the_temperature_of_a_softmax_is_found():
    rng = np.random.default_rng(2)
    n, k = 20_000, 8
    score = rng.normal(0, 2, (n, k))
    p = np.exp(0.5 * score)
    drawn = (rng.random((n, 1)) > np.cumsum(p / p.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
    true = np.zeros((n, k), bool)
    true[np.arange(n), np.minimum(drawn, k - 1)] = True
    one, none = np.ones(n * k), np.zeros(n * k)
    row = np.repeat(np.arange(n, dtype=np.int32), k)
    pairs = JudgedPairs(np.ones(n, int), row, one > 0, true.ravel(), one, none, none, none, none)
    assert temperature(score.ravel(), pairs) == pytest.approx(0.5, abs=0.04)


def test_no_labels_to_judge_by():
    network, x, _ = task()
    nothing = Csr(np.zeros(N + 1, np.int64), np.empty(0, np.int32), None, L)
    report = weighed(network, network.make_ranker(x, nothing), x, nothing)
    assert report.blend == RankerReport.fixed().blend == Blend(margin=1.0) and report.rows == 0


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


def test_rare_labels_are_found_more_often_and_others_no_less(pubmed, monkeypatch):
    x, y, x_test, y_test = (
        part[:6000] for part in (pubmed.X_train, pubmed.Y_train, pubmed.X_test, pubmed.Y_test)
    )
    propensity = metrics.propensity(y.sum(axis=0).A1, n=y.shape[0])
    found = []
    for rarer in (0.0, weighing.RARER):
        monkeypatch.setattr(weighing, "RARER", rarer)
        model = SlideClassifier(hidden=64, epochs=3, random_state=0, n_jobs=2).fit(x, y)
        labels, _ = model.predict_topk(x_test, 5)
        found.append(metrics.summary(y_test, labels, ks=(5,), propensity=propensity))
    plain, rare = found
    assert rare["PSP@5"] > plain["PSP@5"] + 0.003
    assert rare["nDCG@5"] > plain["nDCG@5"] - 0.001


def test_the_weights_do_not_depend_on_the_threads_of_other_libraries():
    rng = np.random.default_rng(0)
    columns = np.column_stack([rng.normal(size=(60_000, 7)), np.ones(60_000)])
    target = (rng.random(60_000) < 0.2).astype(float)
    weight = rng.random(60_000)
    found = []
    for n in (1, 2):
        with threadpool_limits(n, user_api="blas"):
            found.append(logistic_regression(columns, target, weight, 1.0, np.zeros(8)))
    assert np.array_equal(*found)
