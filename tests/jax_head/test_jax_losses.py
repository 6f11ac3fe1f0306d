"""The losses against plain ones over dense matrices, exact and on a sample."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hashslide.jax import SlideHead

N, CLASSES, WIDTH = 6, 300, 8
Y = np.array([[3, 299, -100], [0, -100, -100], [-100] * 3, [7, 7, 8], [150, 151, 152], [9, -100, -100]])
IS_LABEL = (Y[:, :, None] == np.arange(CLASSES)).any(axis=1)
WEIGHT = np.random.default_rng(0).uniform(0.2, 3, CLASSES).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def blocks():
    """Let sums be streamed over blocks of 128 classes, of which the last overlaps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hashslide.jax._streaming._LOGITS", 1)
        yield


@pytest.fixture(scope="module")
def h():
    return jax.random.normal(jax.random.key(1), (N, WIDTH))


@pytest.fixture(scope="module")
def table():
    table = SlideHead(WIDTH, CLASSES, counts=1 + np.arange(CLASSES), weight=WEIGHT).init(jax.random.key(2))
    return table._replace(weight=jax.random.normal(jax.random.key(3), table.weight.shape))


@jax.jit
def softmax(h, weight, bias, shift, is_label, class_weight):
    """Of each example; `shift` is infinite for a class that is no negative."""
    z = h @ weight.T + bias
    logits = jnp.where(is_label, z, z - shift)
    share = is_label * class_weight / jnp.maximum(is_label.sum(axis=1, keepdims=True), 1)
    return jnp.where(is_label, -share * jax.nn.log_softmax(logits), 0).sum(axis=1)


@jax.jit
def bce(h, weight, bias, shift, is_label, class_weight, log_q=0.0):
    z = h @ weight.T + bias
    as_label = class_weight * jax.nn.softplus(log_q - z)
    return jnp.where(is_label, as_label, jax.nn.softplus(z - shift)).sum(axis=1)


@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_exact_loss_and_its_gradients_are_the_full_ones(loss, several, weighted, h, table):
    y = Y if several else Y[:, 0]
    is_label = IS_LABEL if several else Y[:, :1] == np.arange(CLASSES)
    class_weight = WEIGHT if weighted else np.ones(CLASSES, np.float32)
    table = table if weighted else table._replace(class_weight=None)
    counted = np.ones(N, bool) if several and loss == "bce" else is_label.any(axis=1)
    n_labels = np.maximum(is_label.sum(axis=1), 1)
    divisor = counted.sum() if loss == "bce" else ((is_label * class_weight).sum(axis=1) / n_labels).sum()

    def full(h, weight, bias):
        losses = {"softmax": softmax, "bce": bce}[loss](h, weight, bias, 0.0, is_label, class_weight)
        return (losses * counted).sum() / divisor, losses * counted

    at = h, table.weight, table.bias
    (mean, losses), expected = jax.jit(jax.value_and_grad(full, (0, 1, 2), has_aux=True))(*at)
    found = [
        SlideHead(WIDTH, CLASSES, loss=loss, reduction=r).exact_loss(table, h, y)
        for r in ("mean", "sum", "none")
    ]
    np.testing.assert_allclose(found[0], mean, rtol=1e-5)
    np.testing.assert_allclose(found[1], losses.sum(), rtol=1e-5)
    np.testing.assert_allclose(found[2], losses, rtol=1e-5, atol=1e-5)
    head = SlideHead(WIDTH, CLASSES, loss=loss)
    exact = jax.grad(lambda h, w, b: head.exact_loss(table._replace(weight=w, bias=b), h, y), (0, 1, 2))
    for gradient, wanted in zip(jax.jit(exact)(*at), expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.parametrize("in_batch", [True, False])
def test_the_sampled_loss_is_that_of_the_corrected_logits(loss, in_batch, h, table):
    settings = {"loss": loss, "in_batch": in_batch, "negatives": 40, "reduction": "none"}
    head = SlideHead(WIDTH, CLASSES, counts=1 + np.arange(CLASSES), weight=WEIGHT, **settings)
    s = head.sample(table, Y, jax.random.key(5))
    ids, negative = np.asarray(s.ids), np.asarray(s.negative)
    assert in_batch or not negative[np.isin(ids, Y)].all()
    shift, log_q = np.full(CLASSES, np.inf, np.float32), np.zeros(CLASSES, np.float32)
    shift[ids[negative]] = np.asarray(s.log_q)[negative]
    log_q[ids[ids < CLASSES]] = np.asarray(s.log_q)[ids < CLASSES]

    def expected(h, weight, bias):
        given = h, weight, bias, shift, IS_LABEL, WEIGHT
        losses = bce(*given, log_q) if loss == "bce" else softmax(*given)
        return losses.sum(), losses

    (_, losses), wanted = jax.jit(jax.value_and_grad(expected, (0, 1, 2), has_aux=True))(
        h, table.weight, table.bias
    )
    np.testing.assert_allclose(head.loss(h, s.rows, s), losses, rtol=1e-5, atol=1e-5)
    of_h, of_rows = jax.jit(jax.grad(lambda h, rows: head.loss(h, rows, s).sum(), (0, 1)))(h, s.rows)
    real = ids < CLASSES
    np.testing.assert_allclose(of_h, wanted[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_rows.weight[real], wanted[1][ids[real]], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_rows.bias[real], wanted[2][ids[real]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.parametrize("negatives", [0, 10])
def test_examples_without_labels_do_no_harm(loss, negatives, h, table):
    head = SlideHead(WIDTH, CLASSES, loss=loss, negatives=negatives)
    s = head.sample(table, np.full(N, -100), jax.random.key(0))
    value, gradients = jax.jit(jax.value_and_grad(head.loss, (0, 1)))(h, s.rows, s)
    assert value == 0
    assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(gradients))
    assert head.exact_loss(table, h, np.full(N, -100)) == 0


def test_a_label_that_does_not_exist_shows_in_the_loss_and_leaves_the_table_whole(h, table):
    head = SlideHead(WIDTH, CLASSES, negatives=10, reduction="none")
    y = jnp.array([3, CLASSES, -1, 2**31 - 1, 5, 6])
    s = jax.jit(head.sample)(table, y, jax.random.key(0))
    losses = head.loss(h, s.rows, s)
    assert np.isnan(losses).tolist() == [False, True, True, True, False, False]
    gradient = jax.jit(jax.grad(lambda rows: head.loss(h, rows, s).sum()))(s.rows)
    assert np.isfinite(gradient.weight).all() and gradient.weight.any()


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_short_activations_lose_nothing_more_than_their_own_digits(dtype, h, table):
    head = SlideHead(WIDTH, CLASSES, negatives=10)
    s = head.sample(table, Y, jax.random.key(0))
    short = h.astype(dtype)
    differentiate = jax.jit(jax.value_and_grad(head.loss))
    value, slope = differentiate(short, s.rows, s)
    wanted, wide = differentiate(short.astype(jnp.float32), s.rows, s)
    assert value == wanted and value.dtype == jnp.float32 and slope.dtype == dtype
    np.testing.assert_array_equal(slope, wide.astype(dtype))
