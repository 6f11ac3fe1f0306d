"""How much a ranker counts beside the network, chosen on examples that neither of them was trained on.

What counts for label l is ``z_l + margin * m_l + prior * log f_l``: the network's logit, what the ranker
says, and the label's frequency f, by which the sampling correction of training may have set too high or too
low a prior. `margin` and `prior` come from a grid: of those whose nDCG@5 is within one standard error of the
largest (the rule of Breiman et al. 1984), the pair that is nearest to what is usual, so that chance decides
little. Then the slope and the intercept that turn scores into probabilities follow from logistic regression
(Platt 1999), over the candidates and the true labels of the same examples and a random sample of all other
labels, each weighted by how many it stands for.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.csr import Csr
from hashslide.network import Network

__all__ = ["CANDIDATES", "FEWEST_HELD_OUT", "MARGINS", "PRIORS", "RankerReport", "held_out_rows", "weigh"]


def __dir__() -> list[str]:
    return __all__


HELD_OUT_SHARE = 0.04
MOST_HELD_OUT = 1000
FEWEST_HELD_OUT = 100  # of fewer examples, chance would decide
CANDIDATES = 50  # of the network, among which the ranker chooses
MARGINS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
PRIORS = (0.0, -0.1, 0.1, -0.2, 0.2, 0.3)
USUAL_MARGIN, PRIOR_STEP = 1.5, 0.1  # half the margin is as unusual as one step of the prior
RANKS = 5
RANDOM_LABELS = 20  # for each example, behind the slope and the intercept
NEWTON_STEPS = 25


@dataclass(frozen=True)
class RankerReport:
    """What a ranker counts, and what it gains on the examples that decided it.

    Attributes
    ----------
    margin : float
        What its margins are multiplied with; 0: it says nothing, and no weights are kept.
    prior : float
        What the log frequency of each label is multiplied with.
    slope, intercept : float
        Scores are ``slope * sum + intercept``, of which the sigmoid, or the softmax, is a probability.
    rows : int
        Examples that decided; 0: none, and the values are fixed ones.
    ndcg_without, ndcg_with : float
        nDCG@5 of the network alone and of all together on these examples; NaN without any.
    """

    margin: float
    prior: float
    slope: float
    intercept: float
    rows: int
    ndcg_without: float
    ndcg_with: float

    @classmethod
    def fixed(cls) -> "RankerReport":
        """Return what counts where there are no examples to decide: ranker and network alike."""
        return cls(1.0, 0.0, 1.0, 0.0, 0, float("nan"), float("nan"))

    @property
    def is_needed(self) -> bool:
        """Whether anything is added to the network's logits."""
        return self.margin != 0 or self.prior != 0

    @property
    def reason(self) -> str:
        """Why it is needed, or not, as what may follow the word "because"."""
        if self.rows == 0:
            return "it was given"
        change = f"from {self.ndcg_without:.3f} to {self.ndcg_with:.3f}"
        gain = f"raises nDCG@5 {change}" if self.is_needed else "does not raise nDCG@5"
        return f"it {gain} on {self.rows:,} held-out examples"


def held_out_rows(rows: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return which of the training examples decide how much a ranker counts, ascending; none of few.

    Parameters
    ----------
    rows : int64 array of shape (n,)
    seed : int
    """
    n = min(MOST_HELD_OUT, round(HELD_OUT_SHARE * len(rows)))
    if n < FEWEST_HELD_OUT:
        return rows[:0]
    return np.sort(np.random.default_rng([seed, len(rows)]).choice(rows, n, replace=False))


def weigh(network: Network, ranker: _core.Ranker, x: Csr, y: Csr, seed: int, n_threads: int) -> RankerReport:
    """Return how much a ranker should count.

    Parameters
    ----------
    network : Network
        Knows the label counts. Its candidate lists, if there are some, name the candidates.
    ranker : _core.Ranker
        From `Network.make_ranker`.
    x, y : Csr
        Examples that neither was trained on.
    seed : int
    n_threads : int

    Returns
    -------
    RankerReport
    """
    with_labels = np.flatnonzero(np.diff(y.indptr))
    if len(with_labels) == 0:
        return RankerReport.fixed()
    x, y = x.take(with_labels), y.take(with_labels)
    pairs = _Pairs.draw(network, x, y, seed, n_threads)
    z = network.pair_logits(x, pairs.labels, n_threads, with_ranker=False).astype(np.float64)
    m = network.ranker_margins(ranker, x, pairs.labels).astype(np.float64)
    counts = network.label_counts[pairs.labels.indices]
    log_f = np.log((counts + 0.5) / (network.n_examples_seen + 1))
    of_candidates = (part[pairs.is_candidate].reshape(x.n_rows, -1) for part in (z, m, log_f, pairs.is_true))
    z_c, m_c, log_f_c, is_true_c = of_candidates
    gains = 1 / np.log2(np.arange(2, RANKS + 2))
    ideal = np.cumsum(gains)[np.minimum(np.diff(y.indptr), RANKS) - 1]

    def ndcg(margin: float, prior: float) -> NDArray[np.float64]:
        first = np.argsort(-(z_c + margin * m_c + prior * log_f_c), axis=1, kind="stable")[:, :RANKS]
        hits = np.take_along_axis(is_true_c, first, axis=1)
        return (hits @ gains[: hits.shape[1]]) / ideal

    found = {(margin, prior): ndcg(margin, prior) for margin in MARGINS for prior in PRIORS}
    margin, prior = best = _usual(found)
    score = z + margin * m + prior * log_f
    if network.config.loss == "softmax":
        slope, intercept = _temperature(score, pairs), 0.0
    else:
        slope, intercept = _logistic(score, pairs.is_true.astype(np.float64), pairs.weight)
    without, with_ranker = (float(found[blend].mean()) for blend in ((0.0, 0.0), best))
    return RankerReport(margin, prior, slope, intercept, x.n_rows, without, with_ranker)


@dataclass(frozen=True)
class _Pairs:
    """Pairs of an example and a label: candidates, true labels, and some others drawn at random.

    Attributes
    ----------
    labels : Csr
        The pairs, as a pattern.
    is_candidate, is_true : boolean arrays
    weight : array
        How many pairs one stands for: a draw, for its part of those that are neither candidates nor true.
    """

    labels: Csr
    is_candidate: NDArray[np.bool_]
    is_true: NDArray[np.bool_]
    weight: NDArray[np.float64]

    @classmethod
    def draw(cls, network: Network, x: Csr, y: Csr, seed: int, n_threads: int) -> "_Pairs":
        """Return the pairs of some examples and their labels."""
        n, n_labels = y.shape
        best, _ = network.predict_topk(
            x, min(CANDIDATES, n_labels), n_threads, approximate=network.has_candidates
        )
        first_key = np.arange(n)[:, None] * n_labels  # a pair is the number row * n_labels + label
        candidates = (first_key + best).ravel()
        true = np.repeat(first_key, np.diff(y.indptr)) + y.indices
        drawn = first_key + np.random.default_rng([seed, 1]).integers(0, n_labels, (n, RANDOM_LABELS))
        known = np.union1d(candidates, true)
        keys = np.union1d(known, drawn)
        row, is_known = keys // n_labels, np.isin(keys, known)
        n_known, n_all = np.bincount(row[is_known], minlength=n), np.bincount(row, minlength=n)
        weight = np.where(is_known, 1.0, ((n_labels - n_known) / np.maximum(n_all - n_known, 1))[row])
        indptr = np.concatenate([[0], np.cumsum(n_all)])
        labels = Csr(indptr, (keys % n_labels).astype(np.int32), None, n_labels)
        return cls(labels, np.isin(keys, candidates), np.isin(keys, true), weight)


def _usual(found: dict[tuple[float, float], NDArray[np.float64]]) -> tuple[float, float]:
    """Return the key nearest to the usual one among those that are within one standard error of the best.

    (0, 0) if that gains nothing.
    """
    best = max(found, key=lambda blend: found[blend].mean())

    def is_good(blend: tuple[float, float]) -> bool:
        shortfall = found[best] - found[blend]
        return float(shortfall.mean()) <= float(shortfall.std()) / np.sqrt(len(shortfall))

    def distance(blend: tuple[float, float]) -> float:
        margin, prior = blend
        return abs(np.log2(max(margin, 0.125) / USUAL_MARGIN)) + abs(prior) / PRIOR_STEP

    usual = min(filter(is_good, found), key=distance)
    return usual if found[usual].mean() > found[0.0, 0.0].mean() else (0.0, 0.0)


def _logistic(s: NDArray[np.float64], t: NDArray[np.float64], w: NDArray[np.float64]) -> tuple[float, float]:
    """Return a, c of the largest weighted likelihood of t ~ sigmoid(a s + c), by Newton's method."""
    p = np.array([1.0, 0.0])
    n_true, n_false = float(w @ t), float(w @ (1 - t))
    # As if the labels had been less certain (Platt): separable ones have a maximum, too.
    t = np.where(t > 0, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
    features = np.column_stack([s, np.ones(len(s))])

    def loss(p: NDArray[np.float64]) -> float:
        q = features @ p
        return float(w @ (np.logaddexp(0, q) - t * q))

    now = loss(p)
    for _ in range(NEWTON_STEPS):
        sigmoid = 1 / (1 + np.exp(-np.clip(features @ p, -500, 500)))
        gradient = features.T @ (w * (sigmoid - t))
        curvature = (features * (w * sigmoid * (1 - sigmoid))[:, None]).T @ features + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while (then := loss(p - step)) > now and np.abs(step).max() > 1e-6:
            step /= 2
        if not then < now or p[0] - step[0] <= 0:
            break
        p, now = p - step, then
    return float(p[0]), float(p[1])


def _temperature(s: NDArray[np.float64], pairs: _Pairs) -> float:
    """Return the slope a of the largest likelihood of the true labels under softmax(a s) of each row."""
    first = pairs.labels.indptr[:-1]
    row = np.repeat(np.arange(len(first)), np.diff(pairs.labels.indptr))

    def loss(slope: float) -> float:
        q = slope * s
        top = np.maximum.reduceat(q, first)
        mass = np.add.reduceat(pairs.weight * np.exp(q - top[row]), first)
        return float(((top + np.log(mass))[row] - q)[pairs.is_true].sum())

    slopes = np.exp(np.linspace(np.log(0.25), np.log(4), 49))
    slopes[24] = 1.0
    return float(slopes[int(np.argmin([loss(slope) for slope in slopes]))])
