"""How well a model that goes on learning foresees what comes: `SlideClassifier.drift_`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.training import Occurrences

__all__ = ["Drift", "divergence", "hits_at", "moment_of_drop"]


def __dir__() -> list[str]:
    return __all__


SAMPLE = 1000  # examples of a call that are predicted before they are learned
RANKS = (1, 3, 5)
RISK = 0.01  # of a false alarm in one call
WINDOW = 100  # calls that are compared
MOST_RECORDS = 1000
LEAST_EXPECTED = 5  # occurrences of a label below which labels are put together
MOST_SCORED = 1 << 14  # labels for each example of a call, on average: about the work of learning the example
LABELS_PER_OCCURRENCE = 1 << 12  # whose counts are looked at
_NUMBERS = ("examples", "P@1", "P@3", "P@5", "unknown_labels", "prior_shift")


@dataclass(frozen=True)
class Drift:
    """What each call of `partial_fit` showed before the model learned from it.

    Attributes
    ----------
    records : tuple of dict
        One for each call, the last 1,000: "examples", how many were predicted, at most 1,000, and of a
        model that scores all of more than 16,384 labels as many times fewer, spread evenly over the calls,
        so that foreseeing examples takes no longer than learning them; "P@1", "P@3", "P@5" of these
        predictions, in which a label that the model does not have counts as missed; "unknown_labels", the
        share of such labels among all occurrences of labels; "prior_shift", the Jensen-Shannon divergence
        in bits between the frequencies of the labels in this call and before; "alarm", whether P@1 has
        dropped. What a call is too small to tell is NaN.

    Notes
    -----
    The alarm compares the calls since the last alarm, at most 100, before and after every moment between two
    of them. With n and m predicted examples, the mean before exceeds the one after by more than
    ``sqrt((1/n + 1/m) / 2 * log(moments / 0.01))`` with a probability of at most 1 % in each call if nothing
    has changed (Hoeffding 1963, and the sum over the moments, as in ADWIN: Bifet & Gavaldà 2007).
    """

    records: tuple[dict[str, Any], ...] = ()

    @property
    def alarm(self) -> bool:
        """Whether the last call gave the alarm."""
        return bool(self.records and self.records[-1]["alarm"])

    def with_call(self, record: Mapping[str, float]) -> "Drift":
        """Return the record with one more call."""
        last_alarm = max((i for i, r in enumerate(self.records) if r["alarm"]), default=0)
        calls = [call for call in (*self.records[last_alarm:], record) if call["examples"]][-WINDOW:]
        n = np.array([call["examples"] for call in calls])
        alarm = moment_of_drop(n, np.array([call["P@1"] for call in calls])) is not None
        return Drift((*self.records, dict(record) | {"alarm": alarm})[-MOST_RECORDS:])

    def to_plain(self) -> list[dict[str, Any]]:
        """Return the records as JSON has them."""
        return [
            {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in record.items()}
            for record in self.records
        ]

    @classmethod
    def from_plain(cls, records: list[dict[str, Any]]) -> "Drift":
        """Return what `to_plain` wrote, checked."""
        found = []
        for record in records:
            numbers = {name: record[name] for name in _NUMBERS}
            wrong = [
                v for v in numbers.values() if isinstance(v, bool) or not isinstance(v, int | float | None)
            ]
            if wrong or not isinstance(record["alarm"], bool) or not isinstance(numbers["examples"], int):
                raise InputError(f"its record of drift holds {record!r}")
            numbers = {name: math.nan if value is None else value for name, value in numbers.items()}
            found.append(numbers | {"alarm": record["alarm"]})
        return cls(tuple(found))


def moment_of_drop(n: NDArray[np.int64], mean: NDArray[np.float64]) -> int | None:
    """Return the call from which on the mean has dropped most clearly, or None.

    Parameters
    ----------
    n : int array of shape (calls,)
        Examples of each call.
    mean : array of shape (calls,)
        Their mean, between 0 and 1.
    """
    moments = len(n) - 1
    if moments < 1:
        return None
    before, hits = np.cumsum(n)[:-1], np.cumsum(n * mean)
    after = np.sum(n) - before
    gap = hits[:-1] / before - (hits[-1] - hits[:-1]) / after
    bound = np.sqrt((1 / before + 1 / after) / 2 * np.log(moments / RISK))
    clearest = int(np.argmax(gap - bound))
    return clearest + 1 if gap[clearest] > bound[clearest] else None


def divergence(network: Network, new: Occurrences) -> float:
    """Return the Jensen-Shannon divergence of two frequencies of labels, in bits.

    With p and q the shares of the labels among all occurrences and m = (p + q) / 2: the mean of
    ``sum p log2(p / m)`` and ``sum q log2(q / m)``. 0: the same, 1: no label in common. Labels that would
    occur fewer than 5 times in the new examples if nothing had changed are taken together.

    Parameters
    ----------
    network : Network
        Knows what has occurred before.
    new : Occurrences
        Those of now. Labels may be new.
    """
    n_before, n_new = network.n_label_occurrences, int(new.counts.sum())
    if n_before == 0 or n_new == 0:
        return math.nan
    frequent, old = network.frequent_labels(math.ceil(LEAST_EXPECTED * n_before / n_new))
    place = np.minimum(np.searchsorted(new.ids, frequent), len(new.ids) - 1)
    now = np.where(new.ids[place] == frequent, new.counts[place], 0)
    p, q = (np.append(c, n - c.sum()) / n for c, n in ((old, n_before), (now, n_new)))
    m = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(part > 0, part * np.log2(part / m), 0).sum() for part in (p, q)]
    return float(max(0.0, sum(terms) / 2))


def hits_at(ids: NDArray[np.int64], y: Csr) -> dict[str, float]:
    """Return P@k of predicted label ids, best first, against labels of which some may be unknown."""
    true = y.to_scipy().tocsr()
    hits = np.zeros(ids.shape, bool)
    for place in range(ids.shape[1]):
        found = np.flatnonzero(ids[:, place] >= 0)
        if len(found):
            hits[found, place] = np.asarray(true[found, ids[found, place]]).ravel() > 0
    return {f"P@{k}": float(hits[:, :k].sum(axis=1).mean() / k) if len(hits) else math.nan for k in RANKS}
