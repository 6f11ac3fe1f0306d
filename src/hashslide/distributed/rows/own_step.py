"""The step of one machine's own batch: which rows it touches, and what it makes of copies of them."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide.settings import NetworkConfig
from hashslide.training import Batch

__all__ = ["Gradients", "LabelFacts", "OwnStep", "Rows", "Touched", "rank_seed"]


def __dir__() -> list[str]:
    return __all__


class Touched(NamedTuple):
    """What a batch touches: int32 arrays of distinct ids.

    Attributes
    ----------
    features : array of shape (n_features,)
    labels : array of shape (n_labels,)
    """

    features: NDArray[np.int32]
    labels: NDArray[np.int32]


class Rows(NamedTuple):
    """Copies of the touched rows. The weights are float32, or the bits of bfloat16 as uint16.

    Attributes
    ----------
    input : array of shape (n_features, hidden)
    output : array of shape (n_labels, hidden)
    bias : float32 array of shape (n_labels,)
    counts : int64 array of shape (n_labels,)
        Examples of each label in all of the data.
    label_weight : float32 array of shape (n_labels,), or None
    """

    input: NDArray[Any]
    output: NDArray[Any]
    bias: NDArray[np.float32]
    counts: NDArray[np.int64]
    label_weight: NDArray[np.float32] | None


class Gradients(NamedTuple):
    """Of the same rows, float32, summed over the examples of the batch; and of the hidden layer's bias.

    Attributes
    ----------
    input : array of shape (n_features, hidden)
    hidden_bias : array of shape (hidden,)
    output : array of shape (n_labels, hidden)
    bias : array of shape (n_labels,)
    """

    input: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    output: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class LabelFacts:
    """What every machine knows of all labels together.

    Attributes
    ----------
    popular : int32 array
        The labels that are in every active set, the most frequent first.
    n_examples : int
    mean_labels : float
        Labels of an example.
    """

    popular: NDArray[np.int32]
    n_examples: int
    mean_labels: float

    @classmethod
    def of(cls, counts: NDArray[np.int64], n_examples: int, n_popular: int) -> "LabelFacts":
        """Return the facts of label counts. Of labels as frequent as each other, smaller ids come first."""
        popular = np.argsort(-counts, kind="stable")[:n_popular].astype(np.int32)
        return cls(popular, n_examples, max(1, int(counts.sum())) / max(1, n_examples))


class OwnStep:
    """Makes one machine's batches into gradients: the step of `Network.train_batch` without the updates.

    The active set is that of this machine's batch alone. Negatives are weighted by how much likelier they are
    in one set for the global batch: the sum of the machines' gradients has the mean of that set's gradient.

    Parameters
    ----------
    config : NetworkConfig
    facts : LabelFacts
    seed : int
        Of this machine's draws.
    """

    def __init__(self, config: NetworkConfig, facts: LabelFacts, seed: int) -> None:
        self._core = _core.OwnBatch(config.to_core())
        self._facts, self._seed = facts, seed
        self._sample_weight: NDArray[np.float32] | None = None

    def start(self, batch: Batch, number: int) -> Touched:
        """Take a batch, whose number counts from 1; return what it touches."""
        x, y, rows, weight = batch.x, batch.y, batch.rows, batch.sample_weight
        self._sample_weight = None if weight is None else weight[rows]
        return Touched(
            *self._core.start(
                *(x.indptr, x.indices, x.values, y.indptr, y.indices, rows),
                *(self._facts.popular, self._seed, number),
            )
        )

    def gradients(
        self, rows: Rows, hidden_bias: NDArray[np.float32], n_together: int, n_threads: int
    ) -> tuple[float, Gradients]:
        """Return the loss, summed over the examples of the batch that was started, and the gradients.

        Parameters
        ----------
        rows : Rows
        hidden_bias : float32 array
        n_together : int
            Examples of the global batch.
        n_threads : int
        """
        loss, *gradients = self._core.gradients(
            *(rows.input, hidden_bias, rows.output, rows.bias, rows.counts, rows.label_weight),
            *(self._facts.n_examples, self._facts.mean_labels, n_together, self._sample_weight, n_threads),
        )
        return loss, Gradients(*gradients)


def rank_seed(seed: int, rank: int) -> int:
    """Return the seed of a rank's draws: for rank 0 that of the network, as in the single process."""
    return seed if rank == 0 else int(np.random.default_rng([seed, rank]).integers(2**63))
