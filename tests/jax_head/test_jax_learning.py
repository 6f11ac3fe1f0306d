"""A small network learns real data through the head."""

import jax
import jax.numpy as jnp
import numpy as np

from hashslide import metrics
from hashslide.jax import SlideHead

BATCH, EPOCHS, WIDTH = 64, 8, 32


def padded(Y):
    """Labels of each row of an indicator, filled up with -100."""
    sizes = np.diff(Y.indptr)
    y = np.full((len(sizes), sizes.max()), -100)
    y[np.arange(sizes.max()) < sizes[:, None]] = Y.indices
    return y


def trunk(weight, x):
    h = x @ weight
    return 5 * h / jnp.maximum(jnp.linalg.norm(h, axis=1, keepdims=True), 1e-6)


def test_a_network_learns_more_than_what_is_popular(pubmed_small):
    d = pubmed_small
    x, y, counts = jnp.asarray(d.X_train.toarray()), jnp.asarray(padded(d.Y_train)), d.Y_train.sum(axis=0).A1
    head = SlideHead(WIDTH, d.Y_train.shape[1], loss="bce", negatives=250, counts=counts)

    def step(state, now):
        (weight, squares, table), (batch, key, rate) = state, now
        s = head.sample(table, y[batch], key)
        value, (slope, rows) = jax.value_and_grad(
            lambda weight, rows: head.loss(trunk(weight, x[batch]), rows, s), (0, 1)
        )(weight, s.rows)
        squares += ((BATCH * slope) ** 2).mean(axis=1)
        weight -= rate * BATCH * slope / jnp.sqrt(0.1 + squares)[:, None]
        return (weight, squares, head.update(table, s, rows, rate)), value

    orders = [np.random.default_rng(epoch).permutation(len(x)) for epoch in range(EPOCHS)]
    batches = np.concatenate([order[: len(x) // BATCH * BATCH].reshape(-1, BATCH) for order in orders])
    keys = jax.random.split(jax.random.key(0), len(batches))
    weight = 0.1 * jax.random.normal(keys[0], (x.shape[1], WIDTH))
    state = weight, jnp.zeros(x.shape[1]), head.init(keys[1])
    (weight, _, table), losses = jax.jit(lambda *given: jax.lax.scan(step, *given))(
        state, (batches, keys, np.linspace(0.1, 0, len(batches), dtype=np.float32))
    )
    assert losses[-20:].mean() < 0.5 * losses[:20].mean()
    _, found = head.top_k(table, trunk(weight, d.X_test.toarray()), 5)
    popular = np.tile(np.argsort(-counts)[:5], (d.X_test.shape[0], 1))
    for k in (1, 5):
        assert metrics.precision_at_k(d.Y_test, np.asarray(found), k) > 0.03 + metrics.precision_at_k(
            d.Y_test, popular, k
        )
