"""What happens in `SlideClassifier.partial_fit`: making room for what is new."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import validate_data

from hashslide._locks import unbroken
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.estimator._living import observe
from hashslide.estimator.features import check_first_names, check_known_features, feature_names
from hashslide.estimator.fitting.data import hold_out_for_ranker
from hashslide.estimator.preparing import label_counts, label_weights, training_data
from hashslide.living.new_labels import (
    ActivationMoments,
    labels_to_place,
    place_labels,
    with_new_labels,
)
from hashslide.network import Network, effective_threads
from hashslide.recommendation import both_ways
from hashslide.settings import ChosenSettings, Constant, Setting
from hashslide.targets import Target
from hashslide.training import Occurrences, TrainingData

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["Prior", "grow", "of_calls", "place_new_labels", "prior_after"]


def __dir__() -> list[str]:
    return __all__


def of_calls(settings: ChosenSettings) -> ChosenSettings:
    """Return the settings of a training by `partial_fit` alone."""
    call = "each call of partial_fit is an epoch"
    return settings.replaced(
        epochs=Setting(1, call),
        schedule=Setting(Constant(), f"{call}, and there may be more of them"),
        ranker=Setting(False, "partial_fit learns none; fit does"),
        both_ways=Setting(False, "partial_fit trains on what it is given"),
    )


def grow(
    model: "SlideClassifier",
    given: Mapping[str, Any],
    X: Any,
    x: Csr,
    target: Target,
    classes: ArrayLike | None,
    weight: NDArray[np.float32] | None,
    decay: float = 0.0,
) -> tuple[TrainingData, TrainingData | None, int]:
    """Make room for what is new in the data.

    Returns
    -------
    data : TrainingData
    held_out : TrainingData or None
        Where an interrupted `fit` goes on: the examples that it held out.
    planned : int
        Epochs of that fit; 0: these are new data.
    """
    if target.multilabel != model.multilabel_:
        form = {True: "several labels for each example", False: "one class for each example"}
        raise InputError(
            f"y has {form[target.multilabel]}, but the model was trained on {form[model.multilabel_]}."
        )
    has_new_features = x.n_columns > model.n_features_in_
    if has_new_features:
        check_first_names(model, X)
    else:
        check_known_features(model, X, x)
    labels = model._labels.grown(target, classes)
    data = training_data(model._standard(x), labels.encode(target, classes), weight)
    network = model.network_
    if model.n_iter_ < model._planned_epochs and labels.n == network.config.n_labels:
        whole, held_out = hold_out_for_ranker(given, data, None, model._seed)
        kept, _ = both_ways(given["both_ways"], whole.sample(), labels, feature_names(X), model.multilabel_)
        if _is_known(network, kept):
            weight = label_weights(  # a loaded network has lost them
                model.label_weight, network.label_counts, len(kept.rows), network.config.loss
            )
            if weight is not None:
                network.set_label_weight(weight)
            return kept, held_out, model._planned_epochs
    new = data.occurrences()
    drift, prior = observe(model, data, new), prior_after(network, new, len(data.rows), labels.n, decay)
    weight = None
    if model.label_weight is not None:
        counts = np.zeros(labels.n, np.int64)
        counts[: network.config.n_labels] = network.label_counts
        counts[prior.labels.ids] = prior.labels.counts
        weight = label_weights(model.label_weight, counts, prior.n_examples, network.config.loss)

    def change() -> None:
        network.grow(x.n_columns, labels.n)
        network.update_label_prior(prior.labels.ids, prior.labels.counts, prior.n_examples)
        if weight is not None:
            network.set_label_weight(weight)
        if has_new_features:
            validate_data(model, X, reset=True, skip_check_array=True)
        model._labels, model.classes_, model._planned_epochs = labels, labels.array(), 0
        model.drift_ = drift
        if model._reservoir is not None:
            model._reservoir = model._reservoir.widened(x.n_columns, labels.n)

    unbroken(model._lock, change)
    return data, None, 0


class Prior(NamedTuple):
    """Counts of labels that have changed, and the number of all examples."""

    labels: Occurrences
    n_examples: int


def prior_after(network: Network, new: Occurrences, n_new: int, n_labels: int, decay: float) -> Prior:
    """Return what the counts of labels are after further examples. O(their labels); of all with a decay."""
    if decay == 0:
        old = network.label_counts_of(new.ids[new.ids < network.config.n_labels])
        counts = new.counts + np.pad(old, (0, len(new.ids) - len(old)))
        return Prior(Occurrences(new.ids, counts), network.n_examples_seen + n_new)
    counts = np.zeros(n_labels, np.int64)
    counts[: network.config.n_labels] = (1 - decay) * network.label_counts
    counts[new.ids] += new.counts
    everyone = Occurrences(np.arange(n_labels, dtype=np.int32), counts)
    return Prior(everyone, int((1 - decay) * network.n_examples_seen) + n_new)


def _is_known(network: Network, data: TrainingData) -> bool:
    """Tell whether the network has seen these data and no others: as many examples, each label as often."""
    if len(data.rows) != network.n_examples_seen:
        return False
    return np.array_equal(label_counts(data), network.label_counts)


def place_new_labels(model: "SlideClassifier", data: TrainingData, n_old: int) -> TrainingData:
    """Place the labels from `n_old` on that have a few examples; return the data without them."""
    x, y = with_new_labels(data, n_old)
    labels, threads = labels_to_place(y, n_old), effective_threads(model.n_jobs)
    if len(labels) == 0:
        return data
    others, network = data.without_labels(labels), model.network_
    moments = model._moments
    if moments is None:
        moments = ActivationMoments.of(network, data, threads).scored(network, others, threads)
    place_labels(network, x, y, labels, moments, threads)
    return others
