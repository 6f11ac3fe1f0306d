"""Partition functions of softmax layers from a few logits a query."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from hashslide._checks import random_generator
from hashslide._validation import as_numeric, first_true, to_float32
from hashslide.errors import InputError
from hashslide.estimate.hashing import LayerTables
from hashslide.estimate.sums import PARAMETERS, CellSums, Estimate, check_points, seed_of
from hashslide.network import effective_threads

__all__ = ["PartitionEstimator"]


def __dir__() -> list[str]:
    return __all__


class PartitionEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The partition function of a softmax layer, and probabilities of some labels, from a few logits.

    Z(h) is the sum of exp(w . h + b) over all labels. The labels' weights lie in cells of k-means; the cells
    that promise most are counted, and of the others labels are drawn in proportion to what they may add. The
    estimate of Z is unbiased (``docs/estimates/how_it_works.md``).

    Parameters
    ----------
    rtol : float, default 0.1
        Relative error of Z that is wanted with the given confidence.
    confidence : float, default 0.95
        Share of the queries whose error is to be within `rtol`.
    method : {"auto", "cells", "uniform", "hashing", "exact"}, default "auto"
        How labels are drawn; see `KernelDensity`. "hashing" weighs all labels that a query finds in 64 tables
        of SimHash by their chance to be found [1]_; `rtol` and `max_evaluations` do not apply.
    cells : int or "auto", default "auto"
        Number of cells; "auto": the square root of the number of labels.
    max_evaluations : int or "auto", default "auto"
        Most logits of a query, the centres of the cells not counted. "auto": 50 times the square root of the
        number of labels, at least 10,000.
    random_state : int, RandomState instance or None, default None
        Seed of the cells and the draws.
    n_jobs : int or None, default None
        Number of threads; the results are the same for any number.

    Attributes
    ----------
    n_labels_ : int
    width_ : int
        Of the weights, without the bias.
    evaluations_ : int64 array of shape (n_queries,)
        Logits of each query of the last call of `log_partition` or `log_probability`, the cells' centres
        included.
    standard_errors_ : float64 array of shape (n_queries,)
        Relative standard errors of Z of that call; 0: exact.

    Notes
    -----
    Memory: one float32 copy of the weights and 8 bytes a label, twice that during `fit`. Time: `fit` takes
    n_labels * cells * width multiplications, a query (cells + evaluations) * width.

    References
    ----------
    .. [1] R. Spring, A. Shrivastava: Scalable estimation via LSH samplers (LSS), ICLR workshop 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from hashslide.estimate import PartitionEstimator
    >>> rng = np.random.default_rng(0)
    >>> W, b = rng.normal(size=(50_000, 16)), rng.normal(size=50_000)
    >>> layer = PartitionEstimator(random_state=0).fit(W, b)
    >>> layer.log_probability(rng.normal(size=(3, 16)), [[5, 17], [0, 1], [2, 49_999]]).shape
    (3, 2)
    """

    def __init__(
        self,
        *,
        rtol: float = 0.1,
        confidence: float = 0.95,
        method: str = "auto",
        cells: int | str = "auto",
        max_evaluations: int | str = "auto",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.rtol = rtol
        self.confidence = confidence
        self.method = method
        self.cells = cells
        self.max_evaluations = max_evaluations
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, weights: ArrayLike, bias: ArrayLike | None = None) -> Self:
        """Sort the labels into cells.

        Parameters
        ----------
        weights : array-like of shape (n_labels, width)
            One row for each label.
        bias : array-like of shape (n_labels,), optional
            Default: zeros.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter or an array is not acceptable; the message says what was found and what to do.
        """
        settings = self._settings()
        rows = to_float32(check_points(weights, "weights", type(self).__name__), "weights")
        n, width = rows.shape
        augmented = np.empty((n, width + 1), np.float32)
        augmented[:, :width] = rows
        augmented[:, width] = 0.0 if bias is None else _vector(bias, "bias", n)
        self.n_labels_, self.width_ = n, width
        self._seed = seed_of(self.random_state)
        threads = effective_threads(self.n_jobs)
        self._sums, order = CellSums.of(augmented, None, settings["cells"], self._seed, threads, True)
        is_hashed = settings["method"] == "hashing"
        self._tables = LayerTables(self._sums.points, self._seed, threads) if is_hashed else None
        self._places = np.empty(n, np.int64)
        self._places[order] = np.arange(n)
        return self

    def estimate(self, H: ArrayLike) -> Estimate:
        """Return log Z with its standard error and what it cost; nothing of the estimator changes.

        Parameters
        ----------
        H : array-like of shape (n_queries, width)
            What the layer gets: the activations below it.

        Returns
        -------
        Estimate
            ``log_value`` (log Z), ``standard_error`` (of Z, relative) and ``evaluations``.

        Raises
        ------
        InputError
            H is no finite matrix of the width of the layer.
        """
        settings = self._settings()
        return self._estimate(self._queries(H), settings)

    def log_partition(self, H: ArrayLike) -> NDArray[np.float64]:
        """Return log Z of each query.

        Parameters
        ----------
        H : array-like of shape (n_queries, width)

        Returns
        -------
        float64 array of shape (n_queries,)

        Raises
        ------
        InputError
            As `estimate`.
        """
        found = self.estimate(H)
        self.evaluations_, self.standard_errors_ = found.evaluations, found.standard_error
        return found.log_value

    def log_probability(self, H: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
        """Return log probabilities of some labels: their exact logits, less the estimate of log Z.

        Parameters
        ----------
        H : array-like of shape (n_queries, width)
        labels : integer array-like of shape (n_queries, k), or (k,) for the same labels for all queries
            Ids from 0 to n_labels - 1.

        Returns
        -------
        float64 array of shape (n_queries, k)

        Raises
        ------
        InputError
            As `estimate`, or `labels` are no ids of labels.
        """
        queries = self._queries(H)
        ids = self._label_ids(labels, len(queries))
        found = self._estimate(queries, self._settings())
        self.evaluations_, self.standard_errors_ = found.evaluations + ids.shape[1], found.standard_error
        logits = np.empty(ids.shape)
        for logit, query, row in zip(logits, queries, ids, strict=True):
            logit[:] = self._sums.points[self._places[row]] @ query
        return logits - found.log_value[:, None]

    def _estimate(self, queries: NDArray[np.float32], settings: dict[str, Any]) -> Estimate:
        threads = effective_threads(self.n_jobs)
        if settings["method"] != "hashing":
            return self._sums.estimate(queries, "product", settings, self._seed, threads)
        if self._tables is None:
            raise InputError('The tables of method="hashing" are made by fit. Call fit again.')
        return self._tables.estimate(queries, threads)

    def _queries(self, H: ArrayLike) -> NDArray[np.float32]:
        """Return the queries with a 1 for the bias."""
        check_is_fitted(self, "_sums")
        rows = to_float32(check_points(H, "H", type(self).__name__), "H")
        if rows.shape[1] != self.width_:
            raise InputError(
                f"H has {rows.shape[1]} columns; the layer takes {self.width_}. "
                "Pass the activations below it."
            )
        return np.column_stack([rows, np.ones(len(rows), np.float32)])

    def _label_ids(self, labels: ArrayLike, n_queries: int) -> NDArray[np.int64]:
        ids = as_numeric(labels, "labels")
        if ids.ndim == 1:
            ids = np.broadcast_to(ids, (n_queries, len(ids)))
        if ids.ndim != 2 or len(ids) != n_queries or ids.dtype.kind not in "iu":
            raise InputError(
                f"labels is an array of {ids.dtype} of shape {ids.shape}; accepted are integers of shape "
                f"({n_queries}, k), or (k,) for all queries."
            )
        if ids.size and (ids.min() < 0 or ids.max() >= self.n_labels_):
            wrong = ids.min() if ids.min() < 0 else ids.max()
            raise InputError(f"labels holds the id {wrong}; ids run from 0 to {self.n_labels_ - 1}.")
        return ids.astype(np.int64)

    def _settings(self) -> dict[str, Any]:
        effective_threads(self.n_jobs)
        random_generator(self.random_state)
        return {name: rule.check(name, getattr(self, name)) for name, rule in PARAMETERS.items()}


def _vector(values: ArrayLike, name: str, n: int) -> NDArray[np.float32]:
    """Return a vector of n finite numbers."""
    vector = to_float32(as_numeric(values, name), name)
    if vector.shape != (n,):
        raise InputError(f"{name} has shape {vector.shape}; accepted is ({n},), one number for each label.")
    if not np.isfinite(vector).all():
        raise InputError(
            f"{name} contains NaN or infinity at {first_true(~np.isfinite(vector))}. Values must be finite."
        )
    return vector
