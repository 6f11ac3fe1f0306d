"""The training of a linear model by stochastic gradient descent, on checked arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.errors import InputError

Features = NDArray[np.float32] | tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True)
class LinearState:
    """What a training goes on from: weights (width + 1,), the intercept last, and squared gradients."""

    weights: NDArray[np.float32]
    squares: NDArray[np.float32]
    steps: int

    @classmethod
    def new(cls, width: int) -> "LinearState":
        """Return the state before the first step."""
        return cls(np.zeros(width + 1, np.float32), np.zeros(width + 1, np.float32), 0)


@dataclass(frozen=True)
class Stopping:
    """When a training ends: after `epochs`, or once `patience` of them in a row have not gained `tol`."""

    epochs: int
    tol: float | None
    patience: int


@dataclass(frozen=True)
class Problem:
    """The examples of one linear model.

    Parameters
    ----------
    x : float32 array of shape (n, width), or the (indptr, indices, data) of a CSR matrix
    y : float32 array of shape (n,)
        For the logistic loss -1 or 1.
    importance : float32 array of shape (n,), or None
        Of each example in the objective, with the mean 1.
    loss : {"squared", "logistic"}
    """

    x: Features
    y: NDArray[np.float32]
    importance: NDArray[np.float32] | None
    loss: str
    fit_intercept: bool


def train(
    problem: Problem, state: LinearState, settings: Mapping[str, Any], stopping: Stopping, n_threads: int
) -> tuple[LinearState, list[float]]:
    """Return the state after the training, and the objective's estimate of each epoch.

    Raises
    ------
    InputError
        The training diverges.
    """
    model = _core.LinearModel(len(state.weights) - 1)
    model.weights, model.squares, model.steps = state.weights, state.squares, state.steps
    training = _core.LinearSgd(
        model,
        problem.x,
        problem.y,
        problem.importance,
        problem.loss,
        problem.fit_intercept,
        dict(settings),
        n_threads,
    )
    curve: list[float] = []
    best, waited = np.inf, 0
    for epoch in range(1, stopping.epochs + 1):
        loss = training.run_epoch()
        weights = model.weights
        with np.errstate(over="ignore", invalid="ignore"):
            objective = loss + settings["alpha"] / 2 * float(weights[:-1] @ weights[:-1])
        if not (np.isfinite(objective) and np.isfinite(weights).all()):
            raise InputError(
                f"the training diverged in epoch {epoch} with eta0={settings['eta0']:g}. "
                "Take a smaller eta0, or scale the columns of X to about the same size."
            )
        curve.append(objective)
        waited = 0 if stopping.tol is None or objective < best - stopping.tol else waited + 1
        best = min(best, objective)
        if waited >= stopping.patience:
            break
    return LinearState(model.weights, model.squares, model.steps), curve
