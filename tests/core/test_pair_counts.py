"""Counting which label occurs with which feature: block by block, the same lists as a plain product gives."""

import numpy as np
import pytest
from scipy import sparse

from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.network import Network
from hashslide.reference.approximate import label_lists
from hashslide.settings import NetworkConfig

MOST_ENTRIES = 1 << 22  # of a block: core/sparse/column_blocks.h
GROUPS_AT_ONCE = 4096  # core/inference/label_lists.cpp


def popular(rng, n_rows, width, of_each):
    """Rows of different lengths whose columns are of different popularity; some columns do not occur."""
    lengths = rng.integers(0, 2 * of_each, n_rows)
    column = (width * rng.random(lengths.sum()) ** 3).astype(np.int64)
    row = np.repeat(np.arange(n_rows), lengths)
    return sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape=(n_rows, width)).astype(
        bool
    )


@pytest.fixture(scope="module")
def long_rows():
    rng = np.random.default_rng(0)
    return popular(rng, 400, 500, 40), popular(rng, 400, 900, 60)


@pytest.fixture(scope="module")
def many_entries():
    """More entries than a block may have, more features than lists are held at once, few labels."""
    rng = np.random.default_rng(1)
    x = popular(rng, 30_000, GROUPS_AT_ONCE + 1000, 110)
    while x.nnz <= MOST_ENTRIES:
        x = sparse.vstack([x, x[:10_000]], format="csr")
    return x, popular(rng, x.shape[0], 60, 1)


def network_of(x, y):
    network = Network(NetworkConfig(n_features=x.shape[1], n_labels=y.shape[1], hidden=2))
    network.set_label_prior(np.asarray(y.sum(axis=0)).ravel(), x.shape[0])
    return network


def lists_of(network, name, n):
    state = network.state()
    ranges = state[f"{name}.ranges"]
    assert ranges.shape == (n, 2)
    parts = [state[f"{name}.{part}"] for part in ("labels", "counts")]
    return [tuple(part[a:b].tolist() for part in parts) for a, b in ranges]


def test_candidate_lists_are_those_of_a_plain_product(long_rows):
    x, y = long_rows
    expected = label_lists(x.astype(np.int64), y.astype(np.int64), 64)
    assert max(len(labels) for labels, _ in expected) == 64
    for n_threads in (1, 3):
        network = network_of(x, y)
        network.learn_candidates(as_csr(x), as_pattern(y), n_threads)
        found = lists_of(network, "candidates.features", x.shape[1])
        assert found == [(labels.tolist(), counts.tolist()) for labels, counts in expected]


def test_lists_are_extended_by_further_examples(long_rows):
    """What is kept of the old lists counts on, beside labels that are new in a list."""
    x, y = long_rows
    network = network_of(x, y)
    network.learn_candidates(as_csr(x[:300]), as_pattern(y[:300]), 2)
    old = sparse.lil_matrix((x.shape[1], y.shape[1]), dtype=np.int64)
    for f, (labels, counts) in enumerate(lists_of(network, "candidates.features", x.shape[1])):
        old[f, labels] = counts
    network.learn_candidates(as_csr(x[300:]), as_pattern(y[300:]), 2, fresh=False)
    total = sparse.csr_matrix(old) + x[300:].astype(np.int64).T @ y[300:].astype(np.int64)
    expected = label_lists(sparse.identity(x.shape[1], np.int64, "csr"), total.tocsr(), 64)
    found = lists_of(network, "candidates.features", x.shape[1])
    assert found == [(labels.tolist(), counts.tolist()) for labels, counts in expected]


def test_many_blocks_give_the_lists_of_one(many_entries):
    x, y = many_entries
    assert x.nnz > MOST_ENTRIES and x.shape[1] > GROUPS_AT_ONCE
    network = network_of(x, y)
    network.learn_candidates(as_csr(x), as_pattern(y), 2)
    expected = label_lists(x.astype(np.int64), y.astype(np.int64), 64)
    found = lists_of(network, "candidates.features", x.shape[1])
    assert found == [(labels.tolist(), counts.tolist()) for labels, counts in expected]


def test_some_rows_count_as_if_there_were_no_others(long_rows):
    x, y = (as_csr(m) for m in long_rows)
    rows = np.random.default_rng(2).permutation(400)[:150].astype(np.int64)
    states = []
    for data in ((x, y, 2, rows), (x.take(rows), y.take(rows), 2, None)):
        network = network_of(*long_rows)
        network.set_candidates(network.make_candidates(*data[:3], rows=data[3]))
        states.append(network.state())
    assert states[0]["candidates.features.labels"].size
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name], err_msg=name)


def test_rows_that_do_not_exist_are_refused(long_rows):
    x, y = (as_csr(m) for m in long_rows)
    network = network_of(*long_rows)
    for rows in ([400], [-1], [0, 2**40]):
        with pytest.raises(ValueError, match="names the row"):
            network.make_candidates(x, y, rows=np.array(rows))


def test_rows_that_are_no_longer_sorted_are_noticed(many_entries):
    """Where there are several blocks: a block looks in each row for its part of the columns."""
    x, y = (as_csr(m) for m in many_entries)
    x = Csr(x.indptr, x.indices.copy(), x.data, x.n_columns)
    x.indices[:] = x.indices[::-1].copy()
    network = network_of(*many_entries)
    with pytest.raises(ValueError, match=r"no longer sorted.*leave them alone"):
        network.learn_candidates(x, y, 2)
