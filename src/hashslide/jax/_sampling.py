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
    is_drawn = jnp.zeros(size, bool).at[jnp.searchsorted(ids, drawn)].set(True)
    log_q, target_log_q = _chances(settings, table.starts, ids, labels, targets, is_drawn)
    weight = table.weight.at[ids].get(mode="fill", fill_value=0, indices_are_sorted=True)
    bias = table.bias.at[ids].get(mode="fill", fill_value=0, indices_are_sorted=True)
    return Sample(ids, Rows(weight, bias), log_q, targets, target_log_q, labels)


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
    settings: HeadSettings, starts: Array | None, ids: Array, labels: Labels, targets: Array, is_drawn: Array
) -> tuple[Array, Array]:
    """Return `log_q` and `target_log_q` of a sample.

    With the frequencies f of the classes, the labels of the batch come by chance as the draws do: a class is
    missed by B − 1 other examples with chance (1 − f)^(B − 1). Without them the labels of the other examples
    are taken as given: what one of them carries is certain, and the draws stand for all other classes.
    """
    n, n_drawn = settings.num_classes, settings.negatives
    log_q = jnp.where(ids < n, jnp.float32(0), jnp.inf)
    if n_drawn >= n or (n_drawn == 0 and starts is None):
        return log_q, jnp.zeros(targets.shape, jnp.float32)
    n_frequent = _by_frequency(settings)
    log_missed = (n_drawn - n_frequent) * jnp.log1p(-1 / n) + jnp.zeros(ids.shape, jnp.float32)
    if starts is not None:
        share = shares(starts, ids)
        log_missed += n_frequent * _log_of_rest(share)
        if settings.in_batch:
            has_label = labels.ids < n
            n_examples = jnp.maximum(labels.counted.sum(), 1)
            mean_labels = (has_label.sum() / n_examples).astype(jnp.float32)
            log_missed += (n_examples - 1).astype(jnp.float32) * _log_of_rest(share * mean_labels)
    by_chance = jnp.where(log_missed < 0, jnp.log(-jnp.expm1(log_missed)), 0)  # 0: nothing comes by chance
    target_log_q = by_chance.at[targets].get(mode="fill", fill_value=0)
    log_q = jnp.where(ids < n, by_chance, jnp.inf)
    if not settings.in_batch:
        return jnp.where(is_drawn, log_q, jnp.inf), target_log_q
    if starts is not None:
        return log_q, target_log_q
    n_carriers = jnp.zeros(ids.shape, jnp.int32).at[targets].add(1, mode="drop")
    of_targets = n_carriers.at[targets].get(mode="fill", fill_value=0)
    return jnp.where(n_carriers > 0, 0, log_q), jnp.where(of_targets > 1, 0, target_log_q)


def _log_of_rest(share: Array) -> Array:
    """Return the log of the chance that a draw, or an example, does without a class."""
    return jnp.log1p(-jnp.minimum(share, 1 - 1e-6))
