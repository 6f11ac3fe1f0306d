"""PyTorch, every label in every step: binary cross-entropy over all logits."""

from __future__ import annotations

import torch
from scipy.sparse import csr_matrix

from . import Options
from .torch_common import LEARNING_RATE, TwoLayers, predict_topk, start, train

__all__ = ["fit", "predict_topk"]


def optimizers_of(network: TwoLayers) -> list[torch.optim.Optimizer]:
    """Return the optimisers of a network whose output is updated as a whole."""
    dense = [network.input_bias, network.output.weight, network.output_bias.weight]
    return [
        torch.optim.SparseAdam([network.input.weight], lr=LEARNING_RATE),
        torch.optim.Adam(dense, lr=LEARNING_RATE, fused=True),
    ]


def fit(data: tuple[csr_matrix, csr_matrix], options: Options) -> TwoLayers:
    """Train from the CSR matrices (X, Y)."""
    network = start(*data, options, sparse_output=False)
    return train(network, optimizers_of(network), data, lambda Y_batch: None, options)
