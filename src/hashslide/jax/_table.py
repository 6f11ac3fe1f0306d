"""A new table, and the update of some of its rows."""

import jax
import jax.numpy as jnp
from jax import Array, lax

from ._sampling import shares
from ._settings import HeadSettings
from ._state import Rows, Table

_BLOCK = 1 << 16  # rows that are drawn at once


def new_table(settings: HeadSettings, key: Array, starts: Array | None, class_weight: Array | None) -> Table:
    """Return small random weights, and biases at the log of the frequencies that are known."""
    n, width = settings.num_classes, settings.in_features
    size = min(_BLOCK, n)

    def fill(i: Array, weight: Array) -> Array:
        block = settings.init_std * jax.random.normal(jax.random.fold_in(key, i), (size, width), jnp.float32)
        return lax.dynamic_update_slice_in_dim(weight, block, jnp.minimum(i * size, n - size), 0)

    weight = lax.fori_loop(0, -(-n // size), fill, jnp.zeros((n, width), jnp.float32))
    bias = _first_bias(settings, starts) if settings.bias else jnp.zeros(n, jnp.float32)
    return Table(weight, bias, jnp.zeros((n, 2), jnp.float32), starts, class_weight)


def _first_bias(settings: HeadSettings, starts: Array | None) -> Array:
    n = settings.num_classes
    if starts is None and settings.loss == "softmax":
        return jnp.zeros(n, jnp.float32)
    share = jnp.full(n, 1 / n) if starts is None else shares(starts, jnp.arange(n, dtype=jnp.int32))
    log_share = jnp.log(share.astype(jnp.float32))
    return log_share if settings.loss == "softmax" else log_share - jnp.log1p(-jnp.minimum(share, 1 - 1e-6))


def updated(
    settings: HeadSettings, table: Table, ids: Array, total: Array, gradient: Rows, rate: Array | float
) -> Table:
    """Return the table after a step of row-wise Adagrad (Duchi, Hazan & Singer 2011) on the rows `ids`."""
    scale = total if settings.reduction == "mean" else 1
    weight, bias = gradient.weight * scale, gradient.bias * scale
    squares = jnp.stack([(weight * weight).mean(axis=1), bias * bias], axis=1)
    squares += table.accumulator.at[ids].get(mode="fill", fill_value=0, indices_are_sorted=True)
    steps = -rate * lax.rsqrt(settings.initial_accumulator + squares)
    new_weight = table.weight.at[ids].add(steps[:, :1] * weight, mode="drop", indices_are_sorted=True)
    new_bias = table.bias.at[ids].add(steps[:, 1] * bias, mode="drop", indices_are_sorted=True)
    accumulator = table.accumulator.at[ids].set(squares, mode="drop", indices_are_sorted=True)
    return table._replace(
        weight=new_weight, bias=new_bias if settings.bias else table.bias, accumulator=accumulator
    )
