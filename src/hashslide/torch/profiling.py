"""What share of a training step the head has: is the trunk the bottleneck, or the classes?"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from hashslide.torch.head import SlideLoss
from hashslide.torch.optimizers import RowAdagrad

__all__ = ["Profile", "profile_head"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Profile:
    """Seconds of the parts of one training step.

    Attributes
    ----------
    trunk : float
        Forward and backward of the trunk.
    full : float
        Loss and gradients of a full linear layer with all classes.
    full_update : float
        Adagrad over all its weights.
    sampled : float
        Loss and gradients of a `SlideLoss`.
    sampled_update : float
        `RowAdagrad` over the touched rows.
    num_classes : int
    measured_classes : int
        Of the full layer, whose time is proportional to its classes; fewer than `num_classes` if these would
        take much memory.
    """

    trunk: float
    full: float
    full_update: float
    sampled: float
    sampled_update: float
    num_classes: int
    measured_classes: int

    @property
    def speedup(self) -> float:
        """By how much a whole step becomes faster with a `SlideLoss`."""
        return (self.trunk + self.full + self.full_update) / (self.trunk + self.sampled + self.sampled_update)

    @property
    def break_even(self) -> float:
        """Number of classes at which the full layer costs as much as the trunk."""
        return self.num_classes * self.trunk / max(self.full + self.full_update, 1e-12)

    def __str__(self) -> str:
        whole, slide = self.trunk + self.full + self.full_update, self.sampled + self.sampled_update
        advice = (
            "A SlideLoss makes the step faster."
            if self.speedup > 1.1
            else "A SlideLoss gains little here: the trunk takes the time."
        )
        return (
            f"trunk {1e3 * self.trunk:.1f} ms ({self.trunk / whole:.0%} of a step with the full layer)\n"
            f"full layer of {self.num_classes:,} classes {1e3 * self.full:.1f} ms, "
            f"its update {1e3 * self.full_update:.1f} ms\n"
            f"SlideLoss {1e3 * self.sampled:.1f} ms, its update {1e3 * self.sampled_update:.1f} ms "
            f"({slide / (self.trunk + slide):.0%} of a step with it)\n"
            f"the full layer costs as much as the trunk at {self.break_even:,.0f} classes\n"
            f"a step becomes {self.speedup:.1f} times as fast. {advice}"
        )


def profile_head(
    trunk: nn.Module | Callable[..., Tensor],
    batch: Any,
    num_classes: int,
    *,
    repeats: int = 3,
    max_bytes: int = 2**30,
    **settings: Any,
) -> Profile:
    """Measure where a training step spends its time, with a full output layer and with a `SlideLoss`.

    Parameters
    ----------
    trunk : callable
        From the batch to activations (..., width).
    batch : tensor, tuple or dict
        What the trunk takes, as one argument, as arguments or as keyword arguments.
    num_classes : int
    repeats : int, default 3
        Each time is the median of so many, after one that does not count.
    max_bytes : int, default 2**30
        Memory for the weights of the full layer; beyond it fewer classes are measured, and the time scaled.
    **settings
        Of the `SlideLoss`.

    Returns
    -------
    Profile
        Prints as an answer in words.
    """

    def activations() -> Tensor:
        if isinstance(batch, dict):
            return trunk(**batch)
        return trunk(*batch) if isinstance(batch, tuple | list) else trunk(batch)

    def seconds(run: Callable[[], Any]) -> float:
        times = []
        for _ in range(repeats + 1):
            _wait(device)
            start = time.perf_counter()
            run()
            _wait(device)
            times.append(time.perf_counter() - start)
        return sorted(times[1:])[repeats // 2]

    with torch.no_grad():
        h = activations().flatten(0, -2).float()
    device, width = h.device, h.shape[-1]

    def trunk_step() -> None:
        out = activations()
        torch.autograd.backward(out, torch.ones_like(out))

    trunk_seconds = seconds(trunk_step)
    if isinstance(trunk, nn.Module):
        trunk.zero_grad()
    h.requires_grad_()
    measured = max(2, min(num_classes, max_bytes // (12 * width)))
    full_seconds, update_seconds = _full_layer(h, measured, seconds)
    scale = num_classes / measured
    head = SlideLoss(width, num_classes, device=device, **settings)
    rows = RowAdagrad(head.parameters(), 1e-6)
    y = torch.randint(num_classes, (len(h),), device=device)

    def sampled_step() -> None:
        rows.zero_grad()
        torch.autograd.backward(head(h, y))

    return Profile(
        trunk_seconds,
        full_seconds * scale,
        update_seconds * scale,
        seconds(sampled_step),
        seconds(rows.step),
        num_classes,
        measured,
    )


def _full_layer(
    h: Tensor, num_classes: int, seconds: Callable[[Callable[[], Any]], float]
) -> tuple[float, float]:
    """Return the seconds of loss and gradients, and of the update, of a linear layer."""
    full = nn.Linear(h.shape[1], num_classes, device=h.device)
    adagrad = torch.optim.Adagrad(full.parameters(), 1e-6)
    y = torch.randint(num_classes, (len(h),), device=h.device)

    def step() -> None:
        adagrad.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(full(h), y))

    return seconds(step), seconds(adagrad.step)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
