"""Sums and the best of all classes, block by block: never (N, num_classes) numbers."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

_LOGITS = 1 << 22  # of a block
_LEAST_CLASSES = 128


class _Blocks:
    """How the rows of a table are divided into blocks of one size.

    The last block starts earlier if the size does not divide the number of rows: its first rows were in the
    block before.
    """

    def __init__(self, n_examples: int, n_rows: int):
        self.size = min(n_rows, max(_LEAST_CLASSES, _LOGITS // max(n_examples, 1)))
        self.n = -(-n_rows // self.size)
        self._last = n_rows - self.size

    def start(self, i: Array) -> Array:
        return jnp.minimum(i * self.size, self._last)

    def ids(self, i: Array) -> Array:
        return self.start(i) + jnp.arange(self.size, dtype=jnp.int32)

    def is_new(self, i: Array) -> Array:
        return self.ids(i) >= i * self.size

    def cut(self, array: Array, i: Array) -> Array:
        return lax.dynamic_slice_in_dim(array, self.start(i), self.size)

    def logits(self, h: Array, weight: Array, bias: Array, i: Array) -> Array:
        return jnp.matmul(h, self.cut(weight, i).T) + self.cut(bias, i)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def streamed_sum(loss: str, h: Array, weight: Array, bias: Array) -> Array:
    """Return what all classes together add to the loss of each example, shape (N,).

    softmax: log Σ exp(z); bce: Σ log(1 + exp(z)). The gradient computes the logits a second time.
    """
    blocks = _Blocks(len(h), len(weight))

    def add(carry: tuple[Array, Array], i: Array) -> tuple[tuple[Array, Array], None]:
        top, total = carry
        z = blocks.logits(h, weight, bias, i)
        if loss == "bce":
            return (top, total + jnp.where(blocks.is_new(i), jax.nn.softplus(z), 0).sum(axis=1)), None
        z = jnp.where(blocks.is_new(i), z, -jnp.inf)
        higher = jnp.maximum(top, z.max(axis=1))
        return (higher, total * jnp.exp(top - higher) + jnp.exp(z - higher[:, None]).sum(axis=1)), None

    first = jnp.full(len(h), -jnp.inf, jnp.float32), jnp.zeros(len(h), jnp.float32)
    (top, total), _ = lax.scan(add, first, jnp.arange(blocks.n, dtype=jnp.int32))
    return total if loss == "bce" else top + jnp.log(total)


def _forward(loss: str, h: Array, weight: Array, bias: Array) -> tuple[Array, tuple[Array, ...]]:
    total = streamed_sum(loss, h, weight, bias)
    return total, (h, weight, bias, total)


def _backward(loss: str, saved: tuple[Array, ...], outer: Array) -> tuple[Array, Array, Array]:
    h, weight, bias, total = saved
    blocks = _Blocks(len(h), len(weight))

    def add(carry: tuple[Array, Array, Array], i: Array) -> tuple[tuple[Array, Array, Array], None]:
        of_h, of_weight, of_bias = carry
        z = blocks.logits(h, weight, bias, i)
        slope = outer[:, None] * (jax.nn.sigmoid(z) if loss == "bce" else jnp.exp(z - total[:, None]))
        of_h += jnp.matmul(jnp.where(blocks.is_new(i), slope, 0), blocks.cut(weight, i))
        start = blocks.start(i)
        of_weight = lax.dynamic_update_slice_in_dim(of_weight, jnp.matmul(slope.T, h), start, 0)
        of_bias = lax.dynamic_update_slice_in_dim(of_bias, slope.sum(axis=0), start, 0)
        return (of_h, of_weight, of_bias), None

    first = jnp.zeros_like(h), jnp.zeros_like(weight), jnp.zeros_like(bias)
    gradients, _ = lax.scan(add, first, jnp.arange(blocks.n, dtype=jnp.int32))
    return gradients


streamed_sum.defvjp(_forward, _backward)


def streamed_top_k(h: Array, weight: Array, bias: Array, k: int) -> tuple[Array, Array]:
    """Return the k largest logits of each example and their classes; ties by the smaller id."""
    blocks = _Blocks(len(h), len(weight))
    h = h.astype(jnp.float32)

    def merge(best: tuple[Array, Array], i: Array) -> tuple[tuple[Array, Array], None]:
        z = jnp.where(blocks.is_new(i), blocks.logits(h, weight, bias, i), -jnp.inf)
        values, places = lax.top_k(z, min(k, blocks.size))
        values = jnp.concatenate([best[0], values], axis=1)  # of equal ones, top_k takes the first
        ids = jnp.concatenate([best[1], blocks.ids(i)[places]], axis=1)
        values, places = lax.top_k(values, k)
        return (values, jnp.take_along_axis(ids, places, axis=1)), None

    first = jnp.full((len(h), k), -jnp.inf, jnp.float32), jnp.zeros((len(h), k), jnp.int32)
    best, _ = lax.scan(merge, first, jnp.arange(blocks.n, dtype=jnp.int32))
    return best
