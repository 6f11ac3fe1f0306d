"""What can be trained."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr

__all__ = ["Trainable"]


def __dir__() -> list[str]:
    return __all__


class Trainable(Protocol):
    """What `train` can train: a `Network`, or something that passes batches on to networks elsewhere."""

    def train_batch(
        self,
        x: Csr,
        y: Csr,
        rows: NDArray[np.int64],
        learning_rate: float,
        sample_weight: NDArray[np.float32] | None = None,
        n_threads: int = 1,
    ) -> tuple[float, int]:
        """Make one step; return the loss, summed over the examples, and the size of the active set."""
        ...

    def predict_topk(self, X: Csr, k: int = 5, n_threads: int = 1) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return ids and scores of the k best labels of each example, best first."""
        ...

    def state(self, *roles: str) -> Mapping[str, NDArray[Any]]:
        """Return the arrays of the model by name, as `Network.state` does."""
        ...
