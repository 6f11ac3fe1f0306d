"""Trainings on parts of a classifier's data, judged on the rest of them."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import metrics
from hashslide._interface import wording
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.training import TrainingData
from hashslide.tuning.budget import Deadline
from hashslide.tuning.judging import Judge

__all__ = ["Task"]


def __dir__() -> list[str]:
    return __all__


HELD_OUT_SHARE = 0.2
MOST_HELD_OUT = 10_000
FEWEST_HELD_OUT = 40  # of fewer rows, chance would decide


@dataclass(frozen=True)
class Task:
    """What a search tries its settings on.

    Attributes
    ----------
    make : callable
        Returns an untrained classifier with some parameters changed and a seed for each number from 0 on.
    data : TrainingData
        Whose rows are to be trained on, in random order.
    multilabel : bool
    judge : Judge
    clock : callable
        Returns seconds.
    """

    make: Callable[[Mapping[str, Any], int], Any]
    data: TrainingData
    multilabel: bool
    judge: Judge
    clock: Callable[[], float]

    @classmethod
    def cut(
        cls,
        make: Callable[[Mapping[str, Any], int], Any],
        data: TrainingData,
        multilabel: bool,
        held_out: tuple[Csr, Csr] | None,
        monitor: str | None,
        counts: NDArray[np.int64],
        seed: int,
        clock: Callable[[], float],
    ) -> "Task":
        """Return the task of some data; without `held_out`, a fifth of the rows judges, at most 10,000.

        Parameters
        ----------
        make, multilabel, clock
            As the attributes.
        data : TrainingData
            All of it.
        held_out : (x, y) or None
            Other rows to judge by.
        monitor : str or None
            The metric; None: that of early stopping.
        counts : array of shape (n_labels,)
            How many of the rows carry each label.
        seed : int

        Raises
        ------
        InputError
            The metric is not one of `hashslide.metrics.per_example`, or there are too few rows to judge.
        """
        monitor = _checked_monitor(monitor, multilabel)
        n = len(data.rows)
        rows = data.rows[np.random.default_rng([seed, n, 1]).permutation(n)]
        if held_out is None:
            n_held = min(MOST_HELD_OUT, round(HELD_OUT_SHARE * n))
            held, rows = np.sort(rows[:n_held]), rows[n_held:]
            held_out = data.x.take(held), data.y.take(held)
        n_held = held_out[0].n_rows
        if n_held < FEWEST_HELD_OUT:
            needed = round(FEWEST_HELD_OUT / HELD_OUT_SHARE)
            other = wording(
                f"an eval_set of {FEWEST_HELD_OUT}, or call fit",
                f"{FEWEST_HELD_OUT} with --eval, or use train",
            )
            raise InputError(
                f"only {n_held} rows are left to judge settings by; {FEWEST_HELD_OUT} are needed. Give "
                f"{needed} training examples or more, or {other}."
            )
        judge = Judge(*held_out, monitor, metrics.propensity(counts, n))
        shuffled = TrainingData(x=data.x, y=data.y, rows=rows, sample_weight=data.sample_weight)
        return cls(make, shuffled, multilabel, judge, clock)

    @property
    def n_held_out(self) -> int:
        """Rows that judge."""
        return self.judge.x.n_rows

    def run(
        self, changes: Mapping[str, Any], share: float, repeat: int, deadline: float
    ) -> NDArray[np.float64]:
        """Train on a share of the rows with some changes; see `hashslide.tuning.runner.Runner`."""
        data = self.data
        rows = np.sort(data.rows[: max(1, round(share * len(data.rows)))])
        y, classes = data.y.take(rows), np.arange(data.y.n_columns)
        weight = None if data.sample_weight is None else data.sample_weight[rows]
        model = self.make(changes, repeat)
        model.callbacks = [Deadline(self.clock, deadline)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the last training gives those that matter
            if self.multilabel:
                model.fit(data.x.take(rows).to_scipy(), y.to_scipy(), weight)
            else:
                model.fit(data.x.take(rows).to_scipy(), y.indices, weight, classes=classes)
            return self.judge.scores(model)


def _checked_monitor(monitor: str | None, multilabel: bool) -> str:
    """Return the name of a metric; by default that of early stopping."""
    if monitor is None:
        return "nDCG@5" if multilabel else "P@1"
    return metrics.check_per_example("monitor", monitor)
