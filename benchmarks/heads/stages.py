"""Where a training step spends its time: in the trunk, in the output layer, or in their updates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch import Tensor

from .arms import Head

Stages = dict[str, float]
TITLES = [
    "trunk, ms",
    "its update, ms",
    "output layer, ms",
    "its update, ms",
    "step, ms",
    "output layer's share",
]


def staged_step(
    rows_of: Callable[[], Tensor], head: Head, classes: Tensor, optimizers: Iterable[Any]
) -> Stages:
    """Take a training step; return the seconds of its stages.

    Parameters
    ----------
    rows_of
        Computes what the output layer gets, shape (n, width).
    head
        The output layer.
    classes
        Its classes.
    optimizers
        Of the trunk.
    """
    clock = [time.perf_counter()]

    def done() -> None:
        clock.append(time.perf_counter())

    rows = rows_of()
    done()
    leaf = rows.detach().requires_grad_()
    head.loss(leaf, classes).backward()
    done()
    rows.backward(leaf.grad)
    done()
    _update(optimizers)
    done()
    _update([head.optimizer])
    done()
    forward, own, backward, update, own_update = (b - a for a, b in pairwise(clock))
    return {"trunk": forward + backward, "update": update, "head": own, "head update": own_update}


def medians(step: Callable[[], Stages], n: int) -> Stages:
    """Return the medians of `n` steps, after an unmeasured one."""
    step()
    taken = [step() for _ in range(n)]
    return {name: median(stages[name] for stages in taken) for name in taken[0]}


def cells(stages: Stages) -> list[str]:
    """Return the cells below TITLES."""
    whole = sum(stages.values())
    share = (stages["head"] + stages["head update"]) / whole
    numbers = [stages[name] for name in ("trunk", "update", "head", "head update")]
    return [*(f"{1000 * number:,.1f}" for number in [*numbers, whole]), f"{share:.1%}"]


def _update(optimizers: Iterable[torch.optim.Optimizer]) -> None:
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
