"""The C++ core against the NumPy specification: the same random numbers, active sets, losses, updates."""

from functools import partial

import numpy as np
import pytest
from network_settings import hidden_tables, make_config, sparse_problem
from scipy import sparse

from hashslide import _core, reference
from hashslide.reference.rng import CounterRng
from hashslide.settings import (
    DWTA,
    SGD,
    WTA,
    Adagrad,
    Adam,
    AdaptiveDropout,
    Dense,
    Dropout,
    Exact,
    FastSimHash,
    Hashed,
    KMeans,
    Layer,
    LowRank,
    MinHash,
    Scored,
    SignCodes,
    SimHash,
    Threshold,
    Top,
    Vanilla,
    WinnerTakeAll,
)

N, D, L, H, BATCH = 90, 40, 70, 12, 15


@pytest.fixture(scope="module")
def data():
    """Random sparse features and labels, sample weights, and the batches of two epochs."""
    rng = np.random.default_rng(5)
    clean, counts = sparse_problem(rng, (N, D, L), 0.04)
    order = np.concatenate([rng.permutation(N), rng.permutation(N)])
    return clean, counts, order.reshape(-1, BATCH), rng.uniform(0.5, 2, N).astype(np.float32)


def pair(**settings):
    config = make_config(
        n_features=D,
        n_labels=L,
        **{"hidden": H, "uniform": 10, "input_init": 0.3, "seed": 2**40 + 1, **settings},
    )
    return _core.Network(config.to_core()), reference.Network(config)


def random_outputs(networks):
    """The same networks with random output weights.

    Adam's first step makes all weights of a row equally large, but for rounding: they have no order to hash.
    """
    config = networks[1].config
    weight = np.random.default_rng(3).normal(size=(L, config.width)).astype(np.float32) * 0.3
    states = [{k: np.array(v) for k, v in n.state().items()} | {"output.weight": weight} for n in networks]
    return [from_state(n, config, state) for n, state in zip(networks, states, strict=True)]


def from_state(network, config, state):
    """A network of the same kind as the given one."""
    if isinstance(network, _core.Network):
        return _core.Network.from_state(config.to_core(), state, True)
    return reference.Network.from_state(config, state)


def train(networks, data, *, rate=0.1, weighted=False, label_weight=None, n_steps=None):
    """Train both networks; return the losses and active set sizes of all steps, one row for each network."""
    arrays, counts, batches, sample_weight = data
    figures = []
    for network in networks:
        network.set_label_prior(counts, N)
        if label_weight is not None:
            network.set_label_weight(label_weight)
        weight = sample_weight if weighted else None
        steps = [network.train_batch(*arrays, rows, weight, rate, 1) for rows in batches[:n_steps]]
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
    "relu": {"hidden": Dense(H, "relu")},
    "tanh": {"hidden": Dense(H, "tanh")},
    "softmax": {"loss": "softmax"},
    "softmax tanh": {"loss": "softmax", "hidden": Dense(H, "tanh")},
    "adam": {"optimizer": "adam"},
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": SGD(momentum=0.8)},
    "weight decay": {"optimizer": Adagrad(weight_decay=0.3)},
    "dropout": {"input_dropout": 0.3, "hidden": Dense(H, dropout=0.4)},
    "popular": {"popular": 5},
    "hidden length": {"hidden": Dense(H, length=3.0)},
    "soft hidden length": {"hidden": Dense(H, length=3.0, softness=0.7)},
    "hidden length, tanh": {"hidden": Dense(H, "tanh", length=2.0)},
    "hidden length, relu": {"hidden": Dense(H, "relu", length=2.0)},
    "example power": {"example_power": 0.5},
    "input scale": {"input_scale": 2.5},
    "no correction": {"prior_correction": 0.0},
    "half correction, softmax": {"prior_correction": 0.5, "loss": "softmax"},
}


@pytest.mark.parametrize("settings", CASES.values(), ids=CASES.keys())
def test_core_and_specification_train_the_same_model(settings, data):
    core, specification = networks = pair(**settings)
    kind = getattr(settings.get("optimizer"), "name", settings.get("optimizer"))
    rate = {"adam": 0.01, "sgd": 0.5}.get(kind, 0.1)
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


OPTIMIZERS = {
    "adagrad": {},
    "adam": {"optimizer": Adam(weight_decay=0.1)},
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": SGD(momentum=0.8, weight_decay=0.1)},
}
RATES = {"adagrad": 0.1, "adam": 0.01, "sgd": 0.5, "momentum": 0.1}
SCHEDULE = {"rehash_first": 2, "rehash_every": 2, "rehash_growth": 3.0}
SELECTIONS = {
    "vanilla dwta": {
        "sampler": Vanilla(budget=9),
        "hash": DWTA(tables=8, hashes=2, bin_size=4, **SCHEDULE),
    },
    "top simhash": {
        "sampler": Top(budget=7),
        "hash": SimHash(tables=10, hashes=3, bucket_size=4, **SCHEDULE),
    },
    "threshold": {
        "sampler": Threshold(budget=0),
        "hash": FastSimHash(tables=6, hashes=2, bucket_policy="fifo", **SCHEDULE),
    },
    "scored kmeans": {
        "sampler": Scored(budget=5),
        "hash": KMeans(tables=2, cells=6, probes=1, bucket_size=128, **SCHEDULE),
    },
    "top simhash, queries centred": {
        "sampler": Top(budget=5),
        "hash": SimHash(tables=4, hashes=3, centre_queries=True, **SCHEDULE),
    },
    "exact": {"sampler": Exact(budget=6)},
    "uniform only": {},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", ["bce", "softmax"])
@pytest.mark.parametrize("name", SELECTIONS)
def test_sets_of_the_examples_own(name, loss, optimizer, data):
    settings = {"active": "per_example", **SELECTIONS[name], "popular": 2, "loss": loss}
    core, specification = networks = random_outputs(pair(**settings, **OPTIMIZERS[optimizer]))
    found, expected = train(networks, data, rate=RATES[optimizer], n_steps=8)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert_same_state(core, specification)
    if name not in ("uniform only", "exact"):
        assert specification.output.selector.index.builds > 1
        assert expected[-1, 1] > expected[0, 1]


@pytest.mark.parametrize("loss", ["bce", "softmax"])
@pytest.mark.parametrize(
    "settings", [{}, {"uniform": 0}, {"uniform": 0, "prior_correction": 0.0}, {"popular": 3}]
)
def test_examples_that_do_not_see_the_labels_of_others(settings, loss, data):
    settings = {"active": "per_example", "in_batch": False, "loss": loss, **settings}
    core, specification = networks = random_outputs(pair(**SELECTIONS["vanilla dwta"], **settings))
    found, expected = train(networks, data, n_steps=8)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert_same_state(core, specification)


@pytest.mark.parametrize("name", SELECTIONS)
def test_sampled_labels_of_the_batch(name, data):
    core, specification = networks = pair(**SELECTIONS[name])
    plain = pair()[1]
    found, expected = train(networks, data)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert_same_state(core, specification)
    assert (expected[:, 1].sum() > train([plain], data)[0, :, 1].sum()) == (name != "uniform only")


LOOKING_UP = [name for name, given in SELECTIONS.items() if "hash" in given]
HASHED = Layer(40, "relu", **SELECTIONS["vanilla dwta"] | {"sampler": Vanilla(budget=12)})
NETS = {
    "dense, dense": {"hidden": (Dense(9, "relu"), Dense(14, "tanh"), Dense(8, "relu"))},
    "low rank": {"hidden": (LowRank(20, 5)[0], Dense(20, "relu", dropout=0.3))},
    "lengths": {
        "hidden": (
            Dense(9, "tanh", length=2.0, softness=2.0),
            Dense(14, "tanh", length=3.0),
            Dense(8, "relu"),
        )
    },
    "lengths and dropout": {
        "hidden": (Dense(9, "tanh", length=2.0, dropout=0.2), Dense(14, "relu", length=3.0, dropout=0.4))
    },
    "length and dropout after hashed": {"hidden": (HASHED, Dense(14, "tanh", length=3.0, dropout=0.4))},
    "hashed after dropout": {"hidden": (Dense(9, length=2.0, dropout=0.4), HASHED)},
    "dropout": {"hidden": (Dense(9, "tanh"), Dropout(14, 6))},
    "dropout, tanh": {"hidden": (9, Dropout(14, 6, "tanh"), Layer(7, "tanh"))},
    "dropout, more draws than neurons": {"hidden": (9, Dropout(5, 8, "identity"))},
    "adaptive dropout": {
        "hidden": (9, AdaptiveDropout(20, 0.8, -0.5), AdaptiveDropout(10, activation="tanh"))
    },
    "winner take all": {"hidden": (9, WinnerTakeAll(30, 5), WinnerTakeAll(20, 6, "tanh"))},
    "hashed after dense": {"hidden": (9, HASHED)},
    "hashed first": {"hidden": HASHED, "input_dropout": 0.2},
    "dropout first": {"hidden": (Dropout(14, 6), 8), "input_dropout": 0.2},
    "winners of the chosen": {"hidden": (9, Hashed(40, 20, winners=7), Hashed(30, 15, "tanh", winners=6))},
    "winners of all": {"hidden": (9, Layer(20, "relu", sampler=Exact(budget=9), winners=4))},
    "hashed, hashed, dense": {"hidden": (HASHED, HASHED, Layer(10, "tanh"))},
    "hashed, dense, hashed, dense": {
        "hidden": (9, HASHED, Dense(14, "tanh", dropout=0.3), HASHED, Dense(8, "tanh"))
    },
    "dropout, dense": {"hidden": (9, Dropout(14, 6), AdaptiveDropout(20, 0.8, -0.5), Dense(8, "tanh"))},
    **{name: {"hidden": (8, Layer(30, "tanh", **SELECTIONS[name]))} for name in LOOKING_UP},
    "sign codes": {"hidden": (9, Hashed(30, 8, hash=SignCodes(bits=100, **SCHEDULE), winners=5))},
    "sign codes first": {"hidden": Hashed(30, 8, hash=SignCodes(bits=64, **SCHEDULE))},
    "minhash": {"hidden": (9, Hashed(30, 8, hash=hidden_tables(MinHash, tables=4, hashes=2, top=5)))},
    "norm ranges": {
        "hidden": (9, Hashed(30, 8, hash=WTA(norm_ranges=3, augment=True, probes=2, **SCHEDULE)))
    },
}


def assert_same_training(networks, data, **options):
    found, expected = train(networks, data, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert_same_state(*networks)
    x = data[0][:3]
    for n_layers in range(1, len(networks[1].layers) + 1):
        hidden = networks[1].hidden(*x, 1, n_layers)
        np.testing.assert_allclose(networks[0].hidden(*x, 1, n_layers), hidden, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(networks[0].logits(*x, 1), networks[1].logits(*x), rtol=2e-4, atol=1e-4)
    assert hidden.any()
    return expected


@pytest.mark.parametrize("active", ["per_batch", "per_example"])
@pytest.mark.parametrize("name", NETS)
def test_networks_of_several_layers(name, active, data):
    expected = assert_same_training(pair(active=active, **NETS[name]), data)
    assert expected[-1, 0] < expected[0, 0]


@pytest.mark.parametrize("first", [Dense(9, "relu"), Dense(9, length=2.0), HASHED])
def test_examples_without_features_have_the_length_0(first, data):
    """The second is stored with a zero; dropout takes all features of some others."""
    arrays, *rest = data
    counts = np.diff(arrays[0])
    counts[0] = 0
    n = counts.sum()
    values = np.where(np.arange(n) < counts[1], np.float32(0), arrays[2][-n:])
    arrays = [np.r_[0, np.cumsum(counts)], arrays[1][-n:], values, *arrays[3:]]
    networks = pair(hidden=(first, Dense(8, "tanh", length=7.0)), input_dropout=0.8)
    assert_same_training(networks, (arrays, *rest))
    lengths = np.linalg.norm(networks[0].hidden(*arrays[:3], 1, 2), axis=1)
    np.testing.assert_array_equal(lengths[:2], 0)
    np.testing.assert_allclose(lengths[2:], 7, rtol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    "name",
    ["hashed first", "hashed, hashed, dense", "hashed, dense, hashed, dense", "dropout", "dense, dense"],
)
def test_optimizers_of_several_layers(name, optimizer, data):
    settings = {"active": "per_example", **SELECTIONS["vanilla dwta"], "uniform": 0}
    networks = random_outputs(pair(**settings, **NETS[name], **OPTIMIZERS[optimizer]))
    assert_same_training(networks, data, rate=RATES[optimizer], n_steps=8)


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
    excluded = sparse.random(len(x[0]) - 1, L, 0.9, "csr", random_state=0)
    excluded = sparse.vstack([excluded[:-1], np.ones((1, L))], format="csr")  # none is left for the last
    exclude = excluded.indptr.astype(np.int64), excluded.indices
    ids, scores = core.predict_topk(*x, 7, 1, exclude)
    expected_ids, expected_scores = specification.predict_topk(*x, 7, exclude=exclude)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-4)
    assert (ids == expected_ids).mean() > 0.99 and (ids[-1] == -1).all() and (ids == -1).mean() < 0.5


GOING_ON = {
    "sign codes": {
        "hidden": (9, Hashed(30, 8, hash=SignCodes(bits=70, **SCHEDULE))),
        "sampler": Top(budget=6),
        "hash": SignCodes(bits=40, **SCHEDULE),
    },
    "adam": {"optimizer": "adam", "popular": 4},
    "kmeans": SELECTIONS["scored kmeans"],
    "per example": {
        "active": "per_example",
        "sampler": Vanilla(budget=9),
        "hash": DWTA(tables=8, hashes=2, bin_size=4, norm_ranges=2, **SCHEDULE),
    },
    "hashed": {"hidden": (9, HASHED), **SELECTIONS["top simhash"], "optimizer": "adam"},
    "dense after hashed": {"hidden": (9, HASHED, Dense(6, "tanh"), Dense(5, "tanh", dropout=0.2))},
}


@pytest.mark.parametrize("settings", GOING_ON.values(), ids=GOING_ON.keys())
@pytest.mark.parametrize("restored", [False, True])
def test_growth_goes_on_the_same_way(settings, restored, data):
    networks = pair(**settings)
    config = networks[1].config
    train(networks, data, rate=0.01, n_steps=5)
    if restored:
        networks = [from_state(n, config, {k: np.array(v) for k, v in n.state().items()}) for n in networks]
    for network in networks:
        network.grow(D + 3, L + 4)
        for rows in data[2][:3]:
            network.train_batch(*data[0], rows, None, 0.01, 1)
    assert_same_state(*networks)
    state = networks[1].state()
    assert state["output.weight"].shape == (L + 4, config.width)
    assert (state["input.weight"][D:] != 0).all()


@pytest.mark.parametrize("settings", GOING_ON.values(), ids=GOING_ON.keys())
@pytest.mark.parametrize("kind", [0, 1], ids=["core", "specification"])
@pytest.mark.parametrize("saved_after", [1, 5])
def test_a_restored_network_goes_on_where_it_was(kind, settings, saved_after, data):
    networks = pair(**settings)
    network, config = networks[kind], networks[1].config
    train([network], data, rate=0.01, n_steps=saved_after)
    twin = from_state(network, config, {k: np.array(v) for k, v in network.state().items()})
    for n in (network, twin):
        for rows in data[2][5:9]:
            n.train_batch(*data[0], rows, None, 0.01, 1)
    for name, array in network.state().items():
        np.testing.assert_array_equal(array, twin.state()[name], err_msg=name)


@pytest.mark.parametrize(
    "name",
    ["hashed after dense", "hashed first", "hashed, hashed, dense", "winner take all", "norm ranges"],
)
def test_a_prediction_does_not_depend_on_the_other_rows(name, data):
    network, specification = pair(**NETS[name])
    n_layers = len(specification.layers)
    train([network], data, n_steps=4)
    x = sparse.csr_matrix(tuple(data[0][2::-1]), shape=(N, D))
    order = np.random.default_rng(0).permutation(np.r_[:N, :N])  # more than one block
    shuffled = x[order]
    arrays = [(m.indptr.astype(np.int64), m.indices.astype(np.int32), m.data) for m in (x, shuffled)]
    for predict in (partial(network.hidden, layers=n_layers), network.logits):
        np.testing.assert_array_equal(predict(*arrays[1], 1), predict(*arrays[0], 1)[order])


def test_without_their_arrays_the_tables_of_hidden_layers_are_built_again(data):
    networks = pair(hidden=(9, HASHED))
    train(networks, data, n_steps=1)
    hidden = []
    for network in networks:
        state = {k: np.array(v) for k, v in network.state().items() if ".index." not in k}
        hidden.append(from_state(network, networks[1].config, state).hidden(*data[0][:3], 1, layers=2))
    assert (hidden[0] != 0).sum(axis=1).min() > 0
    np.testing.assert_allclose(*hidden, rtol=2e-4, atol=2e-5)


def test_a_first_layer_ignores_stored_zeros(data):
    """Neither the weights nor Adam's moments of a feature that is stored as 0 change."""
    arrays = list(data[0])
    arrays[2] = np.where(arrays[1] == 3, 0, arrays[2]).astype(np.float32)
    networks = pair(hidden=HASHED, optimizer=Adam(weight_decay=0.3))
    before = np.array(networks[0].state()["hidden0.weight"])
    train(networks, (arrays, *data[1:]), rate=0.01, n_steps=4)
    assert_same_state(*networks)
    changed = networks[0].state()["hidden0.weight"] != before
    assert changed.any() and not changed[:, 3].any()


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


@pytest.mark.parametrize("stream", ["kept_examples", "replay"])
def test_random_bits_are_those_of_the_reference(stream):
    bits = _core.random_bits(7, stream, 3, 11, 20)
    np.testing.assert_array_equal(bits, CounterRng(7, stream, 3).bits(np.arange(11, 31)))
