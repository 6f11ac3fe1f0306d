"""Judges of a ranker where there are too few examples to hold some out: cross-validation."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hashslide import _core
from hashslide.estimator.auto import Decided
from hashslide.estimator.fitting.running import plan_of
from hashslide.estimator.preparing import tell_frequencies
from hashslide.network import Network, effective_threads
from hashslide.ranking import FOLDS, Judged, judge_in_turn
from hashslide.recommendation import with_reversed
from hashslide.training import TrainingData, train

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["can_be_folded", "in_both_ways", "judged_in_folds", "ranker_of"]


def __dir__() -> list[str]:
    return __all__


def can_be_folded(model: "SlideClassifier", given: Mapping[str, Any], data: TrainingData) -> bool:
    """Tell whether the examples can judge in turn.

    Early stopping needs further examples, and networks that have learned from less than the model's, as from
    a part of a pack, would say little of it.
    """
    can_train = model._may_judge_in_turn and not given["early_stopping"]
    is_all = len(data.rows) == model.network_.n_examples_seen
    return can_train and is_all and judge_in_turn(len(data.one_way().rows))


def judged_in_folds(model: "SlideClassifier", settings: Decided, data: TrainingData) -> Iterator[Judged]:
    """Yield, for each third of the examples, a network and a ranker that have learned from the others.

    Twice the time of the training in all.
    """
    whole = data.one_way()
    n = len(whole.rows)
    fold = np.random.default_rng([model._seed, n]).permutation(n) % FOLDS
    for number in range(FOLDS):
        learned, out = replace(whole, rows=whole.rows[fold != number]), whole.rows[fold == number]
        if data.is_both_ways:
            learned = in_both_ways(model, learned)
        yield Judged(*_trained(model, settings, learned), whole.x.take(out), whole.y.take(out))


def _trained(model: "SlideClassifier", settings: Decided, data: TrainingData) -> tuple[Network, _core.Ranker]:
    """Return a network like the model's, and its ranker, trained on other rows."""
    network = Network(model.network_.config)
    tell_frequencies(network, data, model.label_weight)
    train(network, data, plan_of(model, settings, model.n_iter_, 0, model.n_iter_), [])
    return network, ranker_of(network, data, effective_threads(model.n_jobs))


def in_both_ways(model: "SlideClassifier", data: TrainingData) -> TrainingData:
    """Return the data with their reversed copies, as the model learns them."""
    names = getattr(model, "feature_names_in_", None)
    return with_reversed(data, model._labels.of_features(data.x.n_columns, names))


def ranker_of(network: Network, data: TrainingData, n_threads: int) -> _core.Ranker:
    """Return a ranker of the chosen rows, for a network that has learned from them."""
    weight = None if data.sample_weight is None else data.sample_weight[data.rows]
    return network.make_ranker(data.x, data.y, n_threads, data.chosen(), weight)
