"""The ranker in NumPy. Part of the specification in reference.py."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hashslide.reference.rng import CounterRng, mix

__all__ = ["CANDIDATES", "Ranker", "learn_label"]


def __dir__() -> list[str]:
    return __all__


CANDIDATES = 20  # of the network for each example, in training
RANKED = 50  # labels of an example that get a margin
COST, SWEEPS, TOLERANCE, LEAST_SHARE = 0.5, 5, 0.1, 0.1


class Ranker:
    """A weight for each pair of feature and label that tells labels apart, and an offset of each label."""

    def __init__(self, n_features: int, n_labels: int) -> None:
        self.weight = np.zeros((n_features, n_labels), np.float32)
        self.offset = np.zeros(n_labels, np.float32)
        self.blend = np.array([1, 0], np.float32)
        self.is_enabled = False

    @classmethod
    def learn(
        cls,
        x: sparse.csr_matrix,
        y: sparse.csr_matrix,
        best: NDArray[np.int64],
        seed: int,
        longest: int,
        weight: NDArray[np.float32] | None = None,
    ) -> "Ranker":
        """Learn from examples with their labels y and the network's best labels, (n, k).

        longest: weights of a label at most.
        """
        ranker, own = cls(x.shape[1], y.shape[1]), y.toarray() != 0
        found = np.zeros_like(own)
        np.put_along_axis(found, best, True, axis=1)
        for label in range(y.shape[1]):
            rows = np.flatnonzero(own[:, label] | found[:, label])
            costs = np.full(len(rows), COST) * (1 if weight is None else weight[rows])
            of_label = int(mix(np.uint64(seed ^ label)))
            ranker.weight[:, label] = learn_label(
                _unit_rows(x[rows]), own[rows, label], costs, of_label, longest
            )
        return ranker

    def weigh(self, margin: float, prior: float, log_frequency: NDArray[Any]) -> None:
        """Let it count."""
        self.blend = np.array([margin, prior], np.float32)
        self.weight *= np.float32(margin)
        self.offset = np.float32(prior) * log_frequency.astype(np.float32)
        self.is_enabled = True

    def scores(self, z: NDArray[np.float32], x: sparse.csr_matrix) -> NDArray[np.float32]:
        """Logits z with all offsets, and with the margins of the best labels, (n, n_labels)."""
        if not self.is_enabled:
            return z
        z = z + self.offset
        best = np.argsort(-z, axis=1, kind="stable")[:, :RANKED]
        margins = np.take_along_axis(_unit_rows(x) @ self.weight, best, axis=1)
        np.put_along_axis(z, best, np.take_along_axis(z, best, axis=1) + margins, axis=1)
        return z

    def update(self, x: sparse.csr_matrix, y: sparse.csr_matrix, best: NDArray[np.int64]) -> None:
        """One passive-aggressive step for each pair, on the weights that there are."""
        x, own, slack = _unit_rows(x), y.toarray() != 0, 0.5 / COST
        for row in range(len(own)):
            others = [label for label in best[row] if not own[row, label]]
            for label in [*np.flatnonzero(own[row]), *others]:
                sign = 1 if own[row, label] else -1
                values = np.where(self.weight[:, label] != 0, x[row], 0)
                loss = 1 - sign * (values @ self.weight[:, label]) / self.blend[0]
                self.weight[:, label] += self.blend[0] * sign * max(loss, 0) / (1 + slack) * values

    def grow(self, n_features: int, n_labels: int, log_frequency: NDArray[Any]) -> None:
        """New features and labels have no weights."""
        old = self.weight.shape
        self.weight = np.pad(self.weight, ((0, n_features - old[0]), (0, n_labels - old[1])))
        offset = self.blend[1] * log_frequency[old[1] :].astype(np.float32)
        self.offset = np.concatenate([self.offset, offset])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its part of the state."""
        if not self.is_enabled:
            return {}
        lists = sparse.csr_matrix(self.weight)
        return {
            "ranker.begin": lists.indptr.astype(np.int64),
            "ranker.labels": lists.indices,
            "ranker.weight": lists.data,
            "ranker.offset": self.offset,
            "ranker.blend": self.blend,
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take its part of a state."""
        if "ranker.begin" in state:
            lists = (state["ranker.weight"], state["ranker.labels"], state["ranker.begin"])
            self.weight = sparse.csr_matrix(lists, shape=self.weight.shape).toarray()
            self.offset, self.blend = state["ranker.offset"].copy(), state["ranker.blend"].copy()
            self.is_enabled = True


def learn_label(
    x: NDArray[np.float32], is_true: NDArray[np.bool_], costs: NDArray[Any], seed: int, longest: int
) -> NDArray[np.float32]:
    """Dual coordinate descent: the weights of one label from the rows of its pairs."""
    w, alpha = np.zeros(x.shape[1], np.float32), np.zeros(len(x), np.float32)
    if not is_true.any():
        return w
    order = np.arange(len(x))
    for sweep in range(SWEEPS):
        rng, largest = CounterRng(seed, "ranker", sweep), 0.0
        for i in range(len(x) - 1, 0, -1):
            other = int(rng.below(np.uint64(i), i + 1))
            order[i], order[other] = order[other], order[i]
        for i in order.tolist():
            if costs[i] == 0 or not x[i].any():
                continue
            sign, slack = (1 if is_true[i] else -1), 0.5 / costs[i]
            gradient = sign * (w @ x[i]) - 1 + slack * alpha[i]
            largest = max(largest, abs(gradient if alpha[i] > 0 else min(gradient, 0)))
            changed = max(0, alpha[i] - gradient / (1 + slack))
            w += (changed - alpha[i]) * sign * x[i]
            alpha[i] = changed
        if largest < TOLERANCE:
            break
    least = LEAST_SHARE * np.abs(w).max()
    if np.count_nonzero(w) > longest:
        least = max(least, np.nextafter(np.sort(np.abs(w))[-longest - 1], np.float32(np.inf)))
    return np.where(np.abs(w) < least, 0, w).astype(np.float32)


def _unit_rows(x: sparse.csr_matrix) -> NDArray[np.float32]:
    dense = x.toarray().astype(np.float32)
    lengths = np.sqrt((dense.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    return (dense / np.where(lengths > 0, lengths, 1)).astype(np.float32)
