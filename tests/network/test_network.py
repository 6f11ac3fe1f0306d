import pickle

import numpy as np
import pytest
from scipy import sparse

from hashslide import _core
from hashslide.csr import as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.network import Network, effective_threads
from hashslide.ranking import Blend
from hashslide.settings import SGD, Dense, Hashed, KMeans, NetworkConfig, Scored, Top, WinnerTakeAll
from hashslide.settings.hash_families import HASH_FAMILIES

D, L = 30, 20


@pytest.fixture
def data():
    """Clean features and labels, and the rows of a batch."""
    rng = np.random.default_rng(1)
    x = as_csr(sparse.random(50, D, 0.2, "csr", np.float32, random_state=rng))
    y = as_csr(sparse.random(50, L, 0.1, "csr", np.float32, random_state=rng))
    return x, y, np.arange(40)


def make(data, steps=3, ranker=False, **settings):
    x, y, rows = data
    network = Network(NetworkConfig(n_features=D, n_labels=L, **{"hidden": 8} | settings))
    network.set_label_prior(np.bincount(y.indices, minlength=L), x.n_rows)
    for _ in range(steps):
        network.train_batch(x, y, rows, 0.1)
    if ranker:
        network.set_ranker(network.make_ranker(x, y), Blend(prior=0.2, margin=1.5, association=0.3))
    return network


def assert_equal_states(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_training_lowers_the_loss(data):
    network = make(data, steps=0)
    losses = [network.train_batch(*data, 0.1)[0] for _ in range(20)]
    assert losses[-1] < 0.7 * losses[0]


def test_features_without_values_are_refused_before_a_step(data):
    network, (x, y, rows) = make(data), data
    with pytest.raises(InputError, match="pattern without values"):
        network.train_batch(as_pattern(x), y, rows, 0.1)
    assert network.step == 3


def test_predictions_take_any_features(data):
    network, dense = make(data), data[0].to_scipy().toarray()
    logits = network.logits(data[0])
    assert logits.shape == (50, L) and logits.dtype == np.float32
    np.testing.assert_array_equal(network.logits(dense), logits)
    labels, scores = network.predict_topk(dense, 3)
    np.testing.assert_array_equal(scores, -np.sort(-logits, axis=1)[:, :3])
    np.testing.assert_array_equal(np.take_along_axis(logits, labels, 1), scores)


@pytest.mark.parametrize("width", [1, 7, 32, 45])
@pytest.mark.parametrize(
    "layers",
    [[], [Dense(19, "relu")], [Hashed(40, 20)], [WinnerTakeAll(33, 10)]],
    ids=["none", "dense", "hashed", "wta"],
)
def test_scores_of_a_row_do_not_depend_on_the_other_rows(data, width, layers):
    """A label has one score, bit for bit: in the logits, in any top-k, alone or among others."""
    network = make(data, hidden=[*layers, Dense(width)], ranker=True)
    logits = network.logits(data[0])
    for rows in ([0], [3, 7, 41], range(6), range(13), range(50)):
        x = as_csr(data[0].to_scipy()[list(rows)])
        np.testing.assert_array_equal(network.logits(x, 2), logits[list(rows)])
        labels, scores = network.predict_topk(x, 6)
        np.testing.assert_array_equal(np.take_along_axis(logits[list(rows)], labels, 1), scores)


def test_a_network_knows_its_configuration(data):
    assert make(data).config == NetworkConfig(n_features=D, n_labels=L, hidden=8)


def test_a_snapshot_is_restored(data):
    network = make(data, optimizer="adam", ranker=True)
    snapshot = network.snapshot()
    network.train_batch(*data, 0.1)
    assert not np.array_equal(network.state()["output.weight"], snapshot["output.weight"])
    network.restore(snapshot)
    assert_equal_states(network.state(), snapshot)


def test_label_weights_outlive_a_restored_snapshot(data):
    one, other = make(data), make(data)
    for network in (one, other):
        network.set_label_weight(np.linspace(1, 5, L))
    one.restore(one.snapshot())
    for network in (one, other):
        network.train_batch(*data, 0.1)
    assert_equal_states(one.state(), other.state())


@pytest.mark.parametrize("copy", [True, False])
def test_a_network_is_made_from_a_state(copy, data):
    network = make(data, ranker=True)
    state = network.snapshot()
    for array in state.values():
        array.flags.writeable = False
    twin = Network.from_state(network.config, state, copy)
    np.testing.assert_array_equal(twin.logits(data[0]), network.logits(data[0]))
    for n in (network, twin):
        n.train_batch(*data, 0.1)
    assert_equal_states(twin.state(), network.state())


def test_a_borrowed_state_outlives_its_owner(data):
    network = make(data)
    expected = network.logits(data[0])
    twin = Network.from_state(network.config, network.snapshot(), copy=False)
    del network
    np.testing.assert_array_equal(twin.logits(data[0]), expected)


def test_the_optimiser_may_start_afresh(data):
    network = make(data, ranker=True)
    weights = {name: a for name, a in network.snapshot().items() if not name.endswith(".adagrad")}
    twin = Network.from_state(network.config, weights)
    assert_equal_states({name: twin.state()[name] for name in weights}, weights)
    assert (twin.state()["output.weight.adagrad"] == 0).all()


def test_pickling(data):
    network = make(data, optimizer=SGD(momentum=0.9), ranker=True)
    twin = pickle.loads(pickle.dumps(network))
    assert twin.config == network.config
    assert_equal_states(twin.state(), network.state())


@pytest.mark.parametrize("settings", [{}, {"optimizer": "adam"}, {"ranker": True}, {"loss": "softmax"}])
def test_growth_keeps_the_predictions(settings, data):
    network = make(data, **settings)
    network.set_label_weight(np.ones(L))
    before, topk = network.logits(data[0]), network.predict_topk(data[0], 5)
    network.grow(D + 10, L + 7)
    assert network.config.n_features == D + 10 and network.config.n_labels == L + 7
    x = sparse.hstack([data[0].to_scipy(), sparse.csr_matrix((50, 10))], "csr")
    after = network.logits(x)
    np.testing.assert_array_equal(after[:, :L], before)
    for old, new in zip(topk, network.predict_topk(x, 5), strict=True):
        np.testing.assert_array_equal(new, old)
    least = network.state()["output.bias"][:L].min()
    if network.has_ranker:
        prior = np.float32(0.2) * np.float32(np.log(0.5 / 51))  # the least likely label that there could be
        assert least + prior == after[0, L] and (network.state()["ranker.offset"][L:] == prior).all()
        least += prior
    assert (after[:, L:] == least).all()


def test_growth_never_shrinks(data):
    network = make(data)
    state = network.snapshot()
    network.grow(1, 1)
    assert_equal_states(network.state(), state)


def test_a_grown_network_trains_on(data):
    x, y, rows = data
    network = make(data, sampler=Scored(budget=3), hash=KMeans(rehash_first=1))
    network.grow(D, L + 5)
    wider = as_csr(sparse.hstack([y.to_scipy(), np.ones((50, 5), np.float32)], "csr"))
    for _ in range(30):
        network.train_batch(x, wider, rows, 0.1)
    assert (network.predict_topk(x, 5)[0] >= L).all()


@pytest.mark.parametrize("k", [0, L + 1, 2.5])
def test_a_bad_k_is_refused(k, data):
    with pytest.raises(InputError, match=f"k is {k}; accepted is an integer from 1 to {L}"):
        make(data).predict_topk(data[0], k)


def test_wrong_features_are_refused(data):
    for method in ("logits", "predict_topk"):
        with pytest.raises(InputError, match=f"X has 3 features, but the network has {D}"):
            getattr(make(data), method)(np.ones((2, 3)))


def test_wrong_arrays_for_labels_are_refused(data):
    network = make(data)
    with pytest.raises(InputError, match=r"counts has shape \(3,\); accepted is \(20,\)"):
        network.set_label_prior(np.ones(3), 5)
    with pytest.raises(InputError, match=r"label_weight has shape \(3,\); accepted is \(20,\)"):
        network.set_label_weight(np.ones(3))
    for value in (-1, np.nan, np.inf):
        with pytest.raises(InputError, match="label_weight holds negative, NaN or infinite values"):
            network.set_label_weight(np.full(L, value))


def without(name):
    return lambda state: state.pop(name)


def descending_pairs(state):
    begin = state["ranker.begin"]
    label = np.flatnonzero(np.diff(begin) > 1)[0]
    part = slice(begin[label], begin[label + 1])
    state["ranker.features"][part] = state["ranker.features"][part][::-1]


def with_array(name, array):
    return lambda state: state.__setitem__(name, array)


DAMAGES = {
    "missing": (without("input.bias"), "lacks the array 'input.bias'"),
    "shape": (
        with_array("output.weight", np.zeros((3, 8), np.float32)),
        "'output.weight' is float32 of shape .3, 8.",
    ),
    "dtype": (with_array("output.bias", np.zeros(L)), "'output.bias' is float64"),
    "counts": (with_array("label_counts", np.full(L, -1)), "'label_counts' holds -1; accepted are counts"),
    "too many": (
        with_array("label_counts", np.full(L, 51)),
        "'label_counts' holds 51; accepted are counts",
    ),
    "no order": (descending_pairs, "'ranker.features' is not in ascending order within list"),
    "optimiser's size": (
        with_array("input.bias.adagrad", np.zeros(9, np.float32)),
        "'input.bias.adagrad' is float32 of shape .9,.; this network needs float32 of shape .1,.",
    ),
    "optimiser's dtype": (with_array("input.bias.adagrad", np.zeros(1)), "'input.bias.adagrad' is float64"),
    "no begin": (
        without("ranker.begin"),
        "holds the array 'ranker.association', which this network",
    ),
    "no weight": (without("ranker.margin"), "lacks the array 'ranker.margin'"),
    "falling begin": (
        with_array("ranker.begin", np.r_[0, 99, np.zeros(L - 1)].astype(int)),
        "'ranker.begin' does not rise",
    ),
    "no offset": (without("ranker.offset"), "lacks the array 'ranker.offset'"),
    "offset's size": (
        with_array("ranker.offset", np.zeros(L + 1, np.float32)),
        "'ranker.offset' is float32 of shape .21,.; this network needs float32 of shape .20,.",
    ),
    "blend's size": (
        with_array("ranker.blend", np.zeros(3, np.float32)),
        "'ranker.blend' is float32 of shape",
    ),
    "weight's dtype": (
        with_array("ranker.margin", np.zeros(2)),
        "'ranker.margin' is float64",
    ),
    "weight's size": (
        with_array("ranker.margin", np.zeros(2, np.float32)),
        "'ranker.margin' is float32 of shape .2,.; this network needs bfloat16 of shape",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_state_is_refused(damage, message, data):
    network = make(data, ranker=True)
    state = network.snapshot()
    damage(state)
    with pytest.raises(InputError, match=message):
        Network.from_state(network.config, state)


def test_features_of_the_ranker_out_of_range_are_refused(data):
    network = make(data, ranker=True)
    for wrong in (-1, D):
        state = network.snapshot()
        state["ranker.features"][3] = wrong
        with pytest.raises(InputError, match=rf"'ranker.features' holds {wrong}; accepted are ids from 0 to"):
            Network.from_state(network.config, state)


def test_threads(monkeypatch):
    cpus = _core.available_cpus()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [effective_threads(n) for n in (None, 3, -1, -cpus, -cpus - 9)] == [cpus, 3, cpus, 1, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert effective_threads(None) == 1 and effective_threads(2) == 2
    for nonsense in ("", "many", "0"):
        monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
        assert effective_threads(None) == cpus
    for bad in (0, 1.5, "2", True):
        with pytest.raises(InputError, match=r"n_jobs is .*; accepted are None, a positive number"):
            effective_threads(bad)


def with_tables(data):
    family = KMeans(tables=2, rehash_first=1, norm_ranges=2)
    return make(data, sampler=Scored(budget=3), hash=family)


def changed(name, edit):
    def damage(state):
        state[f"output.index.{name}"] = edit(state[f"output.index.{name}"])

    return damage


def replaced(position, value):
    def edit(array):
        array = array.copy()
        array[position] = value
        return array

    return edit


TABLE_DAMAGES = {
    "lost": (lambda state: state.pop("output.index.members"), "lack the array members"),
    "type": (changed("buckets", lambda a: a.astype(np.float32)), "array buckets has the wrong type"),
    "wide type": (changed("touched", lambda a: a.astype(np.int64)), "array touched has the wrong type"),
    "double": (changed("map.mean", lambda a: a.astype(np.float64)), "is float64|another type"),
    "bucket": (changed("buckets", replaced(0, 2**31 - 1)), "bucket that does not exist"),
    "negative bucket": (changed("buckets", replaced(3, -2)), "bucket that does not exist"),
    "member": (changed("members", replaced(1, L)), "do not fit its buckets"),
    "negative member": (changed("members", replaced(1, -1)), "do not fit its buckets"),
    "twice": (changed("members", lambda a: replaced(1, a[0])(a)), "do not fit its buckets"),
    "few members": (changed("members", lambda a: a[:-2]), "do not fit its buckets|too few members"),
    "odd members": (changed("members", lambda a: a[:-1]), "another number of neurons"),
    "few buckets": (changed("buckets", lambda a: a[:-1]), "another number of neurons"),
    "touched": (changed("touched", lambda a: np.array([L], np.int32)), "touched neurons that do not exist"),
    "negative touched": (
        changed("touched", lambda a: np.array([-1], np.int32)),
        "touched neurons that do not exist",
    ),
    "progress": (changed("progress", lambda a: a[:2]), "progress has the wrong size"),
    "negative progress": (changed("progress", replaced(1, -1)), "progress holds -1; accepted are counts"),
    "neurons": (changed("progress", replaced(0, L + 1)), "another number of neurons"),
    "moves": (changed("moves", lambda a: a[:1]), "moves has the wrong size"),
    "negative moves": (changed("moves", replaced(0, -5)), "moves holds -5; accepted are counts"),
    "mean": (changed("map.mean", lambda a: np.r_[a, a]), "another width or number of ranges"),
    "no lengths": (changed("map.longest", lambda a: a[:0]), "another width or number of ranges"),
    "centres": (changed("family.centres", lambda a: a[1:]), "another number of cells"),
    "no penalties": (lambda state: state.pop("output.index.family.penalties"), "lack the array penalties"),
    "matrix": (changed("members", lambda a: a.reshape(1, -1)), "another type"),
}


@pytest.mark.parametrize(("damage", "message"), TABLE_DAMAGES.values(), ids=TABLE_DAMAGES.keys())
def test_damaged_tables_are_refused(damage, message, data):
    network = with_tables(data)
    state = network.snapshot()
    damage(state)
    with pytest.raises(InputError, match=message):
        Network.from_state(network.config, state)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("family", HASH_FAMILIES)
def test_weights_that_are_no_numbers_do_not_break_the_tables(family, value, data):
    family = HASH_FAMILIES[family](probes=2, augment=True, norm_ranges=2, rehash_first=1)
    network = make(data, sampler=Top(budget=3), hash=family)
    state = network.snapshot()
    state["output.weight"][::2] = value
    state["input.weight"][:5] = value
    network = Network.from_state(network.config, state)
    for _ in range(25):
        network.train_batch(*data, 0.1)
    assert (network.predict_topk(data[0], 3)[0] < L).all()


@pytest.mark.parametrize("first", [Dense(9, "relu"), Hashed(9, 5, winners=3)], ids=["dense", "hashed"])
def test_activations_between_the_layers(data, first):
    network = make(data, hidden=[first, WinnerTakeAll(12, 6), Dense(5, "tanh")])
    state, x = network.state(), data[0]
    third, last = network.hidden(x, layers=2), network.hidden(x)
    assert third.shape == (50, 12) and ((third != 0).sum(axis=1) <= 6).all()
    logits = third @ state["hidden2.weight"] + state["hidden2.bias"]
    np.testing.assert_allclose(np.tanh(logits), last, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(network.hidden(x, 2, layers=3), last)
    if first.is_dense:
        with pytest.raises(InputError, match="layers is 0; accepted is an integer from 1 to 3"):
            network.hidden(x, layers=0)
    else:
        assert ((network.hidden(x, layers=1) != 0).sum(axis=1) <= 3).all()
        np.testing.assert_allclose(
            network.hidden(x, layers=0), x.to_scipy().toarray() * network.config.input_scale
        )


def test_counters_survive_growth(data):
    network = make(data)
    before = network.multiplications, network.stage_seconds
    network.grow(D, L + 5)
    assert network.multiplications == before[0] > 0 and network.stage_seconds == before[1]


def test_single_rows_see_each_step(data):
    """The first prediction after a step scores all labels, later ones go through the screen."""
    network, row = make(data), as_csr(data[0].to_scipy()[:1])
    for _ in range(3):
        network.train_batch(*data, 0.1)
        expected = -np.sort(-network.logits(row)[0])[:4]
        for _ in range(3):
            np.testing.assert_array_equal(network.predict_topk(row, 4)[1][0], expected)
