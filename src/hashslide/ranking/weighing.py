"""How much the parts of a ranker count, learned from examples that neither it nor the network was trained on.

The score of a label of frequency f is ``z + prior log f + (a + b log f) margin + (c + d log f) association``
with the network's logit z, and neither factor below 0. This is stacked generalisation (Wolpert 1992): the
factors are the coefficients, relative to that of z, of a logistic regression on the network's best labels of
the held-out examples. They depend on the frequency because a classifier of many examples says more than one
of a single example. Each example counts the same, whether it has one label or a hundred. Likelihood is not
quite what is wanted: of some fractions of all that is added, the largest is taken whose nDCG@5 is not more
than half a standard error below the best one's, and nothing at all if that is 0. Where examples have several
labels, rarer ones then go first of those that are nearly as likely, unless nDCG@5 is lower by more than half
a standard error. Of labels that are not among the best, margin and association are unknown; they are taken to
be what they are on average.

Then a slope and an intercept turn scores into probabilities (Platt 1999): a logistic regression on the scores
of the best labels, the true ones, and a random sample of all others, each weighted by how many it stands for.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.csr import Csr
from hashslide.network import Network

__all__ = ["CANDIDATES", "FEWEST_HELD_OUT", "Blend", "RankerReport", "n_held_out", "weigh"]


def __dir__() -> list[str]:
    return __all__


HELD_OUT_SHARE = 0.04
MOST_HELD_OUT = 1000
FEWEST_HELD_OUT = 100  # of fewer examples, chance would decide
CANDIDATES = 50  # of the network, among which the ranker chooses
RANKS = 5
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of all that is added
STANDARD_ERRORS = 0.5  # below the best: so much may be chance
RARER = 0.1  # of log f: what is taken off where rarer labels go first
RIDGE = 3.0  # of standardised coefficients: as strong as a few pairs
LEAST_SLOPE = 0.05  # of z, which the others are relative to
RANDOM_LABELS = 20  # for each example, behind the slope and the intercept
NEWTON_STEPS = 25

_Floats = NDArray[np.float64]


class Blend(NamedTuple):
    """How much the parts of a ranker count for a label of frequency f: nine numbers.

    Each pair ``p, p_by_log`` stands for ``p + p_by_log * log f``.

    Attributes
    ----------
    prior : float
        What log f is multiplied with.
    margin, margin_by_log : float
        What the margin is multiplied with, if that is above 0.
    usual_margin, usual_margin_by_log : float
        The margin on average over candidates; labels that are none are taken to have it.
    association, association_by_log, usual_association, usual_association_by_log : float
        The same for the association.
    """

    prior: float = 0.0
    margin: float = 0.0
    margin_by_log: float = 0.0
    usual_margin: float = 0.0
    usual_margin_by_log: float = 0.0
    association: float = 0.0
    association_by_log: float = 0.0
    usual_association: float = 0.0
    usual_association_by_log: float = 0.0

    def scaled(self, strength: float) -> "Blend":
        """Return what adds `strength` times as much; nothing at all for 0."""
        if strength == 0:
            return Blend()
        factors = ("prior", "margin", "margin_by_log", "association", "association_by_log")
        return self._replace(**{name: strength * getattr(self, name) for name in factors})


@dataclass(frozen=True)
class RankerReport:
    """What the parts of a ranker count, and what it gains on the examples that decided it.

    Attributes
    ----------
    blend : Blend
    slope, intercept : float
        Scores are ``slope * sum + intercept``, of which the sigmoid, or the softmax, is a probability.
    rows : int
        Examples that decided; 0: none, and the values are fixed ones.
    ndcg_without, ndcg_with : float
        nDCG@5 of the network alone and of all together on these examples; NaN without any.
    n_examples : int
        That the ranker was learned from.
    """

    blend: Blend
    slope: float
    intercept: float
    rows: int
    ndcg_without: float
    ndcg_with: float
    n_examples: int = 0

    @classmethod
    def fixed(cls) -> "RankerReport":
        """Return what counts where there are no examples to decide: margins as much as the network."""
        return cls(Blend(margin=1.0), 1.0, 0.0, 0, float("nan"), float("nan"))

    @property
    def is_needed(self) -> bool:
        """Whether anything is added to the network's logits."""
        return any(self.blend)

    @property
    def reason(self) -> str:
        """Why it is needed, or not, as what may follow the word "because"."""
        if self.rows == 0:
            return "it was given"
        change = f"from {self.ndcg_without:.3f} to {self.ndcg_with:.3f}"
        gain = f"raises nDCG@5 {change}" if self.is_needed else "does not raise nDCG@5"
        return f"it {gain} on {self.rows:,} held-out examples"


def n_held_out(n_examples: int) -> int:
    """Return how many of the training examples decide how much a ranker counts; 0 of few."""
    n = min(MOST_HELD_OUT, round(HELD_OUT_SHARE * n_examples))
    return n if n >= FEWEST_HELD_OUT else 0


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
    parts = network.ranker_parts(ranker, x, pairs.labels)
    margin, association = (part.astype(np.float64) for part in parts)
    counts = network.label_counts[pairs.labels.indices]
    log_f = np.log((counts + 0.5) / (network.n_examples_seen + 1))

    shape = (x.n_rows, -1)
    chosen = pairs.is_candidate
    is_true = pairs.is_true[chosen].reshape(shape)
    ideal = np.cumsum(_GAINS)[np.minimum(np.diff(y.indptr), RANKS) - 1]

    def ndcg(score: _Floats) -> _Floats:
        first = np.argsort(-score[chosen].reshape(shape), axis=1, kind="stable")[:, :RANKS]
        hits = np.take_along_axis(is_true, first, axis=1)
        return (hits @ _GAINS[: hits.shape[1]]) / ideal

    columns = np.column_stack([z, log_f, margin, margin * log_f, association, association * log_f])[chosen]
    slopes = _stack(columns, is_true)
    prior, a, b, c, d = (slopes[1:] / max(slopes[0], LEAST_SLOPE)).tolist()
    usual = _line(log_f[chosen], margin[chosen]), _line(log_f[chosen], association[chosen])
    whole = Blend(prior, a, b, *usual[0], c, d, *usual[1])
    added = _added(whole, log_f, margin, association, chosen)
    found = np.array([ndcg(z + strength * added) for strength in STRENGTHS])
    choice = _largest_within_error(found)
    blend, best = whole.scaled(STRENGTHS[choice]), found[choice]
    blended = z + STRENGTHS[choice] * added
    if choice and network.config.loss != "softmax":
        rarer = blended - RARER * log_f
        of_rarer = ndcg(rarer)
        if _is_as_good(of_rarer, best):
            blend, blended, best = blend._replace(prior=blend.prior - RARER), rarer, of_rarer
    if network.config.loss == "softmax":
        slope, intercept = _temperature(blended, pairs), 0.0
    else:
        slope, intercept = _platt(blended, pairs.is_true, pairs.weight)
    return RankerReport(blend, slope, intercept, x.n_rows, float(found[0].mean()), float(best.mean()))


def _is_as_good(found: _Floats, best: _Floats) -> bool:
    """Return whether chance may have put what was found for each example below what is best."""
    difference = found - best
    error = difference.std() / np.sqrt(len(difference))
    return bool(difference.mean() >= -STANDARD_ERRORS * error)


def _largest_within_error(found: _Floats) -> int:
    """Return the largest choice that chance may have put below the best one; 0 if that is the best.

    found: (choices, examples).
    """
    best = int(np.argmax(found.mean(axis=1)))
    if best == 0:
        return 0
    return max(choice for choice in range(len(found)) if _is_as_good(found[choice], found[best]))


_GAINS = 1 / np.log2(np.arange(2, RANKS + 2))


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


def _added(
    blend: Blend, log_f: _Floats, margin: _Floats, association: _Floats, is_candidate: NDArray[np.bool_]
) -> _Floats:
    """Return what is added to the logits of pairs."""
    added = blend.prior * log_f
    for part, factor, factor_by_log, usual, usual_by_log in (
        (margin, *blend[1:5]),
        (association, *blend[5:]),
    ):
        found = np.where(is_candidate, part, usual + usual_by_log * log_f)
        added += np.maximum(0, factor + factor_by_log * log_f) * found
    return added


def _line(x: _Floats, y: _Floats) -> tuple[float, float]:
    """Return a, b of the least squares of y ~ a + b x."""
    centred = x - x.mean()
    variance = float(np.square(centred).sum())
    slope = float((centred * y).sum()) / variance if variance > 1e-9 * len(x) else 0.0
    return float(y.mean()) - slope * float(x.mean()), slope


def _stack(columns: _Floats, is_true: NDArray[np.bool_]) -> _Floats:
    """Return the coefficients of a logistic regression of what is true on the columns.

    columns: (examples * candidates, n). Every example has the weight of one true label.
    """
    weight = 1 / np.maximum(is_true.sum(axis=1, keepdims=True), 1)
    weights = np.broadcast_to(weight / weight.mean(), is_true.shape).ravel()
    mean, spread = columns.mean(axis=0), columns.std(axis=0)
    spread[spread < 1e-9 * np.maximum(np.abs(mean), 1)] = np.inf  # it tells nothing: its coefficient is 0
    standard = np.column_stack([(columns - mean) / spread, np.ones(len(columns))])
    start = np.zeros(standard.shape[1])
    coefficients = _logistic(standard, is_true.ravel().astype(np.float64), weights, RIDGE, start)
    return coefficients[:-1] / spread


def _platt(score: _Floats, is_true: NDArray[np.bool_], weight: _Floats) -> tuple[float, float]:
    """Return a, c of the largest weighted likelihood of truth ~ sigmoid(a score + c); (1, 0) unless a > 0."""
    n_true, n_false = float(weight[is_true].sum()), float(weight[~is_true].sum())
    # As if the labels had been less certain (Platt): separable ones have a maximum, too.
    target = np.where(is_true, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
    columns = np.column_stack([score, np.ones(len(score))])
    slope, intercept = _logistic(columns, target, weight, 0.0, np.array([1.0, 0.0]))
    return (float(slope), float(intercept)) if slope > 0 else (1.0, 0.0)


def _logistic(columns: _Floats, target: _Floats, weight: _Floats, ridge: float, start: _Floats) -> _Floats:
    """Return the coefficients of the largest weighted likelihood of target ~ sigmoid(columns @ p).

    By Newton's method. ridge: of all coefficients but the last, which is the intercept. Nothing is summed by
    BLAS, whose order depends on its threads.
    """
    penalty = np.append(np.full(len(start) - 1, 2 * ridge), 0.0)

    def loss(p: _Floats) -> float:
        q = np.einsum("ij,j", columns, p)
        return float((weight * (np.logaddexp(0, q) - target * q)).sum() + (penalty * p**2).sum() / 2)

    p, now = start, loss(start)
    for _ in range(NEWTON_STEPS):
        sigmoid = 1 / (1 + np.exp(-np.clip(np.einsum("ij,j", columns, p), -500, 500)))
        gradient = np.einsum("ij,i", columns, weight * (sigmoid - target)) + penalty * p
        curvature = np.einsum("ij,ik", columns * (weight * sigmoid * (1 - sigmoid))[:, None], columns)
        step = np.linalg.solve(curvature + np.diag(penalty + 1e-9), gradient)
        while (then := loss(p - step)) > now and np.abs(step).max() > 1e-6:
            step /= 2
        if not then < now:
            break
        p, now, is_done = p - step, then, np.abs(step).max() < 1e-5
        if is_done:
            break
    return p


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
