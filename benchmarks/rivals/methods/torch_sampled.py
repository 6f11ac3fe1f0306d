"""PyTorch, the labels of the batch and some uniform ones in every step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from . import Options
from .torch_common import LEARNING_RATE, TwoLayers, predict_topk, start, train

__all__ = ["fit", "predict_topk"]

UNIFORM = 500


def optimizers_of(network: TwoLayers) -> list[torch.optim.Optimizer]:
    """Return the optimisers of a network of whose output only some rows are updated."""
    tables = [network.input.weight, network.output.weight, network.output_bias.weight]
    return [
        torch.optim.SparseAdam(tables, lr=LEARNING_RATE),
        torch.optim.Adam([network.input_bias], lr=LEARNING_RATE),
    ]


def sampled_labels(Y: csr_matrix, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the labels of a batch and UNIFORM draws from all."""
    return np.union1d(Y.indices, rng.integers(Y.shape[1], size=UNIFORM)).astype(np.int64)


def fit(data: tuple[csr_matrix, csr_matrix], options: Options) -> TwoLayers:
    """Train from the CSR matrices (X, Y)."""
    network = start(*data, options, sparse_output=True)
    rng = np.random.default_rng([options.seed, 1])
    return train(network, optimizers_of(network), data, lambda Y_batch: sampled_labels(Y_batch, rng), options)
