"""The metrics themselves, each a formula over the ranking of `_ranking`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide._validation import as_numeric
from hashslide.errors import InputError

from ._ranking import Ranking, check_k, ranked, rows_of


def precision_at_k(
    Y: Any, topk: ArrayLike, k: int, *, classes: ArrayLike | None = None, exclude: Any = None
) -> float:
    """P@k: share of the first k predictions that are relevant, ``|top_k ∩ y| / k``.

    Parameters
    ----------
    Y : sparse matrix, array or data frame of shape (examples, labels), list of label lists, or vector of
    classes
        Relevant labels; of a matrix the values that are not 0.
    topk : array of shape (examples, >= k)
        Predicted labels, best first: numbers of Y's columns or names, as `hashslide.metrics` explains.
    k : int
        Number of predictions that count.
    classes : array of shape (labels,), optional
        Names of the labels, in the order of Y's columns: ``model.classes_``. `topk` then holds names. Where
        the names are strings, `topk` may also hold positions among them.
    exclude : as Y, optional
        Labels of each example that are left out: they are neither relevant, nor does one of them take up a
        place among the predictions. The XMC sets name such pairs in ``filter_labels_test.txt``.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    InputError
        Shapes, labels or k are not acceptable, or a label cannot be matched.

    Examples
    --------
    >>> from hashslide import metrics
    >>> metrics.precision_at_k([["ant", "bee"], ["cat"]], [["ant", "cat"], ["bee", "cat"]], k=2)
    0.5
    """
    return _precision(ranked(Y, topk, k, classes, exclude))


def recall_at_k(
    Y: Any, topk: ArrayLike, k: int, *, classes: ArrayLike | None = None, exclude: Any = None
) -> float:
    """R@k: share of the relevant labels among the first k predictions, ``|top_k ∩ y| / |y|``.

    Parameters, result, errors: as in `precision_at_k`.
    """
    return _recall(ranked(Y, topk, k, classes, exclude))


def ndcg_at_k(
    Y: Any, topk: ArrayLike, k: int, *, classes: ArrayLike | None = None, exclude: Any = None
) -> float:
    """nDCG@k: ``Σ_i hit_i / log2(i + 1)``, i = 1…k, as a share of this sum with the example's labels in
    front.

    Parameters, result, errors: as in `precision_at_k`.
    """
    return _ndcg(ranked(Y, topk, k, classes, exclude))


def coverage_at_k(
    Y: Any, topk: ArrayLike, k: int, *, classes: ArrayLike | None = None, exclude: Any = None
) -> float:
    """Coverage@k: share of the labels relevant to some example that are predicted rightly at least once.

    Parameters, result, errors: as in `precision_at_k`; 0 if no example has a label.
    """
    return _coverage(ranked(Y, topk, k, classes, exclude))


def psp_at_k(
    Y: Any,
    topk: ArrayLike,
    k: int,
    propensity: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    exclude: Any = None,
) -> float:
    """PSP@k: propensity-scored precision, as a share of the best that is possible.

    ``Σ hits 1/p_l`` over all examples, divided by the same sum for predictions that put each example's
    relevant labels of the smallest propensities first. This is what the XMC repository publishes.

    Parameters
    ----------
    Y, topk, k, classes, exclude
        As in `precision_at_k`. Where Y is no matrix, `classes` is needed: it says whose the propensities are.
    propensity : array of float, shape (labels,)
        Propensities of the labels in the training set, as the function `propensity` gives them.

    Returns
    -------
    float
        Between 0 and 1; 0 if no example has a label.

    Raises
    ------
    InputError
        As in `precision_at_k`; or the propensities are not acceptable.
    """
    ranking = ranked(Y, topk, k, classes, exclude)
    return _psp(ranking, weights_of(ranking, propensity))


def psndcg_at_k(
    Y: Any,
    topk: ArrayLike,
    k: int,
    propensity: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    exclude: Any = None,
) -> float:
    """PSnDCG@k: propensity-scored nDCG, as a share of the best that is possible.

    The gain ``Σ_i hit_i / (p_l log2(i + 1))`` of an example is divided by ``Σ 1 / log2(i + 1)``, i up to the
    smaller of k and its number of labels. The mean of this is divided by the same mean for predictions that
    put each example's relevant labels of the smallest propensities first, as in the XMC repository's scripts.

    Parameters, result, errors: as in `psp_at_k`.
    """
    ranking = ranked(Y, topk, k, classes, exclude)
    return _psndcg(ranking, weights_of(ranking, propensity))


def summary(
    Y: Any,
    topk: ArrayLike,
    ks: Sequence[int] = (1, 3, 5),
    propensity: ArrayLike | None = None,
    *,
    classes: ArrayLike | None = None,
    exclude: Any = None,
) -> dict[str, float]:
    """All metrics at once.

    Parameters
    ----------
    Y, topk, classes, exclude
        As in `precision_at_k`.
    ks : sequence of int, default=(1, 3, 5)
        Values of k.
    propensity : array of float, shape (labels,), optional
        Adds PSP and PSnDCG.

    Returns
    -------
    dict
        ``"P@1"``, ``"P@3"``, …, ``"R@1"``, …, ``"nDCG@1"``, …, ``"coverage@1"``, …, ``"PSP@1"``, …,
        ``"PSnDCG@1"``, ….

    Raises
    ------
    InputError
        As in `psp_at_k`.
    """
    for k in ks:
        check_k(k)
    if not ks:
        return {}
    widest = ranked(Y, topk, max(ks), classes, exclude)
    rankings = [widest.first(k) for k in ks]
    result = {f"{name}@{r.k}": metric(r) for name, metric in PLAIN.items() for r in rankings}
    if propensity is not None:
        weights = weights_of(widest, propensity)
        result |= {f"{name}@{r.k}": metric(r, weights) for name, metric in SCORED.items() for r in rankings}
    return result


def measure(name: str, ranking: Ranking, propensity: NDArray[Any] | None) -> float:
    """Return the metric called `name`, without its @k, of a ranking."""
    if name in PLAIN:
        return PLAIN[name](ranking)
    assert propensity is not None
    return SCORED[name](ranking, weights_of(ranking, propensity))


class _Weights(NamedTuple):
    """Inverse propensities, and the relevant labels' ones in the best order: row, weight and rank of each."""

    labels: NDArray[np.float64]
    rows: NDArray[np.int64]
    best: NDArray[np.float64]
    ranks: NDArray[np.int64]


def _each_precision(r: Ranking) -> NDArray[np.float64]:
    return r.hits.sum(axis=1) / r.k


def _precision(r: Ranking) -> float:
    return float(r.hits.sum() / (r.k * len(r.hits)))


def _each_recall(r: Ranking) -> NDArray[np.float64]:
    return r.hits.sum(axis=1) / np.maximum(np.diff(r.y.indptr), 1)


def _each_ndcg(r: Ranking) -> NDArray[np.float64]:
    return (r.hits @ _discount(r.hits.shape[1])) / _ideal_gain(r)


def _recall(r: Ranking) -> float:
    return float(np.mean(_each_recall(r)))


def _ndcg(r: Ranking) -> float:
    return float(np.mean(_each_ndcg(r)))


def _coverage(r: Ranking) -> float:
    return _share(_distinct(r.ids[r.hits]), _distinct(r.y.indices))


def _each_psp(r: Ranking, w: _Weights) -> NDArray[np.float64]:
    gain = np.where(r.hits, w.labels[r.ids], 0).sum(axis=1)
    return _parts(gain, w.best[w.ranks < r.k].sum())


def _each_psndcg(r: Ranking, w: _Weights) -> NDArray[np.float64]:
    ideal = _ideal_gain(r)
    gain = np.where(r.hits, w.labels[r.ids], 0) @ _discount(r.hits.shape[1]) / ideal
    kept = w.ranks < r.k
    best = w.best[kept] / np.log2(w.ranks[kept] + 2) / ideal[w.rows[kept]]
    return _parts(gain, best.sum())


def _psp(r: Ranking, w: _Weights) -> float:
    return float(_each_psp(r, w).mean())


def _psndcg(r: Ranking, w: _Weights) -> float:
    return float(_each_psndcg(r, w).mean())


def _parts(gain: NDArray[np.float64], whole: float) -> NDArray[np.float64]:
    """Return what each example adds to ``gain.sum() / whole``, so that the mean is this."""
    return gain * (len(gain) / whole) if whole > 0 else np.zeros(len(gain))


EACH = {"P": _each_precision, "R": _each_recall, "nDCG": _each_ndcg}
SCORED_EACH = {"PSP": _each_psp, "PSnDCG": _each_psndcg}
PLAIN = {"P": _precision, "R": _recall, "nDCG": _ndcg, "coverage": _coverage}
SCORED = {"PSP": _psp, "PSnDCG": _psndcg}


def weights_of(ranking: Ranking, propensity: ArrayLike) -> _Weights:
    """Return the inverse propensities of a ranking's labels."""
    if not ranking.is_numbered:
        raise InputError(
            "propensities need the order of the labels, which lists do not have. Pass classes=, the names of "
            "the "
            "labels in the order of the propensities."
        )
    y = ranking.y
    labels = 1 / _checked_propensity(propensity, y.n_columns)
    rows, weights = rows_of(y), labels[y.indices]
    order = np.lexsort((-weights, rows))
    return _Weights(labels, rows, weights[order], np.arange(len(rows)) - y.indptr[rows])


def _distinct(ids: NDArray[Any]) -> int:
    return int(np.count_nonzero(np.diff(np.sort(ids)))) + (len(ids) > 0)


def _discount(k: int) -> NDArray[np.float64]:
    return 1 / np.log2(np.arange(2, k + 2))


def _ideal_gain(r: Ranking) -> NDArray[np.float64]:
    """Σ 1 / log2(i + 1) for i up to min(k, |y|) of each example; 1 without labels, where the gain is 0."""
    lengths = np.minimum(np.diff(r.y.indptr), r.k)
    sums = np.concatenate([[1.0], np.cumsum(_discount(max(lengths.max(), 1)))])
    return sums[lengths]


def _checked_propensity(propensity: ArrayLike, n_labels: int) -> NDArray[np.float64]:
    p = as_numeric(propensity, "propensity").astype(np.float64, copy=False)
    if p.shape != (n_labels,) or not ((p > 0) & (p <= 1)).all():
        found = f"shape {p.shape}" + (f", values {p.min()} to {p.max()}" if p.size else "")
        raise InputError(
            f"propensity must hold {n_labels} numbers above 0 and up to 1, but has {found}. "
            "Use hashslide.metrics.propensity, with a count of 0 for labels that the training did not have."
        )
    return p


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
