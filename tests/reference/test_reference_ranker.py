"""The ranker of the core against the specification, and the ways to predict against each other."""

import numpy as np
import pytest
from network_settings import make_config
from scipy import sparse

from hashslide import _core, reference
from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.network import CandidateSettings, Network
from hashslide.precision import BFLOAT16, to_float32
from hashslide.ranking import Blend
from hashslide.reference.ranker import RANKED

N, D = 90, 40
FEW, MANY = 30, 130  # labels: all of an example get a margin, or only the best
OF_16_BITS = ("ranker.margin", "ranker.association")  # arrays of bfloat16
ALL = Blend(0.2, 1.5, -0.05, -0.2, 0.02, 0.3, -0.1, 0.5, 0.1)  # every part counts


def arrays_of(n_labels, n_features=D, seed=0, n=N):
    """Features and labels as the core and the specification take them; an example without features."""
    rng = np.random.default_rng(seed)
    x = sparse.random(n, n_features, 0.2, "lil", np.float32, random_state=rng)
    x[3] = 0
    x, y = x.tocsr(), sparse.random(n, n_labels, 0.04, "csr", np.float32, random_state=rng)
    for matrix in (x, y):
        matrix.sort_indices()
    return [x.indptr.astype(np.int64), x.indices, x.data, y.indptr.astype(np.int64), y.indices]


def networks_of(n_labels, arrays, seed=0, **settings):
    """A network of each kind, trained a little."""
    config = make_config(n_features=D, n_labels=n_labels, hidden=12, input_init=0.3, seed=seed, **settings)
    networks = _core.Network(config.to_core()), reference.Network(config)
    counts = np.bincount(arrays[4], minlength=n_labels).astype(np.int64)
    for network in networks:
        network.set_label_prior(counts, N)
        for rows in np.arange(N).reshape(-1, 15):
            network.train_batch(*arrays, rows, None, 0.1, 1)
    return networks


def with_rankers(networks, arrays, sample_weight=None, blend=ALL):
    for network in networks:
        network.set_ranker(network.learn_ranker(*arrays, sample_weight, 1), blend)
    return networks


def assert_same_ranker(core, specification):
    found, expected = (
        {name: array for name, array in network.state().items() if name.startswith("ranker.")}
        for network in (core, specification)
    )
    assert found.keys() == expected.keys() and len(found) == 10
    for name in found:
        if name.endswith((".begin", ".features")):
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
        if name in OF_16_BITS:  # sums in another order may be rounded to the neighbour
            found[name] = to_float32(found[name].view(BFLOAT16))
            expected[name] = to_float32(expected[name])
            np.testing.assert_allclose(found[name], expected[name], rtol=2**-7, atol=1e-4, err_msg=name)
            assert (found[name] != expected[name]).sum() <= 0.03 * len(found[name]), name
        else:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-4, err_msg=name)
    return found


def assert_same_predictions(core, specification, x, n_labels):
    logits = specification.logits(*x)
    np.testing.assert_allclose(core.logits(*x, 1), logits, rtol=1e-3, atol=1e-3)
    for k in (1, 7, n_labels):
        ids, scores = core.predict_topk(*x, k, 1)
        expected_ids, expected = specification.predict_topk(*x, k)
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)
        assert (ids == expected_ids).mean() > 0.97  # near-equal logits may change places


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 3])
@pytest.mark.parametrize("n_labels", [FEW, MANY])
@pytest.mark.parametrize("weighted", [False, True])
def test_core_and_specification_learn_the_same_ranker(seed, n_labels, weighted):
    arrays = arrays_of(n_labels, seed=seed % 7)
    core, specification = networks = networks_of(n_labels, arrays, seed)
    weight = None
    if weighted:  # some examples do not count
        weight = np.random.default_rng(1).uniform(0.2, 3, N).astype(np.float32)
        weight[::9] = 0
    with_rankers(networks, arrays, weight)
    ranker = assert_same_ranker(core, specification)
    assert 50 < len(ranker["ranker.features"]) < D * n_labels + (n_labels == FEW)  # of many, some are cut
    assert_same_predictions(core, specification, arrays[:3], n_labels)


def test_rows_that_are_too_many_to_copy_are_read_in_place():
    """A label whose pairs have more than 4 million entries; the other one has fewer."""
    rng = np.random.default_rng(0)
    n, n_features = 4400, 1000
    x = sparse.csr_matrix(rng.normal(size=(n, n_features)).astype(np.float32))
    y = sparse.csr_matrix((rng.random((n, 2)) < [0.5, 0.002]).astype(np.float32))
    network = Network(make_config(n_features=n_features, n_labels=2, hidden=4))
    network.set_label_prior(np.asarray(y.sum(axis=0), np.int64).ravel(), n)
    network.set_ranker(network.make_ranker(as_csr(x), as_pattern(y), 2), Blend(margin=1.0))
    best = np.tile([0, 1], (n, 1))
    expected = reference.ranker.Ranker.learn(x, y, best, network.config.seed, 64)
    state = network.state()
    lists = to_float32(state["ranker.margin"]), state["ranker.features"], state["ranker.begin"]
    found = sparse.csr_matrix(lists, shape=(2, n_features)).toarray().T
    assert x.nnz > 2**22
    np.testing.assert_allclose(found, expected.margins, rtol=2**-7, atol=1e-3)


def test_weights_of_examples_change_what_is_learned():
    arrays = arrays_of(FEW)
    weights = np.linspace(0.1, 4, N).astype(np.float32)
    plain, weighted = (
        with_rankers([networks_of(FEW, arrays)[0]], arrays, w)[0].state()["ranker.margin"].view(BFLOAT16)
        for w in (None, weights)
    )
    assert plain.shape != weighted.shape or not np.allclose(to_float32(plain), to_float32(weighted))


@pytest.mark.parametrize("settings", [{"loss": "softmax"}, {"input_scale": 2.5}], ids=["softmax", "scaled"])
@pytest.mark.parametrize("n_labels", [FEW, MANY])
def test_updates_and_growth_go_on_the_same_way(n_labels, settings):
    arrays = arrays_of(n_labels)
    core, specification = networks = with_rankers(networks_of(n_labels, arrays, **settings), arrays)
    learned = assert_same_ranker(core, specification)["ranker.margin"].copy()
    for network in networks:
        network.update_ranker(*arrays_of(n_labels, seed=5), 1)
    updated = assert_same_ranker(core, specification)["ranker.margin"]
    assert not np.allclose(updated, learned)
    wider = arrays_of(n_labels + 6, D + 5, seed=6)
    for network in networks:
        network.grow(D + 5, n_labels + 6)
    ranker = assert_same_ranker(core, specification)
    assert ranker["ranker.offset"].shape == (n_labels + 6,) and len(ranker["ranker.begin"]) == n_labels + 7
    for network in networks:
        network.update_ranker(*wider, 1)
    assert_same_ranker(core, specification)
    assert_same_predictions(core, specification, wider[:3], n_labels + 6)


@pytest.mark.parametrize("n_labels", [FEW, MANY])
def test_a_restored_ranker_says_the_same(n_labels):
    arrays = arrays_of(n_labels)
    core, specification = with_rankers(networks_of(n_labels, arrays), arrays)
    state = {name: np.array(array) for name, array in core.state().items()}
    named = state | {name: state[name].view(BFLOAT16) for name in OF_16_BITS}
    twins = (
        _core.Network.from_state(specification.config.to_core(), state, True),
        reference.Network.from_state(specification.config, named),
    )
    assert_same_ranker(*twins)
    np.testing.assert_array_equal(twins[0].logits(*arrays[:3], 1), core.logits(*arrays[:3], 1))
    for network in twins:
        network.update_ranker(*arrays, 1)
    assert_same_ranker(*twins)


@pytest.mark.parametrize(
    "blend",
    [
        Blend(prior=0.3),
        Blend(margin=1.0),
        Blend(association=1.0, usual_association=0.2),
        Blend(-0.2, 4.0, 0.9, 0.1, 0.0, 0.0, -0.4, 0.0, 0.3),  # of some labels the factors would be negative
    ],
)
def test_both_count_as_much_as_they_are_told(blend):
    arrays = arrays_of(MANY)
    core, specification = with_rankers(networks_of(MANY, arrays), arrays, blend=blend)
    ranker = assert_same_ranker(core, specification)
    assert ranker["ranker.margin"].any() == (blend.margin != 0)
    assert ranker["ranker.association"].any() == (blend.association != 0 or blend.association_by_log != 0)
    if blend.margin == 4:
        assert (ranker["ranker.margin_factor"] == 0).any() and (ranker["ranker.margin_factor"] > 0).any()
    assert_same_predictions(core, specification, arrays[:3], MANY)


def with_ranker(n_labels, margin=ALL.margin):
    """A network for Python callers, with candidate lists, and its examples."""
    arrays = arrays_of(n_labels, n=200)
    x, y = Csr(*arrays[:3], D), Csr(*arrays[3:], None, n_labels)
    network = Network(make_config(n_features=D, n_labels=n_labels, hidden=12, input_init=0.3))
    network.set_label_prior(np.bincount(y.indices, minlength=n_labels), x.n_rows)
    for rows in np.arange(200).reshape(-1, 20):
        network.train_batch(x, y, rows, 0.1)
    network.learn_candidates(x, y)
    network.set_ranker(network.make_ranker(x, y), ALL._replace(margin=margin))
    return network, x


def best_of(logits, k):
    return np.argsort(-logits, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("n_labels", [FEW, MANY, 3 * MANY])
def test_only_the_best_labels_of_an_example_get_a_margin(n_labels):
    network, x = with_ranker(n_labels)
    every = Csr(
        np.arange(x.n_rows + 1) * n_labels,
        np.tile(np.arange(n_labels, dtype=np.int32), x.n_rows),
        None,
        n_labels,
    )
    shape = (x.n_rows, n_labels)
    plain = network.pair_logits(x, every, with_ranker=False).reshape(shape)
    with_all = network.pair_logits(x, every).reshape(shape)
    without = plain + network.state()["ranker.offset"]
    logits, is_best = network.logits(x), np.zeros(shape, bool)
    np.put_along_axis(is_best, best_of(without, RANKED), True, axis=1)
    np.testing.assert_array_equal(logits, np.where(is_best, with_all, without))
    assert (with_all != without).mean() > 0.1 and is_best.all() == (n_labels <= RANKED)
    network.drop_ranker()
    np.testing.assert_array_equal(network.logits(x), plain)
    assert not network.has_ranker


@pytest.mark.parametrize("k", [1, 5, 49, 50, 51, 100])
@pytest.mark.parametrize("margin", [ALL.margin, 8.0])
@pytest.mark.parametrize("n_labels", [MANY, 9000])
def test_all_ways_to_predict_agree_bit_for_bit(n_labels, margin, k):
    """Many rows are scored block by block, few ones through the screen; a large margin moves labels far."""
    network, x = with_ranker(n_labels, margin)
    logits = network.logits(x)
    expected = best_of(logits, k)
    scores = np.take_along_axis(logits, expected, axis=1)
    found = network.predict_topk(x, k, 2)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], scores)
    for row in (0, 3, 7, 7):  # the first prediction makes the screen
        found = network.predict_topk(x.block(row, row + 1), k)
        np.testing.assert_array_equal(found[0][0], expected[row])
        np.testing.assert_array_equal(found[1][0], scores[row])


@pytest.mark.parametrize("k", [1, 5, 50])
def test_approximate_scores_are_those_of_exact_prediction(k):
    network, x = with_ranker(MANY)
    everything = CandidateSettings(MANY, MANY, 10**6)
    logits = network.logits(x)
    ids, scores = network.predict_topk(x, k, approximate=everything)
    is_complete = (ids == best_of(logits, k)).all(axis=1)
    np.testing.assert_array_equal(scores[is_complete], np.take_along_axis(logits, ids, axis=1)[is_complete])
    assert is_complete.mean() > 0.5
    ids, scores = network.predict_topk(x, 5, approximate=True)
    order = np.argsort(ids, axis=1)
    pairs = Csr(np.arange(x.n_rows + 1) * 5, np.sort(ids, axis=1).astype(np.int32).ravel(), None, MANY)
    margins, plain = network.pair_logits(x, pairs), network.pair_logits(x, pairs, with_ranker=False)
    plain = plain + network.state()["ranker.offset"][pairs.indices]
    scores = np.take_along_axis(scores, order, axis=1).ravel()
    assert ((scores == margins) | (scores == plain)).all() and (scores == margins).mean() > 0.95
