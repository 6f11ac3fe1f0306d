"""Item-kNN (Deshpande & Karypis 2004): an item's score is its summed similarity to the given items.

The similarity is the cosine of two items' 0/1 vectors over the examples; each item keeps its nearest
neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, vstack

from . import Options, interactions, topk_of_csr

EXCLUDES_INPUT = True
NEIGHBOURS = 500
ITEMS = 1024  # whose similarities are computed at once


def fit(data: tuple[csr_matrix, csr_matrix], options: Options) -> csr_matrix:
    """Return the similarities of each item, a row, to its neighbours."""
    B = interactions(*data)
    lengths = np.sqrt(np.maximum(np.bincount(B.indices, minlength=B.shape[1]), 1))
    unit = csr_matrix(B @ diags((1 / lengths).astype(np.float32)))
    by_item = unit.T.tocsr()
    blocks = [neighbours(by_item, unit, first) for first in range(0, B.shape[1], ITEMS)]
    return vstack(blocks, format="csr")


def neighbours(by_item: csr_matrix, unit: csr_matrix, first: int) -> csr_matrix:
    """Return the NEIGHBOURS largest similarities of ITEMS items from `first` on."""
    similarity = csr_matrix(by_item[first : first + ITEMS] @ unit)
    rows = np.repeat(np.arange(similarity.shape[0]), np.diff(similarity.indptr))
    similarity.data[similarity.indices == rows + first] = 0  # an item is no neighbour of itself
    for begin, end in zip(similarity.indptr[:-1], similarity.indptr[1:], strict=True):
        if end - begin > NEIGHBOURS:
            row = similarity.data[begin:end]
            row[np.argpartition(row, -NEIGHBOURS)[:-NEIGHBOURS]] = 0
    similarity.eliminate_zeros()
    return similarity


def predict_topk(model: csr_matrix, X: csr_matrix, k: int, options: Options) -> NDArray[np.int64]:
    """Return the `k` best item ids of each row that are not in the row, shape (n, k)."""
    given = csr_matrix(X != 0).astype(np.float32)
    scores = csr_matrix(given @ model)
    scores = csr_matrix(scores - scores.multiply(given))
    scores.eliminate_zeros()
    return topk_of_csr(scores, k)
