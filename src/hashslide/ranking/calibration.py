"""Logistic regression, and scores as probabilities by it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.ranking.judging import JudgedPairs

__all__ = ["logistic_regression", "platt_scaling", "temperature"]


def __dir__() -> list[str]:
    return __all__


NEWTON_STEPS = 25

_Floats = NDArray[np.floating[Any]]


def platt_scaling(score: _Floats, is_true: NDArray[np.bool_], weight: _Floats) -> tuple[float, float]:
    """Return a, c of the largest weighted likelihood of truth ~ sigmoid(a score + c); (1, 0) unless a > 0."""
    n_true, n_false = float(weight[is_true].sum()), float(weight[~is_true].sum())
    # As if the labels had been less certain (Platt): separable ones have a maximum, too.
    target = np.where(is_true, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
    columns = np.column_stack([score, np.ones(len(score))])
    slope, intercept = logistic_regression(columns, target, weight, 0.0, np.array([1.0, 0.0]))
    return (float(slope), float(intercept)) if slope > 0 else (1.0, 0.0)


def logistic_regression(
    columns: _Floats, target: _Floats, weight: _Floats, ridge: float, start: _Floats
) -> _Floats:
    """Return the coefficients of the largest weighted likelihood of target ~ sigmoid(columns @ p).

    By Newton's method. ridge: of all coefficients but the last, which is the intercept. Nothing is summed by
    BLAS, whose order depends on its threads.
    """
    penalty = np.append(np.full(len(start) - 1, 2 * ridge), 0.0)

    def loss(p: _Floats) -> float:
        q = np.einsum("ij,j", columns, p)
        return float((weight * (np.logaddexp(0, q) - target * q)).sum() + (penalty * p**2).sum() / 2)

    p, now = start, loss(start)
    for _ in range(NEWTON_STEPS):
        sigmoid = 1 / (1 + np.exp(-np.clip(np.einsum("ij,j", columns, p), -500, 500)))
        gradient = np.einsum("ij,i", columns, weight * (sigmoid - target)) + penalty * p
        curvature = np.einsum("ij,ik", columns * (weight * sigmoid * (1 - sigmoid))[:, None], columns)
        step = np.linalg.solve(curvature + np.diag(penalty + 1e-9), gradient)
        while (then := loss(p - step)) > now and np.abs(step).max() > 1e-6:
            step /= 2
        if not then < now:
            break
        p, now, is_done = p - step, then, np.abs(step).max() < 1e-5
        if is_done:
            break
    return p


def temperature(s: _Floats, pairs: JudgedPairs) -> float:
    """Return the slope a of the largest likelihood of the true labels under softmax(a s) of each row."""
    row = pairs.row
    first = np.searchsorted(row, np.arange(len(pairs.n_labels)))

    def loss(slope: float) -> float:
        q = slope * s
        top = np.maximum.reduceat(q, first)
        mass = np.add.reduceat(pairs.weight * np.exp(q - top[row]), first)
        return float(((top + np.log(mass))[row] - q)[pairs.is_true].sum())

    slopes = np.exp(np.linspace(np.log(0.25), np.log(4), 49))
    slopes[24] = 1.0
    return float(slopes[int(np.argmin([loss(slope) for slope in slopes]))])
