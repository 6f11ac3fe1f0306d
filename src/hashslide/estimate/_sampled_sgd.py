"""What linear and logistic regression on sampled examples share: parameters, and trainings of some models."""

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from hashslide._checks import check_bool, check_choice, check_float, check_int, random_generator
from hashslide.csr import Csr
from hashslide.estimate._linear_input import core_features
from hashslide.estimate._linear_training import LinearState, Problem, Stopping, train
from hashslide.network import effective_threads
from hashslide.settings.limits import MAX_IDS

__all__ = ["SampledSGD"]


def __dir__() -> list[str]:
    return __all__


_SAMPLINGS = ("lsh", "gradient_norm", "uniform")
_SCHEDULES = ("adagrad", "constant", "invscaling")
_FAMILIES = ("simhash", "sparse_simhash", "fast_simhash")
_MOST_HASHES, _MOST_TABLES = 16, 10_000  # a code takes two bytes


class SampledSGD(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What both estimators share: parameters, and trainings of one or several linear models."""

    _loss: str

    def __init__(
        self,
        *,
        sampling: str = "lsh",
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        n_iter_no_change: int = 5,
        batch_size: int = 32,
        learning_rate: str = "adagrad",
        eta0: float = 0.3,
        power_t: float = 0.5,
        hash: str = "simhash",
        tables: int = 50,
        hashes: int = 4,
        uniform_share: float = 0.5,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.sampling = sampling
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.hash = hash
        self.tables = tables
        self.hashes = hashes
        self.uniform_share = uniform_share
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _settings(self) -> dict[str, Any]:
        """Return the checked parameters that the core takes."""
        return {
            "sampling": check_choice("sampling", self.sampling, _SAMPLINGS),
            "alpha": check_float("alpha", self.alpha, 0, math.inf, "[)"),
            "batch_size": check_int("batch_size", self.batch_size, 1, 1 << 20),
            "learning_rate": check_choice("learning_rate", self.learning_rate, _SCHEDULES),
            "eta0": check_float("eta0", self.eta0, 0, math.inf, "()"),
            "power_t": check_float("power_t", self.power_t, 0, 1),
            "hash": check_choice("hash", self.hash, _FAMILIES),
            "tables": check_int("tables", self.tables, 1, _MOST_TABLES),
            "hashes": check_int("hashes", self.hashes, 1, _MOST_HASHES),
            "uniform_share": check_float("uniform_share", self.uniform_share, 0, 1, "(]"),
        }

    def _stopping(self) -> Stopping:
        """Return the checked parameters that end a training."""
        return Stopping(
            epochs=check_int("max_iter", self.max_iter, 1, MAX_IDS),
            tol=None if self.tol is None else check_float("tol", self.tol, 0, math.inf, "[)"),
            patience=check_int("n_iter_no_change", self.n_iter_no_change, 1, MAX_IDS),
        )

    def _train(
        self,
        x: NDArray[np.float32] | Csr,
        targets: Sequence[NDArray[np.float32]],
        importance: NDArray[np.float32] | None,
        states: Sequence[LinearState],
        *,
        one_epoch: bool = False,
    ) -> tuple[list[LinearState], list[list[float]]]:
        """Return the states and the objectives of a training for each target; nothing is changed."""
        settings, stopping = self._settings(), self._stopping()
        intercept = check_bool("fit_intercept", self.fit_intercept)
        n_threads = effective_threads(self.n_jobs)
        seeds = random_generator(self.random_state).randint(2**31 - 1, size=len(targets))
        if one_epoch:
            stopping = Stopping(epochs=1, tol=None, patience=1)
        weights = None if importance is None else _of_mean_1(importance)
        features = core_features(x)

        def one(k: int, threads: int) -> tuple[LinearState, list[float]]:
            problem = Problem(features, targets[k], weights, self._loss, intercept)
            return train(problem, states[k], {**settings, "seed": int(seeds[k])}, stopping, threads)

        if len(targets) == 1:
            done = [one(0, n_threads)]
        else:
            with ThreadPoolExecutor(min(n_threads, len(targets))) as pool:
                done = list(pool.map(lambda k: one(k, 1), range(len(targets))))
        return [state for state, _ in done], [curve for _, curve in done]

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that sparse matrices are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _of_mean_1(importance: NDArray[np.float32]) -> NDArray[np.float32]:
    return importance * np.float32(len(importance) / importance.sum(dtype=np.float64))
