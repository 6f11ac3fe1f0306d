"""Facts about a data set, and its division into parts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide._checks import check_float, random_generator
from hashslide.csr import Csr
from hashslide.errors import InputError

from ._pairs import checked_pair

__all__ = ["describe", "train_validation_split"]


def __dir__() -> list[str]:
    return __all__


def describe(X: Any, Y: Any) -> dict[str, Any]:
    """Facts about a data set, ready for ``json.dumps``.

    Parameters
    ----------
    X : sparse matrix or array, shape (examples, features)
    Y : sparse matrix or array, shape (examples, labels)

    Returns
    -------
    dict
        ``examples``, ``features``, ``labels``: counts. ``feature_values``, ``label_assignments``: stored
        values. ``features_per_example``, ``labels_per_example``, ``examples_per_label`` (of the labels that
        occur): dicts with ``mean``, ``median``, ``min``, ``max``. ``examples_without_features``,
        ``examples_without_labels``, ``features_unused``, ``labels_unused``, ``labels_once``: counts;
        ``labels_once_share``: share of the labels that occur. ``value_min``, ``value_max``: of the stored
        values, None without any. ``unit_length``: whether every example with features has Euclidean length 1
        (within 1 %). ``bytes``: memory of both matrices.

    Raises
    ------
    InputError
        X or Y is not a matrix, or their numbers of rows differ.
    """
    x, y = checked_pair(X, Y)
    per_feature = np.bincount(x.indices, minlength=x.shape[1])
    per_label = np.bincount(y.indices, minlength=y.shape[1])
    used = per_label[per_label > 0]
    once = int((used == 1).sum())
    values = _values(x)
    return {
        "examples": x.shape[0],
        "features": x.shape[1],
        "labels": y.shape[1],
        "feature_values": int(x.nnz),
        "label_assignments": int(y.nnz),
        "features_per_example": _spread(np.diff(x.indptr)),
        "labels_per_example": _spread(np.diff(y.indptr)),
        "examples_per_label": _spread(used),
        "examples_without_features": int((np.diff(x.indptr) == 0).sum()),
        "examples_without_labels": int((np.diff(y.indptr) == 0).sum()),
        "features_unused": int((per_feature == 0).sum()),
        "labels_unused": int((per_label == 0).sum()),
        "labels_once": once,
        "labels_once_share": once / len(used) if len(used) else 0.0,
        "value_min": float(values.min()) if x.nnz else None,
        "value_max": float(values.max()) if x.nnz else None,
        "unit_length": _has_unit_length(x),
        "bytes": _csr_bytes(x) + _csr_bytes(y),
    }


def train_validation_split(
    X: Any, Y: Any, fraction: float = 0.1, random_state: Any = None
) -> tuple[csr_matrix, csr_matrix, csr_matrix, csr_matrix]:
    """Divide a data set at random; the order of the examples is kept within each part.

    Parameters
    ----------
    X : sparse matrix or array, shape (examples, features)
    Y : sparse matrix or array, shape (examples, labels)
    fraction : float, default=0.1
        Share of the examples in the validation part, between 0 and 1; both parts get at least one example.
    random_state : int, RandomState or None, default=None
        Seed of the choice.

    Returns
    -------
    X_train, X_validation, Y_train, Y_validation : csr_matrix
        In the order of scikit-learn's ``train_test_split``.

    Raises
    ------
    InputError
        Fewer than two examples, `fraction` outside (0, 1), no random state, or X and Y do not fit together.
    """
    x, y = checked_pair(X, Y, dtype=None, pattern=False)
    n_examples = x.n_rows
    check_float("fraction", fraction, 0, 1, "()")
    if n_examples < 2:
        raise InputError(f"X has {n_examples} rows. A division needs two examples at least.")
    n_validation = min(max(round(fraction * n_examples), 1), n_examples - 1)
    held = np.zeros(n_examples, dtype=bool)
    held[random_generator(random_state).permutation(n_examples)[:n_validation]] = True
    kept, held = np.flatnonzero(~held), np.flatnonzero(held)
    return tuple(matrix.take(rows).to_scipy() for matrix in (x, y) for rows in (kept, held))


def _csr_bytes(matrix: Csr) -> int:
    """Memory as SciPy's matrix of float32, whose labels have values too."""
    return matrix.indptr.nbytes + matrix.indices.nbytes + 4 * matrix.nnz


def _spread(counts: NDArray[Any]) -> dict[str, float]:
    if len(counts) == 0:
        return {"mean": 0.0, "median": 0.0, "min": 0, "max": 0}
    return {
        "mean": float(counts.mean()),
        "median": float(np.median(counts)),
        "min": int(counts.min()),
        "max": int(counts.max()),
    }


def _values(x: Csr) -> NDArray[Any]:
    return np.ones(x.nnz, np.float32) if x.data is None else x.data


def _has_unit_length(x: Csr) -> bool:
    starts = x.indptr[:-1][np.diff(x.indptr) > 0]
    values = _values(x)
    squares = np.add.reduceat(np.square(values), starts) if len(starts) else values
    return bool(len(squares)) and bool(np.allclose(squares, 1, rtol=0.02))
