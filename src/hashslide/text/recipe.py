"""How texts become features, as a part of a model file (docs/how/model_file.md)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide._checks import check_int
from hashslide.errors import InputError
from hashslide.model_file.string_table import StringTable
from hashslide.settings.limits import MAX_IDS
from hashslide.text.features import TextFeatures

__all__ = ["FEATURES", "arrays_of", "metadata_of", "restore"]


def __dir__() -> list[str]:
    return __all__


VERSION = 1
FEATURES = "text"  # of the metadata
_ARRAYS = {"hashes": np.uint64, "slots": np.int32, "weights": np.float32}


def metadata_of(features: TextFeatures) -> dict[str, Any]:
    """Return the recipe as JSON; threads belong to a machine and not to a model."""
    settings = features.get_params(deep=False)
    del settings["n_jobs"]
    return {
        "version": VERSION,
        "settings": settings,
        "characters": features.characters_,
        "columns": list(features.columns_),
        "n_features": features.n_features_,
        "n_documents": features.n_documents_,
    }


def arrays_of(features: TextFeatures) -> dict[str, NDArray[Any]]:
    """Return the hashes of the terms, their table, weights and names, those of them that there are."""
    arrays = {name: getattr(features, f"_{name}") for name in _ARRAYS}
    if features._names is not None:
        arrays |= {f"terms.{name}": array for name, array in features._names.arrays().items()}
    return {f"{FEATURES}.{name}": array for name, array in arrays.items() if array is not None}


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def restore(metadata: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> TextFeatures:
    """Return the features of a recipe; the arrays are used in place.

    Raises
    ------
    InputError, KeyError, TypeError
        It is not a whole recipe, or of a newer version.
    """
    check_int("the version of its text recipe", metadata["version"], VERSION, VERSION)
    settings = dict(metadata["settings"])
    settings["characters"] = _pair(settings["characters"])
    columns = metadata["columns"]
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
        raise InputError(f"its text columns are {columns!r}")
    features = TextFeatures(**settings)
    features._prepare(tuple(columns), _pair(metadata["characters"]))
    n = features.n_features_ = check_int("the number of text features", metadata["n_features"], 1, MAX_IDS)
    features.n_documents_ = check_int("the number of documents", metadata["n_documents"], 1, 2**53)
    found = {name: arrays.get(f"{FEATURES}.{name}") for name in _ARRAYS}
    hashed, weighted = features.hashed is not None, bool(features.idf)
    if hashed and features.hashed != n:
        raise InputError(f"it hashes to {features.hashed!r} features, but has {n}")
    for name, is_wanted in (("hashes", not hashed), ("slots", not hashed), ("weights", weighted)):
        array = found[name]
        if (array is not None) != is_wanted:
            raise InputError(f"it {'lacks' if is_wanted else 'has'} the array '{FEATURES}.{name}'")
        if array is None:
            continue
        if array.dtype != _ARRAYS[name] or array.ndim != 1 or (name != "slots" and len(array) != n):
            raise InputError(f"the array '{FEATURES}.{name}' is {array.dtype} of shape {array.shape}")
    slots = found["slots"]
    if slots is not None and not _core.is_term_table(slots, n):
        raise InputError(f"the array '{FEATURES}.slots' is no table of {n} terms")
    weights = found["weights"]
    if weights is not None and not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise InputError(f"the array '{FEATURES}.weights' holds numbers that are no weights")
    features._hashes, features._slots, features._weights = found["hashes"], found["slots"], weights
    if not hashed:
        features._names = StringTable(arrays[f"{FEATURES}.terms.utf8"], arrays[f"{FEATURES}.terms.offsets"])
        if len(features._names) != n:
            raise InputError(f"it has {len(features._names)} names for its {n} terms")
    return features
