"""Small problems for the tests of sampled gradient descent."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import scale

from hashslide import _core

SAMPLINGS = ("lsh", "gradient_norm", "uniform")


def breast_cancer() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a logistic problem: standardised columns, targets of -1 and 1."""
    X, y = load_breast_cancer(return_X_y=True)
    return scale(X).astype(np.float32), np.where(y > 0, 1, -1).astype(np.float32)


def diabetes() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a regression: standardised columns and targets."""
    X, y = load_diabetes(return_X_y=True)
    return scale(X).astype(np.float32), scale(y).astype(np.float32)


PROBLEMS = {"logistic": breast_cancer, "squared": diabetes}


def training(loss: str, sampling: str, **settings: Any) -> tuple[Any, Any]:
    """Return the core's model and training of a problem."""
    X, y = PROBLEMS[loss]()
    model = _core.LinearModel(X.shape[1])
    defaults = {
        "sampling": sampling,
        "learning_rate": "adagrad",
        "hash": "simhash",
        "tables": 20,
        "hashes": 4,
        "uniform_share": 0.25,
        "seed": 3,
    }
    return model, _core.LinearSgd(model, X, y, None, loss, True, defaults | settings, 1)


def some_weights(loss: str) -> NDArray[np.float32]:
    """Return weights with the intercept, of a model on its way."""
    X, y = PROBLEMS[loss]()
    return np.append(0.1 * (X.T @ y) / len(y), np.float32(0.05)).astype(np.float32)


def gradients(loss: str, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the gradient of each example's loss, (n, width + 1)."""
    X, y = (a.astype(np.float64) for a in PROBLEMS[loss]())
    scores = X @ weights[:-1] + weights[-1]
    slopes = scores - y if loss == "squared" else -y / (1 + np.exp(y * scores))
    return slopes[:, None] * np.c_[X, np.ones(len(X))]
