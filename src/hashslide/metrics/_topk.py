"""Scores of any model as predictions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hashslide._frames import plain
from hashslide._validation import as_numeric
from hashslide.csr import Csr, as_csr
from hashslide.errors import InputError

from ._ranking import PADDING, check_k, rows_of


def top_k_labels(scores: Any, k: int) -> NDArray[np.int64]:
    """Ids of the k best scores of each example, best first, the smaller id first among equal ones.

    Parameters
    ----------
    scores : sparse matrix, array or data frame of shape (examples, labels)
        Of a sparse matrix only the stored values take part, zeros among them; repeated ones are summed. Any
        dtype of real numbers; infinity has its place in the order.
    k : int
        Number of ids.

    Returns
    -------
    ndarray of int64, shape (examples, k)
        -1 where an example has fewer than k scores.

    Raises
    ------
    InputError
        The scores are not two-dimensional or hold NaN, or k is not positive.
    """
    check_k(k)
    if not isinstance(scores, Csr) and getattr(scores, "ndim", None) != 2:
        remedy = (
            " Of two classes, pass numpy.column_stack([-scores, scores])." if np.ndim(scores) == 1 else ""
        )
        raise InputError(
            f"scores is {type(scores).__name__}; it must be a matrix of shape (examples, labels).{remedy}"
        )
    scores = plain(scores, "scores")
    if not (sparse.issparse(scores) or isinstance(scores, Csr)):
        return _of_dense(as_numeric(scores, "scores"), k)
    csr = as_csr(scores, name="scores", dtype=None, keep_zeros=True, finite=False)
    result = np.full((csr.n_rows, k), PADDING, dtype=np.int64)
    values = np.ones(csr.nnz, np.int8) if csr.data is None else csr.data
    rows = rows_of(csr)
    order = np.lexsort((_falling(values), rows))
    ranks = np.arange(csr.nnz) - csr.indptr[rows]
    kept = ranks < k
    result[rows[kept], ranks[kept]] = csr.indices[order][kept]
    return result


def _of_dense(scores: NDArray[Any], k: int) -> NDArray[np.int64]:
    best = np.argsort(_falling(scores), axis=1, kind="stable")[:, :k]
    padding = np.full((len(scores), max(k - best.shape[1], 0)), PADDING, dtype=np.int64)
    return np.hstack([best.astype(np.int64, copy=False), padding])


def _falling(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of the opposite order; -x of an integer may not exist in its dtype, ~x does."""
    if values.dtype.kind == "f":
        if np.isnan(values).any():
            raise InputError(
                "scores hold NaN, which has no place in an order. Replace it, for example by -inf."
            )
        return -values
    return ~values
