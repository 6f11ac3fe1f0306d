"""A model file becomes a fitted classifier again, with every part checked."""

import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hashslide import model_file
from hashslide._checks import check_bool, check_float, check_int
from hashslide._os_errors import StrPath, explain
from hashslide.errors import InputError, ModelFileError
from hashslide.estimator._numbers import check_finite, check_squares
from hashslide.estimator.approximate import CandidateReport
from hashslide.estimator.features import Standardization
from hashslide.estimator.saving.living import restore_living
from hashslide.estimator.saving.names import BEST, KIND, NETWORK, STANDARD, TEXT
from hashslide.estimator.saving.plain import (
    restore_parameters,
    restore_position,
    restore_ranker,
    restore_record,
    restore_settings,
)
from hashslide.estimator.saving.text_recipe import TextRecipe
from hashslide.living.new_labels import ActivationMoments
from hashslide.network import Network, check_label_weight
from hashslide.settings.hash_families import check_own_family
from hashslide.settings.plain import config_from_plain
from hashslide.targets import LabelNames

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["load_classifier", "restore_classifier"]


def __dir__() -> list[str]:
    return __all__


Classifier = TypeVar("Classifier", bound="SlideClassifier")


def load_classifier(
    cls: "type[Classifier]", path: StrPath, mmap: bool, family: Any = None, verify: bool = False
) -> "Classifier":
    """Return the classifier of a model file.

    Raises
    ------
    ModelFileError
        The file is not one that `save_classifier` wrote, or its parts do not fit each other.
    """
    if family is not None:
        check_own_family("hash", family)
    arrays, metadata = model_file.load_model(path, check_bool("mmap", mmap), check_bool("verify", verify))
    return restore_classifier(cls, path, arrays, metadata, verify or not mmap, family)


def restore_classifier(
    cls: "type[Classifier]",
    path: StrPath,
    arrays: dict[str, NDArray[Any]],
    metadata: dict[str, Any],
    every: bool,
    family: Any = None,
) -> "Classifier":
    """Return the classifier of what a model file holds.

    Parameters
    ----------
    path : path-like
        What messages call it.
    arrays, metadata
        From `hashslide.model_file.load_model`.
    every : bool
        Look at every number of the weights.
    family : object, optional
        A hash family of the user's own.

    Raises
    ------
    ModelFileError
        As in `load_classifier`.
    """
    if metadata.get("kind") != KIND:
        raise ModelFileError(
            f"{path} holds a {metadata.get('kind')!r}, not a {KIND}. Use hashslide.model_file to read it."
        )
    try:
        check_finite({n: a for n, a in arrays.items() if n.startswith(NETWORK)}, every)
        restored = _restore(cls, path, arrays, metadata, family)
        check_squares(restored.network_, every)
        if isinstance(metadata.get(TEXT), dict):
            own = {name: array for name, array in arrays.items() if name.startswith(f"{TEXT}.")}
            restored._text_recipe = TextRecipe(own, metadata[TEXT], restored.classes_)
        return restored
    except ModelFileError:
        raise
    except MemoryError as error:
        raise ModelFileError(f"cannot load {path}: {explain(error)}") from error
    except (InputError, KeyError, TypeError, AttributeError, ValueError) as error:
        found = str(error).rstrip(".")
        raise ModelFileError(f"{path} is not a whole {KIND}: {found}. Save the model again.") from error


def _restore(
    cls: "type[Classifier]",
    path: StrPath,
    arrays: dict[str, NDArray[Any]],
    metadata: dict[str, Any],
    family: Any,
) -> "Classifier":
    _check_family(path, metadata["network"], family)
    parameters = restore_parameters(metadata["parameters"], family)
    if "label_weight" in arrays:
        weight = arrays["label_weight"]
        parameters["label_weight"] = np.array(check_label_weight(weight, len(weight)))
    classifier = cls(**parameters)
    config = config_from_plain(metadata["network"], family)
    state = {name.removeprefix(NETWORK): array for name, array in arrays.items() if name.startswith(NETWORK)}
    network = Network.from_state(config, state, copy=False)
    training = metadata["training"]
    classifier._labels = _restore_labels(arrays.get("classes"), metadata, config.n_labels)
    classifier._dense_dtype = _restore_dtype(metadata["dense_dtype"])
    classifier._seed = check_int("the seed", training["seed"], 0, 2**63 - 1)
    classifier._planned_epochs = check_int("the planned epochs", training["planned_epochs"], 0, 2**31)
    classifier.settings_ = restore_settings(training["settings"], family)
    classifier.history_ = [restore_record(record) for record in training["history"]]
    classifier._has_optimizer_state = check_bool("optimizer_state", training["optimizer_state"])
    classifier._position = restore_position(training["position"])
    classifier._data_key = None if training["data"] is None else str(training["data"])
    best = {name.removeprefix(BEST): array for name, array in arrays.items() if name.startswith(BEST)}
    classifier._best_state = best or None
    if training["best_epoch"] is not None:
        classifier.best_epoch_ = check_int("the best epoch", training["best_epoch"], 1, 2**31)
    classifier._moments = _restore_moments(arrays, training, config.width)
    classifier.multilabel_ = check_bool("multilabel", metadata["multilabel"])
    classifier.n_features_in_ = config.n_features
    classifier.classes_ = classifier._labels.array()
    if "feature_names" in arrays:
        classifier.feature_names_in_ = _restore_feature_names(arrays["feature_names"], config.n_features)
    classifier.standardization_ = _restore_standardization(arrays, config.n_features)
    if network.has_candidates:
        classifier.approximate_ = CandidateReport(**metadata["approximate"])
    if metadata["ranker"] is not None:
        classifier.ranker_ = restore_ranker(metadata["ranker"])
    restore_living(classifier, arrays, metadata)
    network.share_lock(classifier._lock)
    classifier.network_ = network
    return classifier


def _check_family(path: StrPath, network: Any, family: Any) -> None:
    """Compare the hash family of the user's own that the file wants with the one that is given."""
    of_layers = [name for layer in network["hidden"] for name in _own_names(layer["Layer"]["hash"])]
    if family is None and of_layers:
        raise ModelFileError(
            f"{path} needs the hash family {of_layers[0]!r}, which it only names. Load it in Python: "
            "SlideClassifier.load(path, hash=...)."
        )
    if family is not None and not (of_layers or _own_names(network["hash"])):
        raise ModelFileError(f"{path} names no hash family of your own. Load it without hash=...")


def _own_names(family: Any) -> list[str]:
    """Return the class of a hash family of the user's own in a list, an empty one for other families."""
    return (
        [str(family["CustomHash"]["family"])] if isinstance(family, dict) and "CustomHash" in family else []
    )


def _restore_labels(names: NDArray[Any] | None, metadata: dict[str, Any], n_labels: int) -> LabelNames:
    kind, from_lists = metadata["classes_kind"], check_bool("label_lists", metadata["label_lists"])
    if kind is None:
        return LabelNames(n_labels)
    if names is None or names.shape != (n_labels,):
        raise InputError(f"it lacks the names of its {n_labels} labels")
    if names.dtype.kind != {"U": "O", "b": "u"}.get(kind, kind) or (kind == "b" and names.max() > 1):
        raise InputError(f"its labels are {names.dtype}, not of the kind {kind!r} that it notes")
    if kind in "Ub":
        names = names.astype({"U": str, "b": bool}[kind])
    if (kind == "f" and not np.isfinite(names).all()) or len(set(names.tolist())) < n_labels:
        raise InputError("the names of its labels are not distinct and finite")
    return LabelNames(n_labels, names, from_lists)


def _restore_feature_names(names: NDArray[Any], n_features: int) -> NDArray[np.object_]:
    if names.dtype != object or len(names) > n_features:
        raise InputError(f"it has {len(names)} names of {names.dtype} for its {n_features} features")
    return names


def _restore_standardization(arrays: dict[str, NDArray[Any]], n_features: int) -> Standardization | None:
    parts = {name.removeprefix(STANDARD): a for name, a in arrays.items() if name.startswith(STANDARD)}
    if not parts:
        return None
    names = [field.name for field in fields(Standardization)]
    for name in names:
        array, dtype = parts[name], np.dtype(np.int32 if name == "columns" else np.float32)
        if array.dtype != dtype or array.shape != (parts["columns"].size,):
            raise InputError(
                f"the array '{STANDARD}{name}' is not {dtype} of the length of '{STANDARD}columns'"
            )
        check_finite({STANDARD + name: array}, True)
    columns = parts["columns"]
    if not len(columns) or columns[0] < 0 or columns[-1] >= n_features or (np.diff(columns) <= 0).any():
        raise InputError(
            f"the array '{STANDARD}columns' does not name some of its {n_features} features, ascending"
        )
    return Standardization(**{name: parts[name] for name in names})


def _restore_moments(
    arrays: dict[str, NDArray[Any]], training: dict[str, Any], width: int
) -> ActivationMoments | None:
    if "activations.mean" not in arrays:
        return None
    parts = []
    for part, shapes in (("mean", [(width,)]), ("covariance", [(width, width), (0, 0)])):
        array = arrays.get(f"activations.{part}")
        if (
            array is None
            or array.dtype != np.float32
            or array.shape not in shapes
            or not np.isfinite(array).all()
        ):
            raise InputError(f"the array 'activations.{part}' is not finite float32 of shape {shapes[0]}")
        parts.append(np.array(array))
    n_examples = check_int("the examples", training["examples"], 1, 2**63 - 1)
    score = check_float("the score", training["score"], -math.inf, math.inf, "()")
    mean, covariance = parts
    return ActivationMoments(n_examples, mean, covariance, score)


def _restore_dtype(name: str | None) -> np.dtype | None:
    dtype = None if name is None else np.dtype(name)
    if dtype is not None and dtype.kind not in "biuf":
        raise InputError(f"its predictions have the dtype {name}")
    return dtype
