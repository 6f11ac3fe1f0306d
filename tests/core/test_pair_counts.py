"""Counting which label occurs with which feature: block by block, the same lists as a plain product gives."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.network import Network
from hashslide.reference.approximate import label_lists
from hashslide.reference.direct_term import DirectTerm
from hashslide.settings import NetworkConfig

MOST_ENTRIES = 1 << 22  # of a block: core/sparse/column_blocks.h
GROUPS_AT_ONCE = 8192  # core/layers/direct_term.cpp; half of it in core/inference/label_lists.cpp


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


def network_of(x, y, direct=5, min_count=3):
    config = NetworkConfig(
        n_features=x.shape[1], n_labels=y.shape[1], hidden=2, direct=direct, direct_min_count=min_count
    )
    network = Network(config)
    network.set_label_prior(np.asarray(y.sum(axis=0)).ravel(), x.shape[0])
    return network


def lists_of(network, name, n):
    state = network.state()
    begin = state[f"{name}.begin"]
    assert len(begin) == n + 1
    parts = [state[f"{name}.{part}"] for part in ("labels", "counts") if f"{name}.{part}" in state]
    return [tuple(part[a:b].tolist() for part in parts) for a, b in pairwise(begin)]


def plain_pairs(x, y, direct, min_count):
    config = SimpleNamespace(
        n_features=x.shape[1], n_labels=y.shape[1], direct=direct, direct_min_count=min_count
    )
    term = DirectTerm(config)
    term.choose_pairs(x, y, np.asarray(y.sum(axis=0)).ravel())
    return term.begin, term.labels


@pytest.mark.parametrize("direct", [1, 7, 1000])
@pytest.mark.parametrize("min_count", [1, 2, 4])
def test_direct_pairs_are_those_of_a_plain_product(direct, min_count, long_rows):
    x, y = long_rows
    begin, labels = plain_pairs(x, y, direct, min_count)
    for n_threads in (1, 2, 3):
        network = network_of(x, y, direct, min_count)
        network.choose_direct_pairs(as_csr(x), as_pattern(y), n_threads)
        state = network.state()
        np.testing.assert_array_equal(state["direct.begin"], begin)
        np.testing.assert_array_equal(state["direct.labels"], labels)
        assert not state["direct.weight"].any() and not state["direct.adagrad"].any()


def test_labels_that_the_counts_do_not_know_score_highest(long_rows):
    x, y = long_rows
    network = network_of(x, y, direct=3)
    counts = np.asarray(y.sum(axis=0)).ravel()
    unknown = np.argsort(-counts)[:50]
    counts[unknown] = 0
    network.set_label_prior(counts, x.shape[0])
    network.choose_direct_pairs(as_csr(x), as_pattern(y), 2)
    frequent = np.flatnonzero((x.astype(int).T @ y[:, unknown].astype(int) >= 3).toarray().sum(axis=1) >= 3)
    begin, labels = (network.state()[f"direct.{part}"] for part in ("begin", "labels"))
    assert len(frequent) > 20
    for f in frequent:
        assert set(labels[begin[f] : begin[f + 1]]) <= set(unknown)


def test_candidate_lists_are_those_of_a_plain_product(long_rows):
    x, y = long_rows
    expected = label_lists(x.astype(np.int64), y.astype(np.int64), 64)
    assert max(len(labels) for labels, _ in expected) == 64
    for n_threads in (1, 3):
        network = network_of(x, y, 0)
        network.learn_candidates(as_csr(x), as_pattern(y), n_threads)
        found = lists_of(network, "candidates.features", x.shape[1])
        assert found == [(labels.tolist(), counts.tolist()) for labels, counts in expected]


def test_lists_are_extended_by_further_examples(long_rows):
    """What is kept of the old lists counts on, beside labels that are new in a list."""
    x, y = long_rows
    network = network_of(x, y, 0)
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
    network = network_of(x, y, 3)
    network.choose_direct_pairs(as_csr(x), as_pattern(y), 2)
    network.learn_candidates(as_csr(x), as_pattern(y), 2)
    begin, labels = plain_pairs(x, y, 3, 3)
    np.testing.assert_array_equal(network.state()["direct.begin"], begin)
    np.testing.assert_array_equal(network.state()["direct.labels"], labels)
    expected = label_lists(x.astype(np.int64), y.astype(np.int64), 64)
    found = lists_of(network, "candidates.features", x.shape[1])
    assert found == [(labels.tolist(), counts.tolist()) for labels, counts in expected]


def test_some_rows_count_as_if_there_were_no_others(long_rows):
    x, y = (as_csr(m) for m in long_rows)
    rows = np.random.default_rng(2).permutation(400)[:150].astype(np.int64)
    states = []
    for data in ((x, y, 2, rows), (x.take(rows), y.take(rows), 2, None)):
        network = network_of(*long_rows)
        network.choose_direct_pairs(*data)
        network.set_candidates(network.make_candidates(*data[:3], rows=data[3]))
        states.append(network.state())
    assert states[0]["direct.labels"].size and states[0]["candidates.features.labels"].size
    for name in states[0]:
        np.testing.assert_array_equal(states[0][name], states[1][name], err_msg=name)


def test_rows_that_do_not_exist_are_refused(long_rows):
    x, y = (as_csr(m) for m in long_rows)
    network = network_of(*long_rows)
    for rows in ([400], [-1], [0, 2**40]):
        with pytest.raises(ValueError, match="names the row"):
            network.choose_direct_pairs(x, y, 1, np.array(rows))


def test_rows_that_are_no_longer_sorted_are_noticed(many_entries):
    """Where there are several blocks: a block looks in each row for its part of the columns."""
    x, y = (as_csr(m) for m in many_entries)
    x = Csr(x.indptr, x.indices.copy(), x.data, x.n_columns)
    x.indices[:] = x.indices[::-1].copy()
    network = network_of(*many_entries)
    for call in (network.choose_direct_pairs, network.learn_candidates):
        with pytest.raises(ValueError, match=r"no longer sorted.*leave them alone"):
            call(x, y, 2)
