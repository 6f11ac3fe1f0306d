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
@pytest.mark.parametrize(("several", "weighted"), [(False, False), (False, True), (True, True)])
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
    heads = {r: SlideHead(WIDTH, CLASSES, loss=loss, reduction=r).exact_loss for r in ("mean", "sum", "none")}

    def exact(h, weight, bias):
        given = table._replace(weight=weight, bias=bias)
        return heads["mean"](given, h, y), [heads[r](given, h, y) for r in ("sum", "none")]

    (value, others), found = jax.jit(jax.value_and_grad(exact, (0, 1, 2), has_aux=True))(*at)
    np.testing.assert_allclose(value, mean, rtol=1e-5)
    np.testing.assert_allclose(others[0], losses.sum(), rtol=1e-5)
    np.testing.assert_allclose(others[1], losses, rtol=1e-5, atol=1e-5)
    for gradient, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "bce"])
@pytest.mark.parametrize("in_batch", [True, False])
def test_the_sampled_loss_is_that_of_the_corrected_logits(loss, in_batch, h, table):
    settings = {"loss": loss, "in_batch": in_batch, "negatives": 40, "reduction": "none"}
    head = SlideHead(WIDTH, CLASSES, counts=1 + np.arange(CLASSES), weight=WEIGHT, **settings)
    s = head.sample(table, Y, jax.random.key(5))
    ids, real = np.asarray(s.ids), np.asarray(s.ids) < CLASSES
    assert in_batch == np.isfinite(s.log_q)[real].all()
    shift, log_q = np.full(CLASSES, np.inf, np.float32), np.zeros((N, CLASSES), np.float32)
    shift[ids[real]] = np.asarray(s.log_q)[real]
    for i, (targets, chances) in enumerate(zip(s.targets, s.target_log_q, strict=True)):
        own = np.asarray(targets) < len(ids)
        log_q[i, ids[np.asarray(targets)[own]]] = np.asarray(chances)[own]

    def expected(h, weight, bias):
        given = h, weight, bias, shift, IS_LABEL, WEIGHT
        losses = bce(*given, log_q) if loss == "bce" else softmax(*given)
        return losses.sum(), losses

    (_, losses), wanted = jax.jit(jax.value_and_grad(expected, (0, 1, 2), has_aux=True))(
        h, table.weight, table.bias
    )

    def sampled(h, rows):
        losses = head.loss(h, rows, s)
        return losses.sum(), losses

    (_, found), (of_h, of_rows) = jax.jit(jax.value_and_grad(sampled, (0, 1), has_aux=True))(h, s.rows)
    np.testing.assert_allclose(found, losses, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(of_h, wanted[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_rows.weight[real], wanted[1][ids[real]], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_rows.bias[real], wanted[2][ids[real]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("loss", "negatives"), [("softmax", 0), ("bce", 10)])
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


def test_short_activations_lose_nothing_more_than_their_own_digits(h, table):
    head = SlideHead(WIDTH, CLASSES, negatives=10)
    s = head.sample(table, Y, jax.random.key(0))
    short = h.astype(jnp.float16)
    differentiate = jax.jit(jax.value_and_grad(head.loss))
    value, slope = differentiate(short, s.rows, s)
    wanted, wide = differentiate(short.astype(jnp.float32), s.rows, s)
    assert value == wanted and value.dtype == jnp.float32 and slope.dtype == jnp.float16
    np.testing.assert_array_equal(slope, wide.astype(jnp.float16))
