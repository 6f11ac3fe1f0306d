"""The random hash families: against their NumPy twins, and against their collision laws."""

import numpy as np
import pytest
from hash_helpers import as_sparse

from hashslide import _core
from hashslide.reference import families as reference

SIMHASH = ["simhash", "sparse_simhash", "fast_simhash"]
FAMILIES = [*SIMHASH, "wta", "dwta", "minhash"]
SETTINGS = {"wta": {"bin_size": 8}, "dwta": {"bin_size": 8}, "minhash": {"top": 32}}


def vectors(n, width, density=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, width)).astype(np.float32)
    return x * (rng.random((n, width)) < density).astype(np.float32)


def both(name, width, neurons, tables, hashes, seed=3, round_=2, **settings):
    core = _core.hash_family(name, width, neurons, tables, hashes, seed=seed, **settings)
    twin = reference.hash_family(name, width, neurons, tables, hashes, seed, **settings)
    core.draw(round_)
    twin.draw(round_)
    assert core.n_buckets == twin.n_buckets
    return core, twin


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    ("width", "neurons", "tables", "hashes"),
    [
        (130, 100_000, 7, 6),  # folded, except SimHash
        (37, 200, 3, 2),  # packed
        (1, 50, 2, 3),
        (5, 1000, 1, 4),
        (64, 1, 2, 2),  # one bucket
        (50, 3000, 2, 40),  # more than 30 bits, SimHash included
        (20, 10**9, 2, 7),  # codes of 28 bits
    ],
)
@pytest.mark.parametrize("density", [1.0, 0.1])
def test_core_and_twin_agree(name, width, neurons, tables, hashes, density):
    core, twin = both(name, width, neurons, tables, hashes)
    x = np.rint(4 * vectors(20, width, density))  # sums of small integers are exact: ties are ties in both
    x[5] = 0
    buckets = core.hash(x)
    np.testing.assert_array_equal(buckets, twin.hash(x))
    assert buckets.min() >= 0 and buckets.max() < core.n_buckets
    probed = core.probe(x, 6)
    np.testing.assert_array_equal(probed, twin.probe(x, 6))
    np.testing.assert_array_equal(probed[:, :, 0], buckets)
    assert probed.max() < core.n_buckets
    for row in probed.reshape(-1, 6):
        found = row[row >= 0]
        assert len(np.unique(found)) == len(found)
        assert (row[len(found) :] == -1).all()


@pytest.mark.parametrize(
    ("name", "settings"),
    [("wta", {"bin_size": b}) for b in (2, 4, 32)]
    + [("dwta", {"bin_size": b}) for b in (2, 16)]
    + [("minhash", {"top": t}) for t in (1, 2, 7, 1000)],
)
def test_core_and_twin_agree_for_other_settings(name, settings):
    core, twin = both(name, 45, 5000, 4, 3, **settings)
    x = vectors(40, 45, 0.4)
    np.testing.assert_array_equal(core.probe(x, 4), twin.probe(x, 4))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_code_depends_on_its_vector_seed_and_round_alone(name):
    core, _ = both(name, 30, 5000, 8, 5)
    x = vectors(100, 30, 0.6)
    expected, probed = core.hash(x), core.probe(x, 3)
    for begin, end in [(0, 1), (7, 8), (3, 50), (40, 100)]:
        np.testing.assert_array_equal(core.hash(x[begin:end]), expected[begin:end])
        np.testing.assert_array_equal(core.probe(x[begin:end], 3), probed[begin:end])
    many = np.tile(x, (20, 1))
    np.testing.assert_array_equal(core.hash(many, n_threads=3), np.tile(expected, (20, 1)))
    core.draw(9)
    other_round = core.hash(x)
    core.draw(2, 3)
    np.testing.assert_array_equal(core.hash(x), expected)
    other_seed = _core.hash_family(name, 30, 5000, 8, 5, seed=4)
    other_seed.draw(2)
    assert (other_round != expected).mean() > 0.3 and (other_seed.hash(x) != expected).mean() > 0.3


@pytest.mark.parametrize("name", [*FAMILIES, "kmeans"])
@pytest.mark.parametrize("density", [0.02, 0.3, 1.0])
def test_sparse_vectors_get_the_buckets_of_dense_ones(name, density):
    family = _core.hash_family(name, 200, 5000, 6, 4, cells=16)
    family.draw(1)
    family.learn(np.rint(4 * vectors(300, 200, seed=1)))  # whole numbers: sums do not depend on their order
    x = np.rint(4 * vectors(90, 200, density))
    x[7] = 0
    sparse = as_sparse(x)
    if name == "kmeans":  # its centres are no whole numbers
        assert (family.hash(sparse) == family.hash(x)).mean() > 0.99
        assert (family.probe(sparse, 3) == family.probe(x, 3)).mean() > 0.99
        return
    np.testing.assert_array_equal(family.hash(sparse, n_threads=2), family.hash(x))
    np.testing.assert_array_equal(family.probe(sparse, 5, n_threads=2), family.probe(x, 5))


def test_explicit_zeros_are_absent():
    x = vectors(20, 60, 0.2)
    indptr = np.arange(21, dtype=np.int64) * 60
    with_zeros = (indptr, np.tile(np.arange(60, dtype=np.int32), 20), x.ravel())
    for name in FAMILIES:
        family = _core.hash_family(name, 60, 5000, 6, 4)
        family.draw(0)
        np.testing.assert_array_equal(family.probe(with_zeros, 3), family.probe(as_sparse(x), 3))


def pairs(name, width=128):
    """Pairs of vectors from nearly equal to unrelated, some of them sparse for families that care."""
    rng = np.random.default_rng(5)
    densities = (1.0, 0.4, 0.15) if name in ("dwta", "minhash") else (1.0,)
    found = []
    for density in densities:
        for noise in (0.2, 0.7, 2.0):
            a, b = rng.standard_normal((2, width)).astype(np.float32)
            keep, kept_too = rng.random((2, width)) < density
            keep_b = np.where(rng.random(width) < noise / 3, kept_too, keep)
            found.append((a * keep, (a + np.float32(noise) * b) * keep_b))
    found.append((np.abs(a) * keep, np.abs(b) * keep_b))
    return found


def agreement(name, a, b, tables, hashes, rounds, neurons=2**20):
    """Share of (round, table) in which two vectors get the same code, and how many there were."""
    family = _core.hash_family(name, len(a), neurons, tables, hashes, seed=11, **SETTINGS.get(name, {}))
    same = 0
    for round_ in range(rounds):
        family.draw(round_)
        codes = family.hash(np.stack([a, b]))
        same += int((codes[0] == codes[1]).sum())
    return same / (rounds * tables), family


# Hashes of one round are not quite independent: bins of one permutation, rows of one matrix, borrowed bins.
@pytest.mark.parametrize("name", FAMILIES)
def test_elementary_hashes_obey_the_collision_law(name):
    rounds, tables = 1000, 16
    for a, b in pairs(name):
        share, family = agreement(name, a, b, tables, 1, rounds)
        law = family.collision_probability(a, b)
        sigma = np.sqrt(law * (1 - law) / (rounds * tables))
        slack = 0.01 if name in ("sparse_simhash", "fast_simhash") else 0.0  # they hold for large widths
        assert abs(share - law) < 5 * sigma + slack, (share, law, sigma)


def test_the_laws_in_closed_form():
    a = vectors(1, 64)[0]
    b = vectors(1, 64, seed=1)[0]
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    for name in SIMHASH:
        family = _core.hash_family(name, 64, 100)
        assert family.collision_probability(a, b) == pytest.approx(1 - angle / np.pi, abs=1e-6)
        assert family.collision_probability(a, -a) == pytest.approx(0, abs=1e-6)
    x, y = np.zeros((2, 64), np.float32)
    x[:12], y[4:20] = 1, 2
    assert _core.hash_family("minhash", 64, 100).collision_probability(x, y) == 8 / 20 + 12 / 20 / 16
    for name in ("wta", "dwta"):
        family = _core.hash_family(name, 64, 100)
        assert family.collision_probability(a, 3 * a + 5) == pytest.approx(1)
        assert family.collision_probability(a, -a) == 0
    pairwise = _core.hash_family("wta", 64, 100, bin_size=2)  # (1 + Kendall's tau) / 2
    i, j = np.triu_indices(64, 1)
    concordant = np.mean((a[i] < a[j]) == (b[i] < b[j]))
    assert pairwise.collision_probability(a, b) == pytest.approx(concordant)
    zero = np.zeros(64, np.float32)
    for name in (*SIMHASH, "dwta", "minhash"):
        assert _core.hash_family(name, 64, 100).collision_probability(zero, zero) == 1


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("neurons", [2**20, 60])  # packed, folded to 6 bits
def test_codes_collide_as_k_independent_hashes(name, neurons):
    hashes, rounds, tables = 3 if name in SIMHASH else 2, 1000, 8
    if neurons == 60:
        hashes *= 3
    a, b = pairs(name)[0]
    share, family = agreement(name, a, b, tables, hashes, rounds, neurons)
    p = family.collision_probability(a, b) ** hashes
    p += (1 - p) / 64 if neurons == 60 else 0
    assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / (rounds * tables)) + 0.01


@pytest.mark.parametrize("name", FAMILIES)
def test_l_tables_find_a_pair_with_chance_one_minus_one_minus_p_to_the_k_to_the_l(name):
    a, b = pairs(name)[1]
    tables, hashes, rounds = 5, 2, 2000
    family = _core.hash_family(name, len(a), 2**20, tables, hashes, seed=8, **SETTINGS.get(name, {}))
    found = 0
    for round_ in range(rounds):
        family.draw(round_)
        codes = family.hash(np.stack([a, b]))
        found += bool((codes[0] == codes[1]).any())
    p = 1 - (1 - family.collision_probability(a, b) ** hashes) ** tables
    assert abs(found / rounds - p) < 5 * np.sqrt(p * (1 - p) / rounds) + 0.01


@pytest.mark.parametrize("name", FAMILIES)
def test_later_probes_find_neighbours_that_the_first_one_misses(name):
    x = np.abs(vectors(300, 64))
    near = x + 0.15 * vectors(300, 64, seed=1)
    family = _core.hash_family(name, 64, 2**16, 10, 4, **SETTINGS.get(name, {}))
    family.draw(0)
    hits = family.probe(near, 8) == family.hash(x)[:, :, None]
    by_probe = hits.mean(axis=(0, 1))
    assert by_probe[0] > by_probe[1] > by_probe[4:].mean()
    assert by_probe[1] > 2 * (1 - by_probe[0]) / family.n_buckets


def test_probes_flip_the_bits_of_smallest_projection_first():
    core, twin = both("simhash", 20, 2**20, 1, 6)
    query = vectors(1, 20)
    values, _, gaps = twin.elementary(query[0])
    costs = [(sum(gaps[k] ** 2 for k in range(6) if flips >> k & 1), flips) for flips in range(64)]
    code = int(values @ (1 << np.arange(6)))
    np.testing.assert_array_equal(core.probe(query, 64)[0, 0], [code ^ flips for _, flips in sorted(costs)])


def test_values_without_an_order_get_a_bucket():
    x = vectors(3, 40)
    x[0] = np.nan
    x[1, ::3], x[1, 1::3] = np.inf, -np.inf
    x[2, 5] = np.nan
    for name in FAMILIES:
        family = _core.hash_family(name, 40, 100, 4, 3)
        family.draw(0)
        probed = family.probe(x, 4)
        assert probed.min() >= -1 and probed.max() < family.n_buckets
        assert family.hash(x).min() >= 0 and family.hash(x).max() < family.n_buckets


class ByLargest:
    """Bucket: the largest coordinate, in every table; the next probe is the second largest."""

    n_tables, n_buckets = 2, np.int16(6)

    def __init__(self):
        self.rounds, self.learned = [], None

    def draw(self, round_):
        self.rounds.append(round_)

    def learn(self, x):
        self.learned = x

    def hash(self, x):
        return np.repeat(x.argmax(axis=1)[:, None], 2, axis=1)

    def probe(self, x, probes):
        order = np.argsort(-x, axis=1)
        padded = np.pad(order, ((0, 0), (0, max(0, probes - 6))), constant_values=-1)[:, :probes]
        return np.repeat(padded[:, None], 2, axis=1).astype(np.int16)


def test_families_written_in_python_are_called():
    mine = ByLargest()
    family = _core.python_family(mine, 6)
    x = vectors(2000, 6)
    family.draw(4)
    family.learn(x)
    assert mine.rounds == [4]
    np.testing.assert_array_equal(mine.learned, x)
    assert (family.n_tables, family.n_buckets) == (2, 6)
    np.testing.assert_array_equal(family.hash(x, n_threads=3), mine.hash(x))
    np.testing.assert_array_equal(family.probe(x, 8, n_threads=2), mine.probe(x, 8))
    assert np.isnan(family.collision_probability(x[0], x[1]))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x: np.zeros((len(x), 3), int), r"of shape \(10, 3\), accepted is the shape \(10, 2\)"),
        (lambda x: np.zeros((len(x), 2)), "of type float64, accepted is an array of integers"),
        (lambda x: np.full((len(x), 2), 6), "the bucket 6, accepted is a bucket from 0 to 5"),
        (lambda x: np.full((len(x), 2), -1), "the bucket -1, accepted is a bucket from 0 to 5"),
        (lambda x: None, "of type object"),
    ],
)
def test_what_families_written_in_python_return_is_checked(result, message):
    mine = ByLargest()
    mine.hash = result
    with pytest.raises(ValueError, match=message):
        _core.python_family(mine, 6).hash(vectors(10, 6))


def test_probe_of_families_written_in_python_is_checked():
    mine = ByLargest()
    mine.probe = lambda x, probes: np.full((len(x), 2, probes), -2)
    with pytest.raises(ValueError, match="the bucket -2, accepted is a bucket from -1 to 5"):
        _core.python_family(mine, 6).probe(vectors(10, 6), 3)


@pytest.mark.parametrize("value", [0, -3, 2.5, None, 2**40, "two"])
def test_the_sizes_of_families_written_in_python_are_checked(value):
    mine = ByLargest()
    mine.n_buckets = value
    with pytest.raises(ValueError, match=r"n_buckets is .*, accepted is an integer from 1"):
        _core.python_family(mine, 6)


def test_exceptions_of_families_written_in_python_arrive():
    class Broken(ByLargest):
        def hash(self, x):
            raise KeyError("broken on purpose")

    family = _core.python_family(Broken(), 6)
    for n_threads in (1, 3):
        with pytest.raises(KeyError, match="broken on purpose"):
            family.hash(vectors(3000, 6), n_threads=n_threads)
