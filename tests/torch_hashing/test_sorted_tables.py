"""Tables find what lies in the buckets, codes what is nearest: both against all rows, after many changes."""

import copy

import numpy as np
import pytest
import torch

from hashslide.errors import InputError
from hashslide.torch.hashing import Codes, SimHash, Tables, pack_bits
from hashslide.torch.hashing import codes as codes_module

SIZE, L, BUCKETS = 800, 5, 64


def probed(rng, n, probes=3):
    """Buckets to look into: different ones for each table, some of them none."""
    wanted = np.stack([[rng.permutation(BUCKETS)[:probes] for _ in range(L)] for _ in range(n)])
    wanted[rng.random(wanted.shape) < 0.1] = -1
    return torch.from_numpy(wanted)


def counted(buckets, wanted):
    """Buckets of each query that hold each row, (n, SIZE)."""
    same = (buckets[None, :, :, None] == wanted[:, None]) & (wanted[:, None] >= 0)
    return same.sum(dim=(2, 3))


def dense(candidates, n):
    found = torch.zeros(n, SIZE, dtype=torch.int64)
    for i in range(n):
        part = slice(candidates.offsets[i], candidates.offsets[i + 1])
        assert (candidates.rows[part].diff() > 0).all()
        found[i, candidates.rows[part]] = candidates.counts[part]
    return found


@pytest.fixture
def changed():
    """Tables that rows have moved in, back and forth, and the buckets in which all rows are."""
    rng = np.random.default_rng(0)
    buckets = torch.from_numpy(rng.integers(-1, BUCKETS, (SIZE, L)))
    tables = Tables(L, BUCKETS, SIZE)
    tables.build(buckets)
    first = buckets.clone()
    for step in range(60):
        rows = torch.from_numpy(rng.permutation(SIZE)[:13])
        moved = first[rows] if step % 3 == 2 else torch.from_numpy(rng.integers(-1, BUCKETS, (13, L)))
        buckets[rows] = moved
        tables.update(rows, moved)
    return tables, buckets, rng


def test_a_look_up_finds_each_row_as_often_as_it_lies_there(changed):
    tables, buckets, rng = changed
    wanted = probed(rng, 9)
    assert torch.equal(dense(tables.query(wanted), 9), counted(buckets, wanted))
    single = wanted[:, :, 0]
    assert torch.equal(dense(tables.query(single), 9), counted(buckets, single[:, :, None]))


def test_updates_give_what_a_build_gives(changed):
    tables, buckets, rng = changed
    built = Tables(L, BUCKETS, SIZE, seed=9)
    built.build(buckets)
    wanted = probed(rng, 9)
    for a, b in zip(tables.query(wanted), built.query(wanted), strict=True):
        assert torch.equal(a, b)


def test_runs_stay_few_and_short():
    tables = Tables(2, 16, 4096)
    tables.build(torch.zeros(4096, 2, dtype=torch.int64))
    sizes = []
    for i in range(700):
        tables.update(torch.arange(20) + i % 300, torch.full((20, 2), i % 16))
        sizes.append((len(tables.runs), sum(len(run.keys) for run in tables.runs)))
    assert max(runs for runs, _ in sizes) <= 14
    # Entries that are out of date are thrown away when runs merge, so that the tables do not grow for ever.
    assert max(entries for _, entries in sizes) <= 1.5 * 2 * 4096


def test_nothing_asks_for_nothing(changed):
    tables, _, _ = changed
    found = tables.query(torch.zeros(0, L, 2, dtype=torch.int64))
    assert found.offsets.tolist() == [0] and found.most_frequent(3).shape == (0, 3)
    codes = Codes(70, 5)
    codes.update(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 70, dtype=torch.bool))
    assert codes.nearest(torch.zeros(0, 70, dtype=torch.bool), 2)[0].shape == (0, 2)


def test_copies_are_independent(changed):
    tables, buckets, rng = changed
    other, wanted = copy.deepcopy(tables), probed(rng, 4)
    other.build(torch.full((SIZE, L), -1))
    assert not len(other.query(wanted).rows)
    assert torch.equal(dense(tables.query(wanted), 4), counted(buckets, wanted))
    assert torch.equal(dense(tables.to("cpu").half().query(wanted), 4), counted(buckets, wanted))


def test_a_bound_on_buckets_shows_a_random_part():
    tables = Tables(1, 2, 1000, bucket_size=50, seed=1)
    tables.build((torch.arange(1000) % 2)[:, None])
    found = tables.query(torch.tensor([[1]]))
    assert len(found.rows) == 50 and (found.rows % 2 == 1).all()
    assert 350 < found.rows.double().mean() < 650  # 500, within 3.7 standard errors
    other = Tables(1, 2, 1000, bucket_size=50, seed=2)
    other.build((torch.arange(1000) % 2)[:, None])
    assert not torch.equal(other.query(torch.tensor([[1]])).rows, found.rows)


def test_the_most_frequent_come_first(changed):
    tables, buckets, rng = changed
    wanted = probed(rng, 6)
    counts = counted(buckets, wanted)
    best = tables.query(wanted).most_frequent(SIZE)
    for row, of_row in zip(best, counts, strict=True):
        order = of_row.argsort(descending=True, stable=True)
        expected = order[of_row[order] > 0]
        assert torch.equal(row[: len(expected)], expected)
        assert (row[len(expected) :] == -1).all()
    assert (tables.query(torch.full((2, L), -1)).most_frequent(3) == -1).all()


def test_near_vectors_are_found():
    x = torch.randn(2000, 24, generator=torch.Generator().manual_seed(0))
    family = SimHash(24, 2000, tables=20, hashes=8)
    tables = Tables(family.n_tables, family.n_buckets, 2000)
    tables.build(family(x))
    near = x[:50] + 0.3 * torch.randn(50, 24, generator=torch.Generator().manual_seed(1))
    found = tables.query(family.probe(near, 2)).most_frequent(1)[:, 0]
    assert (found == torch.arange(50)).float().mean() > 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: t.build(torch.zeros(SIZE, L)), "of float32; accepted is a tensor"),
        (
            lambda t: t.build(torch.zeros(SIZE - 1, L, dtype=torch.int64)),
            rf"accepted is a tensor \({SIZE}, {L}\)",
        ),
        (lambda t: t.build(torch.full((SIZE, L), BUCKETS)), "accepted is -1 to 63"),
        (lambda t: t.update(torch.tensor([1, 1]), torch.zeros(2, L, dtype=torch.int64)), "names a row twice"),
        (lambda t: t.update(torch.tensor([SIZE]), torch.zeros(1, L, dtype=torch.int64)), "rows holds 800"),
        (lambda t: t.update(torch.tensor([0]), torch.zeros(2, L, dtype=torch.int64)), r"\(1, 5\)"),
        (lambda t: t.query(torch.zeros(2, L + 1, dtype=torch.int64)), "accepted is a tensor"),
        (lambda t: t.query(torch.tensor([[-2] * L])), "holds -2"),
        (lambda t: t.query([[0] * L]), "is a list"),
        (lambda t: t.query(torch.zeros(1, L, dtype=torch.int64)).most_frequent(0), "k is 0"),
    ],
)
def test_what_tables_refuse_changes_nothing(changed, call, message):
    tables, buckets, rng = changed
    with pytest.raises(InputError, match=message):
        call(tables)
    wanted = probed(rng, 3)
    assert torch.equal(dense(tables.query(wanted), 3), counted(buckets, wanted))


@pytest.mark.parametrize("n_bits", [1, 63, 64, 100, 256])
@pytest.mark.parametrize("block", [2**20, 64])
def test_codes_find_the_nearest(n_bits, block, monkeypatch):
    monkeypatch.setattr(codes_module, "BLOCK", block)
    monkeypatch.setattr(codes_module, "FEWEST_ROWS", 37)
    generator = torch.Generator().manual_seed(n_bits)
    bits = torch.rand(500, n_bits, generator=generator) > 0.5
    queries = torch.rand(7, n_bits, generator=generator) > 0.5
    held = torch.randperm(500, generator=generator)[:400]
    codes = Codes(n_bits, 500)
    codes.update(held, ~bits[held])
    codes.update(held, bits[held])
    distances = (queries[:, None] != bits).sum(dim=2)
    distances[:, ~torch.isin(torch.arange(500), held)] = 10**6
    order = distances.argsort(dim=1, stable=True)
    for k in (1, 20, 450):
        rows, found = codes.nearest(queries, k)
        n = min(k, 400)
        assert torch.equal(rows[:, :n], order[:, :n])
        assert torch.equal(found[:, :n], distances.gather(1, order[:, :n]))
        assert (rows[:, n:] == -1).all() and (found[:, n:] == -1).all()
    codes.remove(rows[0, :1])
    assert codes.nearest(queries, 1)[0][0, 0] == order[0, 1]


def test_bits_are_counted_alike_on_every_device(monkeypatch):
    words = torch.randint(-(2**63), 2**63 - 1, (500,), generator=torch.Generator().manual_seed(0))
    words[:4] = torch.tensor([0, -1, 1, -(2**63)])
    expected = [bin(word & (2**64 - 1)).count("1") for word in words.tolist()]
    assert codes_module.popcount(words).tolist() == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert codes_module.popcount(words).tolist() == expected


def test_bits_are_packed_in_order():
    bits = torch.zeros(2, 70, dtype=torch.bool)
    bits[0, [0, 5, 63]] = True
    bits[1, 64] = True
    assert pack_bits(bits).tolist() == [[33 - 2**63, 0], [0, 1]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.update(torch.tensor([0]), torch.zeros(1, 9)), "bool tensor"),
        (
            lambda c: c.update(torch.tensor([0]), torch.zeros(1, 8, dtype=torch.bool)),
            "8 columns; accepted are 9",
        ),
        (lambda c: c.update(torch.tensor([0, 0]), torch.zeros(2, 9, dtype=torch.bool)), "names a row twice"),
        (lambda c: c.update(torch.tensor([0]), torch.zeros(2, 9, dtype=torch.bool)), "2 rows for 1 rows"),
        (lambda c: c.nearest(torch.zeros(1, 9, dtype=torch.bool), 0), "k is 0"),
        (lambda c: c.remove(torch.tensor([5])), "accepted is 0 to 4"),
        (lambda c: Codes(0, 5), "n_bits is 0"),
    ],
)
def test_what_codes_refuse(call, message):
    codes = Codes(9, 5)
    with pytest.raises(InputError, match=message):
        call(codes)
    assert codes.absent.all()
