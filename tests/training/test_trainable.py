"""Training of what is no network, on what is no data in memory."""

import numpy as np
import pytest
from scipy import sparse

from hashslide.csr import as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.training import Batch, Evaluation, Plan, TrainingData, train

X = as_csr(sparse.random(10, 6, 0.5, "csr", np.float32, random_state=0))
Y = as_pattern(sparse.random(10, 4, 0.5, "csr", np.float32, random_state=1))


class Recorder:
    """Learns nothing but remembers what it was asked."""

    def __init__(self, loss=2.0):
        self.loss, self.calls, self.predictions = loss, [], 0

    def train_batch(self, x, y, rows, learning_rate, sample_weight=None, n_threads=1):
        self.calls.append((x, y, rows.tolist(), learning_rate, sample_weight, n_threads))
        return self.loss * len(rows), 3

    def predict_topk(self, X, k=5, n_threads=1):
        self.predictions += X.n_rows
        return np.tile(np.arange(k), (X.n_rows, 1)), np.zeros((X.n_rows, k), np.float32)

    def state(self, *roles):
        return {}


class Stream:
    """Batches of new matrices, the last one short, their number known only roughly."""

    def n_batches(self, batch_size):
        return 4

    def batches(self, epoch, batch_size, seed, first=0):
        for begin in range(first * batch_size, 10, batch_size):
            x, y = X.block(begin, min(begin + batch_size, 10)), Y.block(begin, min(begin + batch_size, 10))
            yield Batch(x, y, np.arange(x.n_rows))


def plan(**settings):
    return Plan(
        **{"n_epochs": 2, "first_epoch": 0, "last_epoch": 2, "batch_size": 4, "learning_rate": 1} | settings
    )


def test_whatever_trains_batches_is_trained_on_data_in_memory():
    trainable, history = Recorder(), []
    weight = np.arange(10, dtype=np.float32)
    data = TrainingData(x=X, y=Y, rows=np.arange(1, 10), sample_weight=weight)
    train(trainable, data, plan(n_threads=2, seed=5), history, evaluate=Evaluation(X, Y))
    for epoch in range(2):
        calls = trainable.calls[3 * epoch : 3 * epoch + 3]
        assert [len(call[2]) for call in calls] == [4, 4, 1]
        assert sorted(row for call in calls for row in call[2]) == list(range(1, 10))
    assert trainable.calls[0][2] != trainable.calls[3][2]
    assert all(
        call[0] is X and call[1] is Y and call[4] is weight and call[5] == 2 for call in trainable.calls
    )
    assert trainable.predictions == 2 * X.n_rows
    assert [record["loss"] for record in history] == [2.0, 2.0] and history[0]["active"] == 3
    assert {"val_P@1", "val_nDCG@5"} <= history[0].keys()


def test_a_stream_of_batches_is_trained_on_with_the_rates_of_its_schedule():
    trainable, history = Recorder(), []
    train(trainable, Stream(), plan(n_epochs=1, last_epoch=1), history)
    assert [call[0].n_rows for call in trainable.calls] == [4, 4, 2]
    assert [call[2] for call in trainable.calls] == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1]]
    assert history[0]["loss"] == 2.0 and history[0]["examples_per_second"] > 0


def test_a_stream_may_be_empty():
    trainable, history = Recorder(), []
    train(trainable, TrainingData(x=X, y=Y, rows=np.arange(0)), plan(), history)
    assert trainable.calls == [] and len(history) == 2


def test_a_loss_that_is_not_finite_ends_the_training():
    with pytest.raises(InputError, match="the loss became nan in epoch 1, batch 1"):
        train(Recorder(loss=np.nan), Stream(), plan(), [])
