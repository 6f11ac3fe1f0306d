"""The best classes, streamed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hashslide.jax import SlideHead


@pytest.mark.parametrize("k", [5, 300])
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


@pytest.mark.parametrize("what", ["top_k", "loss", "gradient"])
def test_there_are_never_the_logits_of_all_classes(what):
    head, n = SlideHead(4, 200_000), 64
    table = head.init(jax.random.key(0))
    y = jnp.zeros(n, jnp.int32)
    functions = {
        "top_k": lambda weight, h: head.top_k(table._replace(weight=weight), h, 5),
        "loss": lambda weight, h: head.exact_loss(table._replace(weight=weight), h, y),
    }
    functions["gradient"] = jax.grad(functions["loss"], (0, 1))
    compiled = jax.jit(functions[what]).lower(table.weight, jnp.ones((n, 4))).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 4 * n * 200_000 * 0.8
