"""A fitted classifier as the arrays and metadata of a model file (docs/how/model_file.md)."""

import math
import numbers
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import sklearn
from numpy.typing import NDArray

from hashslide import _core, model_file
from hashslide._checks import check_bool, check_float, check_int
from hashslide._os_errors import StrPath, explain
from hashslide.callbacks import EarlyStopping
from hashslide.csr import Csr
from hashslide.errors import InputError, ModelFileError
from hashslide.estimator._numbers import check_finite, check_squares
from hashslide.estimator.approximate import CandidateReport
from hashslide.estimator.parameters import PARAMETERS, check_values
from hashslide.living import Drift, Reservoir
from hashslide.living.new_labels import ActivationMoments
from hashslide.living.reservoir import check_reservoir
from hashslide.network import ROLES, Network, check_label_weight
from hashslide.ranking import Blend, RankerReport
from hashslide.settings import ChosenSettings, CustomHash, HashFamily, Setting
from hashslide.settings.hash_families import check_own_family
from hashslide.settings.plain import config_from_plain, config_to_plain, from_plain, to_plain
from hashslide.targets import LabelNames
from hashslide.training import Position, TrainingContext

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = [
    "TextRecipe",
    "finite_record",
    "load_classifier",
    "plain_parameters",
    "restore_classifier",
    "restore_parameters",
    "restore_position",
    "restore_record",
    "save_classifier",
]


def __dir__() -> list[str]:
    return __all__


Classifier = TypeVar("Classifier", bound="SlideClassifier")

KIND = "SlideClassifier"
NETWORK = "network."  # prefix of the network's arrays
BEST = "best."  # prefix of the arrays of the best epoch's network, in a checkpoint
TEXT = "text"  # of the metadata, and prefix of the arrays, that tell how texts become features
RESERVOIR = "reservoir."  # of those of the kept examples
_STOPPING = ("monitor", "patience", "min_delta")
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
    if classifier._moments is not None:
        arrays["activations.mean"] = classifier._moments.mean
        arrays["activations.covariance"] = classifier._moments.covariance
    if isinstance(classifier.label_weight, list | tuple | np.ndarray):
        arrays["label_weight"] = np.asarray(classifier.label_weight, np.float32)
    if len(classifier._hidden_labels):
        arrays["hidden_labels"] = classifier._hidden_labels
    reservoir = classifier._reservoir
    if reservoir is not None:
        parts = {
            "x.indptr": reservoir.x.indptr,
            "x.indices": reservoir.x.indices,
            "x.data": reservoir.x.values,
        }
        parts |= {
            "y.indptr": reservoir.y.indptr,
            "y.indices": reservoir.y.indices,
            "tickets": reservoir.tickets,
        }
        arrays |= {RESERVOIR + name: array for name, array in parts.items()}
    if context is not None and context.best_state is not None:
        arrays |= {BEST + name: array for name, array in context.best_state.items()}
    recipe: TextRecipe | None = classifier.__dict__.get("_text_recipe")
    if recipe is not None and more_metadata is None:
        more_arrays, more_metadata = recipe.for_file(classifier, path), {TEXT: recipe.metadata}
    arrays |= more_arrays or {}
    metadata = _metadata(classifier, optimizer_state, context)
    model_file.save_model(path, arrays, metadata | (more_metadata or {}))


class TextRecipe(NamedTuple):
    """How texts become the features of a model that was loaded without it: it is only kept for the next file.

    Attributes
    ----------
    arrays, metadata : dict
        As `hashslide.text.recipe` writes them.
    classes : array
        The labels when it was loaded.
    """

    arrays: dict[str, NDArray[Any]]
    metadata: dict[str, Any]
    classes: NDArray[Any]

    def for_file(self, classifier: "SlideClassifier", path: StrPath) -> dict[str, NDArray[Any]]:
        """Return the arrays, if they fit what has become of the classifier."""
        changed = ""
        if classifier.n_features_in_ != self.metadata.get("n_features"):
            changed = "features"
        elif self.metadata.get("keep_examples") and not np.array_equal(classifier.classes_, self.classes):
            changed = "labels"
        if changed:
            raise ModelFileError(
                f"cannot save {path}: this model was one of texts, whose recipe is for other {changed}. Load "
                "it with SlideTextClassifier, change it there, and save that."
            )
        return self.arrays


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
        "ranker": _plain_ranker(classifier.ranker_) if hasattr(classifier, "ranker_") else None,
        "dense_dtype": None if dense_dtype is None else dense_dtype.str,
        "training": {
            "seed": classifier._seed,
            "planned_epochs": classifier._planned_epochs,
            "best_epoch": getattr(classifier, "best_epoch_", None),
            "optimizer_state": optimizer_state and classifier._has_optimizer_state,
            "examples": 0 if classifier._moments is None else classifier._moments.n_examples,
            "score": 0.0 if classifier._moments is None else classifier._moments.score,
            "settings": _plain_settings(classifier.settings_),
            "history": [
                finite_record({name: value for name, value in record.items() if name not in left_out})
                for record in classifier.history_
            ],
            "position": asdict(position),
            "data": classifier._data_key,
        },
        "living": _plain_living(classifier),
        "versions": {
            "hashslide": _core.build_info()["version"],
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }


def _plain_living(classifier: "SlideClassifier") -> dict[str, Any]:
    """Return what belongs to the kept examples, and the record of drift."""
    kept = classifier._reservoir
    return {
        "reservoir": None
        if kept is None
        else {"size": kept.size, "seen": kept.n_seen, "bound": list(kept.bound)},
        "drift": classifier.drift_.to_plain() if hasattr(classifier, "drift_") else None,
    }


def _restore_living(
    classifier: "SlideClassifier", arrays: dict[str, NDArray[Any]], metadata: dict[str, Any]
) -> None:
    """Set the hidden labels, the kept examples and the record of drift."""
    n_labels = classifier._labels.n
    hidden = np.array(arrays.get("hidden_labels", np.empty(0, np.int64)))
    is_set = hidden.ndim == 1 and hidden.dtype == np.int64 and bool((np.diff(hidden) > 0).all())
    if not is_set or (len(hidden) and (hidden[0] < 0 or hidden[-1] >= n_labels)) or len(hidden) >= n_labels:
        raise InputError("its hidden labels are not some of its labels in ascending order")
    classifier._hidden_labels, classifier._reservoir = hidden, None
    living = metadata.get("living", {"reservoir": None, "drift": None})
    if living["drift"] is not None:
        classifier.drift_ = Drift.from_plain(living["drift"])
    if living["reservoir"] is not None:
        part = {name.removeprefix(RESERVOIR): a for name, a in arrays.items() if name.startswith(RESERVOIR)}
        x = Csr(part["x.indptr"], part["x.indices"], part["x.data"], classifier.n_features_in_)
        y = Csr(part["y.indptr"], part["y.indices"], None, n_labels)
        numbers = living["reservoir"]
        layer, ticket = (check_int("a bound", bound, 0, 2**63 - 1) for bound in numbers["bound"])
        size, seen = (check_int(name, numbers[name], 0, 2**63 - 1) for name in ("size", "seen"))
        kept = Reservoir(size, x, y, part["tickets"], seen, (layer, ticket))
        classifier._reservoir = check_reservoir(kept, classifier.n_features_in_, n_labels)


def plain_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters as JSON.

    Callbacks, generators and the number of threads, which belongs to a machine and not to a model, take their
    default on loading. The weights of labels are saved as an array.
    """
    family = parameters["hash"]
    if not isinstance(family, HashFamily | str | None):
        parameters = parameters | {"hash": CustomHash(family)}
    stopping = parameters["early_stopping"]
    if isinstance(stopping, EarlyStopping):
        own = {name: getattr(stopping, name) for name in _STOPPING}
        parameters = parameters | {"early_stopping": {"EarlyStopping": own}}
    kept = parameters.keys() - {"n_jobs", "callbacks"}
    return {
        name: value if isinstance(value := parameters[name], dict) else to_plain(value)
        for name in sorted(kept)
        if name not in ("random_state", "label_weight") or _is_scalar(parameters[name])
    }


def _plain_settings(settings: ChosenSettings) -> list[dict[str, Any]]:
    """Return the settings as JSON: records of the name, the value and the reason."""
    return [{"setting": n, "value": to_plain(s.value), "because": s.reason} for n, s in settings.items()]


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | str | numbers.Number | np.generic)


def restore_parameters(values: dict[str, Any], family: Any = None) -> dict[str, Any]:
    """Return the parameters that `plain_parameters` wrote, checked."""
    if unknown := sorted(values.keys() - PARAMETERS.keys()):
        raise InputError(f"it has the parameter {unknown[0]!r}; known are {', '.join(PARAMETERS)}")
    values = dict(values)
    stopping = values.get("early_stopping")
    if isinstance(stopping, dict):
        own = stopping.get("EarlyStopping")
        if not isinstance(own, dict) or own.keys() != set(_STOPPING):
            raise InputError(f"its early_stopping is {stopping!r}")
        values["early_stopping"] = EarlyStopping(**own)
    found = {name: v if isinstance(v, EarlyStopping) else from_plain(v, family) for name, v in values.items()}
    check_values(found)
    return found


def _restore_settings(records: list[dict[str, Any]], family: Any) -> ChosenSettings:
    """Return the settings that `_plain_settings` wrote, checked."""
    found = {}
    for record in records:
        name, reason = record["setting"], record["because"]
        if not isinstance(name, str) or name not in PARAMETERS or not isinstance(reason, str):
            raise InputError(f"its settings hold {name!r}, because {reason!r}")
        value = from_plain(record["value"], family)
        if value is not None:
            value = PARAMETERS[name].check(name, value)
        found[name] = Setting(value, reason)
    return ChosenSettings(found)


def finite_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of a record as JSON: null stands for what is not finite."""
    return {name: value if math.isfinite(value) else None for name, value in record.items()}


def _plain_ranker(report: RankerReport) -> dict[str, Any]:
    numbers = asdict(report)
    return finite_record(numbers.pop("blend")._asdict() | numbers)


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
    classifier.settings_ = _restore_settings(training["settings"], family)
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
    if network.has_candidates:
        classifier.approximate_ = CandidateReport(**metadata["approximate"])
    if metadata["ranker"] is not None:
        classifier.ranker_ = _restore_ranker(metadata["ranker"])
    _restore_living(classifier, arrays, metadata)
    network.share_lock(classifier._lock)
    classifier.network_ = network
    return classifier


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


def restore_record(record: dict[str, float | None]) -> dict[str, float]:
    """Return what the history tells of an epoch; null stands for what is not finite."""
    for name, value in record.items():
        if isinstance(value, bool) or not isinstance(value, float | int | None):
            raise InputError(f"its history has {value!r} as {name}; accepted are numbers and null")
    return {name: math.nan if value is None else value for name, value in record.items()}


def restore_position(position: dict[str, Any]) -> Position:
    """Return a position that was written as a dict, checked."""
    for name in ("batch", "examples", "active"):
        check_int(name, position[name], 0, 2**63 - 1)
    for name in ("loss", "seconds"):
        check_float(name, position[name], -math.inf, math.inf, "()")
    return Position(**position)


def _restore_ranker(report: dict[str, Any]) -> RankerReport:
    for name, value in report.items():
        if isinstance(value, bool) or not isinstance(value, float | int | None):
            raise InputError(f"its ranker has {value!r} as {name}; accepted are numbers and null")
    numbers = {name: math.nan if value is None else float(value) for name, value in report.items()}
    blend = Blend(*(numbers.pop(name) for name in Blend._fields))
    rows, n_examples = (int(numbers.pop(name)) for name in ("rows", "n_examples"))
    return RankerReport(blend, rows=rows, n_examples=n_examples, **numbers)


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
