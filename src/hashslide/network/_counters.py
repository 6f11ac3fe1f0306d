"""What a network has counted and measured of its training."""

import numpy as np
from numpy.typing import NDArray

from hashslide._locks import reading

from ._base import BaseNetwork


class CountersMixin(BaseNetwork):
    """The methods of `Network` that tell what it has seen, and what that has cost."""

    @property
    def step(self) -> int:
        """Batches trained so far."""
        return self._core.step

    @property
    def n_examples_seen(self) -> int:
        """Examples behind `label_counts`."""
        return self._core.n_examples_seen

    @property
    @reading
    def label_counts(self) -> NDArray[np.int64]:
        """Examples of each label so far, a copy of shape (n_labels,)."""
        return self._core.label_counts

    @reading
    def label_counts_of(self, labels: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the counts of some labels."""
        return self._core.label_counts_of(labels)

    @reading
    def frequent_labels(self, least: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the labels that have occurred at least so often, ascending, and their counts."""
        return self._core.frequent_labels(least)

    @property
    def n_label_occurrences(self) -> int:
        """Sum of `label_counts`."""
        return self._core.n_label_occurrences

    @property
    @reading
    def multiplications(self) -> float:
        """Multiplications of all steps of this process, forward and backward.

        Those of the layers' products, of hashing neurons and queries, and of samplers that score neurons;
        without those of the optimiser and of the ranker.
        """
        return self._core.multiplications

    @property
    @reading
    def table_bytes(self) -> dict[str, int]:
        """Memory of the hash tables of each layer that has some, by the layer's name."""
        return self._core.table_bytes

    @property
    @reading
    def stage_seconds(self) -> dict[str, float]:
        """Wall time of each stage of `train_batch`, summed over all batches of this process."""
        return self._core.stage_seconds
