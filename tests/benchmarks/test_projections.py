"""The directions keep what they promise, and learning finds a direction in which pairs agree."""

import numpy as np
import pytest

from benchmarks.common.matrices import save_matrices
from benchmarks.hashing.projections import METHODS, READ, at_read, balanced, buckets_of, judge, trained

WIDTH = 12


def planted(n, rng):
    """Queries and their right neurons, which have three coordinates of twelve in common."""
    common = rng.normal(size=(n, 3))
    sides = [np.column_stack([common, 3 * rng.normal(size=(n, WIDTH - 3))]) for _ in range(2)]
    return [side.astype(np.float32) for side in sides]


def agreement(name, seed=0):
    """By how much more bits of right neurons agree with their query than those of others, on new pairs."""
    rng = np.random.default_rng(seed)
    queries, right = planted(4000, rng)
    of_neurons, of_queries = METHODS[name][1](60, right, queries, right, seed)
    h, w = planted(2000, rng)
    bits = w @ of_neurons.T > 0, h @ of_queries.T > 0
    return float((bits[0] == bits[1]).mean() - (np.roll(bits[0], 1, axis=0) == bits[1]).mean())


def test_balanced_directions_keep_inner_products_and_even_the_moments():
    rng = np.random.default_rng(0)
    neurons, queries = (
        (rng.normal(size=(500, WIDTH)) * rng.gamma(2, 1, WIDTH)).astype(np.float32) for _ in range(2)
    )
    of_neurons, of_queries = balanced(4 * WIDTH, neurons, queries, neurons, 0)
    forward, inverse = (np.linalg.lstsq(of_queries, d, rcond=None)[0] for d in (of_neurons, of_queries))
    mean = forward  # A^-1 X = A, so X = A^T A
    np.testing.assert_allclose(inverse, np.eye(WIDTH), atol=1e-3)
    moments = neurons.T @ neurons / 500, queries.T @ queries / 500
    np.testing.assert_allclose(mean @ moments[0] @ mean, moments[1], rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", ["pairs", "learned"])
def test_directions_from_pairs_tell_right_neurons_from_others(name):
    pytest.importorskip("torch" if name == "learned" else "numpy")
    assert agreement(name) > 1.5 * max(agreement("random, queries centred"), 0.02)


def test_shares_are_counted_and_interpolated():
    data = {
        "queries": np.eye(2, dtype=np.float32),
        "right": [np.array([0, 3]), np.array([9])],
        "weight": np.column_stack([np.arange(10.0), -np.arange(10.0)]),
        "bias": np.zeros(10),
    }
    read = [np.arange(10) < 5, np.arange(10) < 4]
    assert judge(data, lambda i: read[i]) == pytest.approx((0.45, 0.5, 0.4))
    points = [(READ / 10, 0.2, 0.0), (READ * 10, 0.4, 1.0)]
    assert at_read(points) == pytest.approx({"right": 0.3, "best": 0.5})
    bits = np.array([[1, 0, 1, 0, 1, 1]], bool)
    assert buckets_of(bits, 2, 2).tolist() == [[1, 2]]


def test_neurons_and_queries_give_the_networks_logits(small, tmp_path):
    """Whatever the weights' precision: right neurons of training rows stand in front."""
    for part in ("train", "validation"):
        save_matrices(*small, tmp_path, part)
    data = trained(str(tmp_path), {"epochs": 3, "threads": 1, "queries": 50}, 0)
    logits = data["queries"] @ data["weight"].T + data["bias"]
    hits = [best in right for best, right in zip(logits.argmax(axis=1), data["right"], strict=True)]
    assert np.mean(hits) > 0.5
