"""Step 3 for the labels in NumPy: active sets and their correction.

Part of the specification in reference.py.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide.reference.rng import CounterRng
from hashslide.settings import NetworkConfig

__all__ = ["ActiveSets", "LabelPrior", "distinct"]


def __dir__() -> list[str]:
    return __all__


class LabelPrior:
    """How often each label occurred, and so how likely it is to be active."""

    def __init__(self, n_labels: int):
        self.counts, self.n_examples, self.mean_labels = np.zeros(n_labels, np.int64), 0, 1.0
        self.popular = np.empty(0, np.int64)

    def set(self, counts: NDArray[Any], n_examples: int, n_popular: int) -> None:
        """Counts of all labels among n_examples examples; the n_popular most frequent are in every set."""
        self.counts, self.n_examples = np.array(counts, np.int64), n_examples
        self.popular = np.argsort(-self.counts, kind="stable")[:n_popular]
        self.mean_labels = max(1, self.counts.sum()) / max(1, n_examples)

    def frequency(self, labels: NDArray[Any] | slice) -> NDArray[np.float64]:
        """Share of the examples that carry the label, add-half smoothed."""
        return (self.counts[labels] + 0.5) / (self.n_examples + 1)

    def log_inclusion(self, labels: NDArray[Any], others: int, uniform: int) -> NDArray[np.float64]:
        """log r, with r the chance to come with one of the other examples or the uniform draws.

        r = 1 - (1 - f)^others (1 - 1 / n_labels)^uniform. Where neither brings any labels, nothing is there
        by chance, and nothing is corrected.
        """
        if others == uniform == 0:
            return np.zeros(len(labels))
        absent = others * np.log1p(-self.frequency(labels))
        with np.errstate(divide="ignore"):  # a single label is always drawn
            undrawn = uniform * np.log1p(-1 / len(self.counts)) if uniform else 0
        return np.log(-np.expm1(absent + undrawn))

    def grow(self, n_labels: int) -> None:
        """New labels have not occurred."""
        self.counts = np.pad(self.counts, (0, n_labels - len(self.counts)))


class ActiveSets:
    """The active labels of a batch.

    labels : of each example, true labels included; with active="per_batch" the same for all
    shift : log of the chance to be active, of each of them, as far as it is corrected
    touched : labels that are in any set
    size : of the set; per example: their mean size
    """

    def __init__(
        self,
        config: NetworkConfig,
        prior: LabelPrior,
        targets: list[NDArray[Any]],
        sampled: list[list[int]],
        step: int,
    ):
        self.config, self.prior, self.targets, self.sampled = config, prior, targets, sampled
        self.rng = CounterRng(config.seed, "uniform_negatives", step)
        build = self._per_example if config.active == "per_example" else self._per_batch
        self.labels, self.shift, self.touched = build()
        self.size = sum(map(len, self.labels)) // len(targets)

    def _draws(self) -> NDArray[np.int64]:
        return self.rng.below(np.arange(self.config.negatives.uniform, dtype=np.uint64), self.config.n_labels)

    def _per_batch(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]], NDArray[Any]]:
        """Popular labels, the batch's own, uniform draws, those that the sampler found for any example.

        The shift is prior_correction log r. Popular labels and, given what was found, those that it found for
        an example that does not carry them are there for certain: 0. A true label that its own example found
        is certain for that example.
        """
        c, popular = self.config.negatives, self.prior.popular
        pairs = list(zip(self.targets, self.sampled, strict=True))
        labels = distinct(popular, *self.targets, self._draws(), *self.sampled)
        log_r = self.prior.log_inclusion(labels, len(self.targets) - 1, c.uniform)
        negatives = [np.setdiff1d(found, true) for true, found in pairs]
        certain = [distinct(popular, *negatives, np.intersect1d(true, found)) for true, found in pairs]
        shift = [c.prior_correction * np.where(np.isin(labels, ids), 0, log_r) for ids in certain]
        return [labels] * len(self.targets), [s.astype(np.float32) for s in shift], labels

    def _per_example(self) -> tuple[list[NDArray[Any]], list[NDArray[Any]], NDArray[Any]]:
        """What the sampler found for the example, and the set of the batch, the same for all.

        Given the tables, only what comes from the rest of the batch, labels of other examples and uniform
        draws, is there by chance r. It stands for all that might have been: so the partition function is
        estimated without bias whatever the sampler finds.
        """
        c = self.config.negatives
        labels: list[NDArray[Any]] = []
        shift: list[NDArray[Any]] = []
        in_batch = self.targets if c.in_batch else []
        shared = distinct(self.prior.popular, *in_batch, self._draws())
        others = max(0, len(in_batch) - 1)
        for true, sampled in zip(self.targets, self.sampled, strict=True):
            certain = distinct(self.prior.popular, sampled)
            labels.append(distinct(shared, true, sampled))
            by_chance = ~np.isin(labels[-1], certain)
            log_r = np.zeros(len(labels[-1]))
            log_r[by_chance] = self.prior.log_inclusion(labels[-1][by_chance], others, c.uniform)
            shift.append(np.where(by_chance, c.prior_correction * log_r, 0).astype(np.float32))
        found = [distinct(*both) for both in zip(self.targets, self.sampled, strict=True)]
        own = [np.setdiff1d(ids, shared, assume_unique=True) for ids in found]
        return labels, shift, distinct(*own, shared)


def distinct(*ids: ArrayLike) -> NDArray[np.int64]:
    """Each id once, in the order of its first occurrence."""
    every = np.concatenate([np.asarray(some, np.int64) for some in ids])
    return np.array(list(dict.fromkeys(every.tolist())), np.int64)
