"""How many rows of a model batches touch, by their size: the number that decides what is exchanged."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr

__all__ = ["Growth", "Touched"]


def __dir__() -> list[str]:
    return __all__


_MOST_ROWS = 1 << 15
_DRAWS, _DRAWN_ROWS = 4, 512  # batches of a size that are averaged: so many, or of so many examples together


@dataclass(frozen=True)
class Growth:
    """How many different ids there are in so many examples.

    Between the measured sizes, and beyond the largest one, it is a power law (Heaps 1978).

    Attributes
    ----------
    sizes, counts : float64 arrays
        Numbers of examples, ascending, and of the different ids in them.
    most : int
        How many ids there are.
    """

    sizes: NDArray[np.float64]
    counts: NDArray[np.float64]
    most: int

    @classmethod
    def of(cls, matrix: Csr, most: int | None = None) -> "Growth":
        """Count the different ids in random examples: 1, 2, 4, 8 ... of them. O(entries).

        Parameters
        ----------
        matrix : Csr
        most : int, optional
            How many ids there are in all, where the matrix is a sample. It is then counted up to half of the
            sample only, beyond which few of its own ids are left to be seen.
        """
        most = matrix.n_columns if most is None else most
        largest = matrix.n_rows if most <= matrix.n_columns else max(1, matrix.n_rows // 2)
        rng = np.random.default_rng(0)
        order = rng.permutation(matrix.n_rows)[: min(largest, _MOST_ROWS)]
        sizes, counts, size = [], [], 1
        while size <= len(order):
            n_draws = min(max(_DRAWS, _DRAWN_ROWS // size), len(order) // size)
            batches = (order[i * size : (i + 1) * size] for i in range(n_draws))
            sizes.append(size)
            counts.append(np.mean([len(np.unique(matrix.take(rows).indices)) for rows in batches]))
            size *= 2
        return cls(np.array(sizes, float), np.maximum(counts, 1e-9), most)

    def at(self, n: float) -> float:
        """Return how many different ids so many examples have."""
        if n <= 0:
            return 0.0
        x, y = np.log(self.sizes), np.log(self.counts)
        if n < self.sizes[0] or len(x) == 1:
            return float(min(self.most, self.counts[0] * n / self.sizes[0]))
        at = min(int(np.searchsorted(self.sizes, n)), len(x) - 1)
        slope = (y[at] - y[at - 1]) / (x[at] - x[at - 1])
        return float(min(self.most, np.exp(y[at] + slope * (np.log(n) - x[at]))))


@dataclass(frozen=True, kw_only=True)
class Touched:
    """What a batch of any size touches.

    Attributes
    ----------
    features, labels : Growth
        Of the ids in the examples.
    features_per_example, labels_per_example : float
        Means of the stored values.
    uniform, popular : int
        Labels that every active set has besides.
    kept : float
        Share of the features that input dropout leaves.
    """

    features: Growth
    labels: Growth
    features_per_example: float
    labels_per_example: float
    uniform: int
    popular: int = 0
    kept: float = 1.0

    @classmethod
    def of(
        cls,
        x: Csr,
        y: Csr,
        *,
        uniform: int,
        popular: int = 0,
        dropout: float = 0.0,
        total_features: int | None = None,
        total_labels: int | None = None,
    ) -> "Touched":
        """Count it in examples.

        Parameters
        ----------
        x, y : Csr
            All the data, or a random sample of them.
        uniform, popular : int
        dropout : float
            Share of the features that a step leaves out.
        total_features, total_labels : int, optional
            How many there are, if there are more than in the sample.
        """
        return cls(
            features=Growth.of(x, total_features),
            labels=Growth.of(y, total_labels),
            features_per_example=x.nnz / max(1, x.n_rows),
            labels_per_example=y.nnz / max(1, y.n_rows),
            uniform=uniform,
            popular=popular,
            kept=1 - dropout,
        )

    def feature_rows(self, n: float) -> float:
        """Return the input rows that n examples touch."""
        return self.features.at(self.kept * n)

    def label_rows(self, n: float) -> float:
        """Return the size of the active set of n examples: their labels, and what is drawn besides."""
        own, most = self.labels.at(n), self.labels.most
        return float(min(most, own + (self.uniform + self.popular) * (1 - own / most))) if n > 0 else 0.0
