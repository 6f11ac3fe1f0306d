"""The direct term in NumPy. Part of the specification in reference.py."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hashslide.settings import NetworkConfig

__all__ = ["DirectTerm"]


def __dir__() -> list[str]:
    return __all__


class DirectTerm:
    """A sparse linear term beside the network: a weight for each pair of feature and label that fit."""

    def __init__(self, config: NetworkConfig) -> None:
        self.config = config
        self.begin, self.labels = np.zeros(config.n_features + 1, np.int64), np.empty(0, np.int32)
        self.weight = self.accumulator = np.empty(0, np.float32)

    def choose_pairs(self, x: sparse.csr_matrix, y: sparse.csr_matrix, label_counts: NDArray[Any]) -> None:
        """For each feature the labels with the largest count * log(1 + lift)."""
        counts = ((x != 0).astype(np.float64).T @ y.astype(np.float64)).tocsr()
        examples = np.diff(x.tocsc().indptr)
        lists = [self._best(counts[[f]], n, label_counts, x.shape[0]) for f, n in enumerate(examples)]
        self.begin = np.cumsum([0, *map(len, lists)])
        self.labels = np.concatenate(lists).astype(np.int32)
        self.weight, self.accumulator = np.zeros((2, len(self.labels)), np.float32)

    def _best(
        self, count: sparse.csr_matrix, n_feature: int, label_counts: NDArray[Any], n: int
    ) -> NDArray[Any]:
        """count: how often each label occurs with the feature, (1, n_labels)."""
        often = count.data >= self.config.direct_min_count
        labels, count = count.indices[often], count.data[often]
        lift = count * n / (n_feature * label_counts[labels])
        order = np.lexsort((labels, -(count * np.log1p(lift)).astype(np.float32)))
        return np.sort(labels[order[: self.config.direct]])

    def _matrix(self, data: NDArray[Any]) -> sparse.csr_matrix:
        shape = (self.config.n_features, self.config.n_labels)
        return sparse.csr_matrix((data, self.labels, self.begin), shape=shape)

    def logits(self, x: sparse.csr_matrix) -> NDArray[np.float32]:
        """What the term adds to the logits, (n, n_labels)."""
        return (x @ self._matrix(self.weight)).toarray()

    def update(self, x: sparse.csr_matrix, dz: NDArray[Any], rate: float) -> None:
        """Adagrad, entry by entry. dz: (n, n_labels), 0 where not active."""
        c, gradient = self.config, x.T @ dz
        g = gradient[np.repeat(np.arange(c.n_features), np.diff(self.begin)), self.labels]
        self.accumulator += g**2
        self.weight -= rate * c.direct_rate * g / np.sqrt(c.direct_accumulator + self.accumulator)

    def grow(self, config: NetworkConfig) -> None:
        """New features have empty lists; new labels are in none."""
        self.begin = np.pad(self.begin, (0, config.n_features - self.config.n_features), mode="edge")
        self.config = config

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its part of the state; none if there are no pairs."""
        names = ("direct.begin", "direct.labels", "direct.weight", "direct.adagrad")
        arrays = (self.begin, self.labels, self.weight, self.accumulator)
        return dict(zip(names, arrays, strict=True)) if len(self.labels) else {}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take its part of a state."""
        if "direct.labels" in state:
            self.begin, self.labels = state["direct.begin"].copy(), state["direct.labels"].copy()
            self.weight = state["direct.weight"].copy()
            self.accumulator = state.get("direct.adagrad", np.zeros_like(self.weight)).copy()
