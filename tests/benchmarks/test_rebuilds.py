"""The drift that samples of neurons show is that of all of them; a trigger re-hashes when it is large."""

import numpy as np

from benchmarks.hashing.rebuilds import LOOK_EVERY, Rule, Trigger, drift_of
from hashslide import Scored, SimHash, SlideClassifier
from hashslide.diagnostics import tables
from hashslide.estimator.preparing import prepare

STEPS, SAMPLE, SAMPLES = 3 * LOOK_EVERY, 40, 60


def trained(data, limit=None):
    """A network whose tables are built at step 5, after some steps, and the trigger that watched it."""
    family = Rule(drift=0.0).applied(SimHash(tables=8, hashes=5, rehash_first=5))
    model = SlideClassifier(hidden=16, hash=family, sampler=Scored(budget=3), batch_size=32, random_state=0)
    prepared = prepare(model, *data)
    network, trigger, rng = prepared.network, Trigger(limit, 0), np.random.default_rng(0)
    for _ in range(STEPS):
        rows = rng.choice(prepared.data.rows, 32, replace=False)
        network.train_batch(prepared.data.x, prepared.data.y, rows, 0.1, None, 1)
        trigger.look(network)
    return network, trigger


def exact_drift(network):
    """The share of the codes in tables that change when all neurons are hashed again."""
    (layer,) = tables.hashed_layers(network)
    index, n = layer.own_index, len(layer.bias)
    before = [index.table(t).buckets for t in range(index.n_tables)]
    state = index.state()
    state["touched"], state["progress"][3] = np.arange(n, dtype=np.int32), 0
    index.restore(state, 1)
    index.maintain(layer.weight, layer.bias, 1, 1)
    return np.mean([index.table(t).buckets != before[t] for t in range(index.n_tables)])


def test_samples_estimate_the_drift_of_all_neurons(small):
    network, _ = trained(small)
    rng = np.random.default_rng(1)
    drifts = [drift_of(next(tables.hashed_layers(network)), SAMPLE, rng) for _ in range(SAMPLES)]
    exact = exact_drift(network)
    assert 0.05 < exact < 0.95
    assert np.std(drifts) > 0
    assert abs(np.mean(drifts) - exact) < 4.5 * np.std(drifts) / np.sqrt(SAMPLES)
    everything = drift_of(next(tables.hashed_layers(network)), 10**9, rng)
    np.testing.assert_allclose(everything, exact)


def test_a_trigger_keeps_the_codes_right(small):
    network, trigger = trained(small, limit=0.01)
    drifting, idle = trained(small, limit=0.999)
    assert trigger.pulled >= 1
    assert idle.pulled == 0
    assert exact_drift(network) < exact_drift(drifting)
    assert set(trigger.seconds(network)) == set(network.stage_seconds)
