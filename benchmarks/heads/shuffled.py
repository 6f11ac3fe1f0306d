"""Examples in a new random order in each epoch, and the share of those that are answered rightly."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .arms import Head
from .race import Batch

EVALUATED = 1024  # examples at once


class Shuffled:
    """Batches of examples; what a step gets depends on the step alone.

    Parameters
    ----------
    inputs
        Shape (n, ...), possibly mapped from a file.
    classes
        Shape (n,).
    size
        Examples of a batch.
    """

    def __init__(self, inputs: NDArray, classes: NDArray, size: int):
        self.inputs, self.classes, self.size = inputs, classes, min(size, len(classes))
        self._order = lru_cache(1)(lambda epoch: np.random.default_rng(epoch).permutation(len(classes)))

    def __call__(self, step: int) -> Batch:
        """Return the inputs and the classes of a step."""
        epoch, i = divmod(step, len(self.classes) // self.size)
        rows = self._order(epoch)[i * self.size : (i + 1) * self.size]
        return torch.from_numpy(self.inputs[rows]), torch.from_numpy(self.classes[rows]).long()


def accuracy(trunk: nn.Module, head: Head, inputs: Tensor, classes: Tensor) -> float:
    """Return the share of examples whose class has the largest score of all."""
    hits = [
        head.topk(trunk(x), 1)[:, 0] == y
        for x, y in zip(inputs.split(EVALUATED), classes.split(EVALUATED), strict=True)
    ]
    return float(torch.cat(hits).double().mean())


def sample(inputs: NDArray, classes: NDArray, n: int) -> tuple[Tensor, Tensor]:
    """Return `n` random examples, always the same."""
    rows = np.sort(np.random.default_rng(0).permutation(len(classes))[:n])
    return torch.from_numpy(inputs[rows]), torch.from_numpy(classes[rows]).long()
