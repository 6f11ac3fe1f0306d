"""Shards that are stored, restored elsewhere, and put together to an ordinary network."""

import numpy as np
import pytest
from rank_helpers import on_threads
from sharded import N_SHARDS, config_of, sharded, trained

from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.distributed.exchange import Alone
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharding import Sharding
from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.settings import Dense, NetworkConfig, Scored
from hashslide.training import TrainingData


@pytest.fixture(scope="module")
def data(pubmed_small):
    x, y = as_csr(pubmed_small.X_train[:300]), as_pattern(pubmed_small.Y_train[:300])
    return TrainingData(x=x, y=y, rows=np.arange(x.n_rows))


@pytest.mark.parametrize("settings", [{"precision": "bfloat16"}, {"optimizer": "adam", "loss": "softmax"}])
def test_shards_go_on_with_another_number_of_ranks(settings, data):
    config = config_of(data, **settings)

    def train_and_store(exchange):
        network, _ = trained(config, data, exchange, epochs=1)
        return {shard: copied(network.shard_state(shard)) for shard in network.owned}

    stored = {shard: state for of_rank in on_threads(4, train_and_store) for shard, state in of_rank.items()}
    assert sorted(stored) == list(range(N_SHARDS))

    def go_on(exchange):
        network = sharded(config, data, exchange)
        for shard in network.owned:
            network.restore_shard(shard, stored[shard])
        rows = np.array_split(np.arange(64), exchange.size)[exchange.rank]
        network.train_batch(data.x, data.y, rows, 0.05)
        return network.step, network.snapshot()

    one = go_on(Alone())
    assert one[0] > 1
    many = on_threads(2, go_on)
    for step, state in many:
        assert step == one[0]
        for name, array in state.items():
            assert array.tobytes() == one[1][name].tobytes(), name


def test_a_snapshot_comes_back(data):
    network, _ = trained(config_of(data), data, Alone(), epochs=1)
    before = network.snapshot()
    network.train_batch(data.x, data.y, np.arange(50), 0.1)
    assert any(array.tobytes() != before[name].tobytes() for name, array in network.state().items())
    network.restore(before)
    for name, array in network.state().items():
        assert array.tobytes() == before[name].tobytes(), name
    network.train_batch(data.x, data.y, np.arange(50), 0.1)
    assert network.step == before["shard00.step"][0] + 1
    assert before["shard00.output.weight"].tobytes() != network.state()["shard00.output.weight"].tobytes()


def test_states_have_roles(data):
    network = sharded(config_of(data), data, Alone())
    weights = {name.partition(".")[2] for name in network.state("weight")}
    assert weights == {"input.weight", "input.bias", "output.weight", "output.bias"}
    assert set(network.shard_state(0, "count")) == {"label_counts", "n_examples", "step"}
    with pytest.raises(InputError, match="role"):
        network.state("colour")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("size", [1, 4])
def test_the_assembled_network_predicts_what_the_shards_predict(precision, size, data):
    config = config_of(data, hidden=32, precision=precision, input_scale=2.0)

    def work(exchange):
        network, _ = trained(config, data, exchange, epochs=3)
        return network.predict_topk(data.x, 5, 2), network.assemble()

    results = on_threads(size, work)
    (labels, scores), whole = results[0]
    for (of_rank, _), other in results[1:]:
        np.testing.assert_array_equal(of_rank, labels)
        assert other is None
    assert isinstance(whole, Network)
    assert whole.config == config
    expected, expected_scores = whole.predict_topk(data.x, 5)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-4, atol=1e-4)
    order = np.argsort(labels, 1)
    pairs = Csr(
        np.arange(0, labels.size + 1, 5), np.sort(labels, 1).ravel().astype(np.int32), None, config.n_labels
    )
    logits = whole.pair_logits(data.x, pairs).reshape(-1, 5)
    np.testing.assert_allclose(np.take_along_axis(scores, order, 1), logits, rtol=1e-4, atol=1e-4)
    absent = [np.setdiff1d(found, others).size for found, others in zip(labels, expected, strict=True)]
    assert np.mean(absent) / 5 < 0.02
    moved = labels != expected
    if precision == "float32":  # only ties change places, of labels that always occur together
        of_moved = np.take_along_axis(logits, np.argsort(order, 1), 1)[moved]
        np.testing.assert_allclose(of_moved, expected_scores[moved], rtol=0, atol=3e-6)
    else:
        assert moved.mean() < 0.02
    np.testing.assert_array_equal(whole.label_counts, data.label_counts())
    assert whole.n_examples_seen == len(data.rows)


def test_the_assembled_network_has_the_first_weights_of_one_process(data):
    config = config_of(data)

    def assembled(exchange):
        return sharded(config, data, exchange).assemble()

    network = Network(config)
    network.set_label_prior(data.label_counts(), len(data.rows))
    found = on_threads(2, assembled)[0].state()
    assert found.keys() == network.state().keys()
    for name, array in network.state().items():
        assert found[name].tobytes() == array.tobytes(), name


def test_more_labels_can_be_asked_for_than_a_shard_has(data):
    config = config_of(data)
    everything = config.n_labels

    def predict(exchange):
        return sharded(config, data, exchange).predict_topk(data.x.block(0, 3), everything)

    labels, scores = on_threads(4, predict)[0]
    np.testing.assert_array_equal(np.sort(labels, 1), [np.arange(everything)] * 3)
    assert (np.diff(scores, axis=1) <= 0).all()
    ties = np.diff(scores, axis=1) == 0
    assert ties.any()
    assert (np.diff(labels, axis=1)[ties] > 0).all()


def test_arrays_that_do_not_fit_are_refused(data):
    network = sharded(config_of(data), data, Alone())
    good = copied(network.shard_state(0))
    for name, bad in (
        ("output.weight", good["output.weight"][:-1]),
        ("input.weight", good["input.weight"].astype(np.float64)),
        ("label_counts", -good["label_counts"] - 1),
    ):
        with pytest.raises(InputError, match=f"shard 0: .*{name}"):
            network.restore_shard(0, good | {name: bad})
    with pytest.raises(InputError, match=r"lacks the array .output\.bias"):
        network.restore_shard(0, {n: a for n, a in good.items() if n != "output.bias"})
    with pytest.raises(InputError, match="does not have"):
        network.restore_shard(0, good | {"colour": good["output.bias"]})
    with pytest.raises(InputError, match="is not on this rank"):
        network.shard_state(N_SHARDS)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"hidden": (32, 16)}, "2 hidden layers"),
        ({"hash": "dwta", "sampler": Scored(budget=5)}, "sampler"),
        ({"hidden": Dense(32, dropout=0.1)}, "dropout 0.1"),
        ({"active": "per_example"}, "per_example"),
        ({"update": "hogwild"}, "hogwild"),
    ],
)
def test_networks_that_cannot_be_sharded_are_refused(settings, found):
    config = NetworkConfig(n_features=20, n_labels=10, **settings)
    shardings = [Sharding.balanced(np.ones(n), 4) for n in (20, 10)]
    with pytest.raises(InputError, match=found):
        ShardedNetwork(config, *shardings, Alone())


def test_shardings_have_to_fit_the_network_and_each_other():
    config = NetworkConfig(n_features=20, n_labels=10)
    of = Sharding.balanced
    with pytest.raises(InputError, match="20 features and 9 labels"):
        ShardedNetwork(config, of(np.ones(20), 4), of(np.ones(9), 4), Alone())
    with pytest.raises(InputError, match="4 and 2 shards"):
        ShardedNetwork(config, of(np.ones(20), 4), of(np.ones(10), 2), Alone())
    network = ShardedNetwork(config, of(np.ones(20), 4), of(np.ones(10), 4), Alone())
    with pytest.raises(InputError, match="accepted are 10 numbers"):
        network.set_label_prior(np.ones(9, np.int64), 5)


def copied(state):
    return {name: array.copy() for name, array in state.items()}
