"""The update: Adagrad on the sampled rows alone, in place."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hashslide.jax import SlideHead

WIDTH, CLASSES = 16, 100_000
TABLE_BYTES = 4 * CLASSES * (WIDTH + 3)
Y = jnp.array([5, 99_999, 17, -100])
HEAD = SlideHead(WIDTH, CLASSES, negatives=50)


@pytest.fixture(scope="module")
def h():
    return jax.random.normal(jax.random.key(1), (4, WIDTH))


def step(head):
    def train(table, h, y, key):
        s = head.sample(table, y, key)
        loss, gradient = jax.value_and_grad(lambda rows: head.loss(h, rows, s))(s.rows)
        return head.update(table, s, gradient, 0.1), loss

    return train


@pytest.mark.parametrize(("reduction", "bias"), [("mean", True), ("sum", False)])
def test_only_the_sampled_rows_change_and_as_adagrad_says(reduction, bias, h):
    head = SlideHead(WIDTH, CLASSES, negatives=50, reduction=reduction, bias=bias, initial_accumulator=0.2)
    table = head.init(jax.random.key(0))
    table = table._replace(accumulator=table.accumulator + 0.5)
    before = jax.tree.map(np.array, table)
    s = head.sample(table, Y, jax.random.key(2))
    gradient = jax.jit(jax.grad(lambda rows: head.loss(h, rows, s)))(s.rows)
    after = jax.tree.map(np.asarray, head.update(table, s, gradient, 0.1))
    ids, is_real = np.asarray(s.ids), np.asarray(s.ids) < CLASSES
    ids = ids[is_real]
    scale = 3 if reduction == "mean" else 1  # three of the four examples have a label
    g, g_bias = (scale * np.asarray(part)[is_real] for part in gradient)
    squares = 0.5 + np.stack([(g**2).mean(axis=1), g_bias**2], axis=1)
    rate = 0.1 / np.sqrt(0.2 + squares)
    np.testing.assert_allclose(after.accumulator[ids], squares, rtol=1e-5)
    np.testing.assert_allclose(after.weight[ids], before.weight[ids] - rate[:, :1] * g, rtol=1e-5, atol=1e-7)
    moved = before.bias[ids] - rate[:, 1] * g_bias * bias
    np.testing.assert_allclose(after.bias[ids], moved, rtol=1e-5, atol=1e-7)
    assert np.abs(g).max(axis=1).all() and (after.weight != before.weight).any(axis=1).sum() == len(ids)
    for name in ("weight", "bias", "accumulator"):
        changed = getattr(after, name) != getattr(before, name)
        assert set(np.flatnonzero(changed.reshape(CLASSES, -1).any(axis=1))) <= set(ids)


def test_an_update_reuses_the_buffers_of_the_table(h):
    table = HEAD.init(jax.random.key(0))
    places = [array.unsafe_buffer_pointer() for array in (table.weight, table.bias, table.accumulator)]
    s = HEAD.sample(table, Y, jax.random.key(2))
    after = HEAD.update(table, s, s.rows, 0.1)
    assert [array.is_deleted() for array in (table.weight, table.bias, table.accumulator)] == [True] * 3
    assert [a.unsafe_buffer_pointer() for a in (after.weight, after.bias, after.accumulator)] == places


@pytest.mark.parametrize(
    "settings",
    [{}, {"loss": "bce", "counts": np.arange(CLASSES), "sampling": "frequency"}],
    ids=["plain", "counts"],
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

    def train(key):
        table, loss = step(head)(head.init(key), h, y, key)
        return table.weight, loss, head.top_k(table, h, 3)[1]

    found = jax.jit(jax.vmap(train))(keys)
    for mapped, alone in zip(found, jax.jit(train)(keys[1]), strict=True):
        np.testing.assert_allclose(mapped[1], alone, rtol=1e-5, atol=1e-7)
    assert len(np.unique(found[1])) == 3


def test_a_step_is_the_same_bit_for_bit(h):
    train = jax.jit(step(HEAD), donate_argnums=0)
    first, again = (train(HEAD.init(jax.random.key(0)), h, Y, jax.random.key(1))[0] for _ in range(2))
    np.testing.assert_array_equal(first.weight, again.weight)
    np.testing.assert_array_equal(first.accumulator, again.accumulator)
