import math
from dataclasses import replace

import numpy as np
import pytest

from hashslide import metrics
from hashslide.callbacks import Callback
from hashslide.csr import as_csr
from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.settings import Cosine, Linear, Negatives, NetworkConfig
from hashslide.settings.schedules import SCHEDULES
from hashslide.training import Evaluation, Plan, TrainingData, learning_rate_at, memory, resident_bytes, train


@pytest.fixture
def problem(pubmed_small):
    """A fresh network, clean training data and an evaluation, all of real data."""
    d = pubmed_small
    x, y = as_csr(d.X_train[:600]), as_csr(d.Y_train[:600])
    config = NetworkConfig(
        n_features=x.n_columns, n_labels=y.n_columns, hidden=16, negatives=Negatives(uniform=50)
    )
    network = Network(config)
    network.set_label_prior(np.bincount(y.indices, minlength=y.n_columns), 600)
    evaluate = Evaluation(as_csr(d.X_test), as_csr(d.Y_test))
    return network, TrainingData(x=x, y=y, rows=np.arange(600)), evaluate


def plan(first=0, last=3, **settings):
    return Plan(
        **{"n_epochs": 3, "batch_size": 64, "learning_rate": 0.1, "schedule": Linear(), **settings},
        first_epoch=first,
        last_epoch=last,
    )


class Recorder(Callback):
    """Writes down what it is told."""

    def __init__(self, stop_after=None, raise_at=None):
        self.stop_after, self.raise_at, self.calls = stop_after, raise_at, []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def on_epoch_begin(self, estimator, context):
        self.calls.append(f"begin {context.epoch}")

    def on_batch_end(self, estimator, context):
        self.calls.append(f"batch {context.epoch}.{context.batch}")
        if self.calls[-1] == self.raise_at:
            raise KeyboardInterrupt

    def on_epoch_end(self, estimator, context):
        self.calls.append(f"end {context.epoch} {len(context.history)}")
        return context.epoch == self.stop_after

    def teardown(self, estimator, context):
        self.calls.append("teardown")


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("warmup", [0.0, 0.25])
def test_learning_rates(schedule, warmup):
    p = Plan(
        n_epochs=4,
        first_epoch=0,
        last_epoch=4,
        batch_size=1,
        learning_rate=2.0,
        schedule=SCHEDULES[schedule](warmup=warmup),
    )
    rates = np.array([learning_rate_at(p, step, 25) for step in range(100)])
    rising, falling = rates[: int(100 * warmup)], rates[int(100 * warmup) :]
    assert (np.diff(rising) > 0).all() and (np.diff(falling) <= 0).all() and (rates > 0).all()
    last, middle = {"constant": (2, 2), "linear": (0, 1), "cosine": (0, 1)}[schedule]
    assert rates.max() == pytest.approx(2, rel=0.03)
    assert falling[-1] == pytest.approx(last, abs=0.03)
    assert falling[len(falling) // 2] == pytest.approx(middle, abs=0.04)


def test_linear_and_cosine_rates_by_hand():
    p = plan(learning_rate=1.0)
    assert learning_rate_at(p, 0, 2) == pytest.approx(1 - 0.5 / 6)
    assert learning_rate_at(p, 5, 2) == pytest.approx(0.5 / 6)
    p = plan(learning_rate=1.0, schedule=Cosine(warmup=0.5))
    assert learning_rate_at(p, 1, 2) == pytest.approx(1.5 / 6 / 0.5)
    assert learning_rate_at(p, 4, 2) == pytest.approx((1 + math.cos(math.pi * 0.5)) / 2)


def test_each_epoch_leaves_a_record(problem):
    network, data, evaluate = problem
    history = []
    train(network, data, plan(), history, evaluate=evaluate)
    assert [record["epoch"] for record in history] == [1, 2, 3]
    assert history[2]["loss"] < history[0]["loss"]
    assert history[2]["val_P@1"] > 0.2 and history[2]["learning_rate"] == pytest.approx(0.1 * 0.5 / 30)
    assert all(record["examples_per_second"] > 0 and record["seconds"] > 0 for record in history)
    assert all(50 < record["active"] < network.config.n_labels for record in history)
    assert history[0].keys() >= {"memory_bytes", "val_P@1", "val_P@3", "val_P@5", "val_nDCG@5"}


def test_evaluation_agrees_with_the_metrics(problem, pubmed_small):
    network, data, evaluate = problem
    train(network, data, plan(), [])
    topk = network.predict_topk(pubmed_small.X_test, 5)[0]
    found = evaluate(network)
    for rank in (1, 3, 5):
        assert found[f"val_P@{rank}"] == metrics.precision_at_k(pubmed_small.Y_test, topk, rank)
    assert found["val_nDCG@5"] == metrics.ndcg_at_k(pubmed_small.Y_test, topk, 5)


def test_evaluation_with_fewer_labels_than_ranks():
    x = as_csr(np.eye(3))
    network = Network(NetworkConfig(n_features=3, n_labels=2))
    network.set_label_prior(np.array([3, 1]), 3)
    found = Evaluation(x, as_csr([[1, 0], [1, 1], [0, 1]]))(network)
    assert found["val_P@1"] == pytest.approx(2 / 3) and found["val_P@3"] == pytest.approx(4 / 9)


def test_training_can_stop_after_any_epoch_and_go_on(problem):
    network, data, _ = problem
    twin = Network.from_state(network.config, network.snapshot())
    whole, parts = [], []
    train(network, data, plan(), whole)
    for epoch in range(3):
        twin = Network.from_state(twin.config, twin.snapshot())
        train(twin, data, plan(epoch, epoch + 1), parts)
    assert [r["loss"] for r in parts] == [r["loss"] for r in whole]
    for name, array in network.state().items():
        np.testing.assert_array_equal(twin.state()[name], array, err_msg=name)


def test_the_order_of_the_examples_differs_between_epochs_and_seeds(problem):
    network, data, _ = problem
    orders = []

    class Spy:
        config = network.config

        def train_batch(self, x, y, rows, rate, weight, n_threads):
            orders.append(rows.copy())
            return 1.0, 1

    for seed in (0, 0, 1):
        train(Spy(), data, plan(last=2, batch_size=600, seed=seed), [])
    assert all(np.array_equal(np.sort(order), np.arange(600)) for order in orders)
    assert np.array_equal(orders[0], orders[2]) and np.array_equal(orders[1], orders[3])
    assert len({order.tobytes() for order in orders}) == 4


def test_only_the_given_rows_are_trained_on(problem):
    network, data, _ = problem
    rows = np.arange(0, 600, 3)
    history = []
    train(network, TrainingData(x=data.x, y=data.y, rows=rows), plan(last=1), history)
    accumulator = network.state()["input.weight.adagrad"]
    seen = np.unique(data.x.take(rows).indices)
    assert np.isin(np.flatnonzero(accumulator), seen).all()
    assert np.count_nonzero(accumulator) > 0.5 * len(seen)


def test_hooks_are_called_in_order(problem):
    network, data, _ = problem
    recorder = Recorder()
    train(network, data, plan(last=2, batch_size=300), [], callbacks=[recorder])
    epochs = [[f"begin {e}", f"batch {e}.1", f"batch {e}.2", f"end {e} {e + 1}"] for e in range(2)]
    assert recorder.calls == ["setup", *epochs[0], *epochs[1], "teardown"]


def test_a_callback_stops_the_training_and_all_others_hear_of_the_epoch(problem):
    network, data, _ = problem
    first, second = Recorder(stop_after=0), Recorder()
    history = []
    train(network, data, plan(batch_size=600), history, callbacks=[first, second])
    assert len(history) == 1
    assert first.calls == second.calls == ["setup", "begin 0", "batch 0.1", "end 0 1", "teardown"]


def test_an_interrupt_leaves_a_whole_network_and_tears_down(problem):
    network, data, evaluate = problem
    recorder, history = Recorder(raise_at="batch 1.2"), []
    with pytest.raises(KeyboardInterrupt):
        train(network, data, plan(), history, callbacks=[recorder])
    assert recorder.calls[-2:] == ["batch 1.2", "teardown"] and len(history) == 1
    assert network.state()["progress"][0] == 12
    assert evaluate(network)["val_P@1"] > 0


def test_only_callbacks_that_were_set_up_are_torn_down(problem):
    network, data, _ = problem

    class Failing(Recorder):
        def setup(self, estimator, context):
            raise OSError("disk")

    first, failing, last = Recorder(), Failing(), Recorder()
    with pytest.raises(OSError, match="disk"):
        train(network, data, plan(), [], callbacks=[first, failing, last])
    assert (first.calls, failing.calls, last.calls) == (["setup", "teardown"], ["teardown"], [])


def test_diverging_training_is_reported(problem):
    config = replace(problem[0].config, optimizer="sgd")
    network, data = Network(config), problem[1]
    with pytest.raises(
        InputError, match=r"the loss became (nan|inf) in epoch \d, batch \d+, at the learning rate"
    ):
        train(network, data, plan(learning_rate=1e30), [])


def test_resident_memory_is_known_here(monkeypatch, tmp_path):
    assert 10e6 < resident_bytes() < 100e9
    monkeypatch.setattr(memory, "_MEMORY_FILE", tmp_path / "of another system")
    assert resident_bytes() == 0
