"""The steps of the optimisers on some rows of a parameter, in torch operations for any device."""

from typing import Any

import torch
from torch import Tensor

from hashslide.torch.random import narrowed_randomly

__all__ = ["adagrad_rows", "adam_rows"]


def __dir__() -> list[str]:
    return __all__


def adagrad_rows(
    weight: Tensor, ids: Tensor, gradient: Tensor, sums: Tensor, rate: float, keep: float, key: int
) -> None:
    """Make a step of `RowAdagrad` on the rows `ids` of a parameter.

    Parameters
    ----------
    weight : Tensor of shape (C, ...), float32 or bfloat16
        With D numbers a row.
    ids : int64 tensor of shape (n,)
        Each once.
    gradient : float32 tensor of shape (n, D)
    sums : float32 tensor of shape (C,)
        Of the squares so far.
    rate, keep : float
        The learning rate, and what is left of a weight before the step.
    key : int
        What weights of bfloat16 are rounded by.
    """
    sums[ids] += gradient.square().mean(1)
    step = rate / sums[ids].sqrt()
    _move(weight, ids, step[:, None] * gradient, keep, key)


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
    """Make a step of `RowAdam` on the rows `ids` of a matrix.

    `state` holds "first", of the weight's shape, unless the first beta is 0, "second" (C,) and "steps" (C,);
    the other parameters are as those of `adagrad_rows`.
    """
    beta1, beta2 = betas
    state["steps"][ids] += 1
    steps = state["steps"][ids].double()
    second = state["second"][ids].lerp(gradient.square().mean(1), 1 - beta2)
    state["second"][ids] = second
    scale = (second / (1 - beta2**steps).float()).sqrt() + eps
    direction = gradient
    if "first" in state:
        direction = state["first"][ids].reshape(gradient.shape).lerp(gradient, 1 - beta1)
        state["first"][ids] = direction.view(len(ids), *weight.shape[1:])
        scale = scale * (1 - beta1**steps).float()
    _move(weight, ids, rate / scale[:, None] * direction, keep, key)


def _move(weight: Tensor, ids: Tensor, by: Tensor, keep: float, key: int) -> None:
    rows = weight[ids].reshape(by.shape).float() * keep - by
    is_half = weight.dtype == torch.bfloat16
    moved = narrowed_randomly(rows, key, ids) if is_half else rows.to(weight.dtype)
    weight[ids] = moved.view(len(ids), *weight.shape[1:])
