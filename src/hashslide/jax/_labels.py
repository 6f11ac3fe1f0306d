"""Labels of a batch in one form, whatever shape and type they come in."""

import jax.numpy as jnp
from jax import Array

from ._state import Labels


def read_labels(
    y: Array, num_classes: int, ignore_index: int, loss: str, class_weight: Array | None
) -> Labels:
    """Return the labels of a batch, without repetitions.

    Parameters
    ----------
    y : int array of shape (N,) or (N, T)
    class_weight : float32 array of shape (num_classes,), or None
    """
    one_each = y.ndim == 1
    y = y[:, None] if one_each else y
    exists = (y >= 0) & (y < num_classes)
    is_label = exists & (y != ignore_index)
    ids = jnp.sort(jnp.where(is_label, y, num_classes).astype(jnp.int32), axis=1)
    repeated = jnp.pad(ids[:, 1:] == ids[:, :-1], ((0, 0), (1, 0)))[:, : ids.shape[1]]
    ids = jnp.where(repeated, num_classes, ids)
    is_label = ids < num_classes
    n_labels = is_label.sum(axis=1, dtype=jnp.int32)
    weight = is_label.astype(jnp.float32)
    if class_weight is not None:
        weight *= class_weight.at[ids].get(mode="fill", fill_value=0)
    if loss == "softmax":
        weight /= jnp.maximum(n_labels, 1)[:, None]  # the labels of an example share the mass
        counted = n_labels > 0
        total = weight.sum()
    else:
        # An example of several labels may have none; a single label that is ignored leaves the example out.
        counted = n_labels > 0 if one_each else jnp.ones(len(y), bool)
        total = counted.sum(dtype=jnp.float32)
    invalid = (~exists & (y != ignore_index)).any(axis=1)
    return Labels(ids, weight, counted, invalid, jnp.where(total > 0, total, 1))
