"""The C++ core against the NumPy specification: the same random numbers, active sets, losses, updates."""

import numpy as np
import pytest
from scipy import sparse

from hashslide import _core, reference
from hashslide._counter_rng import CounterRng
from hashslide.config import NetworkConfig

N, D, L, H, BATCH = 90, 40, 70, 12, 15


@pytest.fixture(scope="module")
def data():
    """Random sparse features and labels, sample weights, and the batches of two epochs."""
    rng = np.random.default_rng(5)
    x = sparse.random(N, D, 0.2, "csr", np.float32, random_state=rng)
    y = sparse.random(N, L, 0.04, "csr", np.float32, random_state=rng)
    y.sort_indices()
    x.sort_indices()
    clean = [x.indptr.astype(np.int64), x.indices, x.data, y.indptr.astype(np.int64), y.indices]
    counts = np.bincount(y.indices, minlength=L).astype(np.int64)
    order = np.concatenate([rng.permutation(N), rng.permutation(N)])
    return clean, counts, order.reshape(-1, BATCH), rng.uniform(0.5, 2, N).astype(np.float32)


def pair(**settings):
    config = NetworkConfig(
        n_features=D, n_labels=L, hidden=H, uniform=10, **{"input_init": 0.3, "seed": 2**40 + 1, **settings}
    )
    return _core.Network(config.to_core()), reference.Network(config)


def train(networks, data, *, rate=0.1, weighted=False, label_weight=None):
    """Train both networks; return the losses and active set sizes of all steps, one row for each network."""
    arrays, counts, batches, sample_weight = data
    figures = []
    for network in networks:
        network.set_label_prior(counts, N)
        network.choose_direct_pairs(*arrays[:2], *arrays[3:], 1)
        if label_weight is not None:
            network.set_label_weight(label_weight)
        weight = sample_weight if weighted else None
        steps = [network.train_batch(*arrays, rows, weight, rate, 1) for rows in batches]
        figures.append([(s.loss, s.active) for s in steps])
    return np.array(figures)


def assert_same_state(core, specification, rtol=2e-4, atol=2e-5):
    expected, found = specification.state(), core.state()
    assert found.keys() == expected.keys()
    for name in expected:
        assert found[name].shape == expected[name].shape, name
        np.testing.assert_allclose(found[name], expected[name], rtol=rtol, atol=atol, err_msg=name)


CASES = {
    "defaults": {},
    "relu": {"activation": "relu"},
    "tanh": {"activation": "tanh"},
    "softmax": {"loss": "softmax"},
    "softmax tanh": {"loss": "softmax", "activation": "tanh"},
    "adam": {"optimizer": "adam"},
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": "sgd", "momentum": 0.8},
    "weight decay": {"weight_decay": 0.3},
    "dropout": {"input_dropout": 0.3, "hidden_dropout": 0.4},
    "popular": {"popular": 5},
    "hidden length": {"hidden_length": 3.0},
    "hidden length, tanh": {"hidden_length": 2.0, "activation": "tanh"},
    "hidden length, relu": {"hidden_length": 2.0, "activation": "relu"},
    "example power": {"example_power": 0.5},
    "input scale": {"input_scale": 2.5, "direct": 4, "direct_min_count": 1},
    "direct term": {"direct": 4, "direct_min_count": 1, "input_dropout": 0.2},
    "no correction": {"prior_correction": 0.0},
    "half correction, softmax": {"prior_correction": 0.5, "loss": "softmax"},
}


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
def test_core_and_specification_train_the_same_model(settings, data):
    core, specification = networks = pair(**settings)
    rate = {"adam": 0.01, "sgd": 0.5}.get(settings.get("optimizer"), 0.1)
    found, expected = train(networks, data, rate=rate)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert expected[-1, 0] < expected[0, 0]
    assert_same_state(core, specification)


@pytest.mark.parametrize("loss", ["bce", "softmax"])
def test_sample_and_label_weights(loss, data):
    core, specification = networks = pair(loss=loss)
    label_weight = np.linspace(0.5, 3, L).astype(np.float32)
    found, expected = train(networks, data, weighted=True, label_weight=label_weight)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert_same_state(core, specification)


@pytest.mark.parametrize("share", [1, 3])
def test_hard_negatives(share, data):
    settings = {"hard": 3, "cells": 6, "probes": 2, "hard_share": share, "rehash_first": 2, "rehash_every": 2}
    core, specification = networks = pair(**settings)
    plain = pair()[0]
    found, expected = train(networks, data)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert_same_state(core, specification)
    assert train([plain], data)[0, :, 1].sum() < expected[:, 1].sum()


@pytest.mark.parametrize("settings", [{}, {"input_scale": 0.25}])
def test_predictions(settings, data):
    core, specification = networks = pair(**settings)
    train(networks, data)
    x = data[0][:3]
    logits = specification.logits(*x)
    np.testing.assert_allclose(core.logits(*x, 1), logits, rtol=1e-4, atol=1e-4)
    ids, scores = core.predict_topk(*x, 7, 1)
    expected_ids, expected_scores = specification.predict_topk(*x, 7)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-4)
    assert (ids == expected_ids).mean() > 0.99  # near-equal logits may change places


@pytest.mark.parametrize(
    "settings", [{"optimizer": "adam"}, {"hard": 2, "rehash_first": 1, "rehash_every": 1, "direct": 3}]
)
def test_growth_goes_on_the_same_way(settings, data):
    core, specification = networks = pair(**settings)
    train(networks, data, rate=0.01)
    for network in networks:
        network.grow(D + 3, L + 4)
        for rows in data[2][:3]:
            network.train_batch(*data[0], rows, None, 0.01, 1)
    assert_same_state(core, specification)
    assert specification.state()["output.weight"].shape == (L + 4, H)


@pytest.mark.parametrize("make", [_core.Network, reference.Network])
def test_a_restored_network_goes_on_where_it_was(make, data):
    arrays, counts, batches, _ = data
    settings = {"optimizer": "adam", "popular": 4, "direct": 3, "seed": 3}
    config = NetworkConfig(n_features=D, n_labels=L, hidden=H, **settings).to_core()
    network = make(config)
    network.set_label_prior(counts, N)
    network.choose_direct_pairs(*arrays[:2], *arrays[3:], 1)
    for rows in batches[:4]:
        network.train_batch(*arrays, rows, None, 0.01, 1)
    twin = make.from_state(config, {k: np.array(v) for k, v in network.state().items()}, True)
    for n in (network, twin):
        n.train_batch(*arrays, batches[5], None, 0.01, 1)
    for name, array in network.state().items():
        np.testing.assert_array_equal(array, twin.state()[name], err_msg=name)


def test_counter_rng_is_uniform_and_depends_on_every_part():
    index = np.arange(20_000, dtype=np.uint64)
    rng = CounterRng(1, "cells", 2)
    assert abs(rng.uniform(index).mean() - 0.5) < 0.01
    assert (np.bincount(rng.below(index, 10)) > 1800).all()
    others = [CounterRng(2, "cells", 2), CounterRng(1, "uniform_negatives", 2)]
    for other in [*others, CounterRng(1, "cells", 3)]:
        assert not np.array_equal(other.bits(index), rng.bits(index))
    assert CounterRng(0, "cells", 0).below(np.uint64(7), 2**31 - 1) == (
        (int(CounterRng(0, "cells", 0).bits(np.uint64(7))) * (2**31 - 1)) >> 64
    )
