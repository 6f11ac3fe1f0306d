"""What is sampled, and that the expected gradient is that of all classes, for every source of negatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hashslide.jax import SlideHead

CLASSES, WIDTH, DRAWS, REPEATS = 3000, 4, 1500, 150
COUNTS = 1 + 10_000 // np.arange(1, CLASSES + 1)


def table_of(head, scale=1.0):
    """A table whose logits differ."""
    table = head.init(jax.random.key(7))
    return table._replace(weight=scale * jax.random.normal(jax.random.key(8), table.weight.shape))


def worst_deviation(found, expected):
    """Of means over the first axis, in standard errors."""
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    return (np.abs(found.mean(axis=0) - expected) / error).max()


def test_a_sample_holds_each_label_and_negative_once():
    head = SlideHead(3, 50, negatives=20)
    table = table_of(head)
    y = jnp.array([[4, 4, -100], [49, 0, 7], [-100, -100, -100]])
    s = head.sample(table, y, jax.random.key(0))
    ids = np.asarray(s.ids)
    real = ids[ids < 50]
    assert len(ids) == 3 * 3 + 20 and len(real) < len(ids)
    assert (np.diff(real) > 0).all() and (ids[len(real) :] == 50).all()
    assert {0, 4, 7, 49} <= set(real.tolist()) and len(real) > 10
    np.testing.assert_array_equal(s.rows.weight[: len(real)], table.weight[real])
    assert not s.rows.weight[len(real) :].any() and np.isinf(s.log_q[len(real) :]).all()
    found = [sorted(ids[t[t < len(ids)]].tolist()) for t in np.asarray(s.targets)]
    assert found == [[4], [0, 7, 49], []]
    assert [w[w > 0].tolist() for w in np.asarray(s.labels.weight)] == [[1], pytest.approx([1 / 3] * 3), []]


def test_a_key_gives_one_sample():
    head = SlideHead(3, 1000, negatives=20)
    table, y = table_of(head), jnp.arange(5)
    first, again, other = (head.sample(table, y, jax.random.key(k)).ids for k in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_draws_by_frequency_follow_the_counts():
    counts = np.array([0, 1, 10, 100, 1000])
    head = SlideHead(2, 5, negatives=4, counts=counts, sampling="frequency", in_batch=False)
    table, y = head.init(jax.random.key(0)), jnp.full((1,), -100)
    keys = jax.random.split(jax.random.key(1), 4000)
    s = jax.vmap(head.sample, (None, None, 0))(table, y, keys)
    found = np.stack([(np.asarray(s.ids) == c).any(axis=1) for c in range(5)], axis=1)
    share = np.array([1, 1, 10, 100, 1000]) / 1112
    expected = 1 - (1 - 1 / 5) ** 2 * (1 - share) ** 2
    assert worst_deviation(found, expected) < 3
    first = {int(c): float(q) for c, q in zip(s.ids[0], s.log_q[0], strict=True) if c < 5}
    assert first == {c: pytest.approx(np.log(expected[c]), rel=1e-5) for c in first}


def expected_gradients(head, table, h, label):
    """Of the softmax over all classes, for one example: with respect to h and to the biases."""
    logits = np.asarray(table.weight @ h + table.bias, np.float64)
    p = np.exp(logits - logits.max())
    p /= p.sum()
    p[label] -= 1
    return p @ np.asarray(table.weight, np.float64), p


SOURCES = {
    "uniform": {"in_batch": False},
    "frequency": {"in_batch": False, "sampling": "frequency", "counts": COUNTS},
    "batch and uniform": {},
    "batch and frequency": {"sampling": "frequency", "counts": COUNTS},
    "batch alone": {"counts": np.ones(CLASSES), "negatives": 0},
}


@pytest.mark.parametrize("source", SOURCES)
def test_the_expected_gradient_is_that_of_the_full_softmax(source):
    settings = {"negatives": DRAWS, "reduction": "none"} | SOURCES[source]
    head = SlideHead(WIDTH, CLASSES, **settings)
    label = 17
    table = table_of(head, 0.5)
    table = table._replace(bias=jnp.zeros(CLASSES).at[label].set(np.log(CLASSES / 2)))  # a third of the sum
    others = 400 if settings["negatives"] == 0 else 200
    counts = settings.get("counts", COUNTS)
    h = jax.random.normal(jax.random.key(3), (WIDTH,))
    directions = jnp.stack(
        [jnp.arange(CLASSES) == label, jnp.arange(CLASSES) < 17, jnp.arange(CLASSES) % 2], axis=1
    )
    zeros = jnp.zeros((others + 1, WIDTH))
    ends = jnp.asarray(np.cumsum(counts / counts.sum())[:-1], jnp.float32)

    @jax.jit
    def one(key):
        """The gradient of the first example; the others only bring their labels."""
        draw, pick = jax.random.split(key)
        y = jnp.searchsorted(ends, jax.random.uniform(pick, (others,)))
        s = head.sample(table, jnp.concatenate([jnp.array([label]), y]), draw)
        loss = jax.grad(lambda h, rows: head.loss(zeros.at[0].set(h), rows, s)[0], (0, 1))
        of_h, of_rows = loss(h, s.rows)
        of_bias = jnp.zeros(CLASSES).at[s.ids].set(of_rows.bias, mode="drop")
        return of_h, of_bias @ directions

    keys = jax.random.split(jax.random.key(5), REPEATS)
    found_h, found_p = map(np.asarray, jax.lax.map(one, keys))
    of_h, p = expected_gradients(head, table, h, label)
    assert worst_deviation(found_h, of_h) < 3
    assert worst_deviation(found_p, p @ np.asarray(directions, np.float64)) < 3


def test_with_all_classes_in_the_sample_the_loss_is_exact():
    for loss in ("softmax", "bce"):
        head = SlideHead(5, 40, negatives=1000, loss=loss)
        table, h = table_of(head), jax.random.normal(jax.random.key(1), (3, 5))
        y = jnp.array([[3, 4], [5, -100], [6, 39]])
        s = head.sample(table, y, jax.random.key(0))
        assert len(s.ids) == 40
        assert head.loss(h, s.rows, s) == pytest.approx(float(head.exact_loss(table, h, y)), rel=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        {"in_batch": True},
        {"in_batch": False, "counts": True, "sampling": "frequency"},
        {"in_batch": True, "counts": True, "sampling": "frequency"},
        {"in_batch": True, "counts": True, "negatives": 0},
    ],
    ids=str,
)
def test_bce_is_at_rest_at_the_true_log_odds(settings):
    n = 30
    p = (1.0 / np.arange(1, n + 1)) / (1.0 / np.arange(1, n + 1)).sum()
    settings = {"negatives": 10} | settings
    if settings.get("counts"):
        settings["counts"] = p * 1e6
    head = SlideHead(2, n, loss="bce", reduction="sum", **settings)
    table = head.init(jax.random.key(0))
    truth = jnp.asarray(np.log(p / (1 - p)), jnp.float32)
    table = table._replace(weight=jnp.zeros_like(table.weight), bias=truth)

    @jax.jit
    def one(key):
        draw, pick = jax.random.split(key)
        y = jax.random.categorical(pick, jnp.log(jnp.asarray(p)), shape=(8,))
        s = head.sample(table, y, draw)
        slope = jax.grad(lambda rows: head.loss(jnp.zeros((8, 2)), rows, s))(s.rows).bias
        return jnp.zeros(n).at[s.ids].set(slope, mode="drop")

    found = np.asarray(jax.vmap(one)(jax.random.split(jax.random.key(2), 8_000)))
    assert worst_deviation(found, 0) < 3.5  # the largest of 30
