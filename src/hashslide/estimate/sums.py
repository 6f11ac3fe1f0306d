"""Sums over all points from a few of them: what densities and partition functions have in common."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hashslide import _core
from hashslide._checks import random_generator
from hashslide._validation import as_numeric, first_true
from hashslide.errors import InputError, InputTypeError
from hashslide.settings.constraints import Choice, Constraint, Integer, Real
from hashslide.settings.limits import MAX_IDS

__all__ = [
    "PARAMETERS",
    "CellSums",
    "Estimate",
    "as_estimate",
    "check_points",
    "seed_of",
    "share_beyond",
    "to_units",
]


def __dir__() -> list[str]:
    return __all__


PARAMETERS: dict[str, Constraint] = {
    "rtol": Real(0.0, 1.0, "()"),
    "confidence": Real(0.0, 1.0, "()"),
    "method": Choice(("auto", "cells", "uniform", "hashing", "exact")),
    "cells": Integer(1, MAX_IDS, auto=True),
    "max_evaluations": Integer(64, 2**62, auto=True),
}
_FEWEST_IN_CELLS = 2048  # fewer points are always counted
_OUTLIERS = 3  # times the square root of the number of points
_LARGEST = 1e15  # of a coordinate: squares of larger ones come near the end of float32


class Estimate(NamedTuple):
    """Estimates of many queries, an array of shape (n_queries,) each.

    Attributes
    ----------
    log_value : float64 array
        Logarithm of the density, or of the partition function.
    standard_error : float64 array
        Of the value, relative to it, and so about that of its logarithm; 0 where all points were counted.
    evaluations : int64 array
        Points and centres of cells that were looked at.
    """

    log_value: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    evaluations: NDArray[np.int64]


def as_estimate(found: tuple[Any, Any, Any]) -> Estimate:
    """Return what the core returns as arrays."""
    values, errors, evaluations = map(np.asarray, found)
    return Estimate(values, errors, evaluations)


@dataclass(frozen=True, eq=False)
class CellSums:
    """Points in cells of k-means, a float32 copy that lies cell by cell.

    Parameters
    ----------
    points : float32 array of shape (n_points, width)
    begin : int64 array of shape (n_cells + 1,)
        Cell c holds the points ``begin[c]`` to ``begin[c + 1] - 1``.
    centres : float32 array of shape (n_cells, width)
    spreads : float32 array of shape (n_cells,)
        Mean squared distances to the centre.
    outliers : int
        1 if the first cell holds the points that lie farthest from every centre, which are always counted.
    dimension : float
        In how many directions the points of a cell spread.
    weights : float64 array of shape (n_points + 1,), or None
        Sums of the weights of the points before each; None: every weight is 1.
    """

    points: NDArray[np.float32]
    begin: NDArray[np.int64]
    centres: NDArray[np.float32]
    spreads: NDArray[np.float32]
    outliers: int
    dimension: float
    weights: NDArray[np.float64] | None

    @classmethod
    def of(
        cls,
        points: NDArray[np.float32],
        weights: NDArray[np.float32] | None,
        cells: int | str,
        seed: int,
        threads: int,
        has_outliers: bool = False,
    ) -> tuple["CellSums", NDArray[np.int64]]:
        """Sort points into cells; return which lies at each place, too. O(n_points * n_cells * width)."""
        n = len(points)
        wanted = round(math.sqrt(n)) if isinstance(cells, str) else min(cells, n)
        if n <= _FEWEST_IN_CELLS:
            wanted = 1
        nearest = np.asarray(_core.nearest_cells(points, wanted, seed, threads))
        order, begin = _by_cell(nearest, wanted)
        outliers = int(has_outliers and n > _FEWEST_IN_CELLS)
        if outliers:
            sorted_points = points[order]
            centres, *_ = _core.summarise_cells(sorted_points, begin, threads)
            far = _farthest(
                sorted_points, begin, np.reshape(centres, (wanted, -1)), round(_OUTLIERS * math.sqrt(n))
            )
            nearest = nearest + 1
            nearest[order[far]] = 0
            wanted += 1
            order, begin = _by_cell(nearest, wanted)
        points = points[order]
        centres, spreads, dimension = _core.summarise_cells(points, begin, threads)
        sums = None if weights is None else np.r_[0.0, np.cumsum(weights[order], dtype=np.float64)]
        found = cls(
            points, begin, np.reshape(centres, (wanted, -1)), np.asarray(spreads), outliers, dimension, sums
        )
        return found, order

    @property
    def total_weight(self) -> float:
        """Sum of the weights of all points."""
        return float(len(self.points) if self.weights is None else self.weights[-1])

    @property
    def memory_bytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.points, self.begin, self.centres, self.spreads, self.weights)
        return sum(array.nbytes for array in arrays if array is not None)

    def estimate(
        self, queries: NDArray[np.float32], term: str, settings: dict[str, Any], seed: int, threads: int
    ) -> Estimate:
        """Return the logarithms of the sums of weight times term.

        Parameters
        ----------
        queries : float32 array of shape (n_queries, width)
        term : {"gaussian", "exponential", "product"}
        settings : dict
            Of `PARAMETERS`.
        seed, threads : int
        """
        wanted = settings["rtol"] / share_beyond(settings["confidence"])
        most = settings["max_evaluations"]
        if isinstance(most, str):
            most = max(10_000, round(50 * math.sqrt(len(self.points))))
        found = _core.estimate_sums(
            self.points,
            self.begin,
            self.centres,
            self.spreads,
            self.outliers,
            self.dimension,
            self.weights,
            queries,
            term,
            settings["method"],
            wanted,
            most,
            seed,
            threads,
        )
        return as_estimate(found)


def _by_cell(nearest: NDArray[np.int32], cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the points cell by cell, and where each cell begins."""
    sizes = np.bincount(nearest, minlength=cells)
    return np.argsort(nearest, kind="stable"), np.r_[0, np.cumsum(sizes)].astype(np.int64)


def _farthest(
    points: NDArray[np.float32], begin: NDArray[np.int64], centres: NDArray[np.float32], n: int
) -> NDArray[np.int64]:
    """Return the n points, sorted by cell, that lie farthest from the centres of their cells."""
    squares = np.empty(len(points), np.float32)
    for first, last, centre in zip(begin[:-1], begin[1:], centres, strict=True):
        squares[first:last] = np.square(points[first:last] - centre).sum(axis=1)
    return np.argsort(-squares, kind="stable")[:n]


def share_beyond(confidence: float) -> float:
    """Return how many standard errors hold a normal variable's error with this confidence."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def seed_of(random_state: Any) -> int:
    """Return a seed that a seed, a generator or None stands for."""
    return int(random_generator(random_state).randint(2**31 - 1))


def check_points(values: Any, name: str, estimator: str) -> NDArray[Any]:
    """Return a dense matrix of finite numbers, with at least one row and column.

    Raises
    ------
    InputError
        It is none; the message says what was found and what to do.
    """
    if sparse.issparse(values):
        raise InputTypeError(
            f"{name} is a sparse matrix; {estimator} takes dense ones. Reduce it to some hundred columns "
            "first, as with sklearn.decomposition.TruncatedSVD."
        )
    array = as_numeric(values, name)
    if array.ndim != 2:
        raise InputError(
            f"Expected 2D array, got {array.ndim}D array of shape {array.shape} as {name}. Reshape "
            "your data: X.reshape(1, -1) for one example, X.reshape(-1, 1) for one feature."
        )
    for axis, kind in enumerate(("sample", "feature")):
        if array.shape[axis] == 0:
            raise InputError(
                f"Found array with 0 {kind}(s) (shape={array.shape}) while a minimum of 1 is required by "
                f"{estimator} in {name}."
            )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row, column = np.unravel_index(first_true(~np.isfinite(array).ravel()), array.shape)
        value = "NaN" if np.isnan(array[row, column]) else "infinity (inf)"
        raise InputError(
            f"{name} contains {value} at row {row}, column {column}. Values must be finite: replace it or "
            "drop the row."
        )
    return array


def to_units(array: NDArray[Any], origin: NDArray[np.float64], unit: float, name: str) -> NDArray[np.float32]:
    """Return ``(array - origin) / unit`` in single precision, made block by block.

    Raises
    ------
    InputError
        A coordinate is so large that squares of distances would overflow.
    """
    out = np.empty(array.shape, np.float32)
    rows = max(1, (1 << 20) // array.shape[1])
    for first in range(0, len(array), rows):
        block = (array[first : first + rows] - origin) / unit
        if np.abs(block).max() > _LARGEST:
            raise InputError(
                f"{name} holds a value that is more than {_LARGEST:g} bandwidths from the mean of the data. "
                "Scale the data, or choose a larger bandwidth."
            )
        out[first : first + rows] = block
    return out
