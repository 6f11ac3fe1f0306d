"""The protocol "activations": the same bits for any number of ranks; up to rounding those of one process."""

import numpy as np
import pytest
from rank_helpers import on_threads
from sharded import N_SHARDS, config_of, ordinary, sharded, states_after, trained, weighted

from hashslide.csr import as_csr, as_pattern
from hashslide.distributed.exchange import Alone
from hashslide.distributed.reading import ReadersOfData
from hashslide.distributed.sharded.wire import Wire
from hashslide.estimator.preparing import unit_scale
from hashslide.settings import SGD, Adagrad, Dense, Negatives
from hashslide.training import Evaluation, Plan, TrainingData, train

CASES = {
    "bce": {},
    "softmax": {"loss": "softmax"},
    "bfloat16": {"precision": "bfloat16"},
    "adam": {"optimizer": "adam", "loss": "softmax", "precision": "bfloat16"},
    "sgd": {"optimizer": SGD(momentum=0.5)},
    "dropout": {"input_dropout": 0.2, "example_power": 0.5},
    "popular": {"negatives": Negatives(uniform=20, popular=10, prior_correction=0.6), "loss": "softmax"},
    "length": {"hidden": 32, "optimizer": Adagrad(weight_decay=1e-3), "input_scale": 3.0},
}


@pytest.fixture(scope="module")
def data(pubmed_small):
    x, y = as_csr(pubmed_small.X_train[:403]), as_pattern(pubmed_small.Y_train[:403])
    return TrainingData(x=x, y=y, rows=np.arange(x.n_rows))


@pytest.fixture(scope="module")
def label_weight(data):
    return np.random.default_rng(1).uniform(0.5, 3, data.y.n_columns).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_any_number_of_ranks_gives_the_same_bits(case, data, label_weight):
    config = config_of(data, **CASES[case])
    options = {"label_weight": label_weight if case in ("bce", "softmax") else None, "epochs": 1}
    given = weighted(data) if case in ("softmax", "dropout") else data
    one, losses = states_after(1, config, given, **options)
    assert len(one) > 40
    for size in (2, 4, 8):
        many, of_many = states_after(size, config, given, n_threads=1 + size % 3, **options)
        assert of_many == losses
        assert many.keys() == one.keys()
        for name, array in one.items():
            assert many[name].tobytes() == array.tobytes(), name


def test_overlap_changes_no_bit(data):
    config = config_of(data, input_dropout=0.2, precision="bfloat16")
    plain, losses = states_after(2, config, data)
    ahead, of_ahead = states_after(2, config, data, overlap=True)
    assert of_ahead == losses
    for name, array in plain.items():
        assert ahead[name].tobytes() == array.tobytes(), name


def test_batches_that_were_announced_may_be_dropped(data):
    """A training is broken off in the middle of an epoch, and another one begins."""

    def work(exchange):
        network = sharded(config_of(data), data, exchange, overlap=True)
        source = network.ahead(ReadersOfData(len(data.rows), N_SHARDS, exchange.rank, exchange.size, data))
        batches = iter(source.batches(0, 32, 0))
        first = next(batches)
        network.train_batch(first.x, first.y, first.rows, 0.1)
        next(batches)
        rows = np.arange(exchange.rank, 20, exchange.size)
        network.train_batch(data.x, data.y, rows, 0.1)
        return network.snapshot(), first.rows

    results = on_threads(2, work)

    def again(exchange):
        network = sharded(config_of(data), data, exchange)
        network.train_batch(data.x, data.y, results[exchange.rank][1], 0.1)
        network.train_batch(data.x, data.y, np.arange(exchange.rank, 20, exchange.size), 0.1)
        return network.snapshot()

    for (found, _), expected in zip(results, on_threads(2, again), strict=True):
        for name, array in expected.items():
            assert found[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("loss", ["bce", "softmax"])
def test_half_the_bytes_make_about_the_same_network(loss, data):
    """bfloat16 keeps 8 of 24 bits; what all ranks hold alike stays alike to the bit."""

    def work(exchange, wire):
        config = config_of(data, loss=loss, precision="float32", hidden=31)
        network, losses = trained(config, data, exchange, wire=wire)
        return network.assemble(), network.state(), losses, exchange.bytes_sent["activations"]

    single, half = (on_threads(4, lambda e, wire=wire: work(e, wire)) for wire in ("float32", "bfloat16"))
    shared = {state[f"shard{2 * r:02}.input.bias"].tobytes() for r, (_, state, *_) in enumerate(half)}
    assert len(shared) == 1
    assert half[0][3] == pytest.approx(single[0][3] / 2, rel=0.05)
    for (loss_of_half, _), (loss_of_single, _) in zip(half[0][2], single[0][2], strict=True):
        assert loss_of_half == pytest.approx(loss_of_single, rel=0.01)
    found, expected = (network[0][0].state()["output.weight"] for network in (half, single))
    assert np.linalg.norm(found - expected) < 0.03 * np.linalg.norm(expected)
    assert np.linalg.norm(found - expected) > 0


def test_error_feedback_makes_sums_right():
    wire, rng = Wire("bfloat16"), np.random.default_rng(0)
    values = rng.normal(size=(200, 64)).astype(np.float32) + 1
    plain, fed = np.zeros(64), np.zeros(64)
    for row in values:
        plain += wire.read([wire.write(row)])[0]
        fed += wire.read([wire.write(row, "gradients")])[0]
    exact = values.sum(0, dtype=np.float64)
    assert np.abs(fed - exact).max() < 0.02 < np.abs(plain - exact).max()


def one_step(config, data, size, rows, label_weight=None):
    """The assembled network after one step of `size` ranks on some rows, and what they report."""

    def work(exchange):
        network = sharded(config, data, exchange, label_weight)
        part = np.array_split(rows, size)[exchange.rank]
        result = network.train_batch(data.x, data.y, part, 0.1, data.sample_weight)
        return network.assemble(), result

    results = on_threads(size, work)
    assert [network is None for network, _ in results] == [False] + [True] * (size - 1)
    assert len({result for _, result in results}) == 1
    return results[0]


@pytest.mark.parametrize("case", CASES)
def test_a_step_is_that_of_one_process(case, data, label_weight):
    config = config_of(data, **CASES[case])
    weight = label_weight if case in ("bce", "softmax") else None
    data = weighted(data) if case in ("softmax", "dropout") else data
    rows = np.arange(96)
    network = ordinary(config, data, weight)
    expected = network.train_batch(data.x, data.y, rows, 0.1, data.sample_weight)
    before = ordinary(config, data, weight).state()
    found, (loss, active) = one_step(config, data, 4, rows, weight)
    assert active == expected[1]
    is_half = config.precision == "bfloat16"
    assert loss == pytest.approx(expected[0], rel=1e-3 if is_half else 1e-5)
    arrays = found.state()
    assert arrays.keys() == network.state().keys()
    for name, array in network.state().items():
        if array.dtype.kind in "iu" and array.dtype.itemsize != 2:
            np.testing.assert_array_equal(arrays[name], array, name)
            continue
        changed, wanted = (as_float(a) - as_float(before[name]) for a in (arrays[name], array))
        scale = np.abs(wanted).max()
        if scale == 0:
            assert not np.any(changed), name
            continue
        error = np.abs(changed - wanted).max() / scale
        assert error < (0.3 if is_half else 2e-4), (name, error)


def as_float(array):
    return array.astype(np.float64)


def test_a_rank_without_examples_takes_part(data):
    config = config_of(data)
    rows = np.arange(3)
    whole = one_step(config, data, 1, rows)
    spread = one_step(config, data, 4, rows)
    assert spread[1] == whole[1]
    for name, array in whole[0].state().items():
        assert spread[0].state()[name].tobytes() == array.tobytes(), name


def test_no_example_at_all_is_no_step(data):
    network = sharded(config_of(data), data, Alone())
    before = network.snapshot()
    assert network.train_batch(data.x, data.y, np.empty(0, np.int64), 0.1) == (0.0, 0)
    for name, array in network.state().items():
        assert array.tobytes() == before[name].tobytes(), name


@pytest.mark.parametrize("size", [2, 4])
def test_bytes_are_those_of_the_formula(size, data):
    """4 s H B (W - 1) / W bytes of activations a rank and step, where the ranks have as many examples."""
    width, batch = 32, 96

    def work(exchange):
        network = sharded(config_of(data, hidden=width), data, exchange)
        rows = np.arange(batch).reshape(size, -1)[exchange.rank]
        network.train_batch(data.x, data.y, rows, 0.1)
        return dict(exchange.bytes_sent), rows

    for sent, rows in on_threads(size, work):
        formula = 4 * 4 * width * batch * (size - 1) / size
        assert formula < sent["activations"] <= 1.05 * formula
        entries = data.x.take(rows).nnz * 8 + data.y.take(rows).nnz * 4
        assert sent["examples"] <= entries + (16 * len(rows) + 12) * (size - 1)
        assert sent.keys() == {"activations", "examples"}


def test_it_learns_what_one_process_learns(pubmed):
    """On the whole of pubmed-mesh, with the same batches."""
    x, y = as_csr(pubmed.X_train), as_pattern(pubmed.Y_train)
    data = TrainingData(x=x, y=y, rows=np.arange(x.n_rows))
    settings = {"negatives": Negatives(uniform=250, prior_correction=0.6), "example_power": 0.5}
    config = config_of(data, hidden=Dense(64, length=5.0), input_scale=unit_scale(data), **settings)
    plan = Plan(n_epochs=2, first_epoch=0, last_epoch=2, batch_size=256, learning_rate=0.1)
    judge = Evaluation(as_csr(pubmed.X_test), as_pattern(pubmed.Y_test))
    one = ordinary(config, data)
    train(one, data, plan, [])

    def work(exchange):
        network = sharded(config, data, exchange)
        train(network, Parts(data, exchange), plan, [])
        return network.assemble()

    found, expected = judge(on_threads(2, work)[0]), judge(one)
    assert expected["val_P@1"] > 0.8
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.003)


class Parts:
    """A rank's part of the batches of one process."""

    def __init__(self, data, exchange):
        self._data, self._exchange = data, exchange

    def n_batches(self, batch_size):
        return self._data.n_batches(batch_size)

    def batches(self, epoch, batch_size, seed, first=0):
        for batch in self._data.batches(epoch, batch_size, seed, first):
            rows = np.array_split(batch.rows, self._exchange.size)[self._exchange.rank]
            yield batch._replace(rows=rows, n_elsewhere=len(batch.rows) - len(rows))
