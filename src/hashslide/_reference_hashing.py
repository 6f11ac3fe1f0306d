"""The hashed source of hard negatives in NumPy: part of the specification in reference.py."""

import numpy as np
from numpy.typing import NDArray

from hashslide._counter_rng import CounterRng


class KMeansCells:
    """Cells of k-means over centred neurons (w, b); a query (h, 1) probes those of largest product."""

    sample_per_cell, iterations = 64, 4

    def __init__(self, n_cells: int, seed: int):
        self.n_cells, self.seed = n_cells, seed

    def fit(self, points: NDArray, round_: int) -> None:
        """Lloyd's algorithm on a random sample, starting from its first points."""
        self.mean = points.mean(axis=0, dtype=np.float64).astype(np.float32)
        sample = points[self._sample(len(points), round_)] - self.mean
        self.centres = sample[: self.n_cells].copy()
        for _ in range(self.iterations):
            cells = self._nearest(sample)
            for c in np.unique(cells):
                self.centres[c] = sample[cells == c].mean(axis=0)

    def _sample(self, n: int, round_: int) -> NDArray:
        """The beginning of a Fisher-Yates shuffle of 0 .. n - 1."""
        rng, ids = CounterRng(self.seed, "cells", round_), np.arange(n)
        size = min(n, self.sample_per_cell * self.n_cells)
        for i in range(size):
            j = i + int(rng.below(np.uint64(i), n - i))
            ids[[i, j]] = ids[[j, i]]
        return ids[:size]

    def _nearest(self, centred: NDArray) -> NDArray:
        return (centred @ self.centres.T - (self.centres**2).sum(axis=1) / 2).argmax(axis=1)

    def hash_neurons(self, points: NDArray) -> NDArray:
        """Cell of the nearest centre."""
        return self._nearest(points - self.mean)

    def probe(self, queries: NDArray, probes: int) -> NDArray:
        """The cells whose centres have the largest inner products with each query."""
        return np.argsort(-(queries @ self.centres.T), axis=1, kind="stable")[:, :probes]

    def follow(self, points: NDArray, cells: NDArray, sizes: NDArray) -> None:
        """Each centre moves towards the points that were re-hashed into its cell."""
        for point, c in zip(points - self.mean, cells, strict=True):
            self.centres[c] += (point - self.centres[c]) / max(1, sizes[c])


class HardNegatives:
    """Looks up each example's activation in the cells; its best-scoring wrong labels join the active set."""

    def __init__(self, config):
        self.config = config
        cells = config.cells or int(2 * np.sqrt(config.n_labels))
        self.family = KMeansCells(max(1, min(cells, config.n_labels)), config.seed)
        self.next_build, self.next_refresh, self.builds = config.rehash_first, 0, 0
        self.touched: list[int] = []

    def find(self, points: NDArray, h: NDArray, targets: list[NDArray]) -> list[int]:
        """points: the neurons (w, b); h: (batch, hidden). Returns labels in the order of the examples."""
        found: list[int] = []
        if self.builds == 0:
            return found
        every = self.config.hard_share
        queries = np.column_stack([h, np.ones(len(h), np.float32)])[::every]
        probed = self.family.probe(queries, min(self.config.probes, self.family.n_cells))
        for query, cells, true in zip(queries, probed, targets[::every], strict=True):
            candidates = np.setdiff1d(np.flatnonzero(np.isin(self.cell_of, cells)), true)
            best = np.argsort(-(points[candidates] @ query), kind="stable")[: self.config.hard]
            found.extend(candidates[best])
        return found

    def rehash(self, points: NDArray, active: NDArray, step: int) -> None:
        """Re-hash the touched neurons when due; rebuild everything at steps that double."""
        self.touched = list(dict.fromkeys([*self.touched, *active.tolist()]))
        if step >= self.next_build:
            self.family.fit(points, self.builds)
            self.cell_of = self.family.hash_neurons(points)
            self.builds, self.next_build = self.builds + 1, 2 * step
        elif self.builds and step >= self.next_refresh:
            cells = self.family.hash_neurons(points[self.touched])
            self.cell_of[self.touched] = cells
            sizes = np.bincount(self.cell_of[self.cell_of >= 0], minlength=self.family.n_cells)
            self.family.follow(points[self.touched], cells, sizes)
        else:
            return
        self.next_refresh, self.touched = step + self.config.rehash_every, []

    def grow(self, n_labels: int) -> None:
        """New neurons are in no cell before they are first touched."""
        if self.builds:
            self.cell_of = np.pad(self.cell_of, (0, n_labels - len(self.cell_of)), constant_values=-1)
