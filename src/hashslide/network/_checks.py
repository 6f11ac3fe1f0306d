"""Checks of what the methods of a network are given."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide._validation import as_numeric, to_float32
from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.errors import InputError


def check_features(X: Any, n_features: int) -> Csr:
    """Return examples as a matrix, if they have the features of the network."""
    x = as_csr(X)
    if x.n_columns != n_features:
        raise InputError(f"X has {x.n_columns} features, but the network has {n_features} as input.")
    return x


def check_excluded(
    exclude: Any, n_rows: int, n_labels: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]] | None:
    """Return offsets and ids of excluded labels."""
    if exclude is None:
        return None
    pattern = as_pattern(exclude, name="exclude")
    if pattern.shape != (n_rows, n_labels):
        raise InputError(
            f"exclude has the shape {pattern.shape}; accepted is {(n_rows, n_labels)}, one row for each row "
            "of X and one column for each label."
        )
    return pattern.indptr, pattern.indices


def check_label_ids(labels: ArrayLike, n_labels: int) -> NDArray[np.int32]:
    """Return ids of labels as the core takes them."""
    ids = np.asarray(labels)
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or ((ids < 0) | (ids >= n_labels)).any():
        raise InputError(f"labels must be a vector of ids from 0 to {n_labels - 1}.")
    return np.ascontiguousarray(ids, np.int32)


def check_label_weight(weight: ArrayLike, n_labels: int) -> NDArray[np.float32]:
    """Return the weights of the labels, float32 and contiguous, if they are finite and not negative."""
    weight = to_float32(as_numeric(weight, "label_weight"), "label_weight")
    array = check_per_label("label_weight", weight, n_labels)
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise InputError(
            "label_weight holds negative, NaN or infinite values; accepted are finite numbers >= 0."
        )
    return array


def check_per_label(name: str, values: NDArray[Any], n_labels: int) -> NDArray[Any]:
    """Return values contiguous, if there is one for each label."""
    if values.shape != (n_labels,):
        raise InputError(f"{name} has shape {values.shape}; accepted is ({n_labels},), one per label.")
    return np.ascontiguousarray(values)
