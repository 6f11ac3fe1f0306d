"""One set of accuracy figures for every method, as the XMC repository defines them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

PROPENSITY_A, PROPENSITY_B = 0.55, 1.5


def figures(Y_true: csr_matrix, topk: NDArray[np.int64], Y_train: csr_matrix) -> dict[str, float]:
    """Return P@1/3/5, nDCG@5 and PSP@1/3/5 of `topk`.

    Parameters
    ----------
    Y_true
        The test labels, shape (n, n_labels).
    topk
        The predicted label ids, best first, shape (n, 5); -1 counts as a miss.
    Y_train
        The training labels, from whose counts the propensities come.
    """
    weights = inverse_propensity(Y_train)
    hits = hit_matrix(Y_true, topk)
    gains = np.where(hits, weights[np.maximum(topk, 0)], 0.0)
    best_gains = best_weights(Y_true, weights, 5)
    result = {f"P@{k}": float(hits[:, :k].mean()) for k in (1, 3, 5)}
    result["nDCG@5"] = ndcg(hits[:, :5], np.diff(Y_true.indptr))
    for k in (1, 3, 5):
        # As published: the ratio of the two means, not the mean of the ratios.
        result[f"PSP@{k}"] = float(gains[:, :k].sum() / best_gains[:, :k].sum())
    return result


def inverse_propensity(Y_train: csr_matrix) -> NDArray[np.float64]:
    """Return 1/p of every label, shape (n_labels,) (Jain et al., KDD 2016)."""
    n_points = Y_train.shape[0]
    counts = np.bincount(Y_train.indices, minlength=Y_train.shape[1])
    C = (np.log(n_points) - 1) * (PROPENSITY_B + 1) ** PROPENSITY_A
    return 1 + C * (counts + PROPENSITY_B) ** -PROPENSITY_A


def hit_matrix(Y_true: csr_matrix, topk: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the predicted labels are true, in the shape of `topk`."""
    # A true (row, label) pair is one number, so membership is one sorted search.
    n_points, n_labels = Y_true.shape
    rows = np.repeat(np.arange(n_points), np.diff(Y_true.indptr))
    true_pairs = rows * n_labels + Y_true.indices
    pairs = np.arange(n_points)[:, None] * n_labels + topk
    return np.isin(pairs, true_pairs) & (topk >= 0)


def best_weights(Y_true: csr_matrix, weights: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the `k` largest weights among each row's true labels, descending, 0 where there are fewer."""
    best = np.zeros((Y_true.shape[0], k))
    for row, (begin, end) in enumerate(zip(Y_true.indptr[:-1], Y_true.indptr[1:], strict=True)):
        top = np.sort(weights[Y_true.indices[begin:end]])[::-1][:k]
        best[row, : len(top)] = top
    return best


def ndcg(hits: NDArray[np.bool_], n_true: NDArray[np.int32]) -> float:
    """Return the mean of DCG / best achievable DCG; a point without labels counts 0."""
    k = hits.shape[1]
    discounts = 1 / np.log2(np.arange(2, k + 2))
    achievable = np.concatenate([[np.inf], np.cumsum(discounts)])[np.minimum(n_true, k)]
    return float(((hits * discounts).sum(axis=1) / achievable).mean())
