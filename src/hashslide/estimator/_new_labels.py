"""Where the output rows of new labels start: at what tells their first examples from all others.

A label that `partial_fit` meets for the first time, with a handful of examples, gains too little from one
gradient step to rise above labels that were trained for epochs, while the step moves the hidden layer for
them all. But that layer is trained, so that the classical estimate from few examples applies (Fisher 1936):
with the mean m and the covariance C of the activations of all training examples, and the mean u of those of
the label's examples, the direction against everything else is w = (C + lambda I)^-1 (u - m). Its length is
such that the label's examples reach, on average, the score of their best label so far, and an ordinary
example, at m, keeps the score of the least likely label. The network does not learn from these examples in
that call.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.network import Network

SAMPLE = 2048  # examples behind the moments of a call
MAX_WIDTH = 1024  # of the last hidden layer, for a covariance; beyond, activations are only centred
FEW_EXAMPLES = 32  # a new label with more of them is trained like any other
SOFTMAX_MARGIN = 5.0  # above the best label so far, where the two share one probability: 99 % of it


@dataclass(frozen=True)
class ActivationMoments:
    """Mean and covariance of the last hidden layer's activations over the training examples.

    Attributes
    ----------
    n_examples : int
        What they weigh against those of further examples.
    mean : float32 array of shape (width,)
    covariance : float32 array of shape (width, width), or of shape (0, 0) for layers wider than `MAX_WIDTH`
    """

    n_examples: int
    mean: NDArray[np.float32]
    covariance: NDArray[np.float32]

    @classmethod
    def of(cls, network: Network, x: Csr, n_threads: int) -> "ActivationMoments":
        """Return the moments of the examples of x, estimated from `SAMPLE` of them, evenly spread."""
        rows = np.unique(np.linspace(0, x.n_rows - 1, min(x.n_rows, SAMPLE)).astype(np.int64))
        h = network.hidden(x.take(rows), n_threads).astype(np.float64)
        mean = h.mean(axis=0)
        h -= mean
        covariance = h.T @ h / len(h) if h.shape[1] <= MAX_WIDTH else np.empty((0, 0))
        return cls(x.n_rows, mean.astype(np.float32), covariance.astype(np.float32))

    def joined(self, other: "ActivationMoments") -> "ActivationMoments":
        """Return the moments of both groups of examples."""
        n = self.n_examples + other.n_examples
        share = np.float32(other.n_examples / n)
        between = other.mean - self.mean
        mean = self.mean + share * between
        covariance = (1 - share) * self.covariance + share * other.covariance
        if covariance.size:
            covariance += share * (1 - share) * np.outer(between, between)
        return ActivationMoments(n, mean, covariance)

    def direction(self, u: NDArray[Any]) -> NDArray[np.float64]:
        """Return (C + lambda I)^-1 (u - m) for each row u; lambda is the mean variance."""
        centred = (u - self.mean).astype(np.float64)
        if not self.covariance.any():
            return centred
        ridge = np.trace(self.covariance) / len(self.mean)
        return np.linalg.solve(self.covariance + ridge * np.eye(len(self.mean)), centred.T).T


def labels_to_place(y: Csr, n_old: int) -> NDArray[np.int32]:
    """Return the labels from `n_old` on that have a few examples, in ascending order."""
    labels, counts = np.unique(y.indices[y.indices >= n_old], return_counts=True)
    return labels[counts <= FEW_EXAMPLES]


def place_labels(
    network: Network, x: Csr, y: Csr, labels: NDArray[np.int32], moments: ActivationMoments, n_threads: int
) -> None:
    """Set the output rows of labels from their examples.

    Parameters
    ----------
    network : Network
        Grown already; the rows still have the bias of the least likely label.
    x, y : Csr
        The examples of this call.
    labels : int32 array
        Those that `labels_to_place` names.
    moments : ActivationMoments
        Of all examples.
    n_threads : int
    """
    if len(labels) == 0:
        return
    entries = np.flatnonzero(np.isin(y.indices, labels))
    rows, row = np.unique(np.searchsorted(y.indptr, entries, side="right") - 1, return_inverse=True)
    place = np.searchsorted(labels, y.indices[entries])
    examples, n_examples = x.take(rows), np.bincount(place)

    def mean_of(values: NDArray[Any]) -> NDArray[np.float64]:
        """Return the mean over the examples of each label."""
        sums = np.zeros((len(labels), *values.shape[1:]))
        np.add.at(sums, place, values[row])
        return (sums.T / n_examples).T

    u = mean_of(network.hidden(examples, n_threads))
    best = network.predict_topk(examples, 1, n_threads, approximate=network.has_candidates)[1][:, 0]
    goal = mean_of(best) + (SOFTMAX_MARGIN if network.config.loss == "softmax" else 0.0)
    bias = network.label_rows(labels)[1].astype(np.float64)
    w = moments.direction(u)
    reach = ((u - moments.mean) * w).sum(axis=1)
    length = np.where((reach > 0) & (goal > bias), (goal - bias) / np.where(reach > 0, reach, 1), 0)
    weight = length[:, None] * w
    network.set_label_rows(labels, weight, bias - weight @ moments.mean)
