"""What the two PyTorch methods share: sparse input -> hidden layer -> one logit a label."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from . import Options

HIDDEN = 256
BATCH = 256
LEARNING_RATE = 0.01
PREDICT_BATCH = 512


class TwoLayers(nn.Module):
    """A network with one hidden layer on sparse input."""

    def __init__(self, n_features: int, n_labels: int, *, sparse_output: bool, hidden: int = HIDDEN) -> None:
        super().__init__()
        # Tables, not nn.Linear, so that a step touches only the rows of the batch's features and labels.
        self.input = nn.Embedding(n_features, hidden, sparse=True)
        self.input_bias = nn.Parameter(torch.zeros(hidden))
        self.output = nn.Embedding(n_labels, hidden, sparse=sparse_output)
        self.output_bias = nn.Embedding(n_labels, 1, sparse=sparse_output)
        nn.init.normal_(self.input.weight, std=0.05)
        nn.init.normal_(self.output.weight, std=1 / math.sqrt(hidden))

    def hidden(self, X: csr_matrix) -> Tensor:
        """Return the hidden layer of each row of `X`, shape (n, hidden)."""
        # Each feature once, so that SparseAdam has no repeated rows to sum, as it has after an EmbeddingBag.
        features, local = np.unique(X.indices, return_inverse=True)
        indptr, columns = (
            torch.from_numpy(X.indptr.astype(np.int64)),
            torch.from_numpy(local.astype(np.int64)),
        )
        batch = torch.sparse_csr_tensor(
            indptr, columns, torch.from_numpy(X.data), (X.shape[0], len(features))
        )
        return torch.relu(batch @ self.input(torch.from_numpy(features.astype(np.int64))) + self.input_bias)

    def logits(self, hidden: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits of `labels` (all of them if None), shape (n, len(labels))."""
        if labels is None:
            weight, bias = self.output.weight, self.output_bias.weight
        else:
            weight, bias = self.output(labels), self.output_bias(labels)
        return torch.addmm(bias.squeeze(1), hidden, weight.T)


def start(
    X: csr_matrix, Y: csr_matrix, options: Options, *, sparse_output: bool, hidden: int = HIDDEN
) -> TwoLayers:
    """Return the network before training, with PyTorch's threads and seed set."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    network = TwoLayers(X.shape[1], Y.shape[1], sparse_output=sparse_output, hidden=hidden)
    frequency = (np.asarray(Y.sum(axis=0)).ravel() + 0.5) / (Y.shape[0] + 1)
    log_odds = np.log(frequency) - np.log1p(-frequency)
    network.output_bias.weight.data[:, 0] = torch.from_numpy(log_odds.astype(np.float32))
    return network


def batches(X: csr_matrix, Y: csr_matrix, options: Options) -> Iterator[tuple[csr_matrix, csr_matrix]]:
    """Yield the shuffled batches of all epochs."""
    rng = np.random.default_rng(options.seed)
    for _ in range(options.torch_epochs):
        order = rng.permutation(X.shape[0])
        for begin in range(0, len(order), BATCH):
            rows = order[begin : begin + BATCH]
            yield X[rows], Y[rows]


def train(
    network: TwoLayers,
    optimizers: list[torch.optim.Optimizer],
    data: tuple[csr_matrix, csr_matrix],
    choose_active: Callable[[csr_matrix], NDArray[np.int64] | None],
    options: Options,
) -> TwoLayers:
    """Train with binary cross-entropy over the labels that `choose_active` picks for a batch (None: all)."""
    X, Y = data
    n_steps = math.ceil(X.shape[0] / BATCH) * options.torch_epochs
    for step, (X_batch, Y_batch) in enumerate(batches(X, Y, options)):
        set_learning_rate(optimizers, LEARNING_RATE * (1 - step / n_steps))
        loss = batch_loss(network, X_batch, Y_batch, choose_active(Y_batch))
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    return network


def set_learning_rate(optimizers: list[torch.optim.Optimizer], rate: float) -> None:
    """Set the learning rate of all `optimizers`."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate


def batch_loss(network: TwoLayers, X: csr_matrix, Y: csr_matrix, active: NDArray[np.int64] | None) -> Tensor:
    """Return the binary cross-entropy over the `active` labels, summed over labels, mean over rows."""
    if active is None:
        logits, targets = network.logits(network.hidden(X)), Y
    else:
        logits, targets = network.logits(network.hidden(X), torch.from_numpy(active)), Y[:, active]
    loss = binary_cross_entropy_with_logits(logits, torch.from_numpy(targets.toarray()), reduction="sum")
    return loss / X.shape[0]


@torch.inference_mode()
def predict_topk(model: TwoLayers, X: csr_matrix, k: int, options: Options) -> NDArray[np.int64]:
    """Return the `k` best label ids of each row, shape (n, k), from all logits."""
    chunks = (X[begin : begin + PREDICT_BATCH] for begin in range(0, X.shape[0], PREDICT_BATCH))
    return np.vstack([model.logits(model.hidden(chunk)).topk(k).indices.numpy() for chunk in chunks])
