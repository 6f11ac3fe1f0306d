"""The samplers against their NumPy twins and laws; the estimators of the partition function against bias."""

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hash_helpers import as_sparse
from scipy.sparse import csr_matrix

import hashslide
from hashslide import _core
from hashslide.csr import as_csr
from hashslide.network import Network
from hashslide.reference import samplers as reference
from hashslide.settings import Layer, Negatives, NetworkConfig, SimHash
from hashslide.settings.samplers import SAMPLERS

KINDS = ("all", "uniform", "vanilla", "top", "threshold", "scored", "exact", "standout")
SIGMAS = 4.5  # a fixed seed that fails here by chance: 7 in a million


def layer(n: int = 300, width: int = 12, n_queries: int = 40, seed: int = 0):
    """Small integers: products are exact in any order of summation, and there are ties."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(-3, 4, (n, width)).astype(np.float32)
    bias = rng.integers(-5, 6, n).astype(np.float32)
    queries = rng.integers(-3, 4, (n_queries, width)).astype(np.float32)
    return weight, bias, queries


def make_index(weight, bias, seed: int = 0, **settings):
    settings = {"family": "simhash", "tables": 6, "hashes": 4, "bucket_size": 0, **settings}
    index = _core.NeuronIndex(len(weight), weight.shape[1], seed, **settings)
    index.build(weight, bias, 1)
    return index


def found_by(index, queries) -> list[reference._Found]:
    return [
        [[index.table(t).bucket(b) for b in buckets if b >= 0] for t, buckets in enumerate(tables)]
        for tables in index.look_up(queries, 1).tolist()
    ]


def some_ids(n: int, n_queries: int, seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.unique(rng.integers(0, n, rng.integers(0, 60))) for _ in range(n_queries)]


def as_arrays(lists: list) -> dict:
    begin = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    return {"uncounted_begin": begin, "uncounted_ids": np.concatenate([[], *lists]).astype(np.int32)}


def as_lists(begin, ids) -> list[list[int]]:
    return [ids[a:b].tolist() for a, b in pairwise(begin)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("budget", [0, 25, 1000])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tables": 1, "probes": 3},
        {"tables": 40, "hashes": 8, "probes": 2, "bucket_size": 5},
        {"probes": 100, "hashes": 2},
        {"norm_ranges": 3},
    ],
)
def test_core_chooses_as_the_twin(kind, budget, settings):
    weight, bias, queries = layer()
    index = make_index(weight, bias, **settings)
    options = {"budget": budget, "min_count": 3, "alpha": 0.3, "beta": -1.0, "seed": 5, "step": 9}
    uncounted = some_ids(len(weight), len(queries))
    found = found_by(index, queries)
    for twin, core in [({}, {}), ({"uncounted": uncounted}, as_arrays(uncounted))]:
        expected = reference.sample(kind, weight, bias, queries, found, **options, **twin)
        chosen = as_lists(*_core.sample(kind, weight, bias, queries, index, **options, **core))
        assert chosen == expected
        assert any(chosen) or (kind == "uniform" and budget == 0) or kind == "threshold"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{}, {"augment": True, "probes": 2}, {"bias": False, "norm_ranges": 3}])
def test_sparse_queries_choose_as_dense_ones(kind, settings):
    weight, bias, queries = layer()
    queries *= np.random.default_rng(3).random(queries.shape) < 0.5
    index = _core.NeuronIndex(*weight.shape, 0, family="simhash", tables=6, hashes=4, **settings)
    index.build(weight, bias, 1)
    sparse, uncounted = as_sparse(queries), as_arrays(some_ids(len(weight), len(queries)))
    np.testing.assert_array_equal(index.look_up(sparse, 2), index.look_up(queries, 1))
    options = {"budget": 30, "alpha": 0.3, **uncounted}
    dense = as_lists(*_core.sample(kind, weight, bias, queries, index, **options))
    assert as_lists(*_core.sample(kind, weight, bias, sparse, index, n_threads=2, **options)) == dense


@pytest.mark.parametrize(
    ("sampler", "centred", "chosen"),
    [("vanilla", False, (0, 0)), ("scored", False, (1, 2 * 20 * 40 * 3)), ("vanilla", True, (0, 0))],
)
def test_multiplications_are_those_of_the_entries(sampler, centred, chosen):
    """Of a step on 20 examples of 3 of 500 features: hashing, choosing, and the chosen pairs."""
    x = csr_matrix((np.ones(60, np.float32), (np.repeat(np.arange(20), 3), np.arange(60))), (20, 500))
    family = SimHash(tables=2, hashes=1, rehash_first=1, rehash_growth=1e9, centre_queries=centred)
    layer = Layer(40, "relu", sampler=SAMPLERS[sampler](budget=40), hash=family)
    config = NetworkConfig(n_features=500, n_labels=1, hidden=layer, negatives=Negatives(uniform=0))
    network = Network(config)
    data = as_csr(x), as_csr(csr_matrix(np.ones((20, 1)))), np.arange(20)
    network.train_batch(*data, 0.0)  # builds the tables
    before = network.multiplications
    network.train_batch(*data, 0.0)
    hashing = 20 * 2 * (501 if centred else 4)
    pairs = 20 * 40 * (3 + 3)  # forward and update; there is no gradient of the features
    output = 20 * 40 * 3
    assert hashing + chosen[0] <= network.multiplications - before <= hashing + chosen[1] + pairs + output


@pytest.mark.parametrize("kind", KINDS)
def test_lists_have_no_repetition_and_keep_the_budget_of_counted_neurons(kind):
    weight, bias, queries = layer()
    index, uncounted = make_index(weight, bias), some_ids(len(weight), len(queries))
    begin, ids = _core.sample(kind, weight, bias, queries, index, budget=20, **as_arrays(uncounted))
    assert begin.dtype == np.int64 and ids.dtype == np.int32 and len(begin) == len(queries) + 1
    sizes = [
        len(set(chosen) - set(beside.tolist()))
        for chosen, beside in zip(as_lists(begin, ids), uncounted, strict=True)
    ]
    assert all(len(set(chosen)) == len(chosen) > 0 for chosen in as_lists(begin, ids))
    assert max(sizes) == 20 or kind == "uniform" or (max(sizes) > 20 and kind in ("all", "standout"))


@pytest.mark.parametrize("kind", KINDS)
def test_an_uncounted_neuron_is_chosen_just_when_it_would_be_if_it_counted(kind):
    """And what it leaves of the budget goes to one more neuron."""
    weight, bias, queries = layer(n_queries=30)
    index, options = make_index(weight, bias, bucket_size=9), {"budget": 20, "alpha": 0.1, "beta": -1.0}
    plain = as_lists(*_core.sample(kind, weight, bias, queries, index, **options))
    seen = set()
    for label in range(0, len(weight), 7):
        beside = as_arrays([np.array([label])] * len(queries))
        lists = as_lists(*_core.sample(kind, weight, bias, queries, index, **options, **beside))
        for expected, chosen in zip(plain, lists, strict=True):
            assert (label in chosen) == (label in expected)
            others, before = ([i for i in ids if i != label] for ids in (chosen, expected))
            assert others[: len(before)] == before
            seen.add(label in expected)
    assert seen == ({True} if kind == "all" else {True, False})


@pytest.mark.parametrize("kind", KINDS)
def test_threads_do_not_change_the_choice(kind):
    rng = np.random.default_rng(2)
    weight, bias = rng.normal(size=(2000, 33)).astype(np.float32), rng.normal(size=2000).astype(np.float32)
    queries = rng.normal(size=(200, 33)).astype(np.float32)
    index = make_index(weight, bias, probes=2)
    one, *others = (
        _core.sample(kind, weight, bias, queries, index, budget=50, n_threads=n) for n in (1, 2, 3, 7)
    )
    for other in others:
        assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_leaves_no_trace_in_the_next(kind):
    weight, bias, queries = layer()
    index, uncounted = make_index(weight, bias), some_ids(len(weight), len(queries))

    def choose(**options):
        return as_lists(*_core.sample(kind, weight, bias, queries, index, budget=20, **options))

    before = choose()
    choose(**as_arrays(uncounted))
    assert choose() == before


@pytest.mark.parametrize("kind", KINDS)
def test_tables_that_are_not_built_yet_find_nothing(kind):
    weight, bias, queries = layer()
    index = _core.NeuronIndex(len(weight), weight.shape[1], 0, family="simhash", tables=3, hashes=4)
    begin, ids = _core.sample(kind, weight, bias, queries, index, budget=20)
    assert len(begin) == len(queries) + 1
    assert (len(ids) == 0) == (kind in reference.LOOK_UPS)


@pytest.mark.parametrize("kind", KINDS)
def test_no_queries(kind):
    weight, bias, queries = layer()
    begin, ids = _core.sample(kind, weight, bias, queries[:0], make_index(weight, bias), budget=20)
    assert begin.tolist() == [0] and len(ids) == 0


def test_new_neurons_are_chosen_without_tables_at_once_and_with_them_after_a_rebuild():
    weight, bias, queries = layer()
    index = make_index(weight[:200], bias[:200], hashes=1)
    index.grow(len(weight))
    assert max(_core.sample("vanilla", weight, bias, queries, index)[1]) < 200
    assert max(_core.sample("exact", weight, bias, queries)[1]) >= 200
    index.build(weight, bias, 1)
    assert max(_core.sample("vanilla", weight, bias, queries, index)[1]) >= 200


def test_steps_and_queries_draw_afresh():
    weight, bias, queries = layer()
    same = np.repeat(queries[:1], 30, axis=0)
    for kind in ("uniform", "vanilla", "standout"):
        index = make_index(weight, bias)
        lists = as_lists(*_core.sample(kind, weight, bias, same, index, budget=20, alpha=0.1, step=1))
        assert len({tuple(ids) for ids in lists}) > 3  # vanilla: some of the 6 tables come first
        assert as_lists(*_core.sample(kind, weight, bias, same, index, budget=20, alpha=0.1, step=2)) != lists


def assert_frequencies(hits, draws, p):
    """Counts of independent events against their probabilities."""
    deviation = np.sqrt(draws * p * (1 - p))
    assert (np.abs(hits - draws * p) <= SIGMAS * deviation + 1e-6 * draws).all()


def count_hits(n, n_queries, rounds):
    """How often each query chose each neuron: rounds yields (begin, ids)."""
    hits = np.zeros((n_queries, n))
    for begin, ids in rounds:
        hits[np.repeat(np.arange(n_queries), np.diff(begin)), ids] += 1
    return hits


def simhash_law(weight, bias, queries):
    """1 - angle / pi between (w, b) and (h, 1)."""
    neurons = np.column_stack([weight, bias]).astype(np.float64)
    points = np.column_stack([queries, np.ones(len(queries))])
    cosine = points @ neurons.T / np.outer(np.linalg.norm(points, axis=1), np.linalg.norm(neurons, axis=1))
    return 1 - np.arccos(np.clip(cosine, -1, 1)) / np.pi


def rebuilt(weight, bias, rounds, **settings):
    index = make_index(weight, bias, **settings)
    for _ in range(rounds):
        index.build(weight, bias, 1)  # draws fresh functions
        yield index


def test_vanilla_without_limit_finds_a_neuron_as_often_as_the_law_says():
    weight, bias, queries = layer(n=30, n_queries=4)
    tables, hashes, rounds = 5, 3, 3000
    hits = count_hits(
        len(weight),
        len(queries),
        (
            _core.sample("vanilla", weight, bias, queries, index)
            for index in rebuilt(weight, bias, rounds, tables=tables, hashes=hashes)
        ),
    )
    p = simhash_law(weight, bias, queries)
    law = reference.inclusion_probability(p, hashes, tables)
    assert np.allclose(law, np.vectorize(_core.inclusion_probability)(p, hashes, tables), atol=1e-12)
    assert law.min() < 0.3 and law.max() > 0.8
    assert_frequencies(hits, rounds, law)


def test_uniform_and_standout_choose_as_often_as_their_laws_say():
    weight, bias, queries = layer(n=50, n_queries=3)
    rounds, z = 3000, queries @ weight.T + bias
    laws = {"uniform": np.full_like(z, 1 - (1 - 1 / 50) ** 20), "standout": 1 / (1 + np.exp(-0.1 * z + 0.5))}
    for kind, law in laws.items():
        draws = (
            _core.sample(kind, weight, bias, queries, budget=20, alpha=0.1, beta=-0.5, step=step)
            for step in range(rounds)
        )
        assert_frequencies(count_hits(50, 3, draws), rounds, law.astype(np.float64))


def test_vanilla_takes_the_tables_in_an_order_that_is_uniform():
    n_tables, n_queries = 5, 2000
    orders = [
        reference.table_order(n_tables, reference.CounterRng(3, "sampler", 0), q) for q in range(n_queries)
    ]
    counts = np.stack([np.bincount(place, minlength=n_tables) for place in np.transpose(orders)])
    assert_frequencies(counts, n_queries, 1 / n_tables)


def test_inclusion_probability_at_its_ends():
    assert _core.inclusion_probability(0.0, 6, 50) == 0
    assert _core.inclusion_probability(1.0, 6, 50) == 1
    assert _core.inclusion_probability(1e-3, 6, 50) == pytest.approx(5e-17, rel=1e-9)


def small_logits(n: int = 200, n_queries: int = 3):
    rng = np.random.default_rng(4)
    weight = rng.normal(size=(n, 8)).astype(np.float32)
    bias = rng.normal(size=n).astype(np.float32)
    queries = (0.3 * rng.normal(size=(n_queries, 8))).astype(np.float32)
    return weight, bias, queries, np.exp((queries @ weight.T + bias).astype(np.float64))


def is_unbiased(estimates, exact) -> np.ndarray:
    """Whether the mean of independent estimates (rounds, queries) agrees with the exact values."""
    error = estimates.std(axis=0, ddof=1) / np.sqrt(len(estimates))
    return np.abs(estimates.mean(axis=0) - exact) <= SIGMAS * error


def test_partition_function_from_hash_tables_is_unbiased():
    weight, bias, queries, terms = small_logits()
    weighted, plain = [], []
    for index in rebuilt(weight, bias, 1500, tables=6, hashes=3):
        begin, ids = _core.sample("vanilla", weight, bias, queries, index)
        weighted.append(_core.log_partition_found(weight, bias, queries, index, 3, begin, ids))
        plain.append([terms[q, chosen].sum() for q, chosen in enumerate(as_lists(begin, ids))])
    assert is_unbiased(np.exp(weighted), terms.sum(axis=1)).all()
    assert not is_unbiased(np.array(plain), terms.sum(axis=1)).any()
    assert np.std(np.exp(weighted), axis=0).max() < 0.5 * terms.sum(axis=1).min()


def test_partition_function_from_found_neurons_and_uniform_draws_is_unbiased():
    weight, bias, queries, terms = small_logits()
    index = make_index(weight, bias)
    begin, ids = _core.sample("vanilla", weight, bias, queries, index, budget=40)
    draws, weighted, plain = 60, [], []
    for step in range(1500):
        weighted.append(
            _core.log_partition_uniform(weight, bias, queries, begin, ids, draws, seed=1, step=step)
        )
        drawn = _core.sample("uniform", weight, bias, queries, budget=draws, seed=1, step=step)
        chosen = [set(a) | set(b) for a, b in zip(as_lists(begin, ids), as_lists(*drawn), strict=True)]
        plain.append([terms[q, list(c)].sum() for q, c in enumerate(chosen)])
    assert is_unbiased(np.exp(weighted), terms.sum(axis=1)).all()
    assert not is_unbiased(np.array(plain), terms.sum(axis=1)).any()


def test_partition_function_agrees_with_the_twin_for_any_number_of_threads():
    weight, bias, queries = layer(n_queries=5)
    index = make_index(weight, bias, tables=2)
    begin, ids = _core.sample("vanilla", weight, bias, queries, index)
    p = reference.inclusion_probability(simhash_law(weight, bias, queries), 4, 2)
    z = queries @ weight.T + bias
    expected = [
        reference.log_partition(z[q, chosen], p[q, chosen]) for q, chosen in enumerate(as_lists(begin, ids))
    ]
    one, two = (
        _core.log_partition_found(weight, bias, queries, index, 4, begin, ids, n_threads=n) for n in (1, 2)
    )
    assert np.array_equal(one, two)
    np.testing.assert_allclose(one, expected, rtol=1e-5)


def test_partition_function_of_many_large_logits_does_not_overflow():
    weight, bias, queries = layer(n=50, n_queries=2)
    begin, ids = _core.sample("all", weight, 1000 + bias, queries)
    log_z = _core.log_partition_uniform(weight, 1000 + bias, queries, begin, ids, 10)
    np.testing.assert_allclose(log_z, np.logaddexp.reduce(queries @ weight.T + 1000 + bias, axis=1))


def test_partition_function_of_no_neurons_is_zero():
    weight, bias, queries = layer(n_queries=2)
    begin, ids = np.zeros(3, np.int64), np.zeros(0, np.int32)
    assert (_core.log_partition_uniform(weight, bias, queries, begin, ids, 0) == -np.inf).all()


@pytest.mark.parametrize("kind", ["top", "threshold"])
@pytest.mark.parametrize("budget", [0, 1, 25, 1000])
@pytest.mark.parametrize("bits", [1, 40, 64, 130])
@pytest.mark.parametrize("centred", [False, True])
def test_sign_codes_choose_as_tables_of_one_bit(kind, budget, bits, centred):
    weight, bias, queries = layer()
    weight[7] = 0  # in no bucket
    indexes = [
        make_index(weight, bias, family=family, tables=bits, hashes=1, centre_queries=centred)
        for family in ("fast_simhash", "sign_codes")
    ]
    options = {
        "budget": budget,
        "min_count": max(1, bits // 2),
        **as_arrays(some_ids(len(weight), len(queries))),
    }
    expected = as_lists(*_core.sample(kind, weight, bias, queries, indexes[0], **options))
    for n_threads in (1, 3):
        found = _core.sample(kind, weight, bias, queries, indexes[1], n_threads=n_threads, **options)
        assert as_lists(*found) == expected
    assert all(7 not in ids for ids in expected) and any(expected)


@pytest.mark.parametrize("min_count", [40, 41, 42, 43, 10_000])
def test_no_code_has_more_equal_bits_than_bits(min_count):
    weight, bias, queries = layer()
    index = make_index(weight, bias, family="sign_codes", tables=40, hashes=1)
    queries = np.concatenate([queries, weight[:1]])  # the twin of a neuron
    twin = make_index(weight, bias, family="fast_simhash", tables=40, hashes=1)
    lists = [
        as_lists(*_core.sample("threshold", weight, bias, queries, i, budget=0, min_count=min_count))
        for i in (twin, index)
    ]
    assert lists[0] == lists[1] and (0 in lists[0][-1]) == (min_count == 40)


def test_a_scan_of_many_codes_is_shared_and_cut_without_a_difference():
    """More neurons than one thread scans alone and than are kept before a cut, with many ties."""
    weight, bias, queries = layer(n=140_000, width=6, n_queries=3)
    indexes = [
        make_index(weight, bias, family=family, tables=20, hashes=1)
        for family in ("fast_simhash", "sign_codes")
    ]
    expected = as_lists(*_core.sample("top", weight, bias, queries, indexes[0], budget=300))
    for n_threads in (1, 2, 5):
        found = _core.sample("top", weight, bias, queries, indexes[1], budget=300, n_threads=n_threads)
        assert as_lists(*found) == expected


CODES_SCRIPT = """
import numpy as np
import hashslide
from hashslide import _core

rng = np.random.default_rng(0)
weight = rng.normal(size=(997, 16)).astype(np.float32)
queries = np.concatenate([rng.normal(size=(4, 16)), -1e6 * weight[:3]])  # the last differ in all bits
bias = np.zeros(len(weight), np.float32)
for bits in (1, 64, 130, 2112):  # a byte holds the sums of 31 words, and 2112 bits are 33
    chosen = []
    for family in ("fast_simhash", "sign_codes"):
        index = _core.NeuronIndex(len(weight), 16, 3, family=family, tables=bits, hashes=1, bucket_size=0)
        index.build(weight, bias, 1)
        chosen.append(_core.sample("top", weight, bias, queries.astype(np.float32), index, budget=50))
    assert all(map(np.array_equal, *chosen)), bits
print(hashslide.build_info()["isa"])
"""


@pytest.mark.parametrize("isa", hashslide.build_info()["isa_supported"])
def test_codes_are_counted_alike_with_every_instruction_set(isa):
    done = subprocess.run(
        [sys.executable, "-c", CODES_SCRIPT],
        env={**os.environ, "HASHSLIDE_ISA": isa},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == isa


def test_sign_codes_follow_their_neurons_and_grow():
    weight, bias, queries = layer()
    settings = {"tables": 50, "hashes": 1, "rehash_every": 1, "rehash_growth": 1e9, "rehash_first": 1}
    indexes = [
        make_index(weight, bias, family=family, **settings) for family in ("fast_simhash", "sign_codes")
    ]
    rng = np.random.default_rng(2)
    for step in range(2, 6):
        weight = np.concatenate([weight, rng.normal(size=(9, weight.shape[1])).astype(np.float32)])
        bias, changed = (
            np.append(bias, np.zeros(9, np.float32)),
            rng.integers(0, len(weight), 80).astype(np.int32),
        )
        weight[changed] = rng.integers(-1, 2, (80, weight.shape[1]))
        for index in indexes:
            index.grow(len(weight))
            index.touch(changed)
            index.maintain(weight, bias, step, 1)
        tables, codes = ([*_core.sample("top", weight, bias, queries, i, budget=30)] for i in indexes)
        assert all(map(np.array_equal, tables, codes))
        assert indexes[0].state()["progress"].tolist() == indexes[1].state()["progress"].tolist()
    assert indexes[1].memory_bytes < indexes[0].memory_bytes / 20
    weight[5] = 0  # in no bucket from now on: nothing of its code is left
    indexes[1].touch(np.array([5], np.int32))
    indexes[1].maintain(weight, bias, 6, 1)
    state = indexes[1].state()
    assert 5 in state["absent"] and not state["codes"].reshape(len(weight), -1)[5].any()


@pytest.mark.parametrize("kind", ["vanilla", "scored"])
def test_sign_codes_have_no_buckets_to_look_into(kind):
    weight, bias, queries = layer()
    index = make_index(weight, bias, family="sign_codes", hashes=1)
    with pytest.raises(ValueError, match=r"sign codes have no buckets to look into\. Use the sampler top"):
        _core.sample(kind, weight, bias, queries, index)
    with pytest.raises(IndexError, match="no such table"):
        index.table(0)
