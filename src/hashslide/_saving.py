"""A fitted classifier as the arrays and metadata of a model file; specified in docs/estimator.md."""

import inspect
import math
import numbers
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray

from hashslide import _core, model_file
from hashslide._targets import LabelNames
from hashslide.config import NetworkConfig, check_int
from hashslide.errors import InputError, ModelFileError
from hashslide.network import Network

KIND = "SlideClassifier"
NETWORK = "network."  # prefix of the network's arrays
OPTIMIZER_STATES = (".adagrad", ".adam_m", ".adam_v", ".velocity")


def save_classifier(classifier, path, optimizer_state: bool) -> None:
    """Write a fitted classifier to a model file."""
    arrays = {
        NETWORK + name: array
        for name, array in classifier.network_.state().items()
        if optimizer_state or not name.endswith(OPTIMIZER_STATES)
    }
    names = classifier._labels.names
    if names is not None:
        arrays["classes"] = names.astype(np.uint8) if names.dtype.kind == "b" else names
    if hasattr(classifier, "feature_names_in_"):
        arrays["feature_names"] = classifier.feature_names_in_
    if isinstance(classifier.label_weight, list | tuple | np.ndarray):
        arrays["label_weight"] = np.asarray(classifier.label_weight, np.float32)
    model_file.save_model(path, arrays, _metadata(classifier))


def _metadata(classifier) -> dict[str, Any]:
    names, dense_dtype = classifier._labels.names, classifier._dense_dtype
    return {
        "kind": KIND,
        "parameters": _plain_parameters(classifier.get_params(deep=False)),
        "network": classifier.network_.config.to_dict(),
        "multilabel": classifier.multilabel_,
        "classes_kind": None if names is None else names.dtype.kind,
        "dense_dtype": None if dense_dtype is None else dense_dtype.str,
        "training": {
            "seed": classifier._seed,
            "planned_epochs": classifier._planned_epochs,
            "history": [_finite(record) for record in classifier.history_],
        },
        "versions": {
            "hashslide": _core.build_info()["version"],
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }


def _plain_parameters(parameters: dict) -> dict:
    """Return the parameters that JSON holds.

    Callbacks, generators and the number of threads, which belongs to a machine and not to a model, take their
    default on loading.
    """
    plain = {}
    for name, value in parameters.items():
        if name == "n_jobs":
            continue
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | str | numbers.Number):
            plain[name] = value
    return plain


def _finite(record: dict) -> dict:
    return {name: value if math.isfinite(value) else None for name, value in record.items()}


def load_classifier(cls, path, mmap: bool):
    """Return the classifier of a model file.

    Raises
    ------
    ModelFileError
        The file is not one that `save_classifier` wrote, or its parts do not fit each other.
    """
    arrays, metadata = model_file.load_model(path, mmap=mmap)
    if metadata.get("kind") != KIND:
        raise ModelFileError(
            f"{path} holds a {metadata.get('kind')!r}, not a {KIND}. Use hashslide.model_file to read it."
        )
    try:
        return _restore(cls, arrays, metadata)
    except (InputError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise ModelFileError(f"{path} is not a whole {KIND}: {error}. Save the model again.") from error


def _restore(cls, arrays: dict[str, NDArray], metadata: dict[str, Any]):
    known = set(inspect.signature(cls).parameters)
    parameters = {name: value for name, value in metadata["parameters"].items() if name in known}
    if "label_weight" in arrays:
        parameters["label_weight"] = np.array(arrays["label_weight"])
    classifier = cls(**parameters)
    config = NetworkConfig.from_dict(metadata["network"])
    state = {name.removeprefix(NETWORK): array for name, array in arrays.items() if name.startswith(NETWORK)}
    network = Network.from_state(config, state, copy=False)
    training = metadata["training"]
    classifier._labels = _restore_labels(arrays.get("classes"), metadata["classes_kind"], config.n_labels)
    classifier._dense_dtype = _restore_dtype(metadata["dense_dtype"])
    classifier._seed = check_int("the seed", training["seed"], 0, 2**63 - 1)
    classifier._planned_epochs = int(training["planned_epochs"])
    classifier.history_ = [dict(record) for record in training["history"]]
    classifier.multilabel_ = bool(metadata["multilabel"])
    classifier.n_features_in_ = config.n_features
    classifier.classes_ = classifier._labels.array()
    if "feature_names" in arrays:
        classifier.feature_names_in_ = arrays["feature_names"]
    classifier.network_ = network
    return classifier


def _restore_labels(names: NDArray | None, kind: str | None, n_labels: int) -> LabelNames:
    if kind is None:
        return LabelNames(n_labels)
    if names is None or names.shape != (n_labels,):
        raise InputError(f"it lacks the names of its {n_labels} labels")
    if kind in "Ub":
        names = names.astype({"U": str, "b": bool}[kind])
    return LabelNames(n_labels, names)


def _restore_dtype(name: str | None) -> np.dtype | None:
    dtype = None if name is None else np.dtype(name)
    if dtype is not None and dtype.kind not in "biuf":
        raise InputError(f"its predictions have the dtype {name}")
    return dtype
