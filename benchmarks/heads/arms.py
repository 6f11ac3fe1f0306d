"""The output layers that the comparisons set side by side, each with its optimiser.

All linear layers start from the same weights and are evaluated by the same code, which scores every class,
whatever was sampled in training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from hashslide.torch import RowAdagrad, SlideLoss

SCORES = 2**26  # scores that an evaluation holds at once
CUTOFFS = (0.02, 0.1, 0.5)  # of AdaptiveLogSoftmaxWithLoss, as shares of the classes
NARROWING = 2.0  # factor from the width of one of its clusters to that of the next

OPTIMIZERS = {"adagrad": torch.optim.Adagrad, "adam": torch.optim.Adam}
ACCUMULATOR = 1e-10  # what the sums of squared gradients start at: losses are means over a batch


@dataclass(frozen=True)
class Task:
    """What an output layer is made for.

    Parameters
    ----------
    width
        Units of the trunk's last layer.
    counts
        How often each class occurs in training, shape (n_classes,).
    rate
        Learning rate of the layers that compute some classes of a step, with RowAdagrad.
    full_rate, full_optimizer
        Learning rate and optimiser, a key of OPTIMIZERS, of those that compute all: a step moves all their
        rows.
    negatives
        Sampled classes of a batch, where some are sampled.
    threads
        Of the output layers that start their own.
    seed
        Of the first weights and of the samples.
    """

    width: int
    counts: Tensor
    rate: float = 0.1
    full_rate: float = 0.05
    full_optimizer: str = "adagrad"
    negatives: int = 8192
    threads: int = 2
    seed: int = 0

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.counts)


class Head:
    """A linear output layer: its loss of (h, y), and what updates it."""

    def __init__(
        self, loss: Callable[[Tensor, Tensor], Tensor], weight: Tensor, bias: Tensor, optimizer: Any
    ):
        self.loss, self.weight, self.bias, self.optimizer = loss, weight, bias, optimizer

    def nll(self, h: Tensor, y: Tensor) -> Tensor:
        """Return the exact negative log-likelihood of each row, shape (n,)."""
        parts = zip(h.split(self._rows()), y.split(self._rows()), strict=True)
        return torch.cat([cross_entropy(self._scores(a), b, reduction="none") for a, b in parts])

    def topk(self, h: Tensor, k: int) -> Tensor:
        """Return the classes of the `k` largest scores of each row, shape (n, k)."""
        return torch.cat([self._scores(part).topk(k).indices for part in h.split(self._rows())])

    def _scores(self, h: Tensor) -> Tensor:
        return linear(h, self.weight, self.bias)

    def _rows(self) -> int:
        return max(1, SCORES // len(self.weight))


class AdaptiveHead(Head):
    """``nn.AdaptiveLogSoftmaxWithLoss``, which wants the classes in the order of their frequency."""

    def __init__(self, task: Task):
        n = task.n_classes
        torch.manual_seed(task.seed)
        cutoffs = sorted({max(1, int(share * n)) for share in CUTOFFS} - {n})
        self.module = nn.AdaptiveLogSoftmaxWithLoss(task.width, n, cutoffs, NARROWING)
        self.order = task.counts.argsort(descending=True, stable=True)
        self.rank = self.order.argsort()
        optimizer = OPTIMIZERS[task.full_optimizer](self.module.parameters(), task.full_rate, fused=True)
        super().__init__(lambda h, y: self.module(h, self.rank[y]).loss, self.order, self.order, optimizer)

    def nll(self, h: Tensor, y: Tensor) -> Tensor:
        """Return the exact negative log-likelihood of each row, shape (n,)."""
        return -self.module(h, self.rank[y]).output

    def _scores(self, h: Tensor) -> Tensor:
        scores = torch.empty(len(h), len(self.order))
        scores[:, self.order] = self.module.log_prob(h)
        return scores


def native(task: Task, compiled: bool = False) -> Head:
    """PyTorch's full softmax; its option of computing in chunks took ten times as long on a CPU."""
    module = nn.LinearCrossEntropyLoss(task.width, task.n_classes, bias=True)
    set_weights(module.linear.weight, module.linear.bias, task)
    optimizer = OPTIMIZERS[task.full_optimizer](module.parameters(), task.full_rate, fused=True)
    loss = torch.compile(module) if compiled else module
    return Head(loss, module.linear.weight, module.linear.bias, optimizer)


def torch_sampled(task: Task) -> Head:
    """What a few lines of PyTorch achieve: uniform negatives, corrected by log Q, and sparse gradients."""
    weight = nn.Embedding(task.n_classes, task.width, sparse=True)
    bias = nn.Embedding(task.n_classes, 1, sparse=True)
    set_weights(weight.weight, bias.weight, task)
    generator = torch.Generator().manual_seed(task.seed)
    log_chance = torch.log(torch.tensor(task.negatives / task.n_classes))

    def loss(h: Tensor, y: Tensor) -> Tensor:
        negatives = torch.randint(task.n_classes, (task.negatives,), generator=generator)
        scores = linear(h, weight(negatives), bias(negatives).view(-1)) - log_chance
        scores = scores.masked_fill(y[:, None] == negatives, -torch.inf)
        own = (h * weight(y)).sum(1) + bias(y).view(-1)
        return (torch.logaddexp(own, scores.logsumexp(1)) - own).mean()

    optimizer = updates([weight.weight, bias.weight], task)
    return Head(loss, weight.weight, bias.weight.view(-1), optimizer)


def slide(task: Task, **options: Any) -> Head:
    """``SlideLoss``; by default the batch's labels and uniform classes are the negatives."""
    settings = {"counts": task.counts, "negatives": task.negatives} | options
    module = SlideLoss(task.width, task.n_classes, n_jobs=task.threads, random_state=task.seed, **settings)
    set_weights(module.weight, module.bias, task)
    return Head(module, module.weight, module.bias, updates(module.parameters(), task))


def updates(parameters: Iterable[nn.Parameter], task: Task) -> RowAdagrad:
    """Return the optimiser of the layers that compute some classes of a step."""
    return RowAdagrad(parameters, task.rate, initial_accumulator=ACCUMULATOR)


def set_weights(weight: Tensor, bias: Tensor, task: Task) -> None:
    """Draw weights of variance 1 / width, and set each bias to the log of its class's share."""
    generator = torch.Generator().manual_seed(task.seed)
    with torch.no_grad():
        weight.normal_(std=task.width**-0.5, generator=generator)
        bias.copy_(torch.log((task.counts + 1) / (task.counts + 1).sum()).view_as(bias))


ARMS: dict[str, Callable[[Task], Head]] = {
    "native": native,
    "native-compiled": partial(native, compiled=True),
    "adaptive": AdaptiveHead,
    "torch-sampled": torch_sampled,
    "slide": slide,
    "batch": partial(slide, negatives=0),
    "uniform": partial(slide, in_batch=False),
    "exact": partial(slide, hash="exact"),
    "lsh": partial(slide, hash="simhash"),
}


def make(names: Iterable[str], task: Task) -> dict[str, Head]:
    """Return the named output layers."""
    return {name: ARMS[name](task) for name in names}
