"""The index of a layer's neurons: against its twin, schedule, threads, saving, growth, mapping, cells."""

from itertools import product

import numpy as np
import pytest

from hashslide import _core
from hashslide.reference.kmeans import KMeansCells
from hashslide.reference.tables import MipsMap, NeuronIndex

N, WIDTH, SEED = 900, 12, 11
BUILT_ONCE = {"rehash_first": 1, "rehash_growth": 1e9, "rehash_every": 1}


def neurons(n=N, seed=0):
    """Clusters of neurons, some of them long, as trained ones are."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, WIDTH)) * rng.gamma(1, 2, (30, 1))
    weight = centres[rng.integers(30, size=n)] + 0.3 * rng.normal(size=(n, WIDTH))
    return weight.astype(np.float32), rng.normal(size=n).astype(np.float32)


def changed(weight, bias, ids, rng):
    weight, bias = weight.copy(), bias.copy()
    weight[ids] += rng.normal(size=(len(ids), WIDTH)).astype(np.float32)
    bias[ids] += 0.5
    return weight, bias


def make(n=N, **settings):
    settings = {"family": "kmeans", "tables": 2, "cells": 25, "centre": True, "probes": 3} | settings
    return _core.NeuronIndex(n, WIDTH, SEED, **settings)


def make_twin(cells=25, tables=2, n=N, **settings):
    options = ("bias", "centre", "centre_queries", "augment", "norm_ranges")
    mips = MipsMap(WIDTH, **{"centre": True} | {k: settings.pop(k) for k in options if k in settings})
    family = KMeansCells(cells, WIDTH + mips.bias + mips.augment, tables, SEED)
    return NeuronIndex(family, n, SEED, mips=mips, **{"probes": 3} | settings)


def assert_same_state(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def train(index, weight, bias, steps, rng, n_threads=1):
    """Change and touch some neurons in each step."""
    for step in steps:
        ids = rng.choice(len(weight), 40, replace=False).astype(np.int32)
        weight, bias = changed(weight, bias, ids, rng)
        queries = (1 + rng.normal(size=(30, WIDTH))).astype(np.float32)
        (index if isinstance(index, _core.NeuronIndex) else index.map).observe(queries)
        index.touch(ids)
        index.maintain(weight, bias, step, *([n_threads] if isinstance(index, _core.NeuronIndex) else []))
    return weight, bias


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"bucket_policy": "fifo", "bucket_size": 4},
        {"augment": True},
        {"norm_ranges": 3, "rehash_changed": 0.1},
        {"norm_ranges": 2, "augment": True, "bias": False, "centre": False},
        {"centre_queries": True},
        {"centre_queries": True, "centre": False, "augment": True, "norm_ranges": 2},
    ],
)
def test_equals_its_twin_over_training(settings):
    schedule = {"rehash_first": 3, "rehash_growth": 3.0, "rehash_every": 2}
    core, twin = make(**schedule | settings), make_twin(**schedule | settings)
    for index in (core, twin):
        train(index, *neurons(), range(1, 20), np.random.default_rng(1))
    assert core.ready
    progress = [N, twin.builds, twin.next_build, twin.next_rehash, twin.changed]
    assert core.state()["progress"].tolist() == progress
    for t, table in enumerate(twin.tables):
        np.testing.assert_array_equal(core.table(t).buckets, table.buckets)
        np.testing.assert_array_equal(core.table(t).members, table.members)
    np.testing.assert_array_equal(core.state()["touched"], twin.touched)
    h = np.random.default_rng(2).normal(size=(300, WIDTH)).astype(np.float32)
    found = core.look_up(h, 1)
    assert found.shape == (300, 2, core.probes)
    np.testing.assert_array_equal(found, twin.look_up(h))


@pytest.mark.parametrize(
    "settings", [{}, {"family": "dwta", "tables": 7, "hashes": 3, "norm_ranges": 2}, {"centre_queries": True}]
)
def test_is_the_same_for_any_number_of_threads(settings):
    states, found = [], []
    h = np.random.default_rng(2).normal(size=(1000, WIDTH)).astype(np.float32)
    for n_threads in (1, 2, 3):
        index = make(5000, rehash_first=2, rehash_every=1, augment=True, **settings)
        train(index, *neurons(5000), range(1, 8), np.random.default_rng(1), n_threads)
        states.append(index.state())
        found.append(index.look_up(h, n_threads))
    for other in (1, 2):
        assert_same_state(states[0], states[other])
        np.testing.assert_array_equal(found[0], found[other])


@pytest.mark.parametrize("policy", ["fifo", "reservoir"])
@pytest.mark.parametrize("saved_after", [1, 5, 9])
@pytest.mark.parametrize(("family", "centred"), [("kmeans", False), ("kmeans", True), ("simhash", True)])
def test_a_restored_index_behaves_the_same(policy, saved_after, family, centred):
    settings = {
        "centre_queries": centred,
        "bucket_policy": policy,
        "family": family,
        "rehash_first": 3,
        "rehash_every": 4,
        "bucket_size": 5,
    }
    index, copy = make(**settings), make(**settings)
    rng = np.random.default_rng(3)
    weight, bias = train(index, *neurons(), range(1, saved_after + 1), rng)
    copy.restore(index.state(), 1)
    assert_same_state(index.state(), copy.state())
    for one in (index, copy):
        train(one, weight, bias, range(saved_after + 1, 20), np.random.default_rng(4))
    assert_same_state(index.state(), copy.state())


def test_a_state_of_another_size_is_refused():
    index = make(rehash_first=1)
    train(index, *neurons(), range(1, 3), np.random.default_rng(0))
    with pytest.raises(ValueError, match="number of neurons"):
        make(N + 1).restore(index.state(), 1)
    with pytest.raises(ValueError, match="number of cells"):
        make(cells=24).restore(index.state(), 1)


def test_touched_neurons_move_to_the_buckets_of_a_fresh_build():
    """Without learning, re-hashing what has changed gives the members of a build with the same functions."""
    weight, bias = neurons()
    settings = {"family": "simhash", "hashes": 5, "centre": False} | BUILT_ONCE
    moved, built = make(**settings), make(**settings)
    moved.maintain(weight, bias, 1, 1)
    ids = np.arange(0, N, 3, dtype=np.int32)
    weight, bias = changed(weight, bias, ids, np.random.default_rng(5))
    before = moved.table(0).buckets
    moved.touch(ids)
    moved.maintain(weight, bias, 2, 1)
    built.maintain(weight, bias, 2, 1)
    for t in range(2):
        np.testing.assert_array_equal(moved.table(t).buckets, built.table(t).buckets)
    assert (moved.table(0).buckets != before).sum() > 20


def builds_of(index, weight, bias, steps):
    """Steps of the full rebuilds."""
    out, builds = [], 0
    for step in steps:
        index.maintain(weight, bias, step, 1)
        if index.state()["progress"][1] > builds:
            builds += 1
            out.append(step)
    return out


@pytest.mark.parametrize(
    ("growth", "expected"),
    [(2.0, [3, 6, 12, 24]), (1.5, [3, 5, 8, 12, 18, 27]), (1.01, list(range(3, 31))), (1e300, [3])],
)
def test_rebuilds_decay_exponentially(growth, expected):
    index = make(200, cells=5, tables=1, rehash_first=3, rehash_growth=growth)
    assert builds_of(index, *neurons(200), range(1, 31)) == expected


def test_rebuilds_when_enough_codes_have_changed():
    index = make(rehash_changed=0.2, **BUILT_ONCE)
    weight, bias = neurons()
    index.maintain(weight, bias, 1, 1)
    index.touch(np.arange(N, dtype=np.int32))
    index.maintain(weight, bias, 2, 1)
    assert index.state()["progress"].tolist()[1] == 1
    shuffled = np.random.default_rng(0).permutation(N)
    index.touch(np.arange(N, dtype=np.int32))
    index.maintain(weight[shuffled], bias[shuffled], 3, 1)
    assert index.state()["progress"].tolist()[1::3] == [2, 0]  # builds, changed


@pytest.mark.parametrize("family", ["kmeans", "simhash"])
def test_neurons_without_weights_are_in_no_bucket(family):
    """Neither at the build nor when touched; they come once they have weights and go with them."""
    index, (weight, bias) = make(family=family, **BUILT_ONCE), neurons()
    weight[:60] = 0
    index.maintain(weight, bias, 1, 1)
    assert (index.table(0).buckets[:60] == -1).all() and (index.table(0).buckets[60:] >= 0).all()
    weight[20:40], weight[60:80] = 1, 0
    index.touch(np.arange(100, dtype=np.int32))
    index.maintain(weight, bias, 2, 1)
    for t in range(2):
        gone = index.table(t).buckets < 0
        np.testing.assert_array_equal(gone, (weight == 0).all(axis=1))
        assert sorted(index.table(t).members) == np.flatnonzero(~gone).tolist()


def test_untouched_neurons_stay():
    index = make(**BUILT_ONCE)
    weight, bias = neurons()
    index.maintain(weight, bias, 1, 1)
    before = index.table(0).buckets
    index.touch(np.array([5], np.int32))
    index.maintain(*(-v for v in (weight, bias)), 2, 1)
    changed_ids = np.flatnonzero(index.table(0).buckets != before)
    assert changed_ids.tolist() == [5]


def test_new_neurons_are_found_after_they_have_been_touched():
    weight, bias = neurons(N + 50)
    index, twin = make(**BUILT_ONCE | {"rehash_every": 2}), make_twin(**BUILT_ONCE | {"rehash_every": 2})
    for one, threads in ((index, [1]), (twin, [])):
        one.maintain(weight[:N], bias[:N], 1, *threads)
        one.grow(N + 50)
        one.touch(np.arange(N, N + 10, dtype=np.int32))
        one.maintain(weight, bias, 2, *threads)
    np.testing.assert_array_equal(index.table(1).buckets[N:], [-1] * 50)
    for one, threads in ((index, [1]), (twin, [])):
        one.maintain(weight, bias, 3, *threads)
        one.touch(np.arange(N, N + 50, 2, dtype=np.int32))
    np.testing.assert_array_equal(index.table(1).buckets[N + 10 :], [-1] * 40)
    np.testing.assert_array_equal(index.table(1).buckets, twin.tables[1].buckets)
    copy = make(N + 50)
    copy.restore(index.state(), 1)
    assert_same_state(index.state(), copy.state())
    index.build(weight, bias, 1)
    assert index.table(0).buckets.min() >= 0


def test_before_the_first_build_there_is_nothing():
    index, copy = make(), make()
    train(index, *neurons(), range(1, 10), np.random.default_rng(0))
    assert not index.ready
    copy.restore(index.state(), 1)
    train(copy, *neurons(), range(10, 50), np.random.default_rng(1))
    assert not copy.ready
    train(copy, *neurons(), [50], np.random.default_rng(1))
    assert copy.ready


def test_probes_are_limited_by_the_buckets():
    index = make(cells=4, probes=10)
    index.build(*neurons(), 1)
    found = index.look_up(np.ones((3, WIDTH), np.float32), 1)
    np.testing.assert_array_equal(np.sort(found, axis=2), np.broadcast_to(np.arange(4), (3, 2, 4)))


def test_mapped_inner_products_order_as_logits():
    weight, bias = neurons()
    h = np.random.default_rng(1).normal(size=(20, WIDTH)).astype(np.float32) + 2
    logits = h @ weight.T + bias
    for values in product((False, True), repeat=3):
        mips = MipsMap(WIDTH, **dict(zip(("centre", "centre_queries", "augment"), values, strict=True)))
        mips.observe(h)
        mips.fit(weight, bias)
        vectors, _ = mips.neurons(weight, bias)
        offset = mips.queries(h) @ vectors.T - logits
        np.testing.assert_allclose(offset, np.broadcast_to(offset[:, :1], offset.shape), atol=1e-3)
        if mips.augment:
            norms = np.linalg.norm(vectors, axis=1)
            np.testing.assert_allclose(norms, norms.max(), rtol=1e-4)


def test_centred_queries_find_more_of_their_best_neurons():
    """What all queries have in common fills most of the angle, which then says little about any of them."""
    rng = np.random.default_rng(0)
    weight, bias = neurons()
    weight[:, 0] *= 0.1
    h = rng.normal(size=(300, WIDTH)).astype(np.float32)
    h[:, 0] += 10
    best = (h @ weight.T + bias).argmax(axis=1)
    recall, scored = np.zeros(2), np.zeros(2)
    for centred in (False, True):
        index = make(family="simhash", tables=20, hashes=6, probes=1, centre_queries=centred)
        index.observe(h)
        index.build(weight, bias, 1)
        for t, buckets in enumerate(index.look_up(h, 1)[:, :, 0].T):
            recall[int(centred)] += (buckets == index.table(t).buckets[best]).mean() / 20
            scored[int(centred)] += index.table(t).sizes[buckets].mean() / 20 / N
    assert recall[1] / scored[1] > 1.7 * recall[0] / scored[0] and recall[1] > 3 * recall[0]


def test_untrained_neurons_do_not_move_the_mean_or_the_balance():
    """They have biases from the label frequencies, and are in no bucket."""
    weight, bias = neurons()
    h = np.random.default_rng(1).normal(size=(300, WIDTH)).astype(np.float32) + 1
    states = []
    for n_untrained in (0, 3 * N):
        index = make(N + n_untrained, centre_queries=True)
        index.observe(h)
        index.build(
            np.pad(weight, ((0, n_untrained), (0, 0))), np.pad(bias, (0, n_untrained), constant_values=-12), 1
        )
        states.append(index.state())
    for name in ("balance", "mean", "origin"):
        np.testing.assert_allclose(states[0][f"map.{name}"], states[1][f"map.{name}"], rtol=1e-5, atol=1e-6)


def test_a_batch_that_has_diverged_does_not_move_the_queries_mean():
    index = make(centre_queries=True)
    h = np.ones((5, WIDTH), np.float32)
    index.observe(h)
    before = index.state()
    index.observe(h * np.float32(np.inf))
    index.observe(h * np.nan)
    assert_same_state(before, index.state())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("balance", [np.nan], "balance is not finite"),
        ("balance", [0.0], "balance is not positive"),
        ("origin", [1.0], "origin has the wrong size"),
        ("query_mean", np.full(WIDTH, np.inf), "query_mean is not finite"),
        ("query_batches", np.array([2**63 - 1]), "query_batches is no count"),
    ],
)
def test_means_of_queries_that_cannot_be_are_refused(name, value, message):
    index = make(centre_queries=True)
    index.build(*neurons(), 1)
    state = index.state()
    state[f"map.{name}"] = np.array(value, state[f"map.{name}"].dtype)
    with pytest.raises(ValueError, match=message):
        make(centre_queries=True).restore(state, 1)


def test_norm_ranges_split_the_neurons_into_equal_parts():
    index = make(norm_ranges=3)
    index.build(*neurons(), 1)
    part = index.table(0).buckets // 25
    assert np.bincount(part).tolist() == [N // 3] * 3
    weight, bias = neurons()
    points = np.column_stack([weight, bias])
    norms = np.linalg.norm(points - points.mean(axis=0), axis=1)
    assert norms[part == 0].max() < norms[part == 1].min()
    assert norms[part == 1].max() < norms[part == 2].min()


@pytest.mark.parametrize("family", ["kmeans", "simhash", "fast_simhash", "wta", "dwta", "minhash"])
def test_weights_without_an_order_are_hashed(family):
    """A diverged training leaves NaN and infinity: what is found is arbitrary, but there is no crash."""
    rng = np.random.default_rng(0)
    weight, bias = neurons()
    weight[rng.random(weight.shape) < 0.3] = np.nan
    weight[rng.random(weight.shape) < 0.3] = np.inf
    bias[::3] = -np.inf
    h = weight[:50].copy()
    for settings in ({}, {"augment": True, "norm_ranges": 3, "centre_queries": True}):
        index = make(family=family, hashes=3, top=4, rehash_every=1, rehash_first=1, **settings)
        for step in (1, 2):
            index.observe(h)
            index.touch(np.arange(N, dtype=np.int32))
            index.maintain(weight, bias, step, 2)
        found = index.look_up(h, 2)
        assert found.max() < index.table(0).n_buckets
        for kind in ("vanilla", "top", "scored", "exact"):
            _, ids = _core.sample(kind, weight, bias, h, index, budget=20, n_threads=2)
            assert len(ids) == 0 or (ids.min() >= 0 and ids.max() < N)


def test_cells_are_balanced():
    """Neurons of unequal length in many dimensions: cells with short centres attract most of them."""
    rng = np.random.default_rng(0)
    weight = (rng.normal(size=(3000, 32)) * rng.gamma(2, 1, (3000, 1))).astype(np.float32)
    bias = np.zeros(3000, np.float32)
    index = _core.NeuronIndex(3000, 32, SEED, family="kmeans", tables=1, cells=50, centre=True)
    index.build(weight, bias, 1)
    unbalanced = KMeansCells(50, 33, 1, SEED)
    unbalanced.largest_cell = 50
    points = np.column_stack([weight - weight.mean(axis=0), bias])
    unbalanced.draw(0)
    unbalanced.learn(points)
    sizes = np.bincount(unbalanced.hash(points)[:, 0], minlength=50)
    assert sizes.max() > 10 * sizes.mean()
    assert index.table(0).sizes.max() < 5 * sizes.mean()


def test_cells_hold_the_top_neurons():
    weight, bias = neurons(4000)
    index = make(4000, cells=100, tables=1, probes=4)
    index.build(weight, bias, 1)
    h = np.random.default_rng(1).normal(size=(500, WIDTH)).astype(np.float32)
    best = (h @ weight.T + bias).argmax(axis=1)
    found = (index.look_up(h, 1)[:, 0] == index.table(0).buckets[best][:, None]).any(axis=1)
    assert found.mean() > 0.9
