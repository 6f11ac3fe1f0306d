"""The steps of the optimisers: a program for each row, which is read and written once."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["adagrad_rows", "adam_rows"]


def __dir__() -> list[str]:
    return __all__


GOLDEN = tl.constexpr(0x9E3779B97F4A7C15)
FIRST = tl.constexpr(0xBF58476D1CE4E5B9)
SECOND = tl.constexpr(0x94D049BB133111EB)


@triton.jit
def _mixed(x):
    """Return the core's `mix` of 64-bit words (core/base/rng.h)."""
    x = x + GOLDEN
    x = (x ^ (x >> 30)) * FIRST
    x = (x ^ (x >> 27)) * SECOND
    return x ^ (x >> 31)


@triton.jit
def _store(at, w, key, row, columns, mask, HALF: tl.constexpr):
    """Write a row, rounded to bfloat16 by the core's random numbers where it is of that type."""
    if HALF:
        words = _mixed(_mixed(key ^ row.to(tl.uint64)) + (columns // 4).to(tl.uint64) * GOLDEN)
        halves = ((words >> ((columns % 4) * 16).to(tl.uint64)) & 0xFFFF).to(tl.int32)
        bits = (w.to(tl.int32, bitcast=True) + halves) >> 16
        rounded = bits.to(tl.int16).to(tl.bfloat16, bitcast=True)
        tl.store(at, tl.where(w != w, float("nan"), rounded), mask=mask)
    else:
        tl.store(at, w, mask=mask)


@triton.jit
def _adagrad(weight, ids, gradient, sums, keys, rate, keep, width, HALF: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64)
    row = tl.load(ids + i)
    columns = tl.arange(0, BLOCK)
    mask = columns < width
    g = tl.load(gradient + i * width + columns, mask=mask, other=0.0)
    total = tl.load(sums + row) + tl.sum(g * g, axis=0) / width
    tl.store(sums + row, total)
    at = weight + row * width + columns
    w = tl.load(at, mask=mask, other=0.0).to(tl.float32) * keep - rate / tl.sqrt(total) * g
    _store(at, w, tl.load(keys).to(tl.uint64), row, columns, mask, HALF)


@triton.jit
def _adam(
    weight,
    ids,
    gradient,
    first,
    second,
    steps,
    keys,
    rate,
    beta1,
    beta2,
    eps,
    keep,
    width,
    HAS_FIRST: tl.constexpr,
    HALF: tl.constexpr,
    BLOCK: tl.constexpr,
):
    i = tl.program_id(0).to(tl.int64)
    row = tl.load(ids + i)
    columns = tl.arange(0, BLOCK)
    mask = columns < width
    g = tl.load(gradient + i * width + columns, mask=mask, other=0.0)
    step = tl.load(steps + row) + 1
    tl.store(steps + row, step)
    old = tl.load(second + row)
    square = old + (1 - beta2) * (tl.sum(g * g, axis=0) / width - old)
    tl.store(second + row, square)
    # 1 - beta^step, exact to float32 also for a beta near 1
    scale = tl.sqrt(square / (1 - tl.exp2(step.to(tl.float32) * tl.log2(beta2)))) + eps
    direction = g
    if HAS_FIRST:
        moment = tl.load(first + row * width + columns, mask=mask, other=0.0)
        direction = moment + (1 - beta1) * (g - moment)
        tl.store(first + row * width + columns, direction, mask=mask)
        scale = scale * (1 - tl.exp2(step.to(tl.float32) * tl.log2(beta1)))
    at = weight + row * width + columns
    w = tl.load(at, mask=mask, other=0.0).to(tl.float32) * keep - rate / scale * direction
    _store(at, w, tl.load(keys).to(tl.uint64), row, columns, mask, HALF)


def adagrad_rows(
    weight: Tensor, ids: Tensor, gradient: Tensor, sums: Tensor, rate: float, keep: float, key: int
) -> None:
    """Make a step of `RowAdagrad`; as `hashslide.torch.row_updates.adagrad_rows`."""
    width = gradient.shape[1]
    keys = torch.tensor([key], device=weight.device)
    blocks = {"HALF": weight.dtype == torch.bfloat16, "BLOCK": triton.next_power_of_2(width)}
    if len(ids):
        _adagrad[(len(ids),)](weight, ids, gradient, sums, keys, rate, keep, width, **blocks)
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
) -> None:
    """Make a step of `RowAdam`; as `hashslide.torch.row_updates.adam_rows`."""
    width = gradient.shape[1]
    keys = torch.tensor([key], device=weight.device)
    blocks = {"HALF": weight.dtype == torch.bfloat16, "BLOCK": triton.next_power_of_2(width)}
    has_first = "first" in state
    first = state["first"] if has_first else gradient  # which is not read
    if len(ids):
        _adam[(len(ids),)](
            weight,
            ids,
            gradient,
            first,
            state["second"],
            state["steps"],
            keys,
            rate,
            *betas,
            eps,
            keep,
            width,
            HAS_FIRST=has_first,
            **blocks,
        )
    torch.autograd.graph.increment_version(weight)
