"""The losses on a sample and on all classes, and how those of a batch become one number."""

import jax
import jax.numpy as jnp
from jax import Array

from ._state import Labels, Rows, Sample
from ._streaming import streamed_sum


def sampled_losses(loss: str, h: Array, rows: Rows, sample: Sample) -> Array:
    """Return the loss of each example on the classes of a sample, shape (N,).

    With z the logits and q the chance that a class is in the sample (docs/how/training_step.md):

    softmax: log(Σ exp(z) over the example's own labels + Σ exp(z) / q over the other negatives) − z of a
    label. The sums estimate that over all classes without bias.

    bce: every logit is taken as z − log q, so that z itself estimates the log odds (Prentice & Pyke 1979).
    """
    z = jnp.matmul(h.astype(jnp.float32), rows.weight.T) + rows.bias
    labels = sample.labels
    is_own = jnp.zeros(z.shape, bool).at[jnp.arange(len(h))[:, None], sample.targets].set(True, mode="drop")
    own = z.at[jnp.arange(len(h))[:, None], sample.targets].get(mode="fill", fill_value=0)
    is_counted = labels.counted[:, None]
    if loss == "softmax":
        logits = jnp.where(is_own, z, z - sample.log_q)
        logits = jnp.where(is_counted, logits, 0)  # the gradient of what is all -infinity would be NaN
        log_sum = jax.nn.logsumexp(logits, axis=1)
        return (labels.weight * (log_sum[:, None] - own)).sum(axis=1)
    is_negative = is_counted & (sample.log_q < jnp.inf) & ~is_own
    negatives = jnp.where(is_negative, jax.nn.softplus(z - sample.log_q), 0).sum(axis=1)
    return (labels.weight * jax.nn.softplus(sample.target_log_q - own)).sum(axis=1) + negatives


def exact_losses(loss: str, h: Array, weight: Array, bias: Array, labels: Labels) -> Array:
    """Return the loss of each example on all classes, shape (N,); never more than a block of logits."""
    h = h.astype(jnp.float32)
    total = streamed_sum(loss, h, weight, bias)
    is_label = labels.ids < len(weight)
    ids = jnp.where(is_label, labels.ids, 0)
    own = jnp.einsum("nd,ntd->nt", h, weight[ids]) + bias[ids]
    if loss == "softmax":
        return (labels.weight * (total[:, None] - own)).sum(axis=1)
    as_positive = labels.weight * jax.nn.softplus(-own)
    as_negative = jnp.where(is_label, jax.nn.softplus(own), 0)  # part of the sum over all classes
    return jnp.where(labels.counted, total + (as_positive - as_negative).sum(axis=1), 0)


def reduce(losses: Array, labels: Labels, reduction: str) -> Array:
    """Return the losses of a batch as one number, or as they are.

    The loss of an example with a label that does not exist is NaN; its gradient is that without the label, so
    that the table stays whole.
    """
    losses = losses + jnp.where(labels.invalid, jnp.float32(jnp.nan), 0)
    if reduction == "none":
        return losses
    return losses.sum() / labels.total if reduction == "mean" else losses.sum()
