"""Estimates from hash tables alone, as they were published; cells need less of everything."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.estimate.sums import CellSums, Estimate, as_estimate

__all__ = ["HashSums", "LayerTables"]


def __dir__() -> list[str]:
    return __all__


_TABLES = 512
_PER_POINT = 8  # entries of all tables together
_FEWEST = 4096  # entries of a table
_TYPICAL = 32  # points at which the density is looked at
_GROUPS, _GROUP_TABLES = 8, 8  # of a layer's tables


@dataclass(frozen=True, eq=False)
class HashSums:
    """Tables of Euclidean hashing (Datar et al. 2004) over the points of a `CellSums`.

    Parameters
    ----------
    directions, offsets : float32 arrays of shape (n_tables * n_hashes * width,) and (n_tables * n_hashes,)
        Of the elementary hashes.
    codes, ids : uint64 and int32 arrays of shape (n_tables * table_size,)
        The codes of each table, ascending, and their points.
    bin : float
        Width of an elementary hash's bins.
    """

    directions: NDArray[np.float32]
    offsets: NDArray[np.float32]
    codes: NDArray[np.uint64]
    ids: NDArray[np.int32]
    bin: float

    @classmethod
    def of(cls, sums: CellSums, kernel: str, seed: int, threads: int) -> "HashSums":
        """Hash the points: at the distance of a typical density D's points, they meet with chance sqrt(D)."""
        n = len(sums.points)
        chosen = np.random.RandomState(seed).randint(n, size=_TYPICAL)
        settings = {"rtol": 0.5, "confidence": 0.95, "method": "auto", "max_evaluations": "auto"}
        found = sums.estimate(sums.points[chosen], kernel, settings, seed, threads)
        depth = max(1.0, math.log(sums.total_weight) - float(np.median(found.log_value)))  # -log D
        distance = math.sqrt(2 * depth) if kernel == "gaussian" else depth
        hashes = math.ceil(depth)
        bin_width = distance / _ratio_of(math.exp(-0.5 * depth / hashes))
        size = min(n, max(_FEWEST, _PER_POINT * n // _TABLES))
        arrays = _core.distance_tables(sums.points, _TABLES, hashes, bin_width, size, seed, threads)
        directions, offsets, codes, ids = map(np.asarray, arrays)
        return cls(directions, offsets, codes, ids, bin_width)

    def estimate(
        self, sums: CellSums, queries: NDArray[np.float32], kernel: str, error: float, seed: int, threads: int
    ) -> Estimate:
        """Return the logarithms of the sums of weight times kernel; `error` is the one that is wanted."""
        found = _core.estimate_sums_by_hashing(
            sums.points,
            sums.weights,
            self.directions,
            self.offsets,
            self.codes,
            self.ids,
            _TABLES,
            self.bin,
            queries,
            kernel,
            error,
            seed,
            threads,
        )
        return as_estimate(found)


def _ratio_of(chance: float) -> float:
    """Return the distance in bins at which an elementary hash agrees with a chance below 1."""
    low, high = 1e-6, 1e6
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if _core.distance_agreement(middle) > chance else (low, middle)
    return middle


@dataclass(eq=False)
class LayerTables:
    """Tables of SimHash over a layer's labels, in groups that are drawn independently.

    Each group estimates the partition function from the labels that a query finds in it, weighed by their
    chance to be found (Spring & Shrivastava 2018); the groups' spread is the error.

    Parameters
    ----------
    points : float32 array of shape (n_labels, width)
        Weights with their biases.
    seed, threads : int
    """

    points: NDArray[np.float32]
    seed: int
    threads: int

    def __post_init__(self) -> None:
        n, width = self.points.shape
        self.hashes = max(2, round(math.log2(n)) - 6)
        self._zeros = np.zeros(n, np.float32)
        self._groups = []
        for group in range(_GROUPS):
            index = _core.NeuronIndex(
                n,
                width,
                self.seed + group,
                family="simhash",
                tables=_GROUP_TABLES,
                hashes=self.hashes,
                bucket_size=0,
                bias=False,  # it is among the weights
                centre=True,
            )
            index.build(self.points, self._zeros, self.threads)
            self._groups.append(index)

    def estimate(self, queries: NDArray[np.float32], threads: int) -> Estimate:
        """Return the logarithms of the partition functions; every group is read."""
        values, found = [], np.full(len(queries), _GROUPS * _GROUP_TABLES * self.hashes, np.int64)
        for index in self._groups:
            begin, ids = _core.sample(
                "vanilla", self.points, self._zeros, queries, index, seed=self.seed, n_threads=threads
            )
            found += np.diff(begin)
            values.append(
                _core.log_partition_found(
                    self.points, self._zeros, queries, index, self.hashes, begin, ids, threads
                )
            )
        logs = np.asarray(values)
        largest = logs.max(axis=0)
        ratio = np.exp(logs - np.where(np.isfinite(largest), largest, 0.0))
        mean, deviation = ratio.mean(axis=0), ratio.std(axis=0, ddof=1)
        is_empty = mean == 0  # no group has found a label
        mean[is_empty] = 1.0
        error = np.where(is_empty, np.inf, deviation / math.sqrt(_GROUPS) / mean)
        return Estimate(largest + np.log(mean), error, found)

    def __getstate__(self) -> tuple[NDArray[np.float32], int, int]:
        return self.points, self.seed, self.threads  # the same tables are built again from them

    def __setstate__(self, state: tuple[NDArray[np.float32], int, int]) -> None:
        self.points, self.seed, self.threads = state
        self.__post_init__()
