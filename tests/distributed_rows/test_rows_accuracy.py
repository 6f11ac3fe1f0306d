"""A model that several ranks have learned by the protocol `rows` is as good as that of one process."""

import numpy as np
import pytest
from rank_helpers import on_threads

from hashslide import metrics
from hashslide.csr import as_csr
from hashslide.distributed.reading import ReadersOfData
from hashslide.distributed.rows import RowsNetwork
from hashslide.distributed.sharding import Sharding
from hashslide.network import Network
from hashslide.settings import Layer, Linear, NetworkConfig
from hashslide.training import Plan, TrainingData, train

PLAN = Plan(
    n_epochs=2, first_epoch=0, last_epoch=2, batch_size=256, learning_rate=0.1, schedule=Linear(), seed=1
)
N_SHARDS = 8


@pytest.fixture(scope="module")
def task(pubmed):
    x, y = as_csr(pubmed.X_train), as_csr(pubmed.Y_train)
    config = NetworkConfig(
        n_features=x.n_columns,
        n_labels=y.n_columns,
        hidden=(Layer(48, activation="identity", length=5.0),),
        input_dropout=0.2,
        example_power=0.5,
        seed=1,
    )
    counts = np.bincount(y.indices, minlength=y.n_columns).astype(np.int64)
    return TrainingData(x=x, y=y, rows=np.arange(x.n_rows)), config, counts


def precisions(network, dataset):
    """P@1 and P@5 on the test examples."""
    best, _ = network.predict_topk(as_csr(dataset.X_test), 5)
    return [metrics.precision_at_k(dataset.Y_test, best, k) for k in (1, 5)]


@pytest.fixture(scope="module")
def single(task, pubmed):
    data, config, counts = task
    network, history = Network(config), []
    network.set_label_prior(counts, len(data.rows))
    train(network, data, PLAN, history)
    return precisions(network, pubmed), history[-1]["loss"]


@pytest.mark.parametrize("size", [2, 4])
def test_some_ranks_learn_as_well_as_one_process(task, single, pubmed, size):
    data, config, counts = task

    def program(exchange):
        features = Sharding.balanced(np.bincount(data.x.indices, minlength=data.x.n_columns), N_SHARDS)
        network = RowsNetwork(config, features, Sharding.balanced(counts, N_SHARDS), exchange)
        network.set_label_prior(counts, len(data.rows))
        history = []
        train(network, ReadersOfData(len(data.rows), N_SHARDS, exchange.rank, size, data), PLAN, history)
        return network.assemble(), history[-1]["loss"]

    network, loss = on_threads(size, program)[0]
    expected, expected_loss = single
    found = precisions(network, pubmed)
    assert found == pytest.approx(expected, abs=0.003)
    assert loss == pytest.approx(expected_loss, rel=0.05), "the same objective"
