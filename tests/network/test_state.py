"""The arrays of a network: what they are, whose memory they are, and what is refused in their place."""

import gc

import numpy as np
import pytest
from scipy import sparse

from hashslide.csr import as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.network import ROLES, Network
from hashslide.ranking import Blend
from hashslide.settings import SGD, Dense, Hashed, NetworkConfig, SimHash, Top

D, L, N = 30, 20, 60
HASH = SimHash(tables=4, rehash_first=1)
RANKER = {
    f"ranker.{name}"
    for name in (
        *("begin", "features", "margin", "association"),
        *("bias", "offset", "usual", "margin_factor", "association_factor", "blend"),
    )
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = as_csr(sparse.random(N, D, 0.2, "csr", np.float32, random_state=rng))
    y = as_pattern(sparse.random(N, L, 0.1, "csr", np.float32, random_state=rng))
    return x, y, np.arange(N)


def make(data, **settings):
    """A trained network with arrays of every role."""
    network = Network(NetworkConfig(n_features=D, n_labels=L, seed=1, **{"hidden": 8} | settings))
    x, y, _ = data
    network.set_label_prior(np.bincount(y.indices, minlength=L), N)
    for _ in range(3):
        network.train_batch(*data, 0.1)
    network.learn_candidates(x, y)
    network.set_ranker(network.make_ranker(x, y), Blend(prior=0.2, margin=1.5, association=0.3))
    return network


@pytest.mark.parametrize(
    "settings",
    [
        {"hash": HASH, "sampler": Top(budget=3)},
        {"optimizer": "adam"},
        {"optimizer": SGD(momentum=0.9)},
        {"hidden": (Hashed(9, 5), Dense(6), Dense(5)), "optimizer": "adam"},
    ],
    ids=["hashed output", "adam", "momentum", "hashed hidden layer"],
)
def test_the_schema_says_what_the_state_holds(data, settings):
    network = make(data, **settings)
    state, schema = network.state(), network.schema()
    assert schema.keys() == state.keys()
    for name, info in schema.items():
        assert (info.dtype, info.shape) == (state[name].dtype, state[name].shape), name
        is_copy = info.role in ("count", "tables") or name == "candidates.settings"
        assert state[name].flags.writeable == is_copy, name
    by_role = {role: network.state(role).keys() for role in ROLES}
    assert sum(map(len, by_role.values())) == len(state)
    for role, names in by_role.items():
        assert names == {name for name, info in schema.items() if info.role == role}
    suffixes = (".adagrad", ".adam_m", ".adam_v", ".velocity")
    assert by_role["optimizer"] == {name for name in state if name.endswith(suffixes)} != set()
    squares = {name for name, info in schema.items() if info.values == "squares"}
    assert squares == {name for name in state if name.endswith((".adagrad", ".adam_v"))}
    assert {name for name in by_role["weight"] if name.startswith("ranker.")} == RANKER
    assert by_role["count"] == {"progress", "label_counts"}
    assert by_role["tables"] == {name for name in state if ".index." in name}
    assert by_role["candidates"] == {name for name in state if name.startswith("candidates.")} != set()


def test_an_unknown_role_is_refused(data):
    with pytest.raises(InputError, match="role is 'all'; accepted are 'weight', 'optimizer'"):
        make(data).state("all")


def test_views_follow_training_and_keep_their_memory_when_the_network_grows(data):
    network = make(data)
    views = network.state("weight", "optimizer", "candidates")
    assert np.shares_memory(views["output.weight"], network.state()["output.weight"])
    network.train_batch(*data, 0.1)
    assert np.array_equal(views["output.weight"], network.state()["output.weight"])
    before = {name: view.copy() for name, view in views.items()}
    network.grow(10 * D, 10 * L)
    network.learn_candidates(*data[:2])
    made = network.make_ranker(*data[:2])
    network.set_ranker(made, Blend(prior=0.1, margin=2.0))
    network.drop_ranker()
    del network
    gc.collect()
    for name, view in views.items():
        np.testing.assert_array_equal(view, before[name], err_msg=name)


def test_views_outlive_a_network_that_borrowed_its_arrays(data):
    twin = Network.from_state(make(data).config, make(data).snapshot(), copy=False)
    borrowed = twin.state("weight", "candidates")
    expected = {name: view.copy() for name, view in borrowed.items()}
    twin.train_batch(*data, 0.1)
    twin.update_ranker(*data[:2])
    changed = twin.state("weight")
    for name in ("output.weight", "ranker.margin"):
        assert not np.array_equal(changed[name], expected[name])
    twin.learn_candidates(*data[:2])
    twin.grow(2 * D, 2 * L)
    del twin
    gc.collect()
    for name, view in borrowed.items():
        np.testing.assert_array_equal(view, expected[name], err_msg=name)
    assert np.isfinite(changed["output.weight"]).all()


def test_arrays_that_grow_again_and_again_move_seldom(data):
    network = make(data, optimizer="adam")

    def places():
        return {
            name: a.__array_interface__["data"][0] for name, a in network.state("weight", "optimizer").items()
        }

    moves = dict.fromkeys(places(), 0)
    for n in range(1, 200):
        before = places()
        network.grow(D + n, L + n)
        for name, place in places().items():
            moves[name] += place != before[name]
    assert moves["output.weight"] > 0 and moves["input.weight.adam_m"] > 0
    assert max(moves.values()) < 10, moves


def test_new_rows_are_zero_in_room_that_was_reserved(data):
    network = make(data)
    for n_labels in (L + 1, L + 2, L + 9, 3 * L):
        old = network.config.n_labels
        network.grow(D, n_labels)
        assert not network.state()["output.weight"][old:].any()
        assert not network.state()["output.weight.adagrad"][old:].any()


@pytest.mark.parametrize("role", ["weight", "count", "candidates"])
def test_no_array_may_be_missing(data, role):
    network = make(data)
    for name in network.state(role):
        state = network.snapshot()
        del state[name]
        with pytest.raises(
            InputError, match=r"lacks the array|holds the array '.*', which this network does not"
        ):
            Network.from_state(network.config, state)


@pytest.mark.parametrize("name", ["progress", "label_counts", "candidates.settings"])
@pytest.mark.parametrize("value", [-1, 2**63 - 1, 2**62])
def test_counts_out_of_range_are_refused(data, name, value):
    network = make(data)
    state = network.snapshot()
    state[name][0] = value
    with pytest.raises(InputError, match=f"'{name}' holds {value}; accepted are counts from 0 to"):
        Network.from_state(network.config, state)


@pytest.mark.parametrize(
    ("part", "ids", "end", "places"),
    [
        ("candidates.cells", "labels", L, "ranges"),
        ("candidates.features", "labels", L, "ranges"),
        ("ranker", "features", D, "begin"),
    ],
)
@pytest.mark.parametrize("copy", [False, True])
def test_what_is_used_as_an_index_is_checked(data, part, ids, end, places, copy):
    network = make(data)
    good = network.snapshot()
    Network.from_state(network.config, good, copy)
    n = len(good[f"{part}.{ids}"])
    wrong = [(ids, np.full(n, end, np.int32)), (ids, np.full(n, -1, np.int32))]
    first = good[f"{part}.{places}"]
    too_long = first.copy()
    too_long.reshape(-1)[-1] = n + 1
    for damaged in (first + 1, -first, first * 2**60, first[..., ::-1].copy(), too_long):
        wrong.append((places, damaged))
    for name, array in wrong:
        with pytest.raises(InputError, match=rf"the array '{part}\.({places}|{ids})'"):
            Network.from_state(network.config, {**good, f"{part}.{name}": array}, copy)


def test_arrays_of_other_types_are_refused(data):
    network = make(data)
    for array in (None, "text", [1.0], np.array(["a"]), np.zeros((L, 8), complex), np.zeros((L, 8), bool)):
        with pytest.raises(InputError, match=r"the array 'output\.weight' is"):
            Network.from_state(network.config, {**network.snapshot(), "output.weight": array})


def test_an_unknown_array_is_refused(data):
    network = make(data)
    with pytest.raises(
        InputError, match=r"holds the array 'output\.scale', which this network does not have"
    ):
        Network.from_state(network.config, {**network.snapshot(), "output.scale": np.zeros(3)})


def test_arrays_that_are_not_contiguous_are_taken(data):
    network = make(data)
    state = network.snapshot()
    state["output.weight"] = np.asfortranarray(state["output.weight"])
    twin = Network.from_state(network.config, state, copy=False)
    np.testing.assert_array_equal(twin.state()["output.weight"], network.state()["output.weight"])
