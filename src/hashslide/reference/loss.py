"""Step 5 in NumPy: the loss of one example on its active labels. Part of the specification in reference.py.

z: (n,) logits; target: (n,) which labels are true; shift: (n,) log of the chance that a label is active,
where that is to be corrected; weight: (n,) of the labels' positive terms. Each returns the loss and dLoss/dz.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

__all__ = ["LOSSES", "binary_cross_entropy", "softmax_cross_entropy"]


def __dir__() -> list[str]:
    return __all__


def binary_cross_entropy(
    z: NDArray[Any], target: NDArray[Any], shift: NDArray[Any], weight: NDArray[Any]
) -> tuple[float, NDArray[Any]]:
    """One-vs-all: sum of log(1 + exp(z)) - t z, on logits corrected for the sampling of the negatives.

    A label is in the active set with probability r: training on z - log r makes z itself estimate the log
    odds (Prentice & Pyke 1979).
    """
    z = z - shift
    loss = np.where(target, weight * np.logaddexp(0, -z), np.logaddexp(0, z)).sum()
    sigmoid = np.exp(-np.logaddexp(0, -z))
    return loss, np.where(target, weight * (sigmoid - 1), sigmoid)


def softmax_cross_entropy(
    z: NDArray[Any], target: NDArray[Any], shift: NDArray[Any], weight: NDArray[Any]
) -> tuple[float, NDArray[Any]]:
    """log sum exp(z) - mean of z over the targets; negatives are weighted by 1 / r (Bengio & Senecal 2008).

    An example without a target has no loss.
    """
    if not target.any():
        return 0.0, np.zeros_like(z)
    z = z - np.where(target, 0, shift)
    share = np.where(target, weight, 0) / target.sum()
    log_sum = logsumexp(z)
    return (share * (log_sum - z)).sum(), share.sum() * np.exp(z - log_sum) - share


LOSSES = {"bce": binary_cross_entropy, "softmax": softmax_cross_entropy}
