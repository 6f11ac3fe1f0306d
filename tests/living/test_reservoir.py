"""The kept examples: their law, their bound, and that nothing but the seed and the order decides."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse

from hashslide.csr import as_csr, as_pattern
from hashslide.living.reservoir import NO_BOUND, Reservoir, layers

N, LABELS = 4000, 12


@pytest.fixture(scope="module")
def stream():
    """Features that number the examples, and labels of which each is half as frequent as the one before."""
    rng = np.random.default_rng(0)
    y = rng.random((N, LABELS)) < 0.5 ** np.arange(1, LABELS + 1)
    x = sparse.csr_matrix((np.arange(1, N + 1, dtype=np.float32), (np.arange(N), np.zeros(N))), shape=(N, 1))
    return as_csr(x), as_pattern(sparse.csr_matrix(y, dtype=np.float32)), y


def numbers(reservoir):
    return reservoir.x.values.astype(int) - 1


def sample(stream, size, seed, cuts=()):
    x, y, _ = stream
    found = Reservoir.empty(size, 1, LABELS)
    for rows in np.split(np.arange(N), cuts):
        found = found.extended(x, y, rows, seed)
    return found


def test_rare_labels_keep_as_many_as_frequent_ones(stream):
    kept, y = sample(stream, 200, 1), stream[2]
    counts = y[numbers(kept)].sum(axis=0)
    m, _ = kept.bound
    assert len(kept.tickets) <= 200 and kept.n_seen == N and m >= 10
    assert (counts >= np.minimum(y.sum(axis=0), m)).all()
    assert y[::20].sum(axis=0)[-1] <= 1  # a random sample of this size would have lost the rare ones


def test_all_are_kept_while_there_is_room(stream):
    kept = sample(stream, N, 1)
    assert_array_equal(numbers(kept), np.arange(N))
    assert kept.bound == NO_BOUND


def test_a_label_keeps_a_uniform_sample_of_its_examples(stream):
    """Every example of a label is among its m kept ones with the same probability, early or late."""
    of_label = np.flatnonzero(stream[2][:, 2])
    times, expected = np.zeros(N), 0.0
    for seed in range(60):
        kept = sample(stream, 120, seed, [1000, 2500])
        m = kept.bound[0]
        own = np.flatnonzero(stream[2][numbers(kept), 2])
        lowest = own[np.argsort(kept.tickets[own])[:m]]
        assert len(lowest) == m
        times[numbers(kept)[lowest]] += 1
        expected += m
    quarters = [part.sum() for part in np.array_split(times[of_label], 4)]
    statistic = sum((count - expected / 4) ** 2 / (expected / 4) for count in quarters)
    assert statistic < 16.3  # chi-squared with 3 degrees of freedom, 99.9 %


def test_what_was_dropped_ranks_behind_what_is_kept(stream):
    """The stream keeps what a look at all examples with the final bound would keep."""
    kept = sample(stream, 150, 3, [7, 900, 901, 3000])
    everything = sample(stream, N, 3)
    layer, (m, ticket) = layers(everything.y, everything.tickets), kept.bound
    wanted = (layer < m) | ((layer == m) & (everything.tickets < ticket))
    assert_array_equal(numbers(kept), np.flatnonzero(wanted))


def test_the_seed_and_the_order_decide(stream):
    a, b, c = (sample(stream, 100, seed) for seed in (5, 5, 6))
    assert_array_equal(numbers(a), numbers(b))
    assert not np.array_equal(numbers(a), numbers(c))


def test_draws_are_distinct_and_differ_between_calls(stream):
    kept = sample(stream, 100, 5)
    first, second = kept.draw(30, 5, 1), kept.draw(30, 5, 2)
    assert len(np.unique(first)) == 30 and not np.array_equal(first, second)
    assert len(kept.draw(10**6, 5, 1)) == len(kept.tickets)


def test_forgotten_labels_take_their_own_examples_with_them(stream):
    kept = sample(stream, 200, 1)
    left = kept.without(np.arange(1, LABELS))
    y = stream[2][numbers(left)]
    assert left.y.n_columns == LABELS - 1
    assert_array_equal(left.y.to_scipy().toarray() > 0, y[:, 1:])
    only_first = (y[:, 0]) & (y[:, 1:].sum(axis=1) == 0)
    assert not only_first.any() and len(left.tickets) < len(kept.tickets)
