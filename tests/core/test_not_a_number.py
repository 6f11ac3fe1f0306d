"""Weights that are NaN or infinite, of a hostile caller or after a divergence: defined results, valid ids."""

import numpy as np
import pytest

from hashslide import _core
from hashslide.csr import as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.settings import Dense, NetworkConfig
from hashslide.training import Plan, TrainingData, train

N, N_FEATURES, N_LABELS, WIDTH = 40, 12, 700, 24
SPECIAL = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf, "huge": 3e38}


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    x = as_csr(rng.normal(size=(N, N_FEATURES)).astype(np.float32))
    return x, as_pattern((rng.random((N, N_LABELS)) < 0.01).astype(np.float32))


def network_with(value, share, where=("output.weight",), activation="identity", **settings):
    """A network with some weights of the given value."""
    config = NetworkConfig(
        n_features=N_FEATURES, n_labels=N_LABELS, hidden=Dense(WIDTH, activation), **settings
    )
    rng = np.random.default_rng(0)
    state = Network(config).snapshot()
    for name in state:
        if name.endswith((".weight", ".bias")):
            state[name] = rng.normal(size=state[name].shape).astype(np.float32)
        if name in where:
            state[name][rng.random(state[name].shape) < share] = value
    network = Network(config)
    network._core = _core.Network.from_state(config.to_core(), state, True)  # files and users cannot do this
    return network


@pytest.mark.parametrize("value", SPECIAL.values(), ids=SPECIAL)
@pytest.mark.parametrize("share", [0.001, 0.3, 1.0])
@pytest.mark.parametrize("where", ["output.weight", "output.bias", "input.weight"])
def test_predictions_name_each_label_once(data, value, share, where):
    """Also through the screen of single rows and the lists; and what is a number stands above NaN."""
    x, y = data
    network = network_with(value, share, (where,))
    network.learn_candidates(x, y)
    one = x.block(0, 1)
    found = [network.predict_topk(x, N_LABELS)[0], network.predict_topk(x, 5, approximate=True)[0]]
    found += [network.predict_topk(one, 9)[0] for _ in range(3)]
    for labels in found:
        assert ((labels >= 0) & (labels < N_LABELS)).all()
        assert all(len(set(row)) == len(row) for row in labels.tolist())
    logits = network.logits(x)
    first = logits[np.arange(N), found[0][:, 0]]
    has_none = ~(logits > -np.inf).any(axis=1)  # NaN counts as -infinity
    assert (has_none | ~np.isnan(first)).all()


@pytest.mark.parametrize("loss", ["bce", "softmax"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "identity"])
def test_a_loss_of_nan_ends_the_training(data, loss, activation):
    """The exponential of NaN is NaN: neither hidden nor turned into an integer."""
    x, y = data
    for where in ("output.weight", "input.weight"):
        network = network_with(np.nan, 0.5, (where,), loss=loss, activation=activation, negatives=50)
        plan = Plan(n_epochs=1, first_epoch=0, last_epoch=1, batch_size=20, learning_rate=0.1)
        with pytest.raises(InputError, match="the loss became nan"):
            train(network, TrainingData(x=x, y=y, rows=np.arange(N)), plan, [])


def test_hidden_activations_of_nan_are_nan(data):
    for activation in ("tanh", "identity"):
        network = network_with(np.nan, 1.0, ("input.weight",), activation=activation)
        assert np.isnan(network.hidden(data[0])).all()


FAMILIES = ["simhash", "sparse_simhash", "fast_simhash", "wta", "dwta", "minhash", "kmeans"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("value", SPECIAL.values(), ids=SPECIAL)
def test_hash_families_give_buckets_that_exist(family, value):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, WIDTH)).astype(np.float32)
    vectors[rng.random(vectors.shape) < 0.3] = value
    vectors[:5] = value
    hashes = _core.hash_family(family, WIDTH, 300, tables=4, hashes=5, bin_size=4, top=6)
    hashes.draw(0)
    hashes.learn(vectors)
    buckets, probes = hashes.hash(vectors), hashes.probe(vectors, 3)
    assert ((buckets >= 0) & (buckets < hashes.n_buckets)).all()
    assert ((probes >= -1) & (probes < hashes.n_buckets)).all()
    index = _core.NeuronIndex(300, WIDTH, 1, family=family, tables=3, centre=True, norm_ranges=2)
    index.build(vectors, np.full(300, value, np.float32), 1)
    found = index.look_up(vectors, 1)
    assert ((found >= -1) & (found < 2 * hashes.n_buckets + 300)).all()
