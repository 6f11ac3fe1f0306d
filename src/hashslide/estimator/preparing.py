"""What `SlideClassifier.fit` makes before it trains: clean data, decided settings, an untrained network.

For those who train by themselves, step by step, what a classifier would train.
"""

from collections.abc import Mapping, Sized
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide import metrics
from hashslide._checks import random_generator
from hashslide._validation import blocks, check_same_rows, check_sample_weight
from hashslide.csr import Csr, as_csr
from hashslide.estimator._outliers import warn_of_outlier
from hashslide.estimator.auto import INPUT_INIT, Decided, Problem, decide, explain
from hashslide.estimator.features import check_features, feature_names, is_dense, standardized
from hashslide.estimator.parameters import check_parameters, left_at_default
from hashslide.network import Network, check_label_weight
from hashslide.recommendation import both_ways
from hashslide.settings import ChosenSettings, NetworkConfig, Setting
from hashslide.targets import LabelNames, Target, parse_target
from hashslide.training import Examples, TrainingData

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = [
    "Frequencies",
    "Prepared",
    "check_examples",
    "decidable",
    "decide_settings",
    "draw_seed",
    "encode",
    "explain_settings",
    "has_one_label",
    "label_counts",
    "label_weights",
    "network_config",
    "new_network",
    "prepare",
    "tell_frequencies",
    "training_data",
    "unit_scale",
    "untrained_config",
]


def __dir__() -> list[str]:
    return __all__


_ROWS_PER_BLOCK = 1 << 16
_NETWORK: tuple[str, ...] = ("hidden", "loss", "optimizer", "input_dropout", "active", "update", "negatives")
_NETWORK += ("hash", "sampler", "example_power", "precision")


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What `prepare` makes.

    Attributes
    ----------
    network : Network
        Untrained; it knows the frequencies of the labels.
    data : TrainingData
    settings : Decided
    seed : int
        Of the network and of the order of the examples.
    n_threads : int
    """

    network: Network
    data: TrainingData
    settings: Decided
    seed: int
    n_threads: int


def prepare(model: "SlideClassifier", X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Prepared:
    """Return what ``model.fit(X, y, sample_weight)`` would train, and how; the model is unchanged.

    Parameters
    ----------
    model : SlideClassifier
    X, y, sample_weight
        As in `SlideClassifier.fit`.

    Returns
    -------
    Prepared

    Raises
    ------
    InputError
        As in `SlideClassifier.fit`.
    """
    given = check_parameters(model)
    x, target, weight = check_examples(model, X, y, sample_weight)
    labels = LabelNames.learn(target, None)
    data = training_data(x, labels.encode(target, None), weight)
    data, _ = both_ways(given["both_ways"], data, labels, feature_names(X), target.multilabel)
    data, _ = standardized(data, given["hidden"][0])
    settings = decide_settings(given, data, target.multilabel)
    seed = draw_seed(given["random_state"])
    network = new_network(settings, data, seed, given["label_weight"])
    return Prepared(network=network, data=data, settings=settings, seed=seed, n_threads=given["n_jobs"])


def encode(X: Any, y: Any) -> tuple[Csr, Csr, bool]:
    """Return features and labels as matrices, and whether an example may have several labels.

    Parameters
    ----------
    X, y
        As in `SlideClassifier.fit`. Labels are numbered in the order of its `classes_`.
    """
    x, target = as_csr(X), parse_target(y)
    check_same_rows(x.n_rows, target.n_rows)
    return x, LabelNames.learn(target, None).encode(target, None), target.multilabel


def check_examples(
    model: "SlideClassifier",
    X: Any,
    y: Any,
    sample_weight: ArrayLike | None,
    lists: bool | None = False,
    classes: ArrayLike | None = None,
) -> tuple[Csr, Target, NDArray[np.float32] | None]:
    """Return features, target and weights, checked against each other; for `lists` see `parse_target`."""
    n_labels = len(classes) if isinstance(classes, Sized) else None
    x, target = check_features(model, X), parse_target(y, lists=lists, n_labels=n_labels)
    check_same_rows(x.n_rows, target.n_rows)
    return x, target, check_sample_weight(sample_weight, x.n_rows)


def training_data(x: Csr, y: Csr, weight: NDArray[np.float32] | None = None) -> TrainingData:
    """Return all examples of positive weight."""
    rows = np.arange(x.n_rows) if weight is None else np.flatnonzero(weight)
    return TrainingData(x=x, y=y, rows=rows, sample_weight=weight)


def decide_settings(
    given: Mapping[str, Any], data: Examples, multilabel: bool, more_to_come: bool = False
) -> Decided:
    """Return the settings of a training on some data, with every "auto" decided.

    Parameters
    ----------
    given : mapping
        The parameters of a classifier as `check_parameters` returns them.
    data : Examples
    multilabel : bool
    more_to_come : bool
        Whether data are the first of more: then later examples may have more labels than these.
    """
    return decide(_problem(data, multilabel, more_to_come), decidable(given))


def explain_settings(
    model: "SlideClassifier",
    given: Mapping[str, Any],
    settings: Decided,
    data: Examples,
    multilabel: bool,
    more_to_come: bool = False,
) -> ChosenSettings:
    """Return the settings that `decide_settings` found with the reason for each.

    What is known only after the last epoch, the ranker and the lists of approximate prediction, is there as
    not yet decided.

    Parameters
    ----------
    model : SlideClassifier
        Whose parameters were given.
    given, data, multilabel, more_to_come
        As in `decide_settings`.
    settings : Decided
    """
    defaults = left_at_default(model)
    found = explain(_problem(data, multilabel, more_to_come), decidable(given), settings, defaults)
    if isinstance(model.label_weight, str | None):  # an array would be too long
        reason = "it is the default" if "label_weight" in defaults else "it was given"
        found = found.replaced(label_weight=Setting(model.label_weight, reason))
    later = Setting(False, "the training has not come to its end")
    return found.replaced(ranker=later, approximate=later)


def _problem(data: Examples, multilabel: bool, more_to_come: bool) -> Problem:
    """Return what the "auto" settings depend on."""
    return Problem(
        n_examples=len(data.rows),
        n_features=data.x.n_columns,
        n_labels=data.y.n_columns,
        values_per_example=data.x.nnz / max(data.x.n_rows, 1),
        labels_per_example=data.y.nnz / max(data.y.n_rows, 1),
        one_label=not multilabel or (not more_to_come and has_one_label(data.y)),
        is_dense=is_dense(data),
        is_both_ways=data.is_both_ways,
        more_to_come=more_to_come,
    )


def has_one_label(y: Csr) -> bool:
    """Tell whether every row holds exactly one label."""
    counts = (np.diff(y.indptr[first : last + 1]) for first, last in blocks(y.n_rows, _ROWS_PER_BLOCK))
    return y.nnz == y.n_rows > 0 and all((block == 1).all() for block in counts)


def decidable(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the parameters that may be "auto"."""
    return {field.name: given[field.name] for field in fields(Decided)}


def draw_seed(random_state: Any) -> int:
    """Return the seed of everything random in one model."""
    return int(random_generator(random_state).randint(2**31 - 1))


def network_config(settings: Decided, n_features: int, n_labels: int) -> NetworkConfig:
    """Return the settings of a network."""
    return NetworkConfig(
        n_features=n_features,
        n_labels=n_labels,
        input_init=INPUT_INIT,
        **{name: getattr(settings, name) for name in _NETWORK},
    )


def new_network(
    settings: Decided,
    data: Examples,
    seed: int,
    label_weight: str | ArrayLike | None = None,
) -> Network:
    """Return an untrained network that knows the frequencies of the labels.

    Parameters
    ----------
    settings : Decided
    data : Examples
    seed : int
    label_weight : None, "propensity" or array of shape (n_labels,)
    """
    warn_of_outlier(data.sample())
    network = Network(untrained_config(settings, data, seed))
    tell_frequencies(network, data, label_weight)
    return network


class Frequencies(Protocol):
    """A network that is to know how often each label occurs."""

    config: NetworkConfig

    def set_label_prior(self, counts: NDArray[np.int64], n_examples: int) -> None:
        """Tell how often each label occurs."""
        ...

    def set_label_weight(self, weight: ArrayLike) -> None:
        """Set the weight of each label's positive term in the loss."""
        ...


def untrained_config(settings: Decided, data: Examples, seed: int) -> NetworkConfig:
    """Return the settings of an untrained network for some data."""
    config = network_config(settings, data.x.n_columns, data.y.n_columns)
    return replace(config, input_scale=unit_scale(data), seed=seed)


def tell_frequencies(
    network: Frequencies, data: Examples, label_weight: str | ArrayLike | None = None
) -> None:
    """Tell a network, of this process or of many, how often each label occurs and how much it weighs."""
    counts = label_counts(data)
    network.set_label_prior(counts, len(data.rows))
    weight = label_weights(label_weight, counts, len(data.rows), network.config.loss)
    if weight is not None:
        network.set_label_weight(weight)


def unit_scale(data: Examples) -> float:
    """Return the factor that gives the examples the root mean square length 1: rates are tuned for that.

    It and its inverse are normal numbers of float32; it is 1 if all values are 0.
    """
    squares = data.sum_of_squares()
    smallest = float(np.finfo(np.float32).tiny)
    return float(np.clip(np.sqrt(len(data.rows) / squares), smallest, 1 / smallest)) if squares > 0 else 1.0


def label_counts(data: Examples) -> NDArray[np.int64]:
    """Return how many of the training examples carry each label."""
    return data.label_counts()


def label_weights(
    label_weight: str | ArrayLike | None, counts: NDArray[np.int64], n_examples: int, loss: str
) -> NDArray[np.float32] | None:
    """Return the weights of the labels' positive terms, where the user wants any.

    A softmax has positive terms only, so that just the ratios of the weights matter: they are divided by the
    mean over the training labels, as the optimisers' constants are in units of one ordinary example.
    """
    if label_weight is None:
        return None
    if isinstance(label_weight, str):
        label_weight = 1 / metrics.propensity(counts, n_examples)
    weight = check_label_weight(label_weight, len(counts))
    total = (counts * weight.astype(np.float64)).sum()
    return (weight * (counts.sum() / total)).astype(np.float32) if loss == "softmax" and total else weight
