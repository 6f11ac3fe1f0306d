"""Where the output rows of new labels start: at what tells their first examples from all others.

A label that `partial_fit` meets for the first time, with a handful of examples, gains too little from one
gradient step to rise above labels that were trained for epochs, while the step moves the hidden layer for
them all. But that layer is trained, so that the classical estimate from few examples applies (Fisher 1936):
with the mean m and the covariance C of the activations of all training examples, and the mean u of those of
the label's examples, the direction against everything else is w = (C + lambda I)^-1 (u - m). Its length is
such that the label's examples reach, on average, the score that trained examples give their own labels,
while an ordinary example, at m, gives it the log odds of its frequency. The network does not learn from these
examples in that call.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.network import Network
from hashslide.training import TrainingData

__all__ = [
    "FEW_EXAMPLES",
    "MAX_WIDTH",
    "ActivationMoments",
    "labels_to_place",
    "place_described",
    "place_labels",
    "spread",
    "usual_and_own_score",
    "with_new_labels",
]


def __dir__() -> list[str]:
    return __all__


SAMPLE = 2048  # examples behind the moments of a call
MAX_WIDTH = 1024  # of the last hidden layer, for a covariance; beyond, activations are only centred
FEW_EXAMPLES = 32  # a new label with more of them is trained like any other
DESCRIBED_RIDGE = 4.0  # in mean variances: a description resembles an example less than another example does
SOFTMAX_MARGIN = 4.0  # above that score, where labels share one probability


@dataclass(frozen=True)
class ActivationMoments:
    """Mean and covariance of the last hidden layer's activations over the training examples, and their score.

    Attributes
    ----------
    n_examples : int
        What they weigh against those of further examples.
    mean : float32 array of shape (width,)
    covariance : float32 array of shape (width, width), or of shape (0, 0) for layers wider than `MAX_WIDTH`
    score : float
        Logit of the best of an example's own labels, on average over the examples that were trained on.
    """

    n_examples: int
    mean: NDArray[np.float32]
    covariance: NDArray[np.float32]
    score: float = 0.0

    @classmethod
    def of(cls, network: Network, data: TrainingData, n_threads: int) -> "ActivationMoments":
        """Return the moments of the training examples, estimated from `SAMPLE` of them, evenly spread."""
        h = network.hidden(data.x.take(spread(data.rows)), n_threads).astype(np.float64)
        mean = h.mean(axis=0)
        h -= mean
        covariance = h.T @ h / len(h) if h.shape[1] <= MAX_WIDTH else np.empty((0, 0))
        return cls(len(data.rows), mean.astype(np.float32), covariance.astype(np.float32))

    def joined(self, other: "ActivationMoments") -> "ActivationMoments":
        """Return the moments of both groups of examples."""
        n = self.n_examples + other.n_examples
        share = np.float32(other.n_examples / n)
        between = other.mean - self.mean
        mean = self.mean + share * between
        covariance = (1 - share) * self.covariance + share * other.covariance
        if covariance.size:
            covariance += share * (1 - share) * np.outer(between, between)
        score = float((1 - share) * self.score + share * other.score)
        return ActivationMoments(n, mean, covariance, score)

    def scored(self, network: Network, data: TrainingData, n_threads: int) -> "ActivationMoments":
        """Return the same moments with the score of these examples."""
        rows = spread(data.rows)
        x, y = data.x.take(rows), data.y.take(rows)
        has_labels = np.flatnonzero(np.diff(y.indptr))
        if len(has_labels) == 0:
            return self
        logits = network.pair_logits(x, y, n_threads)
        best = np.maximum.reduceat(logits, y.indptr[has_labels])
        return replace(self, score=float(best.mean(dtype=np.float64)))

    def direction(self, u: NDArray[Any], ridge: float = 1.0) -> NDArray[np.float64]:
        """Return (C + lambda I)^-1 (u - m) for each row u; lambda is `ridge` times the mean variance."""
        centred = (u - self.mean).astype(np.float64)
        if not self.covariance.any():
            return centred
        added = ridge * np.trace(self.covariance) / len(self.mean)
        return np.linalg.solve(self.covariance + added * np.eye(len(self.mean)), centred.T).T


def spread(rows: NDArray[np.int64], most: int = SAMPLE) -> NDArray[np.int64]:
    """Return at most so many of the rows, evenly spread."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64))]


def with_new_labels(data: TrainingData, n_old: int) -> tuple[Csr, Csr]:
    """Return features and labels of the training examples that have labels from `n_old` on."""
    owners = np.searchsorted(data.y.indptr, np.flatnonzero(data.y.indices >= n_old), side="right") - 1
    rows = np.intersect1d(owners, data.rows)
    return data.x.take(rows), data.y.take(rows)


def labels_to_place(y: Csr, n_old: int) -> NDArray[np.int32]:
    """Return the labels from `n_old` on that have a few examples, in ascending order."""
    labels, counts = np.unique(y.indices[y.indices >= n_old], return_counts=True)
    return labels[counts <= FEW_EXAMPLES]


def place_labels(
    network: Network,
    x: Csr,
    y: Csr,
    labels: NDArray[np.int32],
    moments: ActivationMoments,
    n_threads: int,
    ridge: float = 1.0,
) -> None:
    """Set the output rows of labels from their examples.

    Parameters
    ----------
    network : Network
        Grown already, and told the labels' counts.
    x, y : Csr
        The examples of this call that `with_new_labels` returns.
    labels : int32 array
        Those that `labels_to_place` names.
    moments : ActivationMoments
        Of all examples.
    n_threads : int
    ridge : float
        Of `ActivationMoments.direction`.
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
    bias, goal = usual_and_own_score(network, moments, n_examples)
    w = moments.direction(u, ridge)
    reach = ((u - moments.mean) * w).sum(axis=1)
    length = np.where((reach > 0) & (goal > bias), (goal - bias) / np.where(reach > 0, reach, 1), 0)
    weight = length[:, None] * w
    network.set_label_rows(labels, weight, bias - weight @ moments.mean)


def usual_and_own_score(
    network: Network, moments: ActivationMoments, n_examples: NDArray[Any]
) -> tuple[NDArray[np.float64], float]:
    """Return the logits that a label of so many examples should get from an ordinary and from its own one."""
    is_softmax = network.config.loss == "softmax"
    frequency = (n_examples + 0.5) / (network.n_examples_seen + 1)
    usual = np.log(frequency) if is_softmax else np.log(frequency / (1 - frequency))
    return usual, moments.score + (SOFTMAX_MARGIN if is_softmax else 0.0)


def place_described(
    network: Network,
    x: Csr,
    labels: NDArray[np.int32],
    moments: ActivationMoments | None,
    n_threads: int,
) -> None:
    """Set the rows of labels that no example has, but each of them a description.

    A description is taken for the only example of its label. Where there is a ranker, the cosine between it
    and an example also counts directly, as much as the hidden layer does: a description that is the example
    adds what the example's activations add.

    Parameters
    ----------
    network : Network
        Grown already.
    x : Csr
        The descriptions.
    labels : int32 array
        The last labels of the network; row i of x describes labels[i].
    moments : ActivationMoments or None
        Of all examples.
    n_threads : int
    """
    if moments is None:
        rows = TrainingData(
            x=x,
            y=Csr(np.zeros(x.n_rows + 1, np.int64), np.empty(0, np.int32), None, 1),
            rows=np.arange(x.n_rows),
        )
        moments = ActivationMoments.of(network, rows, n_threads)
    y = Csr(np.arange(x.n_rows + 1), labels, None, network.config.n_labels)
    place_labels(network, x, y, labels, moments, n_threads, DESCRIBED_RIDGE)
    usual, own = usual_and_own_score(network, moments, np.ones(1))
    network.describe_labels(x, max(0.0, own - float(usual[0])))
