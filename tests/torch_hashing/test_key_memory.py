"""The memory keeps the rules of Kaiser et al. 2017, whatever index it has, and costs what it promises."""

import copy

import pytest
import torch
from torch.nn.functional import normalize

from hashslide.errors import InputError
from hashslide.torch.hashing import LearnedCells, Tables
from hashslide.torch.memory import Memory

KINDS = {
    "exact": {},
    "codes": {"bits": 128},
    "tables": {},
    "cells": {"index": "tables", "hash": LearnedCells(12, 16), "probes": 8},
}


def memory(kind="exact", size=200, neighbours=16, seed=0, **settings):
    chosen = {"index": kind} | copy.deepcopy(KINDS[kind]) | settings
    return Memory(12, size, neighbours, seed=seed, **chosen)


def batches(n, classes=30, batch=16, seed=0):
    """Queries around the centres of their values."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, 12, generator=generator)
    for _ in range(n):
        y = torch.randint(classes, (batch,), generator=generator)
        yield centres[y] + 0.4 * torch.randn(batch, 12, generator=generator), y


def trained(kind, n=30, **settings):
    m = memory(kind, **settings)
    for q, y in batches(n):
        m(q, y)
    return m


def all_equal(a, b):
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_one_example_is_enough(kind):
    m = memory(kind)
    (q, y), *_ = batches(1, classes=1000)
    assert (m.query(q).values == -1).all()
    m(q, y)
    assert torch.equal(m.query(q).values, y)


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_known_after_some_batches(kind):
    m = trained(kind)
    right = [(m.query(q).values == y).float().mean() for q, y in batches(20, seed=0)]
    assert torch.stack(right).mean() > 0.9


def test_neighbours_are_the_nearest_of_all():
    m = trained("exact")
    for q, _ in batches(2, seed=3):
        found = m.query(q, 7)
        similarity = normalize(q, dim=1) @ m.keys.T
        similarity[:, m.values < 0] = -torch.inf
        best = similarity.topk(7)
        assert torch.equal(found.neighbours, best.indices)
        torch.testing.assert_close(found.similarity, best.values)
        assert torch.equal(found.values, m.values[best.indices[:, 0]])


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_found_is_in_order_and_exactly_scored(kind):
    m = trained(kind)
    for q, _ in batches(2, seed=3):
        found = m.query(q)
        is_slot = found.neighbours >= 0
        assert is_slot[:, 0].all()
        assert (found.similarity[~is_slot] == -torch.inf).all()
        exact = (normalize(q, dim=1)[:, None] * m.keys[found.neighbours.clamp(min=0)]).sum(dim=2)
        torch.testing.assert_close(found.similarity[is_slot], exact[is_slot])
        assert (found.similarity.diff(dim=1).nan_to_num(0) <= 0).all()
        assert (m.values[found.neighbours[is_slot]] >= 0).all()


def test_a_hit_turns_the_key_towards_all_queries_that_hit_it():
    m = memory()
    e = torch.eye(12)
    m.write(e[:2], torch.tensor([5, 6]))
    slots = m.query(e[:2]).neighbours[:, 0]
    q = torch.stack([e[0] + 0.1 * e[3], e[0] + 0.2 * e[4], e[1]])
    written = m.write(q, torch.tensor([5, 5, 6]))
    assert torch.equal(written, slots[[0, 0, 1]])
    assert (m.values >= 0).sum() == 2
    sums = e[0] + normalize(q[:2], dim=1).sum(dim=0)
    torch.testing.assert_close(m.keys[slots[0]], normalize(sums, dim=0))
    torch.testing.assert_close(m.keys[slots[1]], e[1])


def test_misses_overwrite_the_longest_unused_slots():
    """Against a plain list of last uses, over many more writes than slots."""
    m = memory(size=40, seed=3)
    last = torch.full((40,), -1)
    for step, (q, y) in enumerate(batches(60, classes=200), start=1):
        found = m.query(q)
        nearest = found.neighbours[:, 0]
        is_hit = (nearest >= 0) & (found.values == y)
        slots = m.write(q, y, found)
        assert torch.equal(slots[is_hit], nearest[is_hit])
        new = slots[~is_hit]
        assert len(new.unique()) == len(new)
        last[nearest[is_hit]] = step
        untouched = torch.ones(40, dtype=torch.bool)
        untouched[slots] = False
        if len(new):
            assert last[new].max() < step and (last[new].max() <= last[untouched]).all()
        last[new] = step
        assert torch.equal(m.last_used, last)
        assert torch.equal(m.values[new], y[~is_hit])
        torch.testing.assert_close(m.keys[new], normalize(q[~is_hit], dim=1))
    assert torch.equal(m.ages, 60 - last)


def test_equally_old_slots_are_chosen_at_random_by_the_seed():
    chosen = {}
    for seed in (0, 0, 1):
        slots = memory(seed=seed).write(torch.eye(12), torch.arange(12)).tolist()
        assert chosen.setdefault(seed, slots) == slots
    assert chosen[0] != chosen[1] and chosen[0] != sorted(chosen[0])


def test_the_loss_is_the_margin_between_the_nearest_keys():
    m = memory(margin=0.3)
    e = torch.eye(12)
    m.write(e[:3], torch.tensor([0, 1, 2]))
    q = torch.stack([e[0] + e[1], 3 * e[0], e[1] + 0.5 * e[2], e[1]]).requires_grad_()
    y = torch.tensor([0, 0, 2, 9])
    expected = [0.3, 0.0, 0.3 + 0.5 / 1.25**0.5, 1.3]  # the third: (1 - .5) / |q|; the last value has no key
    loss = m.loss(q, y)
    torch.testing.assert_close(loss, torch.tensor(expected).mean())
    loss.backward()
    assert (q.grad[0] != 0).any() and (q.grad[1] == 0).all()
    assert m.loss(torch.zeros(0, 12), torch.zeros(0, dtype=torch.int64)) == 0
    assert memory().loss(q, y) == 0  # nothing is known to be wrong


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_changes_nothing(kind):
    m = trained(kind)
    before = copy.deepcopy(m.state_dict())
    assert m(torch.zeros(0, 12), torch.zeros(0, dtype=torch.int64)) == 0
    assert m.query(torch.zeros(0, 12)).values.shape == (0,)
    assert all(torch.equal(before[name], part) for name, part in m.state_dict().items())


def test_only_training_writes():
    m = trained("exact").eval()
    before = copy.deepcopy(m.state_dict())
    for q, y in batches(2, seed=9):
        m(q, y)
    assert all(torch.equal(before[name], part) for name, part in m.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_and_a_loaded_state_go_on_alike(kind):
    m = trained(kind)
    loaded = memory(kind)
    loaded.load_state_dict(m.state_dict())
    copied = copy.deepcopy(m)
    for q, y in batches(5, classes=60, seed=4):
        for other in (loaded, copied):
            all_equal(other.query(q), m.query(q))
            other.write(q, y)
        m.write(q, y)
    for other in (loaded, copied):
        for name in ("keys", "values", "last_used", "queue"):
            assert torch.equal(getattr(other, name), getattr(m, name))


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_that_followed_writes_finds_what_a_new_one_finds(kind):
    m = trained(kind, n=80, size=60)  # every slot is overwritten many times
    followed = [m.query(q) for q, _ in batches(3, seed=7)]
    m.index.rebuild(m.keys, m.values >= 0)
    for (q, _), found in zip(batches(3, seed=7), followed, strict=True):
        all_equal(m.query(q), found)


def test_cells_that_were_learned_before_stay():
    m = trained("cells")
    family = copy.deepcopy(m.index.hash)
    loaded = memory("cells", hash=family)
    state = memory("cells").state_dict() | {
        name: getattr(m, name) for name in ("keys", "values", "last_used")
    }
    loaded.load_state_dict(state | {f"index.hash.{name}": part for name, part in family.state_dict().items()})
    before = loaded.index.hash.centres.clone()
    for q, y in batches(1, seed=4):
        loaded.write(q, y)
    assert torch.equal(loaded.index.hash.centres, before)


@pytest.mark.parametrize("kind", KINDS)
def test_reset_forgets_everything(kind):
    m = trained(kind)
    m.reset()
    (q, y), *_ = batches(1, classes=1000)
    assert (m.query(q).values == -1).all()
    m(q, y)
    assert torch.equal(m.query(q).values, y) and (m.values >= 0).sum() == 16


@pytest.mark.parametrize("kind", ["exact", "codes", "tables"])
def test_the_cost_of_a_write_does_not_grow_with_the_slots(kind, monkeypatch):
    """Entries that tables sort, and slots that are queued up: the same for 1,000 and for 50,000 slots."""
    calls = []
    sort = Tables._sorted

    def counting_sort(*run):
        calls.append(len(run[0]))
        return sort(*run)

    monkeypatch.setattr(Tables, "_sorted", staticmethod(counting_sort))
    touched = {}
    for size in (1000, 50_000):
        m = memory(kind, size=size)
        m(*next(batches(1)))  # the first write makes the queue
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Memory, "_queue_up", lambda self: calls.append(self.size))
            for q, y in batches(10, classes=10**6, seed=2):
                m(q, y)
        touched[size] = sum(calls)
    assert touched[1000] == touched[50_000]
    assert (touched[1000] > 0) == (kind == "tables")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_queries_and_keys_may_have_other_types(kind, dtype):
    m = trained(kind).to(dtype)
    for q, y in batches(3):
        assert m(q.to(dtype), y).isfinite()
        assert (m.query(q.to(dtype)).values == y).float().mean() > 0.8
    assert m.keys.dtype == dtype


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.query(torch.zeros(2, 11)), r"queries is a tensor \(2, 11\)"),
        (lambda m: m.query(torch.full((1, 12), torch.nan)), "NaN"),
        (lambda m: m.query(torch.zeros(2, 12), 0), "neighbours is 0"),
        (lambda m: m(torch.zeros(2, 12), torch.zeros(3, dtype=torch.int64)), r"accepted is a tensor \(2\)"),
        (lambda m: m(torch.zeros(2, 12), torch.zeros(2)), "of integers"),
        (lambda m: m(torch.zeros(1, 12), torch.tensor([-1])), "values holds -1"),
        (
            lambda m: m(torch.ones(201, 12), torch.zeros(201, dtype=torch.int64)),
            "201 is to be written into 200",
        ),
    ],
)
def test_what_a_memory_refuses_is_not_written(call, message):
    m = trained("exact")
    before = copy.deepcopy(m.state_dict())
    with pytest.raises(InputError, match=message):
        call(m)
    assert all(torch.equal(before[name], part) for name, part in m.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"key_dim": 0}, "key_dim is 0"),
        ({"size": 0}, "size is 0"),
        ({"neighbours": 0}, "neighbours is 0"),
        ({"index": "faiss"}, "index is 'faiss'; accepted are 'exact', 'codes', 'tables'"),
        ({"margin": -1}, "margin is -1"),
        ({"index": "codes", "bits": 0}, "bits is 0"),
        ({"index": "tables", "probes": 0}, "probes is 0"),
        ({"index": "tables", "hash": LearnedCells(5, 4)}, "of width 5"),
        ({"index": "tables", "hash": "dwta"}, "hash is 'dwta'"),
        ({"hash": LearnedCells(4, 4)}, 'only index="tables" uses it'),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Memory(**({"key_dim": 4, "size": 10} | settings))
