"""Every row of every layer is updated, and every worker of Hogwild does its own part of the step."""

import numpy as np
import pytest
from network_settings import make_config

from hashslide import _core
from hashslide.settings import Exact, SimHash, Vanilla

FEATURES, LABELS = 2100, 2500


def csr(rows: list[list[int]]):
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return indptr, np.array([i for row in rows for i in row], np.int32)


def train(network, features, labels, n_threads=1):
    indptr, indices = csr(features)
    values = np.ones(len(indices), np.float32)
    batch = np.arange(len(features), dtype=np.int64)
    return network.train_batch(indptr, indices, values, *csr(labels), batch, None, 0.1, n_threads)


@pytest.mark.parametrize("update", ["owner", "hogwild"])
@pytest.mark.parametrize(
    "settings",
    [
        {"popular": LABELS},
        {"active": "per_example", "in_batch": False, "popular": 0, "uniform": 0},
        {"sampler": Exact(budget=LABELS)},
        {"optimizer": "adam", "popular": LABELS},
        {"optimizer": "sgd", "popular": LABELS},
    ],
)
def test_every_row_is_updated(settings, update):
    """Also behind the first tiles and the first thousand."""
    config = make_config(n_features=FEATURES, n_labels=LABELS, hidden=4, update=update, **settings)
    network = _core.Network(config.to_core())
    features = [list(range(i, FEATURES, 10)) for i in range(10)]
    labels = [list(range(i, LABELS, 10)) for i in range(10)]
    network.set_label_prior(np.ones(LABELS, np.int64), 10, True)
    before = {name: array.copy() for name, array in network.state().items()}
    for _ in range(2):  # the first step leaves the input layer alone: all weights of the output are 0
        train(network, features, labels, n_threads=2)
    after = network.state()
    for name in ("input.weight", "output.weight", "output.bias"):
        changed = before[name] != after[name]
        rows = changed if changed.ndim == 1 else changed.any(axis=1)
        assert rows.all(), (name, np.flatnonzero(~rows)[:5])


def hogwild(**settings):
    config = make_config(
        **{"n_features": FEATURES, "n_labels": LABELS, "hidden": 6, "uniform": 0, "update": "hogwild"}
        | settings
    )
    return _core.Network(config.to_core())


def test_workers_of_hogwild_draw_different_negatives():
    network = hogwild(uniform=100)
    train(network, [[0], [1], [2], [3]], [[], [], [], []], n_threads=4)
    assert len(set(network.active_labels)) > 300  # of 400 that were drawn


def test_workers_of_hogwild_drop_different_features():
    """Each worker has the same example: with one seed for all of them they would omit the same features."""
    network = hogwild(input_dropout=0.5, popular=5, optimizer="sgd")
    row = list(range(1000))
    train(network, [row], [[1]])  # as long as all output weights are 0, the input layer gets no gradient
    before = {name: network.state()[name].copy() for name in ("input.weight", "output.weight")}
    assert before["output.weight"][1].any()
    train(network, [row] * 4, [[1]] * 4, n_threads=4)
    changed = (network.state()["input.weight"] != before["input.weight"]).any(axis=1)[:1000]
    assert changed.mean() > 0.9  # 1 - 0.5 ** 4 is 0.94; one mask alone leaves half


def test_what_every_worker_of_hogwild_touches_is_hashed_again():
    family = SimHash(tables=3, hashes=4, rehash_first=1, rehash_every=100, rehash_growth=1e9)
    network = hogwild(sampler=Vanilla(budget=1), hash=family)
    labels = [[10 * i + 3] for i in range(4)]
    for _ in range(2):  # the first step builds the tables
        train(network, [[i] for i in range(4)], labels, n_threads=4)
    touched = set(network.state()["output.index.touched"].tolist())
    assert touched == set(network.active_labels) and {3, 13, 23, 33} <= touched


@pytest.mark.parametrize(("n_threads", "batches"), [(1, 1), (4, 4)])
def test_the_queries_of_every_worker_of_hogwild_count(n_threads, batches):
    family = SimHash(tables=3, hashes=4, rehash_first=1, centre_queries=True)
    network = hogwild(sampler=Vanilla(budget=1), hash=family)
    features = [[i] for i in range(4)]
    indptr, indices = csr(features)
    hidden = network.hidden(indptr, indices, np.ones(4, np.float32), 1, 1)
    train(network, features, [[], [], [], []], n_threads)
    state = network.state()
    assert state["output.index.map.query_batches"] == [batches]
    np.testing.assert_allclose(
        state["output.index.map.query_mean"], hidden.mean(axis=0), rtol=1e-5, atol=1e-7
    )
