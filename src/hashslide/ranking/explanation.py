"""What a score is made of: the network, the label's own addend, and the ranker, feature by feature."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.network import Network
from hashslide.precision import to_float32

__all__ = ["Explanation", "explain"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Explanation:
    """The parts of one label's score for one example: ``score = network + offset + ranker``.

    What the ranker adds counts in predictions only for the 50 best labels by the first two.

    Attributes
    ----------
    label : object
        Its name.
    score : float
    network : float
        What the layers say.
    offset : float
        What is added for the label whatever the example is.
    association : float
        What is added because the example's features occurred together with the label.
    features : tuple of (feature, float)
        What each feature adds to the margin, the largest amounts first, where the ranker has a weight for it.
    """

    label: Any
    score: float
    network: float
    offset: float
    association: float
    features: tuple[tuple[Any, float], ...]

    @property
    def ranker(self) -> float:
        """What the ranker adds for the example's features: their margin and the association."""
        return sum(amount for _, amount in self.features) + self.association


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
    of_layers, of_all = (
        _in_places(network.pair_logits(x, pairs, n_threads, with_ranker=with_ranker), order)
        for with_ranker in (False, True)
    )
    ranker = network.state("weight") if network.has_ranker else {}

    def of(row: int, place: int) -> Explanation:
        label, logit = int(ids[row, place]), float(of_layers[row, place])
        own = _own(ranker, label)
        amounts = _amounts(ranker, x, row, label)
        association = float(of_all[row, place]) - logit - own - sum(amount for _, amount in amounts)
        named = tuple(
            (f if feature_names is None else feature_names[f], slope * amount) for f, amount in amounts
        )
        return Explanation(
            labels[row, place],
            slope * float(of_all[row, place]) + intercept,
            slope * logit,
            slope * own + intercept,
            slope * association if ranker and ranker["ranker.association_factor"][label] else 0.0,
            named,
        )

    return [[of(row, place) for place in range(k)] for row in range(n)]


def _in_places(values: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the values, which are sorted by label in each row, in the order of the labels asked for."""
    found = np.empty(order.shape, np.float32)
    np.put_along_axis(found, order, values.reshape(order.shape), axis=1)
    return found


def _own(ranker: dict[str, NDArray[Any]], label: int) -> float:
    """Return what a label gets whatever the example is: its prior, and the bias of its classifier."""
    if not ranker:
        return 0.0
    offset, usual, factor, bias = (
        float(ranker[f"ranker.{name}"][label]) for name in ("offset", "usual", "margin_factor", "bias")
    )
    return offset - usual + factor * bias


def _amounts(ranker: dict[str, NDArray[Any]], x: Csr, row: int, label: int) -> list[tuple[int, float]]:
    """Return what each feature of an example adds to a label's margin, the largest amounts first."""
    if not ranker:
        return []
    begin, features, weight = (ranker[f"ranker.{name}"] for name in ("begin", "features", "margin"))
    of_label = slice(int(begin[label]), int(begin[label + 1]))
    factor = float(ranker["ranker.margin_factor"][label])
    part = slice(x.indptr[row], x.indptr[row + 1])
    values = x.values[part].astype(np.float64)
    common, own, of_list = np.intersect1d(
        x.indices[part], features[of_label], assume_unique=True, return_indices=True
    )
    margins = to_float32(weight[of_label][of_list])
    amounts = factor * margins * values[own] / np.sqrt(values @ values)
    with_margin = ((f, a) for f, a in zip(common.tolist(), amounts.tolist(), strict=True) if a)
    return sorted(with_margin, key=lambda pair: (-abs(pair[1]), pair[0]))
