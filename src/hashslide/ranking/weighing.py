"""How much the parts of a ranker count, learned from examples that neither it nor the network was trained on.

The score of a label of frequency f is ``z + prior log f + (a + b log f) margin + (c + d log f) association``
with the network's logit z, and neither factor below 0. This is stacked generalisation (Wolpert 1992): the
factors are the coefficients, relative to that of z, of a logistic regression on the network's best labels of
the held-out examples. They depend on the frequency because a classifier of many examples says more than one
of a single example. Each example counts the same, whether it has one label or a hundred. Likelihood is not
quite what is wanted: of some fractions of all that is added, the largest is taken whose nDCG@5 is not more
than half a standard error below the best one's, and nothing at all if that is true of 0. Where examples have
several labels, rarer ones then go first of those that are nearly as likely, unless nDCG@5 is lower by more
than half a standard error. Of labels that are not among the best, margin and association are unknown; they
are taken to be what they are on average.

Then a slope and an intercept turn scores into probabilities (Platt 1999): a logistic regression on the scores
of the best labels, the true ones, and a random sample of all others, each weighted by how many it stands for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide.ranking.calibration import logistic_regression, platt_scaling, temperature
from hashslide.ranking.judging import CANDIDATES, Judged, JudgedPairs

__all__ = ["Blend", "RankerReport", "weigh"]


def __dir__() -> list[str]:
    return __all__


RANKS = 5
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of all that is added
STANDARD_ERRORS = 0.5  # below the best: so much may be chance
RARER = 0.1  # of log f: what is taken off where rarer labels go first
RIDGE = 3.0  # of standardised coefficients: as strong as a few pairs
LEAST_SLOPE = 0.3  # of z, which the others are relative to: it finds the labels that are looked at

_Floats = NDArray[np.floating[Any]]


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
        if self.is_needed and self.ndcg_with <= self.ndcg_without:
            return f"it was given, and does no harm on {self.rows:,} held-out examples"
        change = f"from {self.ndcg_without:.3f} to {self.ndcg_with:.3f}"
        gain = f"raises nDCG@5 {change}" if self.is_needed else "does not raise nDCG@5"
        return f"it {gain} on {self.rows:,} held-out examples"


def weigh(
    judged: Iterable[Judged], loss: str, seed: int, n_threads: int, is_wanted: bool = False
) -> RankerReport:
    """Return how much a ranker should count.

    Parameters
    ----------
    judged : iterable of Judged
        One, or those of each fold of a cross-validation: examples of all are weighed together.
    loss : str
        Of the networks.
    seed : int
    n_threads : int
    is_wanted : bool
        Whether it may count where it gains nothing, as long as it does no harm.

    Returns
    -------
    RankerReport
    """
    pairs = JudgedPairs.of_all(judged, seed, n_threads)
    if pairs is None:
        return RankerReport.fixed()
    ideal = np.cumsum(1 / np.log2(np.arange(2, RANKS + 2)))[np.minimum(pairs.n_labels, RANKS) - 1]

    def ndcg(scores: _Floats) -> _Floats:
        ranks = pairs.ranks(scores)
        gains = np.where(pairs.is_true & (ranks < RANKS + 0.5), 1 / np.log2(ranks + 1), 0.0)
        return np.bincount(pairs.row, gains, len(ideal)) / ideal

    whole = _whole_blend(pairs)
    blends = [whole.scaled(strength) for strength in STRENGTHS]
    found = np.array([ndcg(_scores(blend, pairs)) for blend in blends])
    choice = _largest_within_error(found, is_wanted)
    blend, best = blends[choice], found[choice]
    if choice and loss != "softmax":
        rarer = blend._replace(prior=blend.prior - RARER)
        of_rarer = ndcg(_scores(rarer, pairs))
        if _is_as_good(of_rarer, best):
            blend, best = rarer, of_rarer
    scores = _scores(blend, pairs)
    if loss == "softmax":
        slope, intercept = temperature(scores, pairs), 0.0
    else:
        slope, intercept = platt_scaling(scores, pairs.is_true, pairs.weight)
    n, without, with_it = len(pairs.n_labels), float(found[0].mean()), float(best.mean())
    return RankerReport(blend, slope, intercept, n, without, with_it)


def _whole_blend(pairs: JudgedPairs) -> Blend:
    """Return the coefficients of the logistic regression on the network's best labels."""
    z, log_f, margin, association = (
        part[pairs.is_best].astype(np.float64)
        for part in (pairs.z, pairs.log_f, pairs.margin, pairs.association)
    )
    columns = np.column_stack([z, log_f, margin, margin * log_f, association, association * log_f])
    slopes = _stack(columns, pairs.is_true[pairs.is_best].reshape(len(pairs.n_labels), -1))
    prior, a, b, c, d = (slopes[1:] / max(slopes[0], LEAST_SLOPE)).tolist()
    return Blend(prior, a, b, *_line(log_f, margin), c, d, *_line(log_f, association))


def _scores(blend: Blend, pairs: JudgedPairs) -> _Floats:
    """Return the scores of the pairs: as in prediction, those that are best by usual parts get their own."""
    parts = pairs.log_f, pairs.margin, pairs.association
    usual = pairs.z + _added(blend, *parts, is_candidate=np.zeros(len(pairs.z), np.bool_))
    is_candidate = pairs.ranks(usual) < CANDIDATES + 0.5
    return np.where(is_candidate, pairs.z + _added(blend, *parts, is_candidate=is_candidate), usual)


def _is_as_good(found: _Floats, best: _Floats) -> bool:
    """Return whether chance may have put what was found for each example below what is best."""
    difference = found - best
    error = difference.std() / np.sqrt(len(difference))
    return bool(difference.mean() >= -STANDARD_ERRORS * error)


def _largest_within_error(found: _Floats, is_wanted: bool) -> int:
    """Return the largest choice that chance may have put below the best one; 0 if it is one, unless wanted.

    found: (choices, examples).
    """
    best = int(np.argmax(found.mean(axis=1)))
    if not is_wanted and _is_as_good(found[0], found[best]):
        return 0
    return max(choice for choice in range(len(found)) if _is_as_good(found[choice], found[best]))


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
    coefficients = logistic_regression(standard, is_true.ravel().astype(np.float64), weights, RIDGE, start)
    return coefficients[:-1] / spread
