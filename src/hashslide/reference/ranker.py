"""The ranker in NumPy. Part of the specification in reference.py."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hashslide.precision import to_float32
from hashslide.reference.rng import CounterRng, mix
from hashslide.reference.rounding import RandomRounding, bfloat16_bits, nearest

__all__ = ["CANDIDATES", "Ranker", "candidates_of", "cosines", "learn_label"]


def __dir__() -> list[str]:
    return __all__


CANDIDATES = 20  # of the network for each example, in training
MOST_CANDIDATES, PAIRS_OF_FEW = 100, 2**18  # where examples are few, up to so many pairs
RANKED = 50  # labels of an example that get a margin and an association
COST, SWEEPS, TOLERANCE, LEAST_SHARE = 0.5, 5, 0.1, 0.03
EXAMPLES_OF_WEIGHT = 4
LEAST_ASSOCIATION = 0.01


def candidates_of(n_examples: int) -> int:
    """Return how many of the network's best labels a ranker learns from, for each of so many examples."""
    return min(max(PAIRS_OF_FEW // max(n_examples, 1), CANDIDATES), MOST_CANDIDATES)


class Ranker:
    """For each pair of feature and label a weight that tells labels apart, and how often both occur."""

    def __init__(self, n_features: int, n_labels: int) -> None:
        self.margins = np.zeros((n_features, n_labels), np.float32)
        self.associations = np.zeros((n_features, n_labels), np.float32)
        self.bias = np.zeros(n_labels, np.float32)
        self.offset, self.usual, self.margin_factor, self.association_factor = np.zeros((4, 0), np.float32)
        self.blend = np.zeros(9, np.float32)

    @property
    def is_enabled(self) -> bool:
        """Whether it counts."""
        return len(self.offset) > 0

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

        longest: weights of a label at most, and associations; of labels with many examples more weights.
        """
        ranker, own = cls(x.shape[1], y.shape[1]), y.toarray() != 0
        found = np.zeros_like(own)
        np.put_along_axis(found, best, True, axis=1)
        row_weight = np.ones(len(own), np.float32) if weight is None else weight
        for label in range(y.shape[1]):
            rows = np.flatnonzero(own[:, label] | found[:, label])
            of_label = int(mix(np.uint64(seed ^ label)))
            n_weights = max(longest, int(own[:, label].sum()) // EXAMPLES_OF_WEIGHT)
            ranker.margins[:, label], ranker.bias[label] = learn_label(
                _unit_rows(x[rows]),
                own[rows, label],
                COST * row_weight[rows],
                len(own) - len(rows),
                of_label,
                n_weights,
            )
            ranker.associations[:, label] = cosines(x.toarray() != 0, own[:, label], row_weight, longest)
        ranker.margins, ranker.associations = nearest(ranker.margins), nearest(ranker.associations)
        return ranker

    def weigh(self, blend: tuple[float, ...], log_frequency: NDArray[Any]) -> None:
        """Let it count."""
        self.blend = np.array(blend, np.float32)
        if not self.blend[1:3].any():
            self.margins[:] = 0
        if not self.blend[5:7].any():
            self.associations[:] = 0
        self._set_labels(log_frequency)

    def _set_labels(self, log_frequency: NDArray[Any]) -> None:
        log_f = log_frequency.astype(np.float32)
        lines = self.blend[1::2, None] + self.blend[2::2, None] * log_f
        margin_factor, usual_margin, association_factor, usual_association = lines
        margin_factor, association_factor = np.maximum(0, [margin_factor, association_factor])
        usual = margin_factor * usual_margin + association_factor * usual_association
        first = len(self.offset)
        self.bias = np.append(self.bias, np.zeros(first + len(log_f) - len(self.bias), np.float32))
        n_known = self._has_any().sum(axis=0)[first:]
        self.bias[first:] = np.where(n_known == 0, usual_margin, self.bias[first:])
        self.offset = np.append(self.offset, self.blend[0] * log_f + usual)
        self.usual = np.append(self.usual, usual)
        self.margin_factor = np.append(self.margin_factor, margin_factor)
        self.association_factor = np.append(self.association_factor, association_factor)

    def scores(self, z: NDArray[np.float32], x: sparse.csr_matrix) -> NDArray[np.float32]:
        """Logits z, (n, n_labels), with all offsets, and with what is added to the best labels."""
        if not self.is_enabled:
            return z
        z, x = z + self.offset, _unit_rows(x)
        best = np.argsort(-z, axis=1, kind="stable")[:, :RANKED]
        associations = np.log1p(np.abs(x) @ self.associations / np.float32(LEAST_ASSOCIATION))
        added = self.margin_factor * (x @ self.margins + self.bias) + self.association_factor * associations
        np.put_along_axis(z, best, np.take_along_axis(z + added - self.usual, best, axis=1), axis=1)
        return z

    def update(
        self, x: sparse.csr_matrix, y: sparse.csr_matrix, best: NDArray[np.int64], seed: int, step: int
    ) -> None:
        """One passive-aggressive step for each pair, on the weights that there are, rounded at random.

        A bias stays: the pairs of a few examples do not say how often a label is wrong elsewhere.
        """
        x, own, slack = _unit_rows(x), y.toarray() != 0, 0.5 / COST
        rounded = RandomRounding(seed, "ranker_rounding")
        for row in range(len(own)):
            others = [label for label in best[row] if not own[row, label]]
            for label in [*np.flatnonzero(own[row]), *others]:
                sign = 1 if own[row, label] else -1
                listed = self._has_any()[:, label]
                old = self.margins[listed, label]
                values = np.where(old != 0, x[row, listed], np.float32(0))
                loss = float(1 - sign * (values @ old + self.bias[label]))
                if loss > 0:
                    new = old + np.float32(sign * loss / (1 + slack)) * values
                    new = rounded(new[None], np.array([row * own.shape[1] + label]), step)[0]
                    self.margins[listed, label] = np.where(values != 0, new, old)

    def grow(self, n_features: int, n_labels: int, log_frequency: NDArray[Any]) -> None:
        """New features and labels have no weights."""
        old = self.margins.shape
        wider = ((0, n_features - old[0]), (0, n_labels - old[1]))
        self.margins, self.associations = np.pad(self.margins, wider), np.pad(self.associations, wider)
        if self.is_enabled:
            self._set_labels(log_frequency[old[1] :])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its part of the state."""
        if not self.is_enabled:
            return {}
        found = {
            "ranker.bias": self.bias,
            "ranker.offset": self.offset,
            "ranker.usual": self.usual,
            "ranker.margin_factor": self.margin_factor,
            "ranker.association_factor": self.association_factor,
            "ranker.blend": self.blend,
        }
        has_any = self._has_any().T
        found["ranker.begin"] = np.append(0, np.cumsum(has_any.sum(axis=1)))
        found["ranker.features"] = np.nonzero(has_any)[1].astype(np.int32)
        found["ranker.margin"] = bfloat16_bits(self.margins.T[has_any])
        found["ranker.association"] = bfloat16_bits(self.associations.T[has_any])
        return found

    def _has_any(self) -> NDArray[np.bool_]:
        return (self.margins != 0) | (self.associations != 0)

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take its part of a state."""
        if "ranker.offset" not in state:
            return
        n_features, n_labels = self.margins.shape
        features, labels = (
            state["ranker.features"],
            np.repeat(np.arange(n_labels), np.diff(state["ranker.begin"])),
        )
        self.margins, self.associations = np.zeros((2, n_features, n_labels), np.float32)
        self.margins[features, labels] = to_float32(state["ranker.margin"])
        self.associations[features, labels] = to_float32(state["ranker.association"])
        for name in ("bias", "offset", "usual", "margin_factor", "association_factor", "blend"):
            setattr(self, name, state[f"ranker.{name}"].copy())


def cosines(
    features: NDArray[np.bool_], own: NDArray[np.bool_], weight: NDArray[np.float32], longest: int
) -> NDArray[np.float32]:
    """The cosine of each feature and a label, as vectors of examples; the largest of them."""
    weights = weight.astype(np.float64)
    together, of_features, of_label = (own * weights) @ features, weights @ features, weights @ own
    whole = np.sqrt(of_features * of_label)
    found = np.divide(together, whole, out=np.zeros_like(whole), where=whole > 0).astype(np.float32)
    found[np.argsort(-found, kind="stable")[longest:]] = 0
    return found


def learn_label(
    x: NDArray[np.float32],
    is_true: NDArray[np.bool_],
    costs: NDArray[Any],
    n_others: int,
    seed: int,
    longest: int,
) -> tuple[NDArray[np.float32], np.float32]:
    """Dual coordinate descent: the weights and the bias of one label from the rows of its pairs.

    n_others: further examples, which count as false ones without features.
    """
    w, alpha = np.zeros(x.shape[1], np.float32), np.zeros(len(x), np.float32)
    if not is_true.any():
        return w, np.float32(-1)
    bias = alpha_of_others = np.float32(0)
    order = np.arange(len(x))
    for sweep in range(SWEEPS):
        rng, largest = CounterRng(seed, "ranker", sweep), 0.0
        for i in range(len(x) - 1, 0, -1):
            other = int(rng.below(np.uint64(i), i + 1))
            order[i], order[other] = order[other], order[i]
        if n_others:
            slack = 0.5 / (COST * n_others)
            gradient = -bias - 1 + slack * alpha_of_others
            of_others = np.float32(max(0.0, float(alpha_of_others - gradient / (1 + slack))))
            bias -= of_others - alpha_of_others
            alpha_of_others = of_others
            largest = abs(float(gradient) if of_others > 0 else min(float(gradient), 0.0))
        for i in order.tolist():
            if costs[i] == 0 or not x[i].any():
                continue
            sign, slack = (1 if is_true[i] else -1), 0.5 / costs[i]
            gradient = sign * (w @ x[i] + bias) - 1 + slack * alpha[i]
            largest = max(largest, abs(gradient if alpha[i] > 0 else min(gradient, 0)))
            changed = max(0, alpha[i] - gradient / (2 + slack))
            w += (changed - alpha[i]) * sign * x[i]
            bias += np.float32((changed - alpha[i]) * sign)
            alpha[i] = changed
        if largest < TOLERANCE:
            break
    least = LEAST_SHARE * np.abs(w).max()
    if np.count_nonzero(w) > longest:
        least = max(least, np.nextafter(np.sort(np.abs(w))[-longest - 1], np.float32(np.inf)))
    return np.where(np.abs(w) < least, 0, w).astype(np.float32), bias


def _unit_rows(x: sparse.csr_matrix) -> NDArray[np.float32]:
    dense = x.toarray().astype(np.float32)
    lengths = np.sqrt((dense.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    return (dense / np.where(lengths > 0, lengths, 1)).astype(np.float32)
