"""What a score is made of: the network, the ranker feature by feature, and the label's own addend."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.network import Network

__all__ = ["Explanation", "explain"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Explanation:
    """The parts of one label's score for one example: ``score = network + offset + sum of the features'``.

    What the features add counts in predictions only for the 50 best labels by the first two.

    Attributes
    ----------
    label : object
        Its name.
    score : float
    network : float
        What the layers say.
    offset : float
        What is added for the label whatever the example is.
    features : tuple of (feature, float)
        What each feature adds, the largest amounts first, where the ranker has a weight for it.
    """

    label: Any
    score: float
    network: float
    offset: float
    features: tuple[tuple[Any, float], ...]

    @property
    def ranker(self) -> float:
        """What the ranker adds for the example's features."""
        return sum(amount for _, amount in self.features)


def explain(
    network: Network,
    x: Csr,
    ids: NDArray[np.int64],
    labels: NDArray[Any],
    feature_names: NDArray[Any] | None,
    n_threads: int,
    slope: float = 1.0,
    intercept: float = 0.0,
) -> list[list[Explanation]]:
    """Return what the scores of some labels of each example are made of.

    Parameters
    ----------
    network : Network
    x : Csr of n rows
    ids, labels : arrays of shape (n, k)
        Numbers and names of the labels; each once in a row.
    feature_names : array of shape (n_features,), optional
    n_threads : int
    slope, intercept : float
        Of the calibration, by which scores differ from logits: all parts are in units of the score.

    Returns
    -------
    list of n lists of k `Explanation`
    """
    n, k = ids.shape
    order = np.argsort(ids, axis=1)
    ascending = np.take_along_axis(ids, order, axis=1).ravel().astype(np.int32)
    pairs = Csr(np.arange(0, n * k + 1, k, dtype=np.int64), ascending, None, network.config.n_labels)
    logits = np.empty((n, k), np.float32)
    found = network.pair_logits(x, pairs, n_threads, with_ranker=False).reshape(n, k)
    np.put_along_axis(logits, order, found, axis=1)

    ranker = network.state("weight") if network.has_ranker else {}

    def of(row: int, place: int) -> Explanation:
        label = int(ids[row, place])
        logit, amounts = slope * float(logits[row, place]), _amounts(ranker, x, row, label)
        offset = slope * float(ranker["ranker.offset"][label]) + intercept if ranker else intercept
        named = tuple(
            (f if feature_names is None else feature_names[f], slope * amount) for f, amount in amounts
        )
        score = logit + offset + sum(amount for _, amount in named)
        return Explanation(labels[row, place], score, logit, offset, named)

    return [[of(row, place) for place in range(k)] for row in range(n)]


def _amounts(ranker: dict[str, NDArray[Any]], x: Csr, row: int, label: int) -> list[tuple[int, float]]:
    """Return what the ranker adds to a logit for each feature of an example, the largest amounts first."""
    if not ranker:
        return []
    begin, labels, weight = (ranker[f"ranker.{name}"] for name in ("begin", "labels", "weight"))
    part = slice(x.indptr[row], x.indptr[row + 1])
    features, values = x.indices[part], x.values[part].astype(np.float64)
    length = np.sqrt(values @ values)
    amounts = []
    for feature, value in zip(features.tolist(), values.tolist(), strict=True):
        first, last = int(begin[feature]), int(begin[feature + 1])
        entry = first + int(np.searchsorted(labels[first:last], label))
        if entry < last and labels[entry] == label:
            amounts.append((feature, float(weight[entry]) * value / length))
    return sorted(amounts, key=lambda pair: (-abs(pair[1]), pair[0]))
