"""A head as a hashslide model file: a classifier whose only hidden layer hands on the activations."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide import model_file
from hashslide._heads import classifier_of_head
from hashslide._os_errors import StrPath
from hashslide.errors import InputError, ModelFileError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.saving import save_classifier
from hashslide.precision import to_float32

from ._settings import HeadSettings
from ._state import Table

KEY = "jax_head"  # of what only the head knows, in the names of a file
_KEPT = ("accumulator", "starts", "class_weight")


def save_table(settings: HeadSettings, table: Table, path: StrPath, classes: ArrayLike | None) -> None:
    """Write a table to a model file; see `SlideHead.save`."""
    if not _is_finite(table):
        raise InputError(
            "the table has weights that are not finite, so that it predicts nothing. Train it anew."
        )
    weight, bias = np.asarray(table.weight), np.asarray(table.bias)
    model = classifier_of_head(weight, bias, settings.loss, classes)
    kept = {f"{KEY}.{name}": getattr(table, name) for name in _KEPT}
    arrays = {name: np.asarray(array) for name, array in kept.items() if array is not None}
    metadata = {KEY: settings._asdict()}
    save_classifier(model, path, optimizer_state=False, more_arrays=arrays, more_metadata=metadata)


@jax.jit
def _is_finite(table: Table) -> jax.Array:
    return jnp.isfinite(table.weight).all() & jnp.isfinite(table.bias).all()


def read_table(path: StrPath) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what a model file says of a head: settings, and arrays by the names of the table's."""
    model = SlideClassifier.load(path)
    arrays, metadata = model_file.load_model(path)
    config = model.network_.config
    if model.network_.has_ranker:
        raise ModelFileError(
            f"{path} has a ranker besides its output layer, which a SlideHead does not have. Train the "
            "classifier with ranker=False."
        )
    n = config.n_labels
    found: dict[str, NDArray[Any]] = {
        "weight": to_float32(arrays["network.output.weight"]),
        "bias": to_float32(arrays["network.output.bias"]),
        "accumulator": arrays.get(f"{KEY}.accumulator", np.zeros((n, 2), np.float32)),
    }
    types = {
        "accumulator": ((n, 2), np.float32),
        "starts": ((n,), np.uint32),
        "class_weight": ((n,), np.float32),
    }
    found |= {name: arrays[f"{KEY}.{name}"] for name in _KEPT if f"{KEY}.{name}" in arrays}
    for name in _KEPT:
        if name in found and (found[name].shape, found[name].dtype.type) != types[name]:
            raise ModelFileError(f"{path} is not a whole head: its {name} does not fit. Save the head again.")
    kept = metadata.get(KEY, {"loss": config.loss})
    if not isinstance(kept, dict):
        raise ModelFileError(f"{path} is not a whole head: its settings are {kept!r}. Save the head again.")
    return kept | {"in_features": config.width, "num_classes": n}, found
