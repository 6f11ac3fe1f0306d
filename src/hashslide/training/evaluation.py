"""Metrics after each epoch, on examples that are not trained on."""

from collections.abc import Callable
from copy import copy
from typing import Self

import numpy as np

from hashslide import metrics
from hashslide._validation import blocks
from hashslide.csr import Csr
from hashslide.training.trainable import Trainable

__all__ = ["METRIC_RANKS", "Evaluation"]


def __dir__() -> list[str]:
    return __all__


METRIC_RANKS = (1, 3, 5)
_EVALUATION_ROWS = 2048  # rows between two chances to interrupt an evaluation


class Evaluation:
    """Metrics on examples that are not trained on.

    Parameters
    ----------
    x : Csr
    y : sparse matrix of shape (n, n_labels)
        Their labels.
    n_threads : int
    """

    def __init__(self, x: Csr, y: Csr, n_threads: int = 1):
        self.x, self.y, self.n_threads = x, y.to_scipy(), n_threads

    def transformed(self, change: Callable[[Csr], Csr]) -> Self:
        """Return the same with other features."""
        other = copy(self)
        other.x = change(self.x)
        return other

    def __call__(self, network: Trainable) -> dict[str, float]:
        """Return "val_P@1", "val_P@3", "val_P@5", "val_nDCG@5" of the network."""
        k = min(max(METRIC_RANKS), self.y.shape[1])
        parts = [
            network.predict_topk(self.x.block(first, last), k, self.n_threads)[0]
            for first, last in blocks(self.x.n_rows, _EVALUATION_ROWS)
        ]
        topk = np.concatenate(parts)
        result = {f"val_P@{rank}": metrics.precision_at_k(self.y, topk, rank) for rank in METRIC_RANKS}
        result["val_nDCG@5"] = metrics.ndcg_at_k(self.y, topk, 5)
        return result
