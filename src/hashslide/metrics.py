"""Metrics of extreme multi-label classification on sparse labels and arrays of top-k label ids.

Common to all functions:

- `Y` holds the relevant labels, shape (points, labels): every value that is not 0 is relevant. `topk` holds
  label ids, best first, shape (points, columns). Memory is proportional to the stored labels and to `topk`.
- -1 in `topk` is padding: a place without a prediction, which counts as wrong.
- `k` may exceed the number of labels: the places beyond are wrong. Otherwise `topk` needs k columns.
- The mean goes over all points. One without a relevant label counts as 0, as in the XMC repository's scripts.
- Equal scores were ordered when `topk` was made: `top_k_labels` and the classifier put the smaller id first.

Definitions: Bhatia et al. 2016, "The extreme classification repository: multi-label datasets and code"; Jain,
Prabhu & Varma 2016, "Extreme multi-label loss functions for recommendation, tagging, ranking & other missing
label applications", KDD.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix, issparse

from hashslide._checks import as_int, check_float
from hashslide._validation import as_numeric
from hashslide.errors import InputError


class _Ranking(NamedTuple):
    """Checked arguments: relevant labels, the first k ids of each point, and which of them are relevant."""

    y: csr_matrix
    ids: NDArray[np.int64]
    hits: NDArray[np.bool_]
    k: int

    def first(self, k: int) -> "_Ranking":
        return self._replace(ids=self.ids[:, :k], hits=self.hits[:, :k], k=k)


class _Weights(NamedTuple):
    """Inverse propensities, and the relevant labels' ones in the best order: row, weight and rank of each."""

    labels: NDArray[np.float64]
    rows: NDArray[np.int64]
    best: NDArray[np.float64]
    ranks: NDArray[np.int64]


def precision_at_k(Y, topk: ArrayLike, k: int) -> float:
    """P@k: share of the first k predictions that are relevant, ``|top_k ∩ y| / k``.

    Parameters
    ----------
    Y : sparse matrix or array, shape (points, labels)
        Relevant labels: the values that are not 0.
    topk : array of int, shape (points, >= k)
        Label ids, best first; -1 is padding.
    k : int
        Number of predictions that count.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    InputError
        Shapes, ids or k are not acceptable.
    """
    return _precision(_ranking(Y, topk, k))


def recall_at_k(Y, topk: ArrayLike, k: int) -> float:
    """R@k: share of the relevant labels among the first k predictions, ``|top_k ∩ y| / |y|``.

    Parameters, result, errors: as in `precision_at_k`.
    """
    return _recall(_ranking(Y, topk, k))


def ndcg_at_k(Y, topk: ArrayLike, k: int) -> float:
    """nDCG@k: ``Σ_i hit_i / log2(i + 1)``, i = 1…k, divided by the same sum with the point's labels in front.

    Parameters, result, errors: as in `precision_at_k`.
    """
    return _ndcg(_ranking(Y, topk, k))


def coverage_at_k(Y, topk: ArrayLike, k: int) -> float:
    """Coverage@k: share of the labels relevant to some point that are predicted rightly at least once.

    Parameters, result, errors: as in `precision_at_k`; 0 if no point has a label.
    """
    return _coverage(_ranking(Y, topk, k))


def psp_at_k(Y, topk: ArrayLike, k: int, propensity: ArrayLike) -> float:
    """PSP@k: propensity-scored precision, as a share of the best that is possible.

    ``Σ hits 1/p_l`` over all points, divided by the same sum for predictions that put each point's relevant
    labels of the smallest propensities first. This is what the XMC repository publishes.

    Parameters
    ----------
    Y, topk, k
        As in `precision_at_k`.
    propensity : array of float, shape (labels,)
        Propensities of the labels in the training set, as the function `propensity` gives them.

    Returns
    -------
    float
        Between 0 and 1; 0 if no point has a label.

    Raises
    ------
    InputError
        Shapes, ids, k or propensities are not acceptable.
    """
    ranking = _ranking(Y, topk, k)
    return _psp(ranking, _weights(ranking.y, propensity))


def psndcg_at_k(Y, topk: ArrayLike, k: int, propensity: ArrayLike) -> float:
    """PSnDCG@k: propensity-scored nDCG, as a share of the best that is possible.

    The gain ``Σ_i hit_i / (p_l log2(i + 1))`` of a point is divided by ``Σ 1 / log2(i + 1)``, i up to the
    smaller of k and its number of labels. The mean of this is divided by the same mean for predictions that
    put each point's relevant labels of the smallest propensities first, as in the XMC repository's scripts.

    Parameters, result, errors: as in `psp_at_k`.
    """
    ranking = _ranking(Y, topk, k)
    return _psndcg(ranking, _weights(ranking.y, propensity))


def propensity(label_counts: ArrayLike, n: int, a: float = 0.55, b: float = 1.5) -> NDArray[np.float64]:
    """Chance that a relevant label was recorded: ``p_l = 1 / (1 + C e^(-a ln(N_l + b)))``, Jain et al. 2016.

    ``C = (ln n - 1)(b + 1)^a``. Published constants: a = 0.55, b = 1.5 in general; 0.5, 0.4 for Wikipedia;
    0.6, 2.6 for Amazon.

    Parameters
    ----------
    label_counts : array of int, shape (labels,)
        N_l: training points that have label l.
    n : int
        Number of training points. Below 3, where C is not positive, every propensity is 1.
    a, b : float
        Constants of the data set.

    Returns
    -------
    ndarray of float64, shape (labels,)
        In (0, 1], larger for frequent labels.

    Raises
    ------
    InputError
        A count is no number, negative or larger than n, or a constant is not positive.
    """
    counts = as_numeric(label_counts, "label_counts").astype(np.float64, copy=False)
    if counts.ndim != 1 or not ((counts >= 0) & (counts <= n)).all():
        raise InputError(
            f"label_counts must hold one count from 0 to n = {n} for each label, but has {_extent(counts)}. "
            "Count the labels of the n training points."
        )
    for name, constant in (("a", a), ("b", b)):
        check_float(name, constant, 0, np.inf, "()")
    c = max(np.log(max(n, 1)) - 1, 0.0) * (b + 1) ** a
    return 1 / (1 + c * (counts + b) ** -a)


def summary(
    Y, topk: ArrayLike, ks: Sequence[int] = (1, 3, 5), propensity: ArrayLike | None = None
) -> dict[str, float]:
    """All metrics at once.

    Parameters
    ----------
    Y, topk
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
        _check_k(k)
    if not ks:
        return {}
    widest = _ranking(Y, topk, max(ks))
    rankings = [widest.first(k) for k in ks]
    plain = {"P": _precision, "R": _recall, "nDCG": _ndcg, "coverage": _coverage}
    result = {f"{name}@{r.k}": metric(r) for name, metric in plain.items() for r in rankings}
    if propensity is not None:
        weights = _weights(widest.y, propensity)
        scored = {"PSP": _psp, "PSnDCG": _psndcg}
        result |= {f"{name}@{r.k}": metric(r, weights) for name, metric in scored.items() for r in rankings}
    return result


def top_k_labels(scores, k: int) -> NDArray[np.int64]:
    """Ids of the k best scores of each point, best first, the smaller id first among equal ones.

    Parameters
    ----------
    scores : sparse matrix or array, shape (points, labels)
        Of a sparse matrix only the stored values take part.
    k : int
        Number of ids.

    Returns
    -------
    ndarray of int64, shape (points, k)
        -1 where a point has fewer than k scores.

    Raises
    ------
    InputError
        The scores are not two-dimensional or hold NaN, or k is not positive.
    """
    _check_k(k)
    if getattr(scores, "ndim", None) != 2:
        raise InputError(f"scores is {type(scores).__name__}; it must be a matrix of shape (points, labels).")
    values = scores.data if issparse(scores) else scores
    if np.isnan(values).any():
        raise InputError("scores hold NaN, which has no place in an order. Replace it, for example by -inf.")
    result = np.full((scores.shape[0], k), -1, dtype=np.int64)
    if issparse(scores):
        csr = scores.tocsr().sorted_indices()
        rows, order, ranks = _ranks(csr, csr.data)
        kept = ranks < k
        result[rows[kept], ranks[kept]] = csr.indices[order][kept]
    else:
        best = np.argsort(-np.asarray(scores, dtype=np.float64), axis=1, kind="stable")[:, :k]
        result[:, : best.shape[1]] = best
    return result


def _precision(r: _Ranking) -> float:
    return float(r.hits.sum() / (r.k * len(r.hits)))


def _recall(r: _Ranking) -> float:
    return float(np.mean(r.hits.sum(axis=1) / np.maximum(np.diff(r.y.indptr), 1)))


def _ndcg(r: _Ranking) -> float:
    return float(np.mean(r.hits @ _discount(r.hits.shape[1]) / _ideal_gain(r)))


def _coverage(r: _Ranking) -> float:
    return _share(_distinct(r.ids[r.hits]), _distinct(r.y.indices))


def _psp(r: _Ranking, w: _Weights) -> float:
    return _share(w.labels[r.ids[r.hits]].sum(), w.best[w.ranks < r.k].sum())


def _psndcg(r: _Ranking, w: _Weights) -> float:
    ideal = _ideal_gain(r)
    gain = np.where(r.hits, w.labels[r.ids], 0) @ _discount(r.hits.shape[1]) / ideal
    kept = w.ranks < r.k
    best = w.best[kept] / np.log2(w.ranks[kept] + 2) / ideal[w.rows[kept]]
    return _share(gain.sum(), best.sum())


def _ranking(Y, topk: ArrayLike, k: int) -> _Ranking:
    _check_k(k)
    y = _relevant(Y)
    ids = np.asarray(topk)
    if ids.ndim != 2 or ids.dtype.kind not in "iu":
        raise InputError(
            f"topk has shape {ids.shape} of {ids.dtype}; it must hold label ids, shape (points, >= k)."
        )
    if ids.shape[0] != y.shape[0] or y.shape[0] == 0:
        raise InputError(
            f"Y has {y.shape[0]} rows and topk has {ids.shape[0]}. Give both one row for each point."
        )
    if ids.shape[1] < min(k, y.shape[1]):
        raise InputError(
            f"k is {k}, but topk has {ids.shape[1]} columns. Predict the {k} best labels of each point."
        )
    ids = ids[:, :k].astype(np.int64, copy=False)
    _check_ids(ids, y.shape[1])
    return _Ranking(y, ids, _hits(y, ids), k)


def _relevant(Y) -> csr_matrix:
    """`Y` as CSR with sorted ids and no stored zeros; never changes the argument."""
    if getattr(Y, "ndim", None) != 2:
        raise InputError(f"Y is {type(Y).__name__}; it must be a matrix of shape (points, labels).")
    y = csr_matrix(Y)
    if not (y.has_canonical_format and y.data.all()):
        y = y.copy()
        y.sum_duplicates()
        y.eliminate_zeros()
    return y


def _check_k(k: int) -> None:
    if (as_int(k) or 0) < 1:
        raise InputError(f"k is {k!r}. Give a whole number from 1.")


def _check_ids(ids: NDArray, n_labels: int) -> None:
    bad = np.argwhere((ids < -1) | (ids >= n_labels))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"topk[{row}, {column}] is {ids[row, column]}; ids go from 0 to {n_labels - 1}, -1 is padding."
        )
    ordered = np.sort(ids, axis=1)
    twice = np.argwhere((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0))
    if len(twice):
        row, column = twice[0]
        raise InputError(
            f"topk holds label {ordered[row, column]} twice in row {row}. Predict each label once."
        )


def _hits(y: csr_matrix, ids: NDArray) -> NDArray[np.bool_]:
    """Which ids are relevant: a search for (row, id) among the stored ones, O(ids log stored)."""
    if y.nnz == 0:
        return np.zeros(ids.shape, dtype=bool)
    n_points, n_labels = y.shape
    rows = np.arange(n_points, dtype=np.int64)
    stored = np.repeat(rows, np.diff(y.indptr)) * n_labels + y.indices
    wanted = rows[:, np.newaxis] * n_labels + ids
    places = np.minimum(np.searchsorted(stored, wanted), len(stored) - 1)
    return (stored[places] == wanted) & (ids >= 0)


def _ranks(csr: csr_matrix, values: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Row, position and rank (from 0) of every value of `csr`, largest first in its row, then smallest id."""
    rows = np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))
    order = np.lexsort((-values, rows))
    return rows, order, np.arange(len(rows)) - csr.indptr[rows]


def _weights(y: csr_matrix, propensity: ArrayLike) -> _Weights:
    labels = 1 / _checked_propensity(propensity, y.shape[1])
    rows, order, ranks = _ranks(y, labels[y.indices])
    return _Weights(labels, rows, labels[y.indices[order]], ranks)


def _distinct(ids: NDArray) -> int:
    return np.count_nonzero(np.diff(np.sort(ids))) + (len(ids) > 0)


def _discount(k: int) -> NDArray[np.float64]:
    return 1 / np.log2(np.arange(2, k + 2))


def _ideal_gain(r: _Ranking) -> NDArray[np.float64]:
    """Σ 1 / log2(i + 1) for i up to min(k, |y|) of each point; 1 without labels, where the gain is 0."""
    lengths = np.minimum(np.diff(r.y.indptr), r.k)
    sums = np.concatenate([[1.0], np.cumsum(_discount(max(lengths.max(), 1)))])
    return sums[lengths]


def _checked_propensity(propensity: ArrayLike, n_labels: int) -> NDArray[np.float64]:
    p = as_numeric(propensity, "propensity").astype(np.float64, copy=False)
    if p.shape != (n_labels,) or not ((p > 0) & (p <= 1)).all():
        raise InputError(
            f"propensity must hold {n_labels} numbers above 0 and up to 1, but has {_extent(p)}. "
            "Use hashslide.metrics.propensity."
        )
    return p


def _extent(values: NDArray) -> str:
    return f"shape {values.shape}" + (f", values {values.min()} to {values.max()}" if values.size else "")


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
