"""EASE (Steck 2019): each item's linear regression on all others, in closed form.

With B the examples' items, P = (BᵀB + λI)⁻¹: the weights are −P_ij / P_jj, zero on the diagonal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_matrix

from . import Options, interactions

EXCLUDES_INPUT = True
PENALTY = 50.0
ROWS = 256  # scored at once


class Weights(NamedTuple):
    """Between the `items` that occur in training: `matrix` of float32, shape (n_items, n_items)."""

    items: NDArray[np.intp]
    matrix: NDArray[np.float32]


def fit(data: tuple[csr_matrix, csr_matrix], options: Options) -> Weights:
    """Train from the CSR matrices (X, Y)."""
    B = interactions(*data)
    items = np.unique(B.indices)
    B = B[:, items]
    gram = (B.T @ B).toarray(order="F")
    gram[np.diag_indices_from(gram)] += PENALTY
    factor, status = lapack.spotrf(gram, overwrite_a=True)
    inverse, status = lapack.spotri(factor, overwrite_c=True) if not status else (factor, status)
    if status:
        raise np.linalg.LinAlgError(f"the Gram matrix has no inverse (LAPACK's status {status})")
    inverse = np.triu(inverse) + np.triu(inverse, 1).T  # LAPACK fills one triangle
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return Weights(items, weights)


def predict_topk(model: Weights, X: csr_matrix, k: int, options: Options) -> NDArray[np.int64]:
    """Return the `k` best item ids of each row that are not in the row, shape (n, k)."""
    given = (X != 0).astype(np.float32)[:, model.items]
    chunks = [best_items(model, given[row : row + ROWS], k) for row in range(0, given.shape[0], ROWS)]
    return np.vstack(chunks)


def best_items(model: Weights, given: csr_matrix, k: int) -> NDArray[np.int64]:
    """Return the `k` best items of a few rows."""
    scores = given @ model.matrix
    scores[given.nonzero()] = -np.inf
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1, kind="stable")
    return model.items[np.take_along_axis(best, order, axis=1)]
