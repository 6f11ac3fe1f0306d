"""The families in torch operations give the core's buckets, and keep the laws of their hashes."""

import copy

import numpy as np
import pytest
import torch

from hashslide import _core
from hashslide.errors import InputError
from hashslide.reference.kmeans import KMeansCells
from hashslide.torch.hashing import DWTA, WTA, LearnedCells, MinHash, SimHash
from hashslide.torch.hashing import elementary as elementary_module

FAMILIES = {"simhash": SimHash, "wta": WTA, "dwta": DWTA, "minhash": MinHash}
SHAPES = [
    (130, 100_000, 7, 6),  # folded, except SimHash
    (37, 200, 3, 2),  # packed
    (1, 50, 2, 3),
    (5, 1000, 1, 4),
    (64, 1, 2, 2),  # one bucket
    (50, 3000, 2, 40),  # more than 30 bits, SimHash included
    (20, 10**9, 2, 7),  # codes of 28 bits
]


def vectors(n, width, density=1.0, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, width)).astype(np.float32)
    return x * (rng.random((n, width)) < density).astype(np.float32)


def both(name, width, size, tables, hashes, round_=2, **settings):
    core = _core.hash_family(name, width, size, tables, hashes, seed=3, **settings)
    core.draw(round_)
    family = FAMILIES[name](width, size, tables=tables, hashes=hashes, seed=3, **settings)
    family.draw(round_)
    assert family.n_buckets == core.n_buckets
    return core, family


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("width", "size", "tables", "hashes"), SHAPES)
@pytest.mark.parametrize("density", [1.0, 0.1])
def test_buckets_and_probes_are_the_cores(name, width, size, tables, hashes, density):
    core, family = both(name, width, size, tables, hashes)
    x = np.rint(4 * vectors(20, width, density))  # many ties, and rows with few entries
    x[5] = 0
    np.testing.assert_array_equal(family(torch.from_numpy(x)), core.hash(x))
    np.testing.assert_array_equal(family.probe(torch.from_numpy(x), 6), core.probe(x, 6))
    np.testing.assert_array_equal(family.probe(torch.from_numpy(x), 1), core.probe(x, 1))


@pytest.mark.parametrize(
    ("name", "settings"),
    [("wta", {"bin_size": b}) for b in (2, 4, 32)]
    + [("dwta", {"bin_size": b}) for b in (2, 16)]
    + [("minhash", {"top": t}) for t in (1, 2, 7, 1000)],
)
def test_other_settings_give_the_cores_probes(name, settings):
    core, family = both(name, 45, 5000, 4, 3, **settings)
    x = vectors(40, 45, 0.4)
    np.testing.assert_array_equal(family.probe(torch.from_numpy(x), 4), core.probe(x, 4))


@pytest.mark.parametrize("name", FAMILIES)
def test_other_rounds_and_seeds_are_the_cores_too(name):
    core, family = both(name, 30, 5000, 8, 5)
    x = vectors(60, 30, 0.6)
    before = family(torch.from_numpy(x))
    core.draw(9)
    family.draw(9)
    np.testing.assert_array_equal(family(torch.from_numpy(x)), core.hash(x))
    assert (family(torch.from_numpy(x)) != before).float().mean() > 0.3
    other = FAMILIES[name](30, 5000, tables=8, hashes=5, seed=4)
    other.draw(2)
    assert (other(torch.from_numpy(x)) != before).float().mean() > 0.3


@pytest.mark.parametrize("name", FAMILIES)
def test_blocks_of_rows_do_not_tell(name, monkeypatch):
    _, family = both(name, 30, 5000, 4, 3)
    x = torch.from_numpy(np.rint(4 * vectors(50, 30, 0.3)))
    expected = family(x), family.probe(x, 3)
    monkeypatch.setattr(elementary_module, "BLOCK", 1000)
    torch.testing.assert_close((family(x), family.probe(x, 3)), expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_types_are_hashed_as_float32(name, dtype):
    _, family = both(name, 30, 5000, 4, 3)
    x = torch.from_numpy(vectors(50, 30, 0.5)).to(dtype)
    expected = family(x.float())
    assert torch.equal(family(x), expected)
    assert torch.equal(copy.deepcopy(family).to(dtype)(x), expected)  # the functions keep their precision


@pytest.mark.parametrize("name", FAMILIES)
def test_the_law_of_the_hashes_holds(name):
    """Shares of 4,000 hashes, within five standard errors of the law.

    Of independent hashes, one share in two million lies farther off. Those of one permutation are not
    independent, but not more alike than chance.
    """
    tables = 4000
    family = FAMILIES[name](64, 2**20, tables=tables, hashes=1, seed=11)
    core = _core.hash_family(name, 64, 2**20, tables, 1, seed=11)
    rng = np.random.default_rng(5)
    for density, noise in [(1.0, 0.3), (1.0, 1.5)] + [(0.4, 0.5)] * (name in ("dwta", "minhash")):
        a, b = vectors(2, 64, density, seed=int(10 * noise))
        b = (a + np.float32(noise) * b) * (rng.random(64) < 0.9 if density < 1 else 1)
        p = core.collision_probability(a, b.astype(np.float32))
        codes = family(torch.from_numpy(np.stack([a, b]).astype(np.float32)))
        agree = (codes[0] == codes[1]).float().mean().item()
        assert abs(agree - p) < 5 * np.sqrt(p * (1 - p) / tables)


def test_signs_are_the_bits_of_the_codes():
    family = SimHash(20, 2**10, tables=3, hashes=10)
    x = torch.from_numpy(vectors(30, 20))
    signs = family.signs(x).reshape(30, 3, 10).long()
    assert torch.equal((signs << torch.arange(10)).sum(dim=2), family(x))


def test_learned_cells_are_those_of_the_twin():
    x = vectors(3000, 16) * np.linspace(0.5, 2, 3000, dtype=np.float32)[:, None]
    x[:1500] += 1  # a dense part, whose cells have to be balanced
    twin, cells = KMeansCells(20, 16, 2, 5), LearnedCells(16, 20, tables=2, seed=5)
    for family, vectors_ in ((twin, x), (cells, torch.from_numpy(x))):
        family.draw(1)
        family.learn(vectors_)
    assert (twin.penalties > 0).any()
    queries = vectors(200, 16, seed=1)
    # Sums of another order round differently: a vector just between two cells may change sides.
    assert (cells(torch.from_numpy(x)).numpy() == twin.hash(x)).mean() > 0.99
    assert (cells.probe(torch.from_numpy(queries), 3).numpy() == twin.probe(queries, 3)).mean() > 0.99
    np.testing.assert_allclose(cells.penalties, twin.penalties, atol=1e-3)


def test_cells_follow_what_is_hashed_again():
    x = vectors(400, 8)
    cells = LearnedCells(8, 10)
    cells.learn(torch.from_numpy(x))
    twin = KMeansCells(10, 8, 1, 0)
    twin.centres = cells.centres.numpy().copy()
    moved = x[:3] + 1  # few: the twin moves a centre vector by vector, and their order counts
    buckets = np.array([[1], [2], [7]])
    sizes = np.full((1, 10), 40)
    twin.follow(moved, buckets, sizes)
    cells.follow(torch.from_numpy(moved), torch.from_numpy(buckets), torch.from_numpy(sizes))
    np.testing.assert_allclose(cells.centres, twin.centres, atol=1e-6)
    assert (cells.probe(torch.from_numpy(x[:4]), 12)[:, :, 10:] == -1).all()


def test_learned_cells_travel_in_a_state_dict():
    x = torch.from_numpy(vectors(300, 8))
    cells, other = LearnedCells(8, 12), LearnedCells(8, 12, seed=1)
    cells.learn(x)
    other.load_state_dict(cells.state_dict())
    assert torch.equal(other(x), cells(x))


@pytest.mark.parametrize("name", FAMILIES)
def test_no_vectors_have_no_buckets(name):
    family = FAMILIES[name](30, 5000, tables=4, hashes=3)
    assert family(torch.zeros(0, 30)).shape == (0, 4)
    assert family.probe(torch.zeros(0, 30), 3).shape == (0, 4, 3)


@pytest.mark.parametrize("family", [SimHash(5, 10), DWTA(5, 10), MinHash(5, 10)], ids=lambda f: f.stream)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 5), np.float32), "is a ndarray; accepted is a floating point tensor"),
        (torch.zeros(2, 4), r"a tensor \(2, 4\) of float32; accepted is a floating point tensor \(n, 5\)"),
        (torch.zeros(5), r"a tensor \(5,\)"),
        (torch.zeros(2, 5, dtype=torch.int64), "of int64"),
        (torch.tensor([[0, 1, torch.nan, 0, 0]]), "NaN or infinite"),
        (torch.tensor([[0, 1, -torch.inf, 0, 0]]), "NaN or infinite"),
    ],
)
def test_what_cannot_be_hashed_is_refused(family, x, message):
    for hashed in (family, lambda x: family.probe(x, 3)):
        with pytest.raises(InputError, match=message):
            hashed(x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SimHash(0, 10), "width is 0"),
        (lambda: SimHash(4, 0), "size is 0"),
        (lambda: SimHash(4, 10, tables=0), "tables is 0"),
        (lambda: DWTA(4, 10, hashes=1.5), "hashes is 1.5"),
        (lambda: DWTA(4, 10, bin_size=6), "bin_size is 6; accepted is a power of two"),
        (lambda: MinHash(4, 10, top=0), "top is 0"),
        (lambda: SimHash(4, 10, seed=-1), "seed is -1"),
        (lambda: LearnedCells(4, 0), "cells is 0"),
        (lambda: LearnedCells(4, 3)(torch.zeros(1, 4)), "call learn"),
        (lambda: LearnedCells(4, 3).learn(torch.zeros(0, 4)), "no row to learn"),
        (lambda: SimHash(4, 10).probe(torch.zeros(1, 4), 0), "probes is 0"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
