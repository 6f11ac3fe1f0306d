"""The sampled losses: two passes over the logits (N, A) instead of the eight or so of torch operations.

The correction is part of the product's bias, b - log r. Forward, one pass finds log Z of each example;
backward, another turns the logits into their gradients in place.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from hashslide.torch.labels import Labels
from hashslide.torch.operations import coalesced_after_backward, shares_of, sparse_rows
from hashslide.torch.sampling import Sample

__all__ = ["sampled_losses"]


def __dir__() -> list[str]:
    return __all__


BLOCK = 1024  # logits that a program holds at once


@triton.jit
def _softplus(z):
    return tl.maximum(z, 0.0) + tl.log(1 + tl.exp(-tl.abs(z)))


@triton.jit
def _totals(z, out, n, IS_BCE: tl.constexpr, BLOCK: tl.constexpr):
    """Sum softplus(z) of each row, or find the log of its sum of exp(z)."""
    row = tl.program_id(0).to(tl.int64)
    top = tl.full((), float("-inf"), tl.float32)
    total = tl.full((), 0.0, tl.float32)
    for begin in range(0, n, BLOCK):
        columns = begin + tl.arange(0, BLOCK)
        values = tl.load(z + row * n + columns, mask=columns < n, other=float("-inf"))
        if IS_BCE:
            total += tl.sum(tl.where(values > float("-inf"), _softplus(values), 0.0), axis=0)
        else:
            higher = tl.maximum(top, tl.max(values, axis=0))
            base = tl.where(higher > float("-inf"), higher, 0.0)
            total = total * tl.exp(top - base) + tl.sum(tl.exp(values - base), axis=0)
            top = higher
    tl.store(out + row, total if IS_BCE else top + tl.log(total))


@triton.jit
def _gradients(z, totals, factors, n, IS_BCE: tl.constexpr, BLOCK: tl.constexpr):
    """Turn logits into factor * sigmoid(z), or factor * exp(z - log Z), in place."""
    row = tl.program_id(0).to(tl.int64)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    at = z + row * n + columns
    values = tl.load(at, mask=columns < n, other=float("-inf"))
    factor = tl.load(factors + row)
    slope = 1 / (1 + tl.exp(-values)) if IS_BCE else tl.exp(values - tl.load(totals + row))
    tl.store(at, tl.where(values > float("-inf"), factor * slope, 0.0), mask=columns < n)


class _SampledLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        h: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Labels,
        drawn: Sample,
        class_weight: Tensor | None,
        is_bce: bool,
    ) -> Tensor:
        x, rows = h.float(), weight[drawn.ids].float()
        own_bias = torch.zeros_like(drawn.shift) if bias is None else bias[drawn.ids].float()
        z = torch.addmm(own_bias - drawn.shift, x, rows.T)
        own = (x[labels.rows] * rows[drawn.places]).sum(1) + own_bias[drawn.places]
        if is_bce:
            own = own - drawn.target_shift
        z[labels.rows, drawn.places] = own
        totals = torch.empty(len(x), device=x.device)
        _totals[(len(x),)](z, totals, z.shape[1], IS_BCE=is_bce, BLOCK=BLOCK)
        if is_bce:
            positive = torch.ones_like(own) if class_weight is None else class_weight[labels.ids]
            softplus = torch.nn.functional.softplus
            losses = totals.index_add(0, labels.rows, positive * softplus(-own) - softplus(own))
        else:
            positive = shares_of(labels, class_weight)
            losses = torch.zeros_like(totals).index_add(
                0, labels.rows, positive * (totals[labels.rows] - own)
            )
        ctx.made = x, rows, z, own, totals, positive
        ctx.labels, ctx.drawn, ctx.is_bce = labels, drawn, is_bce
        ctx.parameters, ctx.dtype = (weight, bias), h.dtype
        return losses

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.made is None:
            raise RuntimeError(
                "the backward pass of a SlideLoss ran already, and its memory is freed. Call the head again."
            )
        x, rows, z, own, totals, positive = ctx.made
        labels, drawn = ctx.labels, ctx.drawn
        weight, bias = ctx.parameters
        g = gradients[0].float()
        of_labels = g[labels.rows] * positive
        factors = g.contiguous() if ctx.is_bce else torch.zeros_like(g).index_add(0, labels.rows, of_labels)
        grid = (len(x), triton.cdiv(z.shape[1], BLOCK))
        _gradients[grid](z, totals, factors, z.shape[1], IS_BCE=ctx.is_bce, BLOCK=BLOCK)
        at = labels.rows, drawn.places
        if ctx.is_bce:
            z[at] = -of_labels * torch.sigmoid(-own)
        else:
            z[at] -= of_labels
        ctx.made = None
        coalesced_after_backward(weight, bias)
        of_h, of_weight, of_bias = ctx.needs_input_grad[:3]
        n = len(weight)
        return (
            (z @ rows).to(ctx.dtype) if of_h else None,
            sparse_rows(drawn.ids, (z.T @ x).to(weight.dtype), n) if of_weight else None,
            sparse_rows(drawn.ids, z.sum(0).to(bias.dtype), n) if of_bias else None,
            *[None] * 4,
        )


def sampled_losses(
    h: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Labels,
    drawn: Sample,
    class_weight: Tensor | None,
    is_bce: bool,
) -> Tensor:
    """Return the loss of each example (N,); as `hashslide.torch.operations.sampled_losses`."""
    return _SampledLosses.apply(h, weight, bias, labels, drawn, class_weight, is_bce)
