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


def borrowed(tensor: Tensor) -> NDArray[Any]:
    """Return an array of the same memory; bfloat16 comes as the integers of its bits."""
    plain = tensor.detach()
    return (plain.view(torch.int16) if plain.dtype == torch.bfloat16 else plain).numpy()


def _borrowed(tensor: Tensor | None) -> NDArray[Any] | None:
    return None if tensor is None else borrowed(tensor)


Inputs = tuple[bool, Any, Any, Any, Any, Any, Any]


def _inputs(
    h: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Labels,
    class_weight: Tensor | None,
    is_bce: bool,
) -> Inputs:
    """Return what all losses of the core begin with: its kind, the layer, the activations, the labels."""
    if is_bce:
        counts = torch.ones(len(labels.ids)) if class_weight is None else class_weight[labels.ids]
    else:
        counts = shares_of(labels, class_weight)
    layer, x = (borrowed(weight), _borrowed(bias)), h.detach().float().contiguous()
    return is_bce, *layer, borrowed(x), borrowed(labels.begin), borrowed(labels.ids), borrowed(counts)


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
        losses, prior = torch.empty(len(h)), draw.prior
        inputs = _inputs(h, weight, bias, labels, class_weight, is_bce)
        work.forward(
            *inputs,
            draw.negatives,
            draw.in_batch,
            None if prior is None else borrowed(prior.counts),
            0 if prior is None else prior.n_examples,
            draw.seed,
            draw.step,
            labels.n_counted,
            draw.found,
            borrowed(losses),
            n_threads,
        )
        ids = torch.empty(work.size, dtype=torch.int64)
        work.copy_ids(borrowed(ids))
        ctx.work, ctx.inputs, ctx.ids, ctx.spare, ctx.n_threads = work, inputs, ids, spare, n_threads
        ctx.parameters, ctx.h = (weight, bias), (h.shape, h.dtype)
        ctx.mark_non_differentiable(ids)
        return losses, ids

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        work, ids = ctx.work, ctx.ids
        if work is None:
            raise RuntimeError(
                "the backward pass of a SlideLoss ran already, and its memory is freed. Call the head again."
            )
        weight, bias = ctx.parameters
        of_h, of_weight, of_bias = ctx.needs_input_grad[:3]
        shape, dtype = ctx.h
        dh = torch.empty(shape) if of_h else None
        dw = torch.empty((len(ids), weight.shape[1])) if of_weight else None
        db = torch.empty(len(ids)) if of_bias else None
        g = borrowed(gradients[0].float().contiguous())
        work.backward(g, _borrowed(dh), _borrowed(dw), _borrowed(db), ctx.n_threads)
        ctx.work, ctx.inputs, ctx.parameters = None, None, None
        ctx.spare.append(work)
        coalesced_after_backward(weight, bias)
        return (
            None if dh is None else dh.to(dtype),
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
    return _SampledLosses.apply(  # type: ignore[no-untyped-call]
        h, weight, bias, labels, draw, class_weight, is_bce, n_threads, spare
    )


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
        losses, log_z, z = torch.empty(len(h)), torch.empty(len(h)), torch.empty(len(labels.ids))
        inputs, made = _inputs(h, weight, bias, labels, class_weight, is_bce), (borrowed(log_z), borrowed(z))
        _core.streamed_loss(*inputs, borrowed(losses), *made, n_threads)
        ctx.save_for_backward(weight, bias)  # which refuses what was changed in place since
        ctx.inputs, ctx.made, ctx.n_threads, ctx.h = inputs, made, n_threads, (h.shape, h.dtype)
        return losses

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, bias = ctx.saved_tensors
        of_h, of_weight, of_bias = ctx.needs_input_grad[:3]
        shape, dtype = ctx.h
        dh = torch.empty(shape) if of_h else None
        dw = torch.empty(weight.shape) if of_weight else None
        db = torch.empty(len(weight)) if of_bias else None
        g = borrowed(gradients[0].float().contiguous())
        inputs: Inputs = ctx.inputs
        log_z, z = ctx.made
        out = (_borrowed(dh), _borrowed(dw), _borrowed(db))
        _core.streamed_gradient(*inputs, log_z, z, g, *out, ctx.n_threads)
        return (
            None if dh is None else dh.to(dtype),
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
    return _ExactLosses.apply(  # type: ignore[no-untyped-call]
        h, weight, bias, labels, class_weight, is_bce, n_threads
    )


@torch.no_grad()
def exact_topk(
    h: Tensor, weight: Tensor, bias: Tensor | None, k: int, n_threads: int
) -> tuple[Tensor, Tensor]:
    """Return the k largest logits and their classes; of equal logits the smaller class comes first."""
    ids, values = torch.empty((len(h), k), dtype=torch.int64), torch.empty((len(h), k))
    x = h.detach().float().contiguous()
    _core.streamed_topk(
        borrowed(weight), _borrowed(bias), borrowed(x), borrowed(ids), borrowed(values), n_threads
    )
    return values, ids


def _matrix(tensor: Tensor) -> NDArray[Any]:
    """Borrow a matrix, or a vector as the matrix of one column that it is."""
    return borrowed(tensor).reshape(len(tensor), -1)


def adagrad_rows(
    weight: Tensor,
    ids: Tensor,
    gradient: Tensor,
    sums: Tensor,
    rate: float,
    keep: float,
    key: int,
    n_threads: int,
) -> None:
    """Make a step of `RowAdagrad` on the rows `ids` of a matrix, or of a vector."""
    _core.update_adagrad(
        borrowed(ids), _matrix(gradient), _matrix(weight), borrowed(sums), rate, keep, key, n_threads
    )
    torch.autograd.graph.increment_version(weight)


def adam_rows(
    weight: Tensor,
    ids: Tensor,
    gradient: Tensor,
    state: dict[str, Any],
    rate: float,
    betas: tuple[float, float],
    eps: float,
    keep: float,
    key: int,
    n_threads: int,
) -> None:
    """Make a step of `RowAdam` on the rows `ids` of a matrix, or of a vector."""
    _core.update_adam(
        borrowed(ids),
        _matrix(gradient),
        _matrix(weight),
        _matrix(state["first"]) if "first" in state else None,
        borrowed(state["second"]),
        borrowed(state["steps"]),
        rate,
        *betas,
        eps,
        keep,
        key,
        n_threads,
    )
    torch.autograd.graph.increment_version(weight)
