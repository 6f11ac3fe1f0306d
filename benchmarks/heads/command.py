"""What the commands of this folder share: their options, the trainings, the report."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..common.harness import Report, say
from .arms import ARMS, OPTIMIZERS, Head, Task, make
from .race import Batch, Budget, Learner, race, standings, summary


def parser(description: str | None, **defaults: object) -> argparse.ArgumentParser:
    """Return a parser of the options that all trainings have.

    Parameters
    ----------
    description
        The module's docstring.
    defaults
        Of the options, by their names with underscores.
    """
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("folder", type=Path, help="where the data are built, unless they are there")
    made.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS), metavar="ARM")
    made.add_argument("--steps", type=float, default=float("inf"), help="of each training")
    made.add_argument("--seconds", type=float, default=float("inf"), help="of each training")
    made.add_argument("--evaluations", type=int, default=8)
    made.add_argument("--width", type=int, default=128, help="units below the output layer")
    made.add_argument("--batch", type=int, default=256, help="examples of a step")
    made.add_argument("--rate", type=float, default=0.002, help="learning rate of the trunk's Adam")
    made.add_argument(
        "--head-rate",
        type=float,
        default=0.1,
        help="learning rate of RowAdagrad where some classes of a step are computed",
    )
    made.add_argument(
        "--full-rate",
        type=float,
        default=0.05,
        help="learning rate where all classes are computed",
    )
    made.add_argument(
        "--full-optimizer",
        choices=list(OPTIMIZERS),
        default="adagrad",
        help="of the layers that compute all classes",
    )
    made.add_argument("--negatives", type=int, default=8192, help="sampled classes of a step")
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--out", type=Path, help="JSON file of all evaluations")
    made.set_defaults(**defaults)
    return made


def task_of(options: argparse.Namespace, counts: Tensor) -> Task:
    """Return the task that the options describe."""
    return Task(
        width=options.width,
        counts=counts,
        rate=options.head_rate,
        full_rate=options.full_rate,
        full_optimizer=options.full_optimizer,
        negatives=options.negatives,
        threads=options.threads,
        seed=options.seed,
    )


def compete(
    options: argparse.Namespace,
    counts: Tensor,
    trunk: Callable[[], nn.Module],
    batch: Callable[[int], Batch],
    quality: Callable[[nn.Module, Head], float],
    name: str,
    larger_is_better: bool,
    tolerance: float = 0.0,
    digits: int = 4,
) -> list[Learner]:
    """Train every output layer that the options name on trunks with the same first weights; print the table.

    Parameters
    ----------
    options
        Of :func:`parser`.
    counts
        How often each class occurs in training.
    trunk
        Makes one.
    batch
        Returns the inputs and classes of a step.
    quality
        Evaluates a trunk and its output layer.
    name, larger_is_better, tolerance, digits
        Of the quality; see ``race.standings``.
    """
    torch.set_num_threads(options.threads)
    task = task_of(options, counts)
    learners = []
    for arm, head in make(options.arms, task).items():
        torch.manual_seed(options.seed)
        learners.append(Learner(arm, trunk(), head, batch, options.rate))
    race(learners, Budget(options.steps, options.seconds), quality, options.evaluations, say)
    report = Report(options.out, options)
    for learner in learners:
        report.add(summary(learner))
    print(standings(learners, name, larger_is_better, tolerance, digits))
    return learners
