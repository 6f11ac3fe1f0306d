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


def fit(data: tuple[csr_matrix, csr_matrix], options: Options) -> TwoLayers:
    """Train from the CSR matrices (X, Y)."""
    network = start(*data, options, sparse_output=True)
    tables = [network.input.weight, network.output.weight, network.output_bias.weight]
    optimizers = [
        torch.optim.SparseAdam(tables, lr=LEARNING_RATE),
        torch.optim.Adam([network.input_bias], lr=LEARNING_RATE),
    ]
    rng = np.random.default_rng([options.seed, 1])

    def choose_active(Y_batch: csr_matrix) -> NDArray[np.int64]:
        uniform = rng.integers(Y_batch.shape[1], size=UNIFORM)
        return np.union1d(Y_batch.indices, uniform).astype(np.int64)

    return train(network, optimizers, data, choose_active, options)
