"""Trainings that take turns, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..common.harness import cell, table
from .arms import Head
from .trunks import optimizers

SLICE = 2.0  # seconds that a training has before the next one's turn
Batch = tuple[Tensor, Tensor]


class Point(NamedTuple):
    """An evaluation: steps and seconds of training until then, and the quality."""

    steps: int
    seconds: float
    quality: float


@dataclass
class Budget:
    """How long each training lasts: until either runs out."""

    steps: float = np.inf
    seconds: float = np.inf


@dataclass
class Learner:
    """A trunk, an output layer and the clock of their training.

    Parameters
    ----------
    name
        Of the output layer.
    trunk, head
        The network.
    batch
        Returns the inputs and the classes of a step, the same for all learners.
    rate
        Learning rate of the trunk's Adam.
    """

    name: str
    trunk: nn.Module
    head: Head
    batch: Callable[[int], Batch]
    rate: float
    points: list[Point] = field(default_factory=list)
    step_seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.optimizers = [*optimizers(self.trunk, self.rate), self.head.optimizer]

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return sum(self.step_seconds)

    def progress(self, budget: Budget) -> float:
        """Return the part of the budget that is used."""
        return max(len(self.step_seconds) / budget.steps, self.seconds / budget.seconds)

    def warm_up(self) -> None:
        """Compute one gradient that is thrown away: compilers and pools start before the clock does."""
        inputs, classes = self.batch(0)
        with torch.no_grad():
            h = self.trunk.eval()(inputs)
        self.head.loss(h.requires_grad_(), classes).backward()
        self.head.optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Train on the next batch."""
        inputs, classes = self.batch(len(self.step_seconds))
        self.trunk.train()
        begin = time.perf_counter()
        self.head.loss(self.trunk(inputs), classes).backward()
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step_seconds.append(time.perf_counter() - begin)

    def train(self, budget: Budget, until: float) -> bool:
        """Train for a slice of time; return whether the part `until` of the budget is used."""
        end = self.seconds + SLICE
        while self.progress(budget) < until:
            self.step()
            if self.seconds >= end:
                break
        return self.progress(budget) >= until

    def evaluate(self, quality: Callable[[nn.Module, Head], float]) -> None:
        """Keep the quality that is reached; the clock stands still."""
        self.trunk.eval()
        with torch.no_grad():
            reached = quality(self.trunk, self.head)
        self.points.append(Point(len(self.step_seconds), self.seconds, reached))


def race(
    learners: Iterable[Learner],
    budget: Budget,
    quality: Callable[[nn.Module, Head], float],
    evaluations: int,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Train all learners, a slice of time each in turn, and evaluate each at equal parts of its budget."""
    learners = list(learners)
    for learner in learners:
        learner.warm_up()
    for i in range(1, evaluations + 1):
        waiting = learners
        while waiting:
            ready = [learner for learner in waiting if learner.train(budget, i / evaluations)]
            for learner in ready:
                learner.evaluate(quality)
                say(f"{learner.name}: {learner.points[-1]}")
            waiting = [learner for learner in waiting if learner not in ready]


def seconds_to(points: list[Point], wanted: float, larger_is_better: bool) -> float | None:
    """Return when a quality is reached, between evaluations by a straight line; None if it never is."""
    sign = 1 if larger_is_better else -1
    before: Point | None = None
    for point in points:
        if sign * point.quality >= sign * wanted:
            if before is None:
                return point.seconds
            share = (wanted - before.quality) / (point.quality - before.quality)
            return before.seconds + share * (point.seconds - before.seconds)
        before = point
    return None


def quality_at(points: list[Point], seconds: float) -> float:
    """Return the quality after some seconds, between evaluations by a straight line.

    Before the first evaluation it is that of the first.
    """
    return float(np.interp(seconds, [p.seconds for p in points], [p.quality for p in points]))


def summary(learner: Learner) -> dict[str, Any]:
    """Return what a report keeps of a training."""
    return {
        "arm": learner.name,
        "steps": len(learner.step_seconds),
        "seconds": learner.seconds,
        "ms_per_step": 1000 * median(learner.step_seconds),
        "points": learner.points,
    }


def standings(
    learners: list[Learner], quality: str, larger_is_better: bool, tolerance: float, digits: int
) -> str:
    """Return a table of all trainings beside the first one.

    Parameters
    ----------
    learners
        What was trained; the first is what the others are held against.
    quality
        Its name.
    larger_is_better
        Which way it goes.
    tolerance
        By which share of the first one's last quality a quality may be worse to count as equal.
    digits
        Of the quality.
    """
    first = learners[0]
    last = first.points[-1].quality
    wanted = last * (1 - tolerance if larger_is_better else 1 + tolerance)
    rows = []
    for learner in learners:
        own = learner.points[-1]
        common = min(own.seconds, first.points[-1].seconds)
        needed = seconds_to(learner.points, wanted, larger_is_better)
        step = median(learner.step_seconds)
        rows.append(
            [
                learner.name,
                f"{own.steps:,}",
                f"{own.seconds:.1f}",
                f"{1000 * step:.1f}",
                f"{median(first.step_seconds) / step:.1f}",
                f"{own.quality:.{digits}f}",
                f"{quality_at(learner.points, common):.{digits}f}",
                f"{quality_at(first.points, common):.{digits}f}",
                "not reached" if needed is None else cell(needed, 1),
            ]
        )
    head = [
        "output layer",
        "steps",
        "seconds",
        "ms a step",
        f"{first.name}'s ms / own",
        quality,
        "at equal seconds",
        f"{first.name} then",
        f"seconds to {wanted:.{digits}f}",
    ]
    return table(head, rows)
