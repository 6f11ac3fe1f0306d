"""The losses, the best classes and the row updates by the core, which borrows the tensors' memory."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashslide import _core
from hashslide.torch.labels import Labels
from hashslide.torch.operations import coalesced_after_backward, shares_of, sparse_rows
from hashslide.torch.sampling import Prior

__all__ = [
    "Draw",
    "adagrad_rows",
    "adam_rows",
    "borrowed",
    "exact_losses",
    "exact_topk",
    "is_core_tensor",
    "sampled_losses",
]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Draw:
    """How the active classes of a step are drawn: what `hashslide.torch.sampling.sample` takes, for the core.

    `found` holds the offsets (N + 1, int64) and the classes (int32) that hashing found for each example.
    """

    negatives: int
    in_batch: bool
    prior: Prior | None
    seed: int
    step: int
    found: tuple[NDArray[np.int64], NDArray[np.int32]] | None = None


def is_core_tensor(tensor: Tensor) -> bool:
    """Tell whether the core can borrow a parameter."""
    return (
        tensor.device.type == "cpu"
        and tensor.dtype in (torch.float32, torch.bfloat16)
        and tensor.is_contiguous()
        and type(tensor) in (Tensor, torch.nn.Parameter)
    )


def borrowed(tensor: Tensor | None) -> Tensor | None:
    """Return a view of the same memory in a type that the core knows: bfloat16 as the integers of its bits."""
    if tensor is None:
        return None
    plain = tensor.detach()
    return plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain


def _label_weight(labels: Labels, class_weight: Tensor | None, is_bce: bool) -> Tensor:
    if not is_bce:
        return shares_of(labels, class_weight)
    return torch.ones(len(labels.ids)) if class_weight is None else class_weight[labels.ids]


class _SampledLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        h: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Labels,
        draw: Draw,
        class_weight: Tensor | None,
        is_bce: bool,
        n_threads: int,
        spare: list[Any],
    ) -> tuple[Tensor, Tensor]:
        work = spare.pop() if spare else _core.SampledHead()
        x, losses, prior = h.detach().float().contiguous(), torch.empty(len(h)), draw.prior
        work.forward(
            *(is_bce, borrowed(weight), borrowed(bias), x),
            *(labels.begin, labels.ids, _label_weight(labels, class_weight, is_bce)),
            *(draw.negatives, draw.in_batch, None if prior is None else prior.counts),
            *(0 if prior is None else prior.n_examples, draw.seed, draw.step, labels.n_counted),
            *(draw.found, losses, n_threads),
        )
        ids = torch.empty(work.size, dtype=torch.int64)
        work.copy_ids(ids)
        ctx.work, ctx.x, ctx.ids, ctx.spare, ctx.n_threads = work, x, ids, spare, n_threads
        ctx.parameters, ctx.dtype = (weight, bias), h.dtype
        ctx.mark_non_differentiable(ids)
        return losses, ids

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        work, ids, (weight, bias) = ctx.work, ctx.ids, ctx.parameters
        if work is None:
            raise RuntimeError(
                "the backward pass of a SlideLoss ran already, and its memory has been freed. Call the head again."
            )
        of_h, of_weight, of_bias = ctx.needs_input_grad[:3]
        dh = torch.empty_like(ctx.x) if of_h else None
        dw = torch.empty((len(ids), weight.shape[1])) if of_weight else None
        db = torch.empty(len(ids)) if of_bias else None
        work.backward(gradients[0].float().contiguous(), dh, dw, db, ctx.n_threads)
        ctx.work, ctx.x, ctx.parameters = None, None, None
        ctx.spare.append(work)
        coalesced_after_backward(weight, bias)
        return (
            None if dh is None else dh.to(ctx.dtype),
            None if dw is None else sparse_rows(ids, dw.to(weight.dtype), len(weight)),
            None if db is None else sparse_rows(ids, db.to(bias.dtype), len(weight)),
            *[None] * 6,
        )


def sampled_losses(
    h: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Labels,
    draw: Draw,
    class_weight: Tensor | None,
    is_bce: bool,
    n_threads: int,
    spare: list[Any],
) -> tuple[Tensor, Tensor]:
    """Return the loss of each example from classes that the core draws, and these classes, rising.

    The losses are as those of `operations.sampled_losses`. `spare` keeps the core's memory between steps.
    """
    return _SampledLosses.apply(h, weight, bias, labels, draw, class_weight, is_bce, n_threads, spare)


class _ExactLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        h: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Labels,
        class_weight: Tensor | None,
        is_bce: bool,
        n_threads: int,
    ) -> Tensor:
        x, losses, log_z = h.detach().float().contiguous(), torch.empty(len(h)), torch.empty(len(h))
        z = torch.empty(len(labels.ids))
        label_weight = _label_weight(labels, class_weight, is_bce)
        known = (labels.begin, labels.ids, label_weight)
        _core.streamed_loss(is_bce, borrowed(weight), borrowed(bias), x, *known, losses, log_z, z, n_threads)
        ctx.save_for_backward(weight, bias)
        ctx.x, ctx.known, ctx.made = x, known, (log_z, z)
        ctx.is_bce, ctx.n_threads, ctx.dtype = is_bce, n_threads, h.dtype
        return losses

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, bias = ctx.saved_tensors
        of_h, of_weight, of_bias = ctx.needs_input_grad[:3]
        dh = torch.empty_like(ctx.x) if of_h else None
        dw = torch.empty(weight.shape) if of_weight else None
        db = torch.empty(len(weight)) if of_bias else None
        _core.streamed_gradient(
            *(ctx.is_bce, borrowed(weight), borrowed(bias), ctx.x, *ctx.known, *ctx.made),
            *(gradients[0].float().contiguous(), dh, dw, db, ctx.n_threads),
        )
        return (
            None if dh is None else dh.to(ctx.dtype),
            None if dw is None else dw.to(weight.dtype),
            None if db is None else db.to(bias.dtype),
            *[None] * 4,
        )


def exact_losses(
    h: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Labels,
    class_weight: Tensor | None,
    is_bce: bool,
    n_threads: int,
) -> Tensor:
    """Return the loss of each example over all classes; as `operations.exact_losses`."""
    return _ExactLosses.apply(h, weight, bias, labels, class_weight, is_bce, n_threads)


@torch.no_grad()
def exact_topk(h: Tensor, weight: Tensor, bias: Tensor | None, k: int, n_threads: int) -> tuple[Tensor, Tensor]:
    """Return the k largest logits and their classes; of equal logits the smaller class comes first."""
    ids, values = torch.empty((len(h), k), dtype=torch.int64), torch.empty((len(h), k))
    x = h.detach().float().contiguous()
    _core.streamed_topk(borrowed(weight), borrowed(bias), x, ids, values, n_threads)
    return values, ids


def _matrix(tensor: Tensor | None) -> Tensor | None:
    """Return a vector as the matrix of one column that it is."""
    return tensor.unsqueeze(1) if tensor is not None and tensor.dim() == 1 else tensor


def adagrad_rows(
    weight: Tensor, ids: Tensor, gradient: Tensor, sums: Tensor, rate: float, keep: float, key: int, n_threads: int
) -> None:
    """Make a step of `RowAdagrad` on the rows `ids` of a matrix, or of a vector."""
    matrices = _matrix(gradient), _matrix(borrowed(weight))
    _core.update_adagrad(ids, *matrices, sums, rate, keep, key, n_threads)
    torch.autograd.graph.increment_version(weight)


def adam_rows(
    weight: Tensor,
    ids: Tensor,
    gradient: Tensor,
    state: dict[str, Tensor],
    rate: float,
    betas: tuple[float, float],
    eps: float,
    keep: float,
    key: int,
    n_threads: int,
) -> None:
    """Make a step of `RowAdam` on the rows `ids` of a matrix, or of a vector."""
    _core.update_adam(
        *(ids, _matrix(gradient), _matrix(borrowed(weight)), _matrix(state.get("first"))),
        *(state["second"], state["steps"]),
        *(rate, *betas, eps, keep, key, n_threads),
    )
    torch.autograd.graph.increment_version(weight)
