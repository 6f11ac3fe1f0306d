"""The update: Adagrad on the sampled rows alone, in place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hashslide.jax import SlideHead

WIDTH, CLASSES = 16, 100_000
TABLE_BYTES = 4 * CLASSES * (WIDTH + 3)
Y = jnp.array([5, 99_999, 17, -100])


@pytest.fixture
def h():
    return jax.random.normal(jax.random.key(1), (4, WIDTH))


def step(head):
    def train(table, h, y, key):
        s = head.sample(table, y, key)
        loss, gradient = jax.value_and_grad(lambda rows: head.loss(h, rows, s))(s.rows)
        return head.update(table, s, gradient, 0.1), loss

    return train


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("bias", [True, False])
def test_only_the_sampled_rows_change_and_as_adagrad_says(reduction, bias, h):
    head = SlideHead(WIDTH, CLASSES, negatives=50, reduction=reduction, bias=bias, initial_accumulator=0.2)
    table = head.init(jax.random.key(0))
    table = table._replace(accumulator=table.accumulator + 0.5)
    before = jax.tree.map(np.array, table)
    s = head.sample(table, Y, jax.random.key(2))
    gradient = jax.grad(lambda rows: head.loss(h, rows, s))(s.rows)
    after = head.update(table, s, gradient, 0.1)
    ids = np.asarray(s.ids)
    ids, real = ids[ids < CLASSES], ids < CLASSES
    scale = 3 if reduction == "mean" else 1
    g, g_bias = (scale * np.asarray(part)[real] for part in gradient)
    squares = 0.5 + np.stack([(g**2).mean(axis=1), g_bias**2], axis=1)
    rate = 0.1 / np.sqrt(0.2 + squares)
    before.weight[ids] -= rate[:, :1] * g
    before.bias[ids] -= rate[:, 1] * g_bias * bias
    np.testing.assert_allclose(after.accumulator[ids], squares, rtol=1e-5)
    np.testing.assert_allclose(after.weight[ids], before.weight[ids], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(after.bias[ids], before.bias[ids], rtol=1e-5, atol=1e-7)
    untouched = np.setdiff1d(np.arange(CLASSES), ids)
    assert len(untouched) > CLASSES - 60
    np.testing.assert_array_equal(after.weight[untouched], before.weight[untouched])
    np.testing.assert_array_equal(after.accumulator[untouched], 0.5)
    assert (
        (np.asarray(after.weight)[ids] != np.asarray(head.init(jax.random.key(0)).weight)[ids])
        .any(axis=1)
        .all()
    )


def test_an_update_reuses_the_buffers_of_the_table(h):
    head = SlideHead(WIDTH, CLASSES, negatives=50)
    table = head.init(jax.random.key(0))
    places = [array.unsafe_buffer_pointer() for array in (table.weight, table.bias, table.accumulator)]
    s = head.sample(table, Y, jax.random.key(2))
    after = head.update(table, s, s.rows, 0.1)
    assert [array.is_deleted() for array in (table.weight, table.bias, table.accumulator)] == [True] * 3
    assert [a.unsafe_buffer_pointer() for a in (after.weight, after.bias, after.accumulator)] == places


@pytest.mark.parametrize(
    "settings",
    [{}, {"loss": "bce", "counts": np.arange(CLASSES), "sampling": "frequency"}],
    ids=["softmax", "bce"],
)
def test_a_step_makes_no_copy_of_the_table(settings, h):
    head = SlideHead(WIDTH, CLASSES, negatives=50, **settings)
    table = head.init(jax.random.key(0))
    compiled = jax.jit(step(head), donate_argnums=0).lower(table, h, Y, jax.random.key(1)).compile()
    memory = compiled.memory_analysis()
    assert memory.alias_size_in_bytes >= TABLE_BYTES
    assert memory.temp_size_in_bytes < TABLE_BYTES / 50
    after, _ = compiled(table, h, Y, jax.random.key(1))
    assert table.weight.is_deleted() and not after.weight.is_deleted()


def test_seeds_are_mapped_as_if_each_were_alone(h):
    head = SlideHead(WIDTH, 200, negatives=50)
    y, keys = Y % 200, jax.random.split(jax.random.key(0), 3)
    train = jax.jit(jax.vmap(step(head), (0, None, None, 0)))
    tables, losses = train(jax.vmap(head.init)(keys), h, y, keys)
    one = jax.jit(step(head))
    for i, key in enumerate(keys):
        table, loss = one(head.init(key), h, y, key)
        assert loss == pytest.approx(float(losses[i]), rel=1e-6)
        np.testing.assert_allclose(tables.weight[i], table.weight, rtol=1e-5, atol=1e-7)
    values, _ = jax.vmap(head.top_k, (0, None, None))(tables, h, 3)
    assert values.shape == (3, 4, 3) and len(np.unique(losses)) == 3


def test_a_step_is_the_same_bit_for_bit_in_one_function_and_function_by_function(h):
    head = SlideHead(WIDTH, 1000, negatives=50)
    y = Y % 1000
    one, _ = jax.jit(step(head), donate_argnums=0)(head.init(jax.random.key(0)), h, y, jax.random.key(1))
    again, _ = jax.jit(step(head), donate_argnums=0)(head.init(jax.random.key(0)), h, y, jax.random.key(1))
    np.testing.assert_array_equal(one.weight, again.weight)
    other, _ = step(head)(head.init(jax.random.key(0)), h, y, jax.random.key(1))
    np.testing.assert_allclose(one.weight, other.weight, rtol=1e-5, atol=1e-7)
