"""Hash tables: against their twin, laws of the bucket policies, memory, restoring."""

import numpy as np
import pytest
from scipy.stats import chi2

from hashslide import _core
from hashslide.reference.tables import HashTable

POLICIES = ["fifo", "reservoir"]


def assert_same(core, twin):
    np.testing.assert_array_equal(core.buckets, twin.buckets)
    np.testing.assert_array_equal(core.sizes, twin.sizes)
    np.testing.assert_array_equal(core.members, twin.members)
    assert core.moves == twin.moves
    for b in range(core.n_buckets):
        np.testing.assert_array_equal(core.bucket(b), twin.bucket(b))


def random_moves(rng, n_neurons, n_buckets, n_moves):
    """Buckets whose popularity changes with time, so that blocks grow, shrink and are compacted."""
    popular = rng.integers(n_buckets, size=n_moves // 100 + 1)
    for i in range(n_moves):
        bucket = popular[i // 100] if rng.random() < 0.5 else rng.integers(n_buckets)
        yield int(rng.integers(n_neurons)), int(bucket)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("limit", [0, 1, 5])
@pytest.mark.parametrize("n_buckets", [1, 7, 64])
def test_equals_its_twin_over_moves(policy, limit, n_buckets):
    rng = np.random.default_rng(limit + n_buckets)
    core, twin = (make(n_buckets, policy, limit, 3) for make in (_core.HashTable, HashTable))
    buckets = rng.integers(-1, n_buckets, 150).astype(np.int32)
    core.build(buckets)
    twin.build(buckets)
    assert_same(core, twin)
    core.grow(200)
    twin.grow(200)
    for neuron, bucket in random_moves(rng, 200, n_buckets, 3000):
        assert core.move(neuron, bucket) == twin.move(neuron, bucket)
    assert_same(core, twin)
    core.build(core.buckets)
    twin.build(twin.buckets)
    assert_same(core, twin)


@pytest.mark.parametrize("policy", POLICIES)
def test_membership_after_moves_is_that_of_a_fresh_build(policy):
    rng = np.random.default_rng(0)
    moved, built = (_core.HashTable(32, policy, 4, 1) for _ in range(2))
    moved.build(rng.integers(32, size=500).astype(np.int32))
    for neuron, bucket in random_moves(rng, 500, 32, 2000):
        moved.move(neuron, bucket)
    built.build(moved.buckets)
    ends = np.cumsum(built.sizes)
    np.testing.assert_array_equal(moved.sizes, built.sizes)
    for mine, fresh in zip(np.split(moved.members, ends), np.split(built.members, ends), strict=True):
        np.testing.assert_array_equal(np.sort(mine), np.sort(fresh))


def test_fifo_sees_the_last_that_came():
    table = _core.HashTable(2, "fifo", 3, 0)
    table.build(np.array([0, 0, 1, 0, 0], np.int32))
    np.testing.assert_array_equal(table.bucket(0), [1, 3, 4])
    table.move(2, 0)
    np.testing.assert_array_equal(table.bucket(0), [3, 4, 2])
    table.move(4, 1)
    np.testing.assert_array_equal(table.bucket(0), [1, 3, 2])
    table.move(4, 0)
    np.testing.assert_array_equal(table.bucket(0), [3, 2, 4])


def only_built(table, n):
    table.build(np.zeros(n, np.int32))


def with_removals(table, n):
    """The same n members, after others came and went and some of them left and returned."""
    table.build(np.array([0] * n + [1] * n, np.int32))
    for neuron in range(n, 2 * n):
        table.move(neuron, 0)
        table.move((3 * neuron) % n, 1)
        table.move((3 * neuron) % n, 0)
    for neuron in range(n, 2 * n):
        table.move(neuron, 1)


@pytest.mark.parametrize("history", [only_built, with_removals])
def test_the_reservoir_is_a_uniform_sample_without_replacement(history):
    """Pairs that a look-up of 2 of 6 members sees are equally frequent: chi-square, confidence 99.9 %."""
    n, draws = 6, 6000
    counts = np.zeros((n, n))
    for key in range(draws):
        table = _core.HashTable(2, "reservoir", 2, key)
        history(table, n)
        first, second = table.bucket(0)
        counts[first, second] += 1
    assert np.trace(counts) == 0
    pairs = counts[~np.eye(n, dtype=bool)]  # in order: 30 outcomes
    expected = draws / len(pairs)
    assert ((pairs - expected) ** 2 / expected).sum() < chi2.ppf(0.999, len(pairs) - 1)


def test_memory_is_proportional_to_neurons_and_buckets_whatever_the_moves():
    """Worst case: all neurons gather in one bucket after the other."""
    n, n_buckets = 5000, 64
    table = _core.HashTable(n_buckets, "reservoir", 16, 0)
    table.build((np.arange(n) % n_buckets).astype(np.int32))
    for bucket in [*range(8), *range(8)]:
        for neuron in range(n):
            table.move(neuron, bucket if neuron % 10 else neuron % n_buckets)
            assert table.memory_bytes < 16 * n + 8 * n_buckets + 2000


def test_the_tables_of_the_paper_fit_into_150_megabytes():
    """50 tables of 114,000 neurons in 131,072 buckets, with codes as unequal as those of trained neurons."""
    rng = np.random.default_rng(0)
    table = _core.HashTable(131_072, "reservoir", 128, 0)
    table.build((131_072 * rng.random(114_000) ** 2).astype(np.int32))
    assert 50 * table.memory_bytes < 150e6


@pytest.mark.parametrize("policy", POLICIES)
def test_a_restored_table_behaves_the_same(policy):
    rng = np.random.default_rng(5)
    table, copy = (_core.HashTable(16, policy, 3, 7) for _ in range(2))
    table.build(rng.integers(-1, 16, 300).astype(np.int32))
    moves = list(random_moves(rng, 300, 16, 2000))
    for neuron, bucket in moves[:1000]:
        table.move(neuron, bucket)
    copy.restore(table.buckets, table.members, table.moves)
    for neuron, bucket in moves[1000:]:
        assert table.move(neuron, bucket) == copy.move(neuron, bucket)
    assert_same(table, _as_twin(copy))


def _as_twin(table):
    twin = HashTable(table.n_buckets, "fifo", 0, 0)
    twin.lists = [m.tolist() for m in np.split(table.members, np.cumsum(table.sizes)[:-1])]
    twin.buckets, twin.moves = table.buckets, table.moves
    twin.bucket = table.bucket
    return twin


@pytest.mark.parametrize(
    ("buckets", "members"),
    [
        ([0, 2], [0, 1]),  # no such bucket
        ([0, -2], [0]),
        ([0, 1], [0]),  # one is missing
        ([0, 1], [0, 0]),  # twice
        ([0, 1], [0, 2]),  # no such neuron
        ([0, 1], [0, -1]),
        ([0, -1], [0, 1]),  # not in any bucket
    ],
)
def test_members_that_do_not_fit_are_refused(buckets, members):
    table = _core.HashTable(2, "fifo", 0, 0)
    with pytest.raises(ValueError, match=r"hash table|does not exist"):
        table.restore(np.array(buckets, np.int32), np.array(members, np.int32), 2)
