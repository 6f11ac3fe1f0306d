"""The formulas of what is sent against the bytes that the protocols' own messages have."""

from itertools import pairwise

import numpy as np
import pytest
from rank_helpers import on_threads

from hashslide.csr import as_csr, as_pattern
from hashslide.distributed.costs.batches import Growth, Touched
from hashslide.distributed.costs.memory import machine_bytes
from hashslide.distributed.costs.traffic import StepSize, activations, dense_all_reduce, gathered_rows, rows
from hashslide.distributed.rows import RowsNetwork
from hashslide.distributed.sharded import ShardedNetwork
from hashslide.distributed.sharding import Sharding
from hashslide.network import Network
from hashslide.planning import Sizes
from hashslide.settings import NetworkConfig

BATCH, STEPS, SHARDS, UNIFORM = 512, 4, 8, 100
FORMULAS = {"activations": (activations, ShardedNetwork), "rows": (rows, RowsNetwork)}


@pytest.fixture(scope="module")
def examples(pubmed):
    """Features and labels of 4,000 real examples."""
    return as_csr(pubmed.X_train[:4000]), as_pattern(pubmed.Y_train[:4000])


def config_of(x, y, **settings):
    """Settings of a network for them."""
    settings = {"hidden": 64, "negatives": UNIFORM, "input_dropout": 0.2} | settings
    return NetworkConfig(n_features=x.n_columns, n_labels=y.n_columns, **settings)


def counted(kind, config, x, y, machines, **options):
    """Bytes that a rank sends in a step, by purpose: the mean of the ranks and of some steps."""
    counts = np.bincount(y.indices, minlength=y.n_columns)
    features = Sharding.balanced(np.bincount(x.indices, minlength=x.n_columns), SHARDS)
    labels = Sharding.balanced(counts, SHARDS)
    batches = np.random.default_rng(0).permutation(x.n_rows)[: STEPS * BATCH].reshape(STEPS, machines, -1)

    def work(exchange):
        network = kind(config, features, labels, exchange, **options)
        network.set_label_prior(counts, x.n_rows)
        exchange.bytes_sent.clear()
        for batch in batches:
            network.train_batch(x, y, batch[exchange.rank], 0.05)
        return exchange.bytes_sent

    sent = on_threads(machines, work)
    return {name: sum(of_rank[name] for of_rank in sent) / STEPS / machines for name in sent[0]}


@pytest.mark.parametrize("machines", [2, 4, 8])
@pytest.mark.parametrize("settings", [{}, {"loss": "softmax"}, {"precision": "bfloat16"}], ids=str)
@pytest.mark.parametrize("protocol", FORMULAS)
def test_the_bytes_are_those_of_the_formula(examples, protocol, settings, machines):
    x, y = examples
    config = config_of(x, y, **settings)
    formula, kind = FORMULAS[protocol]
    touched = Touched.of(x, y, uniform=UNIFORM, dropout=config.input_dropout)
    step = StepSize.of(
        touched,
        machines=machines,
        batch=BATCH,
        width=config.width,
        weight_bytes=2 if config.precision == "bfloat16" else 4,
        is_softmax=config.loss == "softmax",
        shards=SHARDS,
    )
    found, expected = counted(kind, config, x, y, machines), formula(step)
    assert set(found) == {name for name, n_bytes in expected.items() if n_bytes}
    for name, n_bytes in found.items():
        assert n_bytes == pytest.approx(expected[name], rel=0.04)
    assert sum(found.values()) <= 1.05 * sum(expected.values())


def test_activations_of_two_bytes_are_half_as_much(examples):
    x, y = examples
    config, touched = config_of(x, y), Touched.of(x, y, uniform=UNIFORM)
    step = StepSize.of(touched, machines=4, batch=BATCH, width=config.width, shards=SHARDS, wire_bytes=2)
    found = counted(ShardedNetwork, config, x, y, 4, wire="bfloat16")
    assert found["activations"] == pytest.approx(activations(step)["activations"], rel=0.04)


def test_what_others_send_is_counted_by_enumerating(examples):
    """Every number goes once to each machine that lacks it: counted one by one."""
    x, y = examples
    machines, width = 4, 16
    own = [np.arange(r * 64, (r + 1) * 64) for r in range(machines)]
    touched = [(np.unique(x.take(r).indices), np.unique(y.take(r).indices)) for r in own]
    step = StepSize(
        machines=machines,
        batch=256,
        width=width,
        features=0,
        labels=0,
        feature_rows=np.mean([len(f) for f, _ in touched]),
        label_rows=np.mean([len(f) for _, f in touched]),
        n_features=x.n_columns,
        n_labels=y.n_columns,
    )
    sent = 0
    for features, labels in touched:
        for _ in range(len(features) + len(labels)):  # a row with its id goes to all others
            sent += (machines - 1) * 4 * (width + 1)
    assert gathered_rows(step) == pytest.approx(sent / machines)

    # A ring: each of 2 (W - 1) rounds moves one of W pieces of all numbers.
    numbers = x.n_columns * width + width + y.n_columns * (width + 1)
    pieces = [len(piece) for piece in np.array_split(np.arange(numbers), machines)]
    rounds = [pieces[i % machines] for i in range(2 * (machines - 1))]
    assert dense_all_reduce(step) == pytest.approx(4 * sum(rounds), rel=1e-4)


def test_one_machine_sends_nothing(examples):
    x, y = examples
    step = StepSize.of(Touched.of(x, y, uniform=9), machines=1, batch=64, width=8, is_softmax=True)
    assert sum(activations(step).values()) == sum(rows(step).values()) == 0
    assert gathered_rows(step) == dense_all_reduce(step) == 0


def test_different_ids_of_batches_are_counted_right(examples):
    x, _ = examples
    growth = Growth.of(x)
    rng = np.random.default_rng(1)
    for n in (3, 50, 700, 3000):
        seen = [len(np.unique(x.take(rng.choice(x.n_rows, n, replace=False)).indices)) for _ in range(30)]
        assert growth.at(n) == pytest.approx(np.mean(seen), rel=0.12 if n < 10 else 0.05)
    assert growth.at(x.n_rows) == pytest.approx(len(np.unique(x.indices)), rel=0.05)
    assert growth.at(10**9) == x.n_columns and growth.at(0) == 0
    sizes = [growth.at(n) for n in range(1, 5000, 37)]
    assert all(a <= b for a, b in pairwise(sizes))


def test_more_ids_than_in_the_sample_are_expected_beyond_it(examples):
    x, _ = examples
    sample, all_of_it = Growth.of(x.take(np.arange(500)), 10 * x.n_columns), Growth.of(x)
    assert sample.at(2000) == pytest.approx(all_of_it.at(2000), rel=0.2)
    assert sample.at(10**6) > x.n_columns


def test_drawn_labels_that_are_true_ones_count_once(pubmed_small):
    x, y = as_csr(pubmed_small.X_train), as_pattern(pubmed_small.Y_train)
    rows_of_batch = [np.random.default_rng(i).choice(x.n_rows, 128, replace=False) for i in range(12)]
    network = Network(config_of(x, y, negatives=2000))
    network.set_label_prior(np.bincount(y.indices, minlength=y.n_columns), y.n_rows)
    active = np.mean([network.train_batch(x, y, r, 0.01)[1] for r in rows_of_batch])
    # 2,000 draws with replacement from 3,654 labels are about 1,540 different ones.
    different = y.n_columns * -np.expm1(2000 * np.log1p(-1 / y.n_columns))
    assert Touched.of(x, y, uniform=round(different)).label_rows(128) == pytest.approx(active, rel=0.03)


def test_memory_is_that_of_a_part_of_the_model():
    sizes = Sizes(lambda n, m: NetworkConfig(n_features=n, n_labels=m, hidden=32))
    one, many = (machine_bytes(sizes, 10_000, 50_000, machines, 1e6) for machines in (1, 8))
    assert many["model"] == one["model"] // 8 == sizes.model(10_000, 50_000) // 8
    assert many["places"] == 8 * 60_000 and many["messages"] == 2_000_000
