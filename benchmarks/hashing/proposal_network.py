"""One hidden layer and a softmax trained on proposals: labels with the chance that each had to be there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

EVALUATED = 1 << 24  # logits at once


@dataclass
class Proposals:
    """Negatives of a batch of B examples. The true labels need not be among them.

    Parameters
    ----------
    shared : int64 array of shape (A,)
        Distinct labels for all examples.
    shared_log_q : float32 array of shape (A,) or (B, A)
        log of the chance that each was proposed.
    begin, own : int64 arrays of shapes (B + 1,) and (n,)
        Further labels of each example, distinct within it: `own[begin[b]:begin[b + 1]]`. Where one is shared
        too, it counts as its own.
    own_log_q : float32 array of shape (n,)
    """

    shared: NDArray[np.int64]
    shared_log_q: NDArray[np.float32]
    begin: NDArray[np.int64]
    own: NDArray[np.int64]
    own_log_q: NDArray[np.float32]


@dataclass
class Estimate:
    """The softmax's gradient as proposals estimate it.

    Attributes
    ----------
    hidden : float32 array of shape (B, width)
        dLoss / dh.
    shared, own, true : float32 arrays of shapes (B, A), (n,) and (B,)
        dLoss / dz of each label in that role; 0 where a label counts in another role.
    log_z : float64 array of shape (B,)
        log of the estimated partition function.
    loss : float64 array of shape (B,)
    """

    hidden: NDArray[np.float32]
    shared: NDArray[np.float32]
    own: NDArray[np.float32]
    true: NDArray[np.float32]
    log_z: NDArray[np.float64]
    loss: NDArray[np.float64]


class ProposalNetwork:
    """h = ReLU(sum of the features' rows), z = W h + b, with a row-wise Adagrad (one sum a row).

    W starts at 0 and b at the labels' log frequency, as in the engine.

    Parameters
    ----------
    n_features, width : int
    counts : int array of shape (n_labels,)
    seed : int
    """

    def __init__(self, n_features: int, width: int, counts: NDArray[np.int64], seed: int):
        rng, n_labels = np.random.default_rng(seed), len(counts)
        self.input = rng.normal(size=(n_features, width), scale=width**-0.5).astype(np.float32)
        self.weight = np.zeros((n_labels, width), np.float32)
        self.bias = np.log((counts + 0.5) / (counts.sum() + 0.5 * n_labels)).astype(np.float32)
        self._sums = [np.full(n, 1e-6, np.float32) for n in (n_features, n_labels, n_labels)]
        self._place = np.full(n_labels, -1, np.int32)

    @property
    def n_labels(self) -> int:
        """Return the number of labels."""
        return len(self.bias)

    def hidden(self, features: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the activations of examples whose features' ids are given, shape (n, width)."""
        return np.maximum(self.input[features].sum(1), 0)

    def estimate(self, h: NDArray[np.float32], true: NDArray[np.int64], given: Proposals) -> Estimate:
        """Return loss and gradient: a proposed label counts 1 / its chance times, the true label once."""
        n, rows = len(h), np.repeat(np.arange(len(h)), np.diff(given.begin))
        shared_weight, own_weight, true_weight = (self.weight[i] for i in (given.shared, given.own, true))
        shared = h @ shared_weight.T + self.bias[given.shared] - given.shared_log_q
        own = np.einsum("ij,ij->i", own_weight, h[rows]) + self.bias[given.own] - given.own_log_q
        of_true = np.einsum("ij,ij->i", true_weight, h) + self.bias[true]
        self._place[given.shared] = np.arange(len(given.shared))
        for label, row in ((given.own, rows), (true, np.arange(n))):
            place = self._place[label]
            shared[row[place >= 0], place[place >= 0]] = -np.inf
        self._place[given.shared] = -1
        own[given.own == true[rows]] = -np.inf

        top = np.maximum(of_true, shared.max(1, initial=-np.inf))
        np.maximum.at(top, rows, own)
        shared, own, e_true = (
            np.exp(z - t) for z, t in ((shared, top[:, None]), (own, top[rows]), (of_true, top))
        )
        total = shared.sum(1) + np.bincount(rows, own, n).astype(np.float32) + e_true
        shared /= total[:, None]
        own /= total[rows]
        p_true = e_true / total - 1
        hidden = shared @ shared_weight + p_true[:, None] * true_weight
        if len(own):
            hidden += _by_example(own, given.begin, len(own)) @ own_weight
        log_z = np.log(total.astype(np.float64)) + top
        return Estimate(hidden, shared, own, p_true, log_z, log_z - of_true)

    def step(
        self, features: NDArray[np.int32], true: NDArray[np.int64], given: Proposals, rate: float
    ) -> NDArray[np.float64]:
        """Make a step on the gradient summed over the batch; return the losses."""
        h = self.hidden(features)
        found = self.estimate(h, true, given)
        labels, gradient, of_bias = self._label_gradients(h, true, given, found)
        back = np.where(h > 0, found.hidden, 0).astype(np.float32)
        touched, of_input = _sum_rows(features.ravel(), np.repeat(back, features.shape[1], axis=0))
        _adagrad(touched, of_input, self.input, self._sums[0], rate)
        _adagrad(labels, gradient, self.weight, self._sums[1], rate)
        _adagrad(labels, of_bias[:, None], self.bias[:, None], self._sums[2], rate)
        return found.loss

    def _label_gradients(self, h, true, given, found):
        """Return the touched labels and the gradients of their weights and biases."""
        n = len(h)
        rows = np.concatenate([np.repeat(np.arange(n), np.diff(given.begin)), np.arange(n)])
        values = np.concatenate([found.own, found.true])
        labels, place = np.unique(np.concatenate([given.shared, given.own, true]), return_inverse=True)
        n_shared = len(given.shared)
        pairs = csr_matrix((values, (place[n_shared:], rows)), shape=(len(labels), n), dtype=np.float32)
        gradient, of_bias = pairs @ h, np.asarray(pairs.sum(1), np.float32).ravel()
        gradient[place[:n_shared]] += found.shared.T @ h
        of_bias[place[:n_shared]] += found.shared.sum(0)
        return labels.astype(np.int64), gradient, of_bias

    def logits(self, h: NDArray[np.float32], first: int, last: int) -> NDArray[np.float32]:
        """Return the logits of a range of the labels, shape (n, last - first)."""
        return h @ self.weight[first:last].T + self.bias[first:last]

    def evaluate(
        self, features: NDArray[np.int32], true: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the exact loss of each example, and its true label's rank from 0 on, k at most."""
        h = self.hidden(features)
        of_true = np.einsum("ij,ij->i", self.weight[true], h) + self.bias[true]
        total, better = np.zeros(len(h)), np.zeros(len(h), np.int64)
        block = max(1, EVALUATED // len(h))
        for first in range(0, self.n_labels, block):
            z = self.logits(h, first, min(first + block, self.n_labels))
            inside = (true >= first) & (true < first + block)
            z[np.flatnonzero(inside), true[inside] - first] = of_true[inside]
            better += (z > of_true[:, None]).sum(1)
            z -= of_true[:, None]
            total += np.exp(z, out=z).sum(1)
        return np.log(total), np.minimum(better, k)


def _adagrad(
    ids: NDArray[np.int64],
    gradient: NDArray[np.float32],
    matrix: NDArray[np.float32],
    sums: NDArray[np.float32],
    rate: float,
) -> None:
    """Update distinct rows: s += mean(g²), w -= rate g / √s."""
    total = sums[ids] + np.square(gradient).mean(1)
    sums[ids] = total
    matrix[ids] -= np.float32(rate) / np.sqrt(total)[:, None] * gradient


def _by_example(values: NDArray[np.float32], begin: NDArray[np.int64], width: int) -> csr_matrix:
    return csr_matrix((values, np.arange(len(values)), begin), shape=(len(begin) - 1, width))


def _sum_rows(
    ids: NDArray[np.int32], rows: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return distinct ids and the sums of their rows."""
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    return ids[starts].astype(np.int64), np.add.reduceat(rows[order], starts)
