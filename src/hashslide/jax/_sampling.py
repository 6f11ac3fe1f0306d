"""Which classes a batch is trained on, and how likely each of them was to be among them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from ._labels import read_labels
from ._settings import HeadSettings
from ._state import Labels, Rows, Sample, Table

_UNIT = 2.0**-32


def starts_of(counts: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Return where the share of each class begins on a circle of 2³² units; no share is empty.

    A class that was never counted gets the share of the rarest one that was.
    """
    counts = np.where(counts > 0, counts, counts[counts > 0].min())
    before = np.concatenate([[0.0], np.cumsum(counts)])
    scaled = before[:-1] * ((2.0**32 - len(counts)) / before[-1])
    return (scaled.astype(np.uint64) + np.arange(len(counts), dtype=np.uint64)).astype(np.uint32)


def shares(starts: Array, ids: Array) -> Array:
    """Return the frequencies of some classes, which are the chances of a draw by frequency."""
    if len(starts) == 1:
        return jnp.ones(ids.shape, jnp.float32)
    units = starts[(ids + 1) % len(starts)] - starts[ids]  # the circle closes behind the last one
    return units.astype(jnp.float32) * _UNIT


def sample_classes(settings: HeadSettings, table: Table, y: Array, key: Array) -> Sample:
    """Return the labels of a batch and the negatives, each once, rising; then padding."""
    n = settings.num_classes
    labels = read_labels(y, n, settings.ignore_index, settings.loss, table.class_weight)
    drawn = _draw(settings, table, key)
    found = jnp.concatenate([labels.ids.ravel(), drawn])
    size = min(len(found), n)
    ids = jnp.unique(found, size=size, fill_value=n) if size else found
    targets = jnp.where(labels.ids < n, jnp.searchsorted(ids, labels.ids), size).astype(jnp.int32)
    is_label = jnp.zeros(size, bool).at[targets].set(True, mode="drop")
    is_drawn = jnp.zeros(size, bool).at[jnp.searchsorted(ids, drawn)].set(True)
    log_q, negative = _chances(settings, table.starts, ids, labels, is_label, is_drawn)
    weight = table.weight.at[ids].get(mode="fill", fill_value=0, indices_are_sorted=True)
    bias = table.bias.at[ids].get(mode="fill", fill_value=0, indices_are_sorted=True)
    return Sample(ids, Rows(weight, bias), log_q, negative, targets, labels)


def _draw(settings: HeadSettings, table: Table, key: Array) -> Array:
    n, n_drawn = settings.num_classes, settings.negatives
    if n_drawn >= n:
        return jnp.arange(n, dtype=jnp.int32)
    n_frequent = _by_frequency(settings)
    uniform_key, frequent_key = jax.random.split(key)
    uniform = jax.random.randint(uniform_key, (n_drawn - n_frequent,), 0, n, jnp.int32)
    if table.starts is None or n_frequent == 0:
        return uniform
    points = jax.random.bits(frequent_key, (n_frequent,), jnp.uint32)
    frequent = jnp.searchsorted(table.starts, points, side="right").astype(jnp.int32) - 1
    return jnp.concatenate([uniform, frequent])


def _by_frequency(settings: HeadSettings) -> int:
    """Return how many of the draws are by frequency; the others are uniform."""
    return settings.negatives // 2 if settings.sampling == "frequency" else 0


def _chances(
    settings: HeadSettings, starts: Array | None, ids: Array, labels: Labels, is_label: Array, is_drawn: Array
) -> tuple[Array, Array]:
    """Return the log of the chance that each class is in the sample, and which classes are negatives.

    The chance is that of a class which the example in question does not carry. Without frequencies, softmax
    takes the labels of the batch as given: they count once, and the draws stand for all other classes. For
    bce, where a class needs the same correction as a label and as a negative, the draws alone are negatives.
    """
    n, n_drawn = settings.num_classes, settings.negatives
    exists, certain = ids < n, jnp.zeros(ids.shape, jnp.float32)
    if n_drawn >= n or (n_drawn == 0 and starts is None):
        return certain, exists
    n_frequent = _by_frequency(settings)
    log_missed = (n_drawn - n_frequent) * jnp.log1p(-1 / n) + certain
    if starts is not None:
        log_other = jnp.log1p(-jnp.minimum(shares(starts, ids), 1 - 1e-6))  # that a draw is another class
        log_missed += n_frequent * log_other
        if settings.in_batch:
            has_label = labels.ids < n
            n_examples = has_label.any(axis=1).sum()
            of_others = has_label.sum() * (1 - 1 / jnp.maximum(n_examples, 1))
            log_missed += of_others * log_other
    log_q = jnp.where(log_missed < 0, jnp.log(-jnp.expm1(log_missed)), 0)  # 0: nothing comes by chance
    if not settings.in_batch:
        return log_q, is_drawn
    if starts is not None:
        return log_q, exists
    return (log_q, is_drawn) if settings.loss == "bce" else (jnp.where(is_label, 0, log_q), exists)
