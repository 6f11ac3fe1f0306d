"""Step 3 for the labels in NumPy: active sets and their correction.

Part of the specification in reference.py.
"""

import numpy as np
from numpy.typing import NDArray

from hashslide._counter_rng import CounterRng


class LabelPrior:
    """How often each label occurred, and so how likely it is to be active."""

    def __init__(self, n_labels: int):
        self.counts, self.n_examples, self.mean_labels = np.zeros(n_labels, np.int64), 0, 1.0
        self.popular = np.empty(0, np.int64)

    def set(self, counts: NDArray, n_examples: int, n_popular: int) -> None:
        """Counts of all labels among n_examples examples; the n_popular most frequent are in every set."""
        self.counts, self.n_examples = np.array(counts, np.int64), n_examples
        self.popular = np.argsort(-self.counts, kind="stable")[:n_popular]
        self.mean_labels = max(1, self.counts.sum()) / max(1, n_examples)

    def frequency(self, labels) -> NDArray[np.float64]:
        """Share of the examples that carry the label, add-half smoothed."""
        return (self.counts[labels] + 0.5) / (self.n_examples + 1)

    def log_inclusion(self, labels: NDArray, batch: int, uniform: int) -> NDArray[np.float64]:
        """log r, with r the chance to be among the labels of a batch or the uniform draws.

        r = 1 - (1 - f)^batch (1 - 1 / (n_labels + 1))^uniform
        """
        absent = batch * np.log1p(-self.frequency(labels))
        undrawn = uniform * np.log1p(-1 / (len(self.counts) + 1))
        return np.log(-np.expm1(absent + undrawn))

    def grow(self, n_labels: int) -> None:
        """New labels have not occurred."""
        self.counts = np.pad(self.counts, (0, n_labels - len(self.counts)))


class ActiveSets:
    """The active labels of a batch.

    labels : of each example, true labels included; with active="per_batch" the same for all
    shift : log of the chance to be active, of each of them, as far as it is corrected
    touched : labels that are in any set
    by_pair : whether examples share no label, so that only pairs of an example and a label are touched
    size : of the set; per example: their mean size
    """

    def __init__(
        self, config, prior: LabelPrior, targets: list[NDArray], sampled: list[list[int]], step: int
    ):
        self.config, self.prior, self.targets, self.sampled = config, prior, targets, sampled
        self.rng = CounterRng(config.seed, "uniform_negatives", step)
        build = self._per_example if config.active == "per_example" else self._per_batch
        self.labels, self.shift, self.touched = build()
        self.by_pair = config.active == "per_example" and not (config.uniform or config.popular)
        self.size = sum(map(len, self.labels)) // len(targets)

    def _draws(self) -> NDArray[np.int64]:
        return self.rng.below(np.arange(self.config.uniform, dtype=np.uint64), self.config.n_labels)

    def _per_batch(self) -> tuple[list[NDArray], list[NDArray], NDArray]:
        """Popular labels, the batch's own, uniform draws, those that the sampler found for any example.

        The shift is prior_correction log r; popular labels are there for certain: 0.
        """
        c, popular = self.config, self.prior.popular
        labels = distinct(popular, *self.targets, self._draws(), *self.sampled)
        shift = c.prior_correction * self.prior.log_inclusion(labels, len(self.targets), c.uniform)
        shift[: len(popular)] = 0
        return [labels] * len(self.targets), [shift.astype(np.float32)] * len(self.targets), labels

    def _per_example(self) -> tuple[list[NDArray], list[NDArray], NDArray]:
        """Popular labels and uniform draws, the same for all; true labels and those that the sampler found.

        Given the tables, only the draws are there by chance, with r = 1 - (1 - 1 / n_labels)^uniform. Each
        stands for all others: the partition function is estimated without bias whatever the sampler finds.
        """
        c, labels, shift, own = self.config, [], [], []
        shared = distinct(self.prior.popular, self._draws())
        may_miss = c.uniform > 0 and c.n_labels > 1
        log_r = np.log(-np.expm1(c.uniform * np.log1p(-1 / c.n_labels))) if may_miss else 0
        for true, sampled in zip(self.targets, self.sampled, strict=True):
            certain = distinct(self.prior.popular, true, sampled)
            labels.append(distinct(true, sampled, shared))
            own.append(np.setdiff1d(distinct(true, sampled), shared, assume_unique=True))
            by_chance = ~np.isin(labels[-1], certain)
            shift.append(np.where(by_chance, c.prior_correction * log_r, 0).astype(np.float32))
        return labels, shift, distinct(*own, shared)


def distinct(*ids) -> NDArray[np.int64]:
    """Each id once, in the order of its first occurrence."""
    every = np.concatenate([np.asarray(some, np.int64) for some in ids])
    return np.array(list(dict.fromkeys(every.tolist())), np.int64)
