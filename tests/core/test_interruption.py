"""A signal during a long call of the core is heard at once, and the model is what it was before."""

import signal
import time

import numpy as np
import pytest
from scipy import sparse

from hashslide import SlideClassifier, _core
from hashslide.csr import Csr
from hashslide.network import Network
from hashslide.ranking import Blend
from hashslide.settings import NetworkConfig

LIMIT = 0.5  # seconds
N, N_FEATURES, N_LABELS = 12_000, 1_500, 20_000


class Heard(Exception):
    """What the handler of the signal raises."""


def rows(n, width, of_each, seed, value=None):
    """Each row has one column of each of `of_each` equal parts."""
    part = width // of_each
    ids = np.random.default_rng(seed).integers(0, part, (n, of_each)) + np.arange(of_each) * part
    data = None if value is None else np.full(n * of_each, value, np.float32)
    return Csr(np.arange(0, n * of_each + 1, of_each), ids.astype(np.int32).ravel(), data, width)


@pytest.fixture(scope="module")
def data():
    return rows(N, N_FEATURES, 150, 0, 0.1), rows(N, N_LABELS, 200, 1)


def seconds_until_heard(call, delay=0.3):
    """Interrupt a call that takes several seconds; return how long after the signal it ended.

    In processor time, as the machine may be busy with other things.
    """

    def handler(number, frame):
        raise Heard

    before = signal.signal(signal.SIGPROF, handler)
    start = time.process_time()
    try:
        signal.setitimer(signal.ITIMER_PROF, delay)
        with pytest.raises(Heard):
            call()
        return time.process_time() - start - delay
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def network_for(hidden=32, **settings):
    config = NetworkConfig(n_features=N_FEATURES, n_labels=N_LABELS, hidden=hidden, **settings)
    network = Network(config)
    rng = np.random.default_rng(0)
    state = network.snapshot()
    state["output.weight"] = rng.normal(size=state["output.weight"].shape).astype(np.float32)
    network.restore(state)
    return network


def assert_unchanged(network, before):
    after = network.state()
    assert after.keys() == before.keys()
    for name in before:
        assert before[name].tobytes() == after[name].tobytes(), name


@pytest.mark.parametrize("delay", [0.1, 3.0], ids=["predicting", "learning"])
def test_making_a_ranker(data, delay):
    """The network names the labels first; then each label learns."""
    x, y = data
    network = network_for(hidden=2)
    network.set_label_prior(np.bincount(y.indices, minlength=N_LABELS), N)
    few = [m.take(np.arange(200)) for m in data]
    network.set_ranker(network.make_ranker(*few), Blend(prior=0.1, margin=1.0, association=0.3))
    before = network.snapshot()
    assert seconds_until_heard(lambda: network.make_ranker(x, y), delay) < LIMIT
    assert_unchanged(network, before)


def test_an_interrupted_update_of_a_ranker_goes_on(data):
    """Some weights may have changed, as in a step of training."""
    x, y = data
    network = network_for(hidden=2)
    network.set_label_prior(np.bincount(y.indices, minlength=N_LABELS), N)
    network.set_ranker(
        network.make_ranker(*(m.take(np.arange(200)) for m in data)),
        Blend(prior=0.1, margin=1.0, association=0.3),
    )
    before = network.snapshot()
    assert seconds_until_heard(lambda: network.update_ranker(x, y), 0.1) < LIMIT
    after = network.snapshot()
    assert before.pop("ranker.margin").shape == after.pop("ranker.margin").shape
    for name in before:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)


def test_learning_candidates(data):
    x, y = data
    network = network_for()
    first = slice(0, 200)
    few = (m.take(np.arange(N)[first]) for m in data)
    network.learn_candidates(*few)
    before = network.snapshot()
    for fresh in (True, False):
        assert seconds_until_heard(lambda fresh=fresh: network.learn_candidates(x, y, 1, fresh)) < LIMIT
        assert_unchanged(network, before)
    network.predict_topk(x.block(0, 3), 5, approximate=True)


@pytest.mark.parametrize("call", ["predict_topk", "logits"])
def test_predictions(data, call):
    network = network_for(hidden=512)
    x = data[0] if call == "predict_topk" else data[0].block(0, 4000)
    assert seconds_until_heard(lambda: getattr(network, call)(x)) < LIMIT


NEURONS, WIDTH = 40_000, 128


def test_a_rebuild_of_hash_tables_is_taken_back():
    """Neurons are in the buckets of the old functions again, and those are back too."""
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(NEURONS, WIDTH)).astype(np.float32), np.zeros(NEURONS, np.float32)
    index = _core.NeuronIndex(NEURONS, WIDTH, 7, family="simhash", tables=60, hashes=60, centre=True)
    index.build(weight, bias, 1)
    before = index.state()
    queries = weight[:50].copy()
    found = index.look_up(queries, 1)
    weight *= 2
    assert seconds_until_heard(lambda: index.build(weight[::-1].copy(), bias, 1)) < LIMIT
    after = index.state()
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)
    np.testing.assert_array_equal(index.look_up(queries, 1), found)


class Failing:
    """A hash family that raises at one call."""

    n_tables, n_buckets = 2, 8
    left = np.inf  # of the class: models have copies of a family

    def count(self):
        Failing.left -= 1
        if Failing.left == -1:
            raise RuntimeError("no more")

    def draw(self, round):
        self.count()
        self.round = round

    def hash(self, vectors):
        self.count()
        return (np.abs(vectors[:, :2] * (self.round + 3)).astype(int)) % self.n_buckets

    def probe(self, queries, n):
        return np.repeat(self.hash(queries)[:, :, None], n, axis=2)


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_a_rebuild_that_fails_is_taken_back(calls, monkeypatch):
    """An exception of the user's own hash family, on whatever thread it is called, reaches the caller."""
    model = SlideClassifier(hidden=4, epochs=1, batch_size=50, hash=Failing(), random_state=0, n_jobs=2)
    X = sparse.random(100, 30, 0.2, "csr", np.float32, random_state=0)
    y = [[f"l{(i * 7 + j) % 900}" for j in range(9)] for i in range(100)]
    network = model.fit(X, y).network_
    network.rebuild_tables(2)
    before = network.snapshot()
    monkeypatch.setattr(Failing, "left", calls)
    with pytest.raises(RuntimeError, match="no more"):
        network.rebuild_tables(2)
    Failing.left = np.inf
    assert_unchanged(network, before)
    model.partial_fit(X, y)
    network.rebuild_tables(2)
