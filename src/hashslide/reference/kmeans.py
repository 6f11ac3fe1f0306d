"""The learned hash family in NumPy: part of the specification in reference.py."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.reference.rng import CounterRng

__all__ = ["KMeansCells"]


def __dir__() -> list[str]:
    return __all__


class KMeansCells:
    """Cells of k-means over the neurons; a query probes those with the largest inner products."""

    sample_per_cell, iterations, balancing, largest_cell = 64, 4, 8, 3

    def __init__(self, n_cells: int, width: int, n_tables: int, seed: int) -> None:
        self.n_buckets, self.n_tables, self.seed = n_cells, n_tables, seed
        self.centres = np.zeros((n_tables, n_cells, width), np.float32)
        self.penalties = np.zeros((n_tables, n_cells), np.float32)

    def draw(self, round_: int) -> None:
        """The round of the samples."""
        self.round = round_

    def learn(self, vectors: NDArray[Any]) -> None:
        """Lloyd's algorithm on a random sample, with penalties for large cells."""
        self.penalties[:] = 0
        for t in range(self.n_tables):
            rng = CounterRng(self.seed, "cells", self.round * self.n_tables + t)
            sample = vectors[self._sample(len(vectors), rng)]
            first = self._first(sample, len(vectors), rng)
            self.centres[t, : len(first)] = sample[first]
            for _ in range(self.iterations):
                scores = self._scores(sample, t)
                cells = scores.argmax(axis=1)
                for c in np.unique(cells):
                    self.centres[t, c] = sample[cells == c].mean(axis=0)
                self._balance(t, scores, cells)
            quarter = sample[: (len(sample) + 3) // 4]
            for _ in range(self.balancing):
                scores = self._scores(quarter, t)
                self._balance(t, scores, scores.argmax(axis=1))

    def _sample(self, n: int, rng: CounterRng) -> NDArray[Any]:
        """The beginning of a Fisher-Yates shuffle of 0 .. n - 1."""
        ids = np.arange(n)
        size = min(n, self.sample_per_cell * self.n_buckets)
        for i in range(size):
            j = i + int(rng.below(np.uint64(i), n - i))
            ids[[i, j]] = ids[[j, i]]
        return ids[:size]

    def _first(self, sample: NDArray[Any], n: int, rng: CounterRng) -> NDArray[Any]:
        """Weighted sampling without replacement (Efraimidis & Spirakis 2006)."""
        squared = (sample**2).sum(axis=1).astype(float)
        u = 1 - rng.uniform(np.arange(n, n + len(sample), dtype=np.uint64)).astype(float)
        return np.argsort(-np.log(u) / (squared.mean() + squared), kind="stable")[: self.n_buckets]

    def _scores(self, vectors: NDArray[Any], t: int) -> NDArray[Any]:
        return vectors @ self.centres[t].T - (self.centres[t] ** 2).sum(axis=1) / 2 - self.penalties[t]

    def _balance(self, t: int, scores: NDArray[Any], cells: NDArray[Any]) -> None:
        """Raise penalties until the surplus of each large cell, by smallest margin, would leave it."""
        limit = max(1, self.largest_cell * len(cells) // self.n_buckets)
        best = np.partition(scores, -2, axis=1)[:, -2:] if self.n_buckets > 1 else scores[:, [0, 0]]
        margins, sizes = best[:, 1] - best[:, 0], np.bincount(cells, minlength=self.n_buckets)
        for c in np.flatnonzero(sizes > limit):
            leaves = sizes[c] - limit
            self.penalties[t, c] += np.sort(margins[cells == c])[leaves - 1 : leaves + 1].mean()

    def hash(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """Cell of the nearest centre after penalties, (n, n_tables)."""
        return np.stack([self._scores(vectors, t).argmax(axis=1) for t in range(self.n_tables)], axis=1)

    def probe(self, queries: NDArray[Any], probes: int) -> NDArray[Any]:
        """(n, n_tables, probes) cells whose centres have the largest inner products."""
        order = [np.argsort(-(queries @ c.T), axis=1, kind="stable")[:, :probes] for c in self.centres]
        return np.stack(order, axis=1)

    def follow(self, vectors: NDArray[Any], buckets: NDArray[Any], sizes: NDArray[Any]) -> None:
        """Each centre moves towards the vectors that were re-hashed into its cell."""
        for vector, cells in zip(vectors, buckets, strict=True):
            for t, c in enumerate(cells):
                self.centres[t, c] += (vector - self.centres[t, c]) / max(1, sizes[t, c])

    def learned(self) -> dict[str, NDArray[Any]]:
        """What draw() cannot repeat."""
        return {"centres": self.centres, "penalties": self.penalties}
