"""A fitted classifier becomes a model file, or a checkpoint."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
from numpy.typing import NDArray

from hashslide import _core, model_file
from hashslide._os_errors import StrPath
from hashslide.estimator.parameters import PARAMETERS
from hashslide.estimator.saving.living import living_arrays, plain_living
from hashslide.estimator.saving.names import BEST, KIND, NETWORK, STANDARD, TEXT
from hashslide.estimator.saving.plain import finite_record, plain_parameters, plain_ranker, plain_settings
from hashslide.estimator.saving.text_recipe import TextRecipe
from hashslide.network import ROLES
from hashslide.settings.plain import config_to_plain
from hashslide.training import TrainingContext

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["save_classifier"]


def __dir__() -> list[str]:
    return __all__


_TIMES = ("seconds", "examples_per_second", "memory_bytes")  # in which equal trainings differ


def save_classifier(
    classifier: "SlideClassifier",
    path: StrPath,
    optimizer_state: bool,
    context: TrainingContext | None = None,
    more_arrays: Mapping[str, NDArray[Any]] | None = None,
    more_metadata: dict[str, Any] | None = None,
) -> None:
    """Write a fitted classifier to a model file; with the context of its training to a checkpoint.

    `load_classifier` passes over `more_arrays` and `more_metadata`.
    """
    roles = [role for role in ROLES if optimizer_state or role != "optimizer"]
    arrays = {NETWORK + name: array for name, array in classifier.network_.state(*roles).items()}
    names = classifier._labels.names
    if names is not None:
        arrays["classes"] = names.astype(np.uint8) if names.dtype.kind == "b" else names
    if hasattr(classifier, "feature_names_in_"):
        arrays["feature_names"] = classifier.feature_names_in_
    if classifier.standardization_ is not None:
        arrays |= {STANDARD + name: array for name, array in vars(classifier.standardization_).items()}
    if classifier._moments is not None:
        arrays["activations.mean"] = classifier._moments.mean
        arrays["activations.covariance"] = classifier._moments.covariance
    if isinstance(classifier.label_weight, list | tuple | np.ndarray):
        arrays["label_weight"] = np.asarray(classifier.label_weight, np.float32)
    arrays |= living_arrays(classifier)
    if context is not None and context.best_state is not None:
        arrays |= {BEST + name: array for name, array in context.best_state.items()}
    recipe: TextRecipe | None = classifier.__dict__.get("_text_recipe")
    if recipe is not None and more_metadata is None:
        more_arrays, more_metadata = recipe.for_file(classifier, path), {TEXT: recipe.metadata}
    arrays |= more_arrays or {}
    metadata = _metadata(classifier, optimizer_state, context)
    model_file.save_model(path, arrays, metadata | (more_metadata or {}))


def _metadata(
    classifier: "SlideClassifier", optimizer_state: bool, context: TrainingContext | None
) -> dict[str, Any]:
    left_out = _TIMES if context is None else ()
    position = classifier._position if context is None else context.position
    names, dense_dtype = classifier._labels.names, classifier._dense_dtype
    return {
        "kind": KIND,
        "parameters": plain_parameters({name: getattr(classifier, name) for name in PARAMETERS}),
        "network": config_to_plain(classifier.network_.config),
        "multilabel": classifier.multilabel_,
        "classes_kind": None if names is None else names.dtype.kind,
        "label_lists": classifier._labels.from_lists,
        "approximate": classifier.approximate_.to_dict() if hasattr(classifier, "approximate_") else None,
        "ranker": plain_ranker(classifier.ranker_) if hasattr(classifier, "ranker_") else None,
        "dense_dtype": None if dense_dtype is None else dense_dtype.str,
        "training": {
            "seed": classifier._seed,
            "planned_epochs": classifier._planned_epochs,
            "best_epoch": getattr(classifier, "best_epoch_", None),
            "optimizer_state": optimizer_state and classifier._has_optimizer_state,
            "examples": 0 if classifier._moments is None else classifier._moments.n_examples,
            "score": 0.0 if classifier._moments is None else classifier._moments.score,
            "settings": plain_settings(classifier.settings_),
            "history": [
                finite_record({name: value for name, value in record.items() if name not in left_out})
                for record in classifier.history_
            ],
            "position": asdict(position),
            "data": classifier._data_key,
        },
        "living": plain_living(classifier),
        "versions": {
            "hashslide": _core.build_info()["version"],
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }
