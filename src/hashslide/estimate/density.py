"""Kernel densities from a few kernel evaluations a query, with scikit-learn's interface."""

import math
import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from hashslide._checks import check_float, random_generator
from hashslide._validation import check_sample_weight
from hashslide.errors import InputError
from hashslide.estimate.hashing import HashSums
from hashslide.estimate.sums import (
    PARAMETERS,
    CellSums,
    Estimate,
    check_points,
    seed_of,
    share_beyond,
    to_units,
)
from hashslide.network import effective_threads
from hashslide.settings.constraints import Choice, Integer

__all__ = ["KernelDensity"]


def __dir__() -> list[str]:
    return __all__


_KERNELS = Choice(("gaussian", "exponential"))
_RULES = ("scott", "silverman")
_TOLERATED = 1.5  # times the error that is wanted: a standard error is itself an estimate


class KernelDensity(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Kernel density estimation from a few kernel evaluations a query.

    A query's density is a sum over all points, of which most add next to nothing. The points lie in cells of
    k-means; the cells that promise most are counted, and of the others points are drawn in proportion to
    what they may add. The estimate is unbiased, and the number of draws follows from the error that is wanted
    (``docs/estimates/how_it_works.md``). The interface is that of `sklearn.neighbors.KernelDensity`, and so
    are the densities, normalising constant included.

    Parameters
    ----------
    bandwidth : float, "scott" or "silverman", default 1.0
        Width of the kernel, in units of X; or the rule that derives it from the shape of X.
    kernel : {"gaussian", "exponential"}, default "gaussian"
        With the Euclidean distance.
    rtol : float, default 0.1
        Relative error of a density that is wanted with the given confidence.
    confidence : float, default 0.95
        Share of the queries whose error is to be within `rtol`.
    method : {"auto", "cells", "uniform", "hashing", "exact"}, default "auto"
        How points are drawn: by the cells' nearness, all with the same chance, or, with "auto", as each
        query's own first draws say is best. "hashing" draws them from 512 hash tables [1]_, and needs more of
        everything (``docs/estimates/how_it_works.md``). "exact" computes every kernel.
    cells : int or "auto", default "auto"
        Number of cells; "auto": the square root of the number of points.
    max_evaluations : int or "auto", default "auto"
        Most kernel evaluations of a query, the centres of the cells not counted. "auto": 50 times the square
        root of the number of points, at least 10,000.
    random_state : int, RandomState instance or None, default None
        Seed of the cells and the draws. The draws depend on it and on the query alone, not on its place in X.
    n_jobs : int or None, default None
        Number of threads; None: all CPUs that this process may use. The results are the same for any number.

    Attributes
    ----------
    bandwidth_ : float
        The bandwidth in use.
    n_features_in_ : int
    feature_names_in_ : array of str
        If X in `fit` had column names.
    evaluations_ : int64 array of shape (n_queries,)
        Kernel evaluations of each query of the last call of `score_samples`, the cells' centres included.
    standard_errors_ : float64 array of shape (n_queries,)
        Relative standard errors of the densities of that call; 0: exact.

    Notes
    -----
    Memory: one float32 copy of X (with weights, 8 bytes more for each point), and twice that during `fit`; in
    `score_samples` 20 bytes for each of `max_evaluations`, in each thread. "hashing" adds 100 bytes for each
    point. Time: `fit` takes n * cells * features multiplications, a query (cells + evaluations) * features.
    With no more than 2,048 points every density is exact.

    References
    ----------
    .. [1] M. Charikar, P. Siminelakis: Hashing-based-estimators for kernel density in high dimensions,
       FOCS 2017.
    .. [2] P. Siminelakis, K. Rong, P. Bailis, M. Charikar, P. Levis: Rehashing kernel evaluation in high
       dimensions, ICML 2019.
    .. [3] M. Karppa, M. Aumüller, R. Pagh: DEANN: speeding up kernel-density estimation using approximate
       nearest neighbor search, AISTATS 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from hashslide.estimate import KernelDensity
    >>> X = np.random.default_rng(0).normal(size=(20_000, 8))
    >>> density = KernelDensity(bandwidth=0.8, random_state=0).fit(X)
    >>> log_density = density.score_samples(X[:100])
    >>> bool(density.evaluations_.mean() < 5_000)
    True
    """

    def __init__(
        self,
        bandwidth: float | str = 1.0,
        *,
        kernel: str = "gaussian",
        rtol: float = 0.1,
        confidence: float = 0.95,
        method: str = "auto",
        cells: int | str = "auto",
        max_evaluations: int | str = "auto",
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.bandwidth = bandwidth
        self.kernel = kernel
        self.rtol = rtol
        self.confidence = confidence
        self.method = method
        self.cells = cells
        self.max_evaluations = max_evaluations
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Sort the points into cells.

        Parameters
        ----------
        X : array-like of shape (n_points, n_features)
        y : None
            Not used; there for pipelines.
        sample_weight : array-like of shape (n_points,), optional
            Weights of the points, 0 or more.

        Returns
        -------
        self

        Raises
        ------
        InputError
            A parameter or an array is not acceptable; the message says what was found and what to do.
        """
        settings = self._settings()
        points = check_points(X, "X", type(self).__name__)
        weights = check_sample_weight(sample_weight, len(points))
        self._check_names(X, points, reset=True)
        self.bandwidth_ = _bandwidth(self.bandwidth, *points.shape)
        self._origin = points.mean(axis=0, dtype=np.float64)
        self._seed = seed_of(self.random_state)
        scaled = to_units(points, self._origin, self.bandwidth_, "X")
        threads = effective_threads(self.n_jobs)
        self._sums, _ = CellSums.of(scaled, weights, settings["cells"], self._seed, threads)
        is_hashed = settings["method"] == "hashing"
        self._tables = HashSums.of(self._sums, self.kernel, self._seed, threads) if is_hashed else None
        return self

    def estimate(self, X: ArrayLike) -> Estimate:
        """Return log densities with their standard errors and what they cost; nothing of the model changes.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)

        Returns
        -------
        Estimate
            ``log_value``, ``standard_error`` and ``evaluations``, each of shape (n_queries,).

        Raises
        ------
        InputError
            X is no finite matrix with the features of `fit`.
        """
        check_is_fitted(self, "_sums")
        settings = self._settings()
        queries = check_points(X, "X", type(self).__name__)
        self._check_names(X, queries, reset=False)
        scaled = to_units(queries, self._origin, self.bandwidth_, "X")
        threads = effective_threads(self.n_jobs)
        if settings["method"] != "hashing":
            found = self._sums.estimate(scaled, self.kernel, settings, self._seed, threads)
        elif self._tables is None:
            raise InputError('The tables of method="hashing" are made by fit. Call fit again.')
        else:
            wanted = settings["rtol"] / share_beyond(settings["confidence"])
            found = self._tables.estimate(self._sums, scaled, self.kernel, wanted, self._seed, threads)
        constant = _log_norm(self.kernel, self.bandwidth_, self.n_features_in_)
        return found._replace(log_value=found.log_value + constant - math.log(self._sums.total_weight))

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the log density at each row of X.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)

        Returns
        -------
        float64 array of shape (n_queries,)

        Raises
        ------
        InputError
            As `estimate`.

        Warns
        -----
        ConvergenceWarning
            If some standard errors say that `rtol` was not reached within `max_evaluations`.
        """
        found = self.estimate(X)
        self.evaluations_, self.standard_errors_ = found.evaluations, found.standard_error
        worst = found.standard_error * share_beyond(self.confidence)
        missed = int((worst > _TOLERATED * self.rtol).sum())
        if missed:
            warnings.warn(
                f"{missed} of {len(worst)} densities have a larger error than rtol={self.rtol:g}; "
                "standard_errors_ has their standard errors. Raise max_evaluations, rtol or the bandwidth.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return found.log_value

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Return the sum of the log densities at the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)
        y : None
            Not used; there for pipelines.

        Returns
        -------
        float
        """
        return float(np.sum(self.score_samples(X)))

    def sample(self, n_samples: int = 1, random_state: Any = None) -> NDArray[np.float64]:
        """Draw rows from the density.

        Parameters
        ----------
        n_samples : int, default 1
        random_state : int, RandomState instance or None, default None

        Returns
        -------
        float64 array of shape (n_samples, n_features)

        Raises
        ------
        InputError
            `n_samples` is no positive integer.
        """
        check_is_fitted(self, "_sums")
        n = Integer(1, 2**40).check("n_samples", n_samples)
        rng = random_generator(random_state)
        points, weights = self._sums.points, self._sums.weights
        if weights is None:
            chosen = rng.randint(len(points), size=n)
        else:
            chosen = np.searchsorted(weights, rng.uniform(0, weights[-1], size=n), side="right") - 1
        shift = rng.normal(size=(n, points.shape[1]))
        if self.kernel == "exponential":  # the density of the distance is r^(d - 1) exp(-r)
            shift *= rng.gamma(points.shape[1], size=(n, 1)) / np.linalg.norm(shift, axis=1, keepdims=True)
        return (points[chosen] + shift) * self.bandwidth_ + self._origin

    def _settings(self) -> dict[str, Any]:
        _KERNELS.check("kernel", self.kernel)
        effective_threads(self.n_jobs)
        random_generator(self.random_state)
        return {name: rule.check(name, getattr(self, name)) for name, rule in PARAMETERS.items()}

    def _check_names(self, X: Any, array: NDArray[Any], *, reset: bool) -> None:
        if not reset and array.shape[1] != self.n_features_in_:
            raise InputError(
                f"X has {array.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input. Pass the same columns as in fit."
            )
        try:
            validate_data(self, X, reset=reset, skip_check_array=True)
        except (TypeError, ValueError) as error:
            raise InputError(str(error)) from None


def _bandwidth(given: float | str, n: int, d: int) -> float:
    """Return the bandwidth that a number or a rule of scikit-learn's stands for."""
    if isinstance(given, str) and given in _RULES:
        return float((n if given == "scott" else n * (d + 2) / 4) ** (-1 / (d + 4)))
    try:
        return check_float("bandwidth", given, 0.0, math.inf, "()")
    except InputError:
        raise InputError(
            f'bandwidth is {given!r}; accepted are a number above 0, "scott" and "silverman".'
        ) from None


def _log_norm(kernel: str, bandwidth: float, d: int) -> float:
    """Return the logarithm of the constant with which the kernel's integral is 1."""
    if kernel == "gaussian":
        return -0.5 * d * math.log(2 * math.pi) - d * math.log(bandwidth)
    surface = math.log(2) + 0.5 * d * math.log(math.pi) - math.lgamma(0.5 * d)
    return -(surface + math.lgamma(d)) - d * math.log(bandwidth)
