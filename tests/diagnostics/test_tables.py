"""What tables hold and find, against plain counts."""

from dataclasses import replace

import numpy as np
import pytest
from network_settings import hidden_tables
from scipy import sparse

from hashslide import (
    DWTA,
    CustomHash,
    Dense,
    Hashed,
    KMeans,
    SimHash,
    SlideClassifier,
    Top,
    Vanilla,
    WinnerTakeAll,
)
from hashslide.diagnostics import tables
from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.precision import to_float32
from hashslide.settings import MissingFamily


def trained(pubmed_small, **settings):
    model = SlideClassifier(epochs=2, random_state=0, n_jobs=1, **settings)
    return model.fit(pubmed_small.X_train[:400], pubmed_small.Y_train[:400])


@pytest.fixture(scope="module")
def queries(pubmed_small):
    return pubmed_small.X_test[:40]


@pytest.fixture(scope="module")
def network(pubmed_small):
    """Tables in the second hidden layer and over the output."""
    hashed = Hashed(
        60, 12, hash=SimHash(tables=6, hashes=4, rehash_first=3, rehash_every=20, bucket_size=4, probes=2)
    )
    output = KMeans(tables=2, cells=16, probes=1, rehash_first=3)
    hidden = [Dense(16), hashed, WinnerTakeAll(20, 5), Dense(12, "tanh")]
    return trained(pubmed_small, hidden=hidden, hash=output, sampler=Vanilla(budget=20)).network_


@pytest.fixture(scope="module")
def layers(network):
    return {layer.name: layer for layer in tables.hashed_layers(network)}


def test_layers_with_tables(layers):
    assert list(layers) == ["hidden1", "output"]
    assert layers["hidden1"].index.probes >= 16  # more than the model's own 2


def test_occupancy_is_that_of_the_buckets(layers):
    layer = layers["hidden1"]
    found = tables.occupancy(layer)
    buckets = np.stack([layer.index.table(t).buckets for t in range(6)])
    sizes = np.stack([np.bincount(b, minlength=16) for b in buckets])
    held = sizes[sizes > 0]
    same = buckets[:, :, None] == buckets[:, None, :]
    assert (found.neurons, found.tables, found.buckets, found.built) == (60, 6, 16, True)
    assert found.used == pytest.approx((sizes > 0).mean())
    assert (found.mean, found.median) == (pytest.approx(held.mean()), np.median(held))
    assert (found.largest, found.p99) == (held.max(), pytest.approx(np.percentile(held, 99)))
    assert found.full == pytest.approx(held[held > 4].sum() / (6 * 60))
    assert found.collisions == pytest.approx((same.sum() / 6 - 60) / (60 * 59))
    for edge, count in found.histogram:
        assert count == ((sizes >= edge) & (sizes < max(1, 2 * edge))).sum()
    assert sum(count for _, count in found.histogram) == 6 * 16
    assert found.memory_bytes > 0


def test_recall_is_that_of_plain_look_ups(network, layers, queries):
    layer = layers["hidden1"]
    inputs = tables.queries_of(network, queries)["hidden1"]
    truth = np.argsort(-(inputs @ layer.weight.T + layer.bias), axis=1)[:, :5]
    looks = layer.index.look_up(inputs, 1)
    points = tables.recall(layer, inputs)
    assert [(p.tables, p.probes) for p in points] == [
        (1, 1),
        (2, 1),
        (4, 1),
        (6, 1),
        *((6, p) for p in (2, 4, 8, 16)),
    ]
    for point in points:
        found = [
            {
                neuron
                for t in range(point.tables)
                for b in look[t, : point.probes]
                if b >= 0
                for neuron in layer.index.table(t).bucket(int(b)).tolist()
            }
            for look in looks
        ]
        assert point.scored == pytest.approx(np.mean([len(ids) for ids in found]) / 60)
        for k in (1, 5):
            hits = [len(ids & set(best[:k].tolist())) / k for ids, best in zip(found, truth, strict=True)]
            assert point.recall[k] == pytest.approx(np.mean(hits))


def test_all_probes_find_everything(network, layers, queries):
    last = tables.recall(layers["output"], tables.queries_of(network, queries)["output"])[-1]
    assert (last.tables, last.probes) == (2, 16)
    placed = layers["output"].index.table(0).buckets >= 0  # neurons without weights are in no bucket
    assert last.recall == {1: 1.0, 5: 1.0}
    assert last.scored == pytest.approx(placed.mean()) and not placed.all()


def test_queries_are_the_activations_of_predictions(network, queries):
    """Only if the tables of the hidden layer are restored as they were: they choose what is active."""
    found = tables.queries_of(network, queries)
    assert set(found) == {"hidden1", "hidden2", "hidden3", "output"}
    state = network.state()
    last = np.tanh(found["hidden3"] @ to_float32(state["hidden3.weight"]) + state["hidden3.bias"])
    np.testing.assert_allclose(last, network.hidden(queries), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found["output"], network.hidden(queries))


def test_active_share_keeps_to_the_budget(network, layers, queries):
    found = tables.queries_of(network, queries)
    assert 0 < tables.active_share(layers["hidden1"], found["hidden1"]) <= 12 / 60
    share = tables.active_share(layers["output"], found["output"])
    assert 0 < share <= 20 / network.config.n_labels


def test_a_first_layer_looks_up_the_features_as_they_are(pubmed_small, queries):
    hidden = [Hashed(60, 12, hash=hidden_tables(DWTA, tables=10, hashes=2))]
    network = trained(pubmed_small, hidden=hidden).network_
    (layer,) = tables.hashed_layers(network)
    features = tables.queries_of(network, queries)["hidden0"]
    assert sparse.issparse(features)
    few = features[:20]
    assert tables.recall(layer, few) == tables.recall(layer, few.toarray())
    assert tables.active_share(layer, few) == tables.active_share(layer, few.toarray()) > 0


def test_tables_that_a_model_does_not_have(pubmed_small, queries):
    network = trained(pubmed_small, hidden=16).network_
    assert list(tables.hashed_layers(network)) == []
    inputs = tables.queries_of(network, queries)["output"]
    layer = tables.what_if(network, "kmeans")
    assert tables.occupancy(layer).built
    recall = tables.recall(layer, inputs)
    assert recall[-1].recall[5] > recall[0].recall[5]
    with pytest.raises(InputError, match="hash is 'lsh'"):
        tables.what_if(network, "lsh")


def test_tables_that_were_never_built(pubmed_small):
    network = trained(pubmed_small, hidden=16, sampler=Top(budget=3), hash=DWTA(rehash_first=10**6)).network_
    (layer,) = tables.hashed_layers(network)
    found = tables.occupancy(layer)
    assert not found.built
    assert (found.used, found.largest, found.collisions) == (0, 0, 0)


def test_families_in_python_are_named(pubmed_small, queries):
    """A file only names them: their tables are lost, others can be tried."""
    network = trained(pubmed_small, hidden=16).network_
    lost = replace(network.config, sampler=Top(budget=3), hash=CustomHash(MissingFamily("Mine")))
    network = Network.from_state(lost, network.snapshot())
    with pytest.raises(InputError, match="family Mine is written in Python"):
        list(tables.hashed_layers(network))
    inputs = tables.queries_of(network, queries)["output"]
    assert tables.recall(tables.what_if(network, "simhash"), inputs)[-1].scored > 0
