"""What a machine computes in a step, measured on this one by steps of the size that it would have there."""

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.distributed.sharding import Sharding
from hashslide.network import Network
from hashslide.settings import NetworkConfig

__all__ = ["Compute", "Pilot"]


def __dir__() -> list[str]:
    return __all__


_SAMPLE = 1 << 16  # examples, of which steps are made
_MOST_ROWS = 4096  # of a measured step: beyond, a step takes as much longer as it has more rows
_FEWEST_STEPS, _MOST_STEPS = 3, 30  # measured, after one that is not
_COPIED_ROWS = 4096
_FRESH_COPIES = 5


@dataclass(frozen=True, kw_only=True)
class Compute:
    """Seconds that a machine computes in a step, in its three stages.

    Attributes
    ----------
    hidden : float
        From the features to the hidden layer.
    output : float
        Active set, logits, loss, gradients and updates of the output rows.
    update : float
        Gradients and updates of the input rows.
    """

    hidden: float
    output: float
    update: float

    @property
    def seconds(self) -> float:
        """Of the step."""
        return self.hidden + self.output + self.update

    def times(self, factor: float) -> "Compute":
        """Return the same, so many times as long."""
        return Compute(hidden=factor * self.hidden, output=factor * self.output, update=factor * self.update)


class Pilot:
    """Measures steps on this machine.

    Parameters
    ----------
    config : NetworkConfig
        Of one dense hidden layer.
    x, y : Csr
        Examples.
    n_threads : int
    """

    def __init__(self, config: NetworkConfig, x: Csr, y: Csr, n_threads: int) -> None:
        rows = np.random.default_rng(0).permutation(x.n_rows)[:_SAMPLE]
        self._config, self._n_threads = config, n_threads
        self._x, self._y = x.take(rows), y.take(rows)

    def step(self, batch: float, active: float, parts: int = 1, seconds: float = 0.5) -> Compute:
        """Return what a step costs on a machine that has one of `parts` equal parts of the model's rows.

        Parameters
        ----------
        batch : float
            Examples.
        active : float
            Size of the active set of the whole model, of which the machine has its part.
        parts : int
        seconds : float
            For measuring, about.
        """
        n = max(1, min(round(batch), _MOST_ROWS))
        x = as_csr(_part_of(self._x, parts))
        labels = _part_of(self._y, parts)
        rng = np.random.default_rng(0)
        rows = [_drawn(rng, x.n_rows, n) for _ in range(4)]
        own = float(np.mean([len(np.unique(labels[r].indices)) for r in rows]))
        uniform = max(0, round(active / parts - own))
        n_labels = max(labels.shape[1], 8 * uniform)  # wide enough for the draws to be different ones
        labels.resize(labels.shape[0], n_labels)
        y = as_pattern(labels)
        negatives = replace(self._config.negatives, uniform=uniform, popular=0)
        network = Network(
            replace(self._config, n_features=x.n_columns, n_labels=n_labels, negatives=negatives, seed=0)
        )
        network.set_label_prior(np.bincount(y.indices, minlength=n_labels), y.n_rows)
        stages = self._measure(network, x, y, rows, seconds)
        found = Compute(
            hidden=stages["hidden_forward"],
            output=sum(stages[name] for name in ("active_set", "output_forward", "loss", "output_backward")),
            update=stages["hidden_backward"],
        )
        return found.times(batch / n)

    def copying(self) -> float:
        """Return the seconds that copying a row of the model into a message, or out of one, takes."""
        table = np.zeros((16 * _COPIED_ROWS, self._config.width), np.float32)
        rows = np.random.default_rng(0).integers(0, len(table), _COPIED_ROWS)
        times = []
        for _ in range(_FRESH_COPIES):
            begun = time.perf_counter()
            np.take(table, rows, axis=0)
            times.append(time.perf_counter() - begun)
        return min(times) / _COPIED_ROWS

    def _measure(
        self, network: Network, x: Csr, y: Csr, rows: list[NDArray[np.int64]], seconds: float
    ) -> dict[str, float]:
        """Return the stages' seconds of some steps: the shortest, as other programs only make them longer."""
        found: list[dict[str, float]] = []
        network.train_batch(x, y, rows[0], 0.01, None, self._n_threads)
        begun, before = time.perf_counter(), network.stage_seconds
        while len(found) < _MOST_STEPS:
            network.train_batch(x, y, rows[len(found) % len(rows)], 0.01, None, self._n_threads)
            after = network.stage_seconds
            found.append({name: after[name] - before[name] for name in after})
            before = after
            if len(found) >= _FEWEST_STEPS and time.perf_counter() - begun > seconds:
                break
        return {name: min(stages[name] for stages in found) for name in before}


def _drawn(rng: np.random.Generator, n_rows: int, n: int) -> NDArray[np.int64]:
    """Return n rows at random, repeated if there are fewer."""
    whole = [rng.permutation(n_rows) for _ in range(-(-n // n_rows))]
    return np.concatenate(whole)[:n]


def _part_of(matrix: Csr, parts: int) -> csr_matrix:
    """Return one of so many parts of the columns, which occur equally often."""
    columns = matrix.to_scipy()
    if parts == 1:
        return columns
    counts = np.bincount(matrix.indices, minlength=matrix.n_columns)
    own = np.sort(Sharding.balanced(counts, parts).ids_of(0))
    return columns[:, own] if len(own) else columns[:, :1]
