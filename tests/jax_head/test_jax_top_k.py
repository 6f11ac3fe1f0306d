"""The best classes, streamed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hashslide.jax import SlideHead


@pytest.mark.parametrize("k", [1, 5, 300])
@pytest.mark.parametrize("logits", [1, 1 << 22], ids=["blocks", "one block"])
def test_the_best_are_those_of_all_logits(k, logits, monkeypatch):
    monkeypatch.setattr("hashslide.jax._streaming._LOGITS", logits)
    n = 300 if logits == 1 else 301  # another shape is compiled anew
    head = SlideHead(4, n)
    table = head.init(jax.random.key(0))
    weight = jnp.round(jax.random.normal(jax.random.key(1), (n, 4)))  # many ties
    table = table._replace(weight=weight)
    h = jnp.round(jax.random.normal(jax.random.key(2), (7, 4)))
    values, ids = head.top_k(table, h, k)
    z = np.asarray(h @ weight.T)
    order = np.argsort(-z, axis=1, kind="stable")[:, :k]
    np.testing.assert_array_equal(ids, order)
    np.testing.assert_array_equal(values, np.take_along_axis(z, order, axis=1))


def test_there_are_never_the_logits_of_all_classes():
    head, n = SlideHead(4, 200_000), 64
    table = head.init(jax.random.key(0))
    h = jnp.ones((n, 4))
    all_logits = 4 * n * 200_000
    for function in (
        lambda table: head.top_k(table, h, 5),
        lambda table: head.exact_loss(table, h, jnp.zeros(n, jnp.int32)),
        jax.grad(lambda weight: head.exact_loss(table._replace(weight=weight), h, jnp.zeros(n, jnp.int32))),
    ):
        argument = table.weight if function.__name__ != "<lambda>" else table
        memory = jax.jit(function).lower(argument).compile().memory_analysis()
        assert memory.temp_size_in_bytes < all_logits * 0.8
