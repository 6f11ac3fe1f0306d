"""Approximate prediction in plain NumPy, for one example at a time: what the tests hold the core against."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["cell_candidates", "feature_candidates", "label_lists", "nearest_cells", "topk"]


def __dir__() -> list[str]:
    return __all__


def label_lists(
    members: sparse.csr_matrix, y: sparse.csr_matrix, longest: int, tie_break: NDArray[Any] | None = None
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return for each group the ids and counts of its most frequent labels, best first.

    Parameters
    ----------
    members : 0/1 matrix of shape (n, groups)
    y : 0/1 matrix of shape (n, n_labels)
    longest : int
    tie_break : array of shape (groups, n_labels), optional
        Orders labels that occur equally often, the largest first; then the smaller id comes first.
    """
    counts = (members.T @ y).toarray()
    lists = []
    for group, row in enumerate(counts):
        ids = np.flatnonzero(row)
        tie = np.zeros(len(ids)) if tie_break is None else tie_break[group, ids]
        best = ids[np.lexsort((ids, -tie, -row[ids]))][:longest]
        lists.append((best, row[best]))
    return lists


def nearest_cells(h: NDArray[Any], centres: NDArray[Any], offsets: NDArray[Any]) -> NDArray[np.int64]:
    """Return the cells of each activation, nearest first, shape (n, cells)."""
    return np.argsort(offsets - h @ centres.T, axis=1, kind="stable")


def feature_candidates(
    ids: NDArray[Any],
    values: NDArray[Any],
    lists: list[Any],
    examples: NDArray[Any],
    best: int,
    n_labels: int,
    exclude: Sequence[int] = (),
) -> Any:
    """Return the `best` labels of the largest sum over features f of x_f count(f, l) / (count(f) + 1).

    Labels in `exclude` count as if they were in no list.
    """
    sums, touched = np.zeros(n_labels), np.zeros(n_labels, bool)
    for f, value in zip(ids, values, strict=True):
        labels, counts = lists[f]
        sums[labels] += value * counts / (examples[f] + 1)
        touched[labels] = True
    touched[list(exclude)] = False
    labels = np.flatnonzero(touched)
    return labels[np.lexsort((labels, -sums[labels]))][:best]


def cell_candidates(labels: NDArray[Any], most: int, exclude: Sequence[int] = ()) -> NDArray[Any]:
    """Return the first `most` labels of a cell's list, but for those in `exclude`."""
    return labels[~np.isin(labels, list(exclude))][:most]


def topk(candidates: NDArray[Any], logits: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Return the k best candidates of an example by its exact logits, shape (n_labels,)."""
    labels = np.unique(candidates)
    return labels[np.lexsort((labels, -logits[labels]))][:k]
