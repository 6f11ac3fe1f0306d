"""How much a ranker counts beside the network, chosen on examples that neither of them was trained on.

The score of label l is ``z_l + margin * m_l + prior * log f_l``: the network's logit, what the ranker says,
and the label's frequency f, by which the sampling correction of training may have set too high or too low a
prior. `margin` and `prior` come from a grid: of those whose nDCG@5 is within one standard error of the
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
        A probability is the sigmoid, or the softmax, of ``slope * score + intercept``.
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
    k = min(CANDIDATES, network.config.n_labels)
    ids = np.sort(network.predict_topk(x, k, n_threads, approximate=network.has_candidates)[0])
    keys, own = (np.arange(x.n_rows)[:, None] * y.n_columns + ids).ravel(), _keys(y)
    is_true = np.isin(keys, own).reshape(ids.shape)
    parts = _parts(network, ranker, x, _pairs(keys, y), n_threads)
    z, m, log_f = (part.reshape(ids.shape) for part in parts)
    gains = 1 / np.log2(np.arange(2, RANKS + 2))
    ideal = np.cumsum(gains)[np.minimum(np.diff(y.indptr), RANKS) - 1]

    def ndcg(margin: float, prior: float) -> NDArray[np.float64]:
        first = np.argsort(-(z + margin * m + prior * log_f), axis=1, kind="stable")[:, :RANKS]
        hits = np.take_along_axis(is_true, first, axis=1)
        return (hits @ gains[: hits.shape[1]]) / ideal

    found = {(margin, prior): ndcg(margin, prior) for margin in MARGINS for prior in PRIORS}
    best = _usual(found)
    slope, intercept = _calibrate(network, ranker, x, y, keys, best, seed, n_threads)
    without, with_ranker = (float(found[blend].mean()) for blend in ((0.0, 0.0), best))
    return RankerReport(*best, slope, intercept, x.n_rows, without, with_ranker)


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


def _keys(y: Csr) -> NDArray[np.int64]:
    """Return one number for each pair of a row and a label, ascending."""
    return np.repeat(np.arange(y.n_rows), np.diff(y.indptr)) * y.n_columns + y.indices


def _pairs(keys: NDArray[np.int64], like: Csr) -> Csr:
    """Return the pairs of ascending keys."""
    counts = np.bincount(keys // like.n_columns, minlength=like.n_rows)
    indices = (keys % like.n_columns).astype(np.int32)
    return Csr(np.concatenate([[0], np.cumsum(counts)]), indices, None, like.n_columns)


def _parts(
    network: Network, ranker: _core.Ranker, x: Csr, pairs: Csr, n_threads: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the network's logit, the ranker's margin and the log frequency of each pair."""
    z = network.pair_logits(x, pairs, n_threads, with_ranker=False).astype(np.float64)
    m = network.ranker_margins(ranker, x, pairs).astype(np.float64)
    frequency = (network.label_counts[pairs.indices] + 0.5) / (network.n_examples_seen + 1)
    return z, m, np.log(frequency)


def _calibrate(
    network: Network,
    ranker: _core.Ranker,
    x: Csr,
    y: Csr,
    candidates: NDArray[np.int64],
    blend: tuple[float, float],
    seed: int,
    n_threads: int,
) -> tuple[float, float]:
    """Return the slope and the intercept of the scores, by which their probabilities are right."""
    n, n_labels = y.n_rows, y.n_columns
    own = _keys(y)
    known = np.union1d(candidates, own)
    drawn = np.random.default_rng([seed, 1]).integers(0, n_labels, (n, RANDOM_LABELS))
    drawn = np.setdiff1d(np.arange(n)[:, None] * n_labels + drawn, known)
    # A draw stands for its part of the labels that are neither candidates nor true.
    n_known, n_drawn = (np.bincount(keys // n_labels, minlength=n) for keys in (known, drawn))
    keys = np.union1d(known, drawn)
    row = keys // n_labels
    weight = np.where(np.isin(keys, known), 1.0, ((n_labels - n_known) / np.maximum(n_drawn, 1))[row])
    z, m, log_f = _parts(network, ranker, x, _pairs(keys, y), n_threads)
    score, is_true = z + blend[0] * m + blend[1] * log_f, np.isin(keys, own)
    if network.config.loss == "softmax":
        return _temperature(score, is_true, weight, row, n), 0.0
    return _logistic(score, is_true.astype(np.float64), weight)


def _logistic(s: NDArray[np.float64], t: NDArray[np.float64], w: NDArray[np.float64]) -> tuple[float, float]:
    """Return a, c of the largest weighted likelihood of t ~ sigmoid(a s + c), by Newton's method."""
    p = np.array([1.0, 0.0])
    n_true, n_false = float(w @ t), float(w @ (1 - t))
    t = np.where(
        t > 0, (n_true + 1) / (n_true + 2), 1 / (n_false + 2)
    )  # as if it had been less certain (Platt)
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


def _temperature(
    s: NDArray[np.float64], t: NDArray[np.bool_], w: NDArray[np.float64], rows: NDArray[np.int64], n: int
) -> float:
    """Return the slope a of the largest likelihood of the true labels under softmax(a s) of each row."""

    def loss(slope: float) -> float:
        q = slope * s
        top = np.full(n, -np.inf)
        np.maximum.at(top, rows, q)
        mass = np.bincount(rows, w * np.exp(q - top[rows]), minlength=n)
        return float((top + np.log(mass))[rows[t]].sum() - q[t].sum())

    slopes = np.exp(np.linspace(np.log(0.25), np.log(4), 49))
    slopes[24] = 1.0
    return float(slopes[int(np.argmin([loss(slope) for slope in slopes]))])
