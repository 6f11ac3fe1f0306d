"""Small sharded networks and the same trained in one process."""

from dataclasses import replace

import numpy as np
from rank_helpers import on_threads

from hashslide.distributed.reading import ReadersOfData
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharding import Sharding
from hashslide.network import Network
from hashslide.settings import NetworkConfig
from hashslide.training import Plan, TrainingData, train

N_SHARDS = 8


def config_of(data, **settings) -> NetworkConfig:
    """Settings of a small network for some data."""
    defaults = {"hidden": 32, "negatives": 40, "precision": "float32", "input_init": 0.1, "seed": 3}
    return NetworkConfig(n_features=data.x.n_columns, n_labels=data.y.n_columns, **defaults | settings)


def sharded(config, data, exchange, label_weight=None, **options) -> ShardedNetwork:
    """An untrained network, one part of which is on this rank."""
    features = Sharding.balanced(np.bincount(data.x.indices, minlength=data.x.n_columns), N_SHARDS)
    labels = Sharding.balanced(data.label_counts(), N_SHARDS)
    network = ShardedNetwork(config, features, labels, exchange, **options)
    network.set_label_prior(data.label_counts(), len(data.rows))
    if label_weight is not None:
        network.set_label_weight(label_weight)
    return network


def ordinary(config, data, label_weight=None) -> Network:
    """The same network in one process."""
    network = Network(config)
    network.set_label_prior(data.label_counts(), len(data.rows))
    if label_weight is not None:
        network.set_label_weight(label_weight)
    return network


def trained(config, data, exchange, *, epochs=2, batch_size=48, n_threads=1, label_weight=None, **options):
    """A network after some epochs, and their losses."""
    network = sharded(config, data, exchange, label_weight, **options)
    readers = ReadersOfData(len(data.rows), N_SHARDS, exchange.rank, exchange.size, data)
    plan = Plan(
        n_epochs=epochs,
        first_epoch=0,
        last_epoch=epochs,
        batch_size=batch_size,
        learning_rate=0.01 if config.optimizer.name == "adam" else 0.1,
        seed=5,
        n_threads=n_threads,
    )
    history = []
    train(network, network.ahead(readers), plan, history)
    return network, [(record["loss"], record["active"]) for record in history]


def states_after(size, config, data, **options):
    """All arrays of all shards after a training by so many ranks, and the losses."""

    def work(exchange):
        network, losses = trained(config, data, exchange, **options)
        return network.snapshot(), losses

    results = on_threads(size, work)
    losses = results[0][1]
    for _, of_rank in results:
        np.testing.assert_equal([a for a, _ in of_rank], [a for a, _ in losses])
    return {name: array for state, _ in results for name, array in state.items()}, losses


def weighted(data: TrainingData) -> TrainingData:
    """The same data with weights of the examples."""
    weight = np.random.default_rng(0).uniform(0.5, 2, data.x.n_rows).astype(np.float32)
    return replace(data, sample_weight=weight)
