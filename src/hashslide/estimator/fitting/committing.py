"""Making what is to be trained that of the model, as a whole."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import validate_data

from hashslide.data.pack import Pack
from hashslide.estimator.features import Standardization
from hashslide.network import Network
from hashslide.settings import ChosenSettings
from hashslide.targets import LabelNames
from hashslide.training import Position

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["adopt", "commit", "note_features"]


def __dir__() -> list[str]:
    return __all__


def commit(
    model: "SlideClassifier",
    X: Any,
    labels: LabelNames,
    network: Network | None,
    seed: int,
    planned: int,
    history: list[dict[str, Any]],
    settings: ChosenSettings,
    multilabel: bool,
    dense_dtype: np.dtype[Any] | None = None,
    standardization: Standardization | None = None,
) -> None:
    """Make the network that is to be trained that of the model; after this only the training may fail.

    Without a network, which is then trained elsewhere, the model has none.
    """
    for name in (
        "network_",
        "n_features_in_",
        "feature_names_in_",
        "approximate_",
        "best_epoch_",
        "ranker_",
        "tuning_",
        "drift_",
        "_text_recipe",
    ):
        model.__dict__.pop(name, None)
    model._hidden_labels, model._reservoir = np.empty(0, np.int64), None
    note_features(model, X)
    model._labels, model._dense_dtype, model._seed = labels, dense_dtype, seed
    model.classes_ = labels.array()
    model.standardization_ = standardization
    model.multilabel_ = multilabel
    model.history_, model._planned_epochs, model._moments = history, planned, None
    model._has_optimizer_state = True
    model._position, model._data_key = Position(), X.key if isinstance(X, Pack) else None
    model.settings_ = settings
    if network is not None:
        network.share_lock(model._lock)
        model.network_ = network


def note_features(model: "SlideClassifier", X: Any) -> None:
    """Take note of the number of features, and of their names where there are some."""
    if isinstance(X, Pack):
        model.n_features_in_ = X.n_features
        if X.feature_names is not None:
            model.feature_names_in_ = X.feature_names
    else:
        validate_data(model, X, reset=True, skip_check_array=True)


def adopt(model: "SlideClassifier", network: Network, labels: LabelNames, multilabel: bool) -> None:
    """Make a network that was trained elsewhere that of the model."""
    row = np.zeros((1, network.config.n_features), np.float32)
    commit(model, row, labels, network, network.config.seed % 2**63, 0, [], ChosenSettings({}), multilabel)
    model._has_optimizer_state = False
