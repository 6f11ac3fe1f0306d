"""Labels that a prediction leaves out for each example: given by the user, or those of its input."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide._interface import setting, wording
from hashslide._validation import check_same_rows
from hashslide.csr import Csr
from hashslide.errors import InputError

from .label_names import LabelNames

__all__ = ["INPUT", "excluded_labels"]


def __dir__() -> list[str]:
    return __all__


INPUT = "input"
_PASS = "pass exclude= as a sparse matrix (examples x labels) or as label lists."
_GIVE = "give --exclude FILE, a file of pairs: the number of an example and of a label."


def excluded_labels(
    exclude: Any, x: Csr, feature_names: NDArray[Any] | None, labels: LabelNames, in_columns: bool
) -> Csr | None:
    """Return the labels that each example must not get.

    Parameters
    ----------
    exclude : None, "input", or labels as in a target
        "input": the labels whose names are those of the example's features.
    x : Csr
        Features of the examples.
    feature_names : array of str, or None
    labels : LabelNames
    in_columns : bool
        Whether the labels are in the order of the columns of an indicator, not in one of their own.

    Returns
    -------
    Csr or None
        A pattern (examples x labels). What the model does not have is left out.

    Raises
    ------
    InputError
        `exclude` is no such thing, has not one row for each example, or features and labels are not the same
        things.
    """
    if exclude is None:
        return None
    if isinstance(exclude, str):
        if exclude != INPUT:
            raise InputError(
                f"exclude is {exclude!r}; accepted are {INPUT!r}, a sparse matrix or lists of labels."
            )
        return _labels_in(x, feature_names, labels, in_columns)
    try:
        target = labels.parse(exclude)
        check_same_rows(x.n_rows, target.n_rows, "X and exclude")
        return labels.encode(target, drop_unknown=True)
    except InputError as error:
        raise InputError(f"exclude, which is read as y is, cannot be used: {error}") from None


def _labels_in(x: Csr, feature_names: NDArray[Any] | None, labels: LabelNames, in_columns: bool) -> Csr:
    """Return the labels whose names are those of the features of each row; O(nnz of x)."""
    names_of_labels = labels.names
    if names_of_labels is None or (feature_names is None and names_of_labels.dtype.kind not in "iu"):
        _check_same_columns(x, labels, in_columns)
        return Csr(x.indptr, x.indices, None, labels.n)
    features = np.unique(x.indices)
    names = features if feature_names is None else feature_names[features]  # without names: their numbers
    ids = labels.look_up(names)
    if feature_names is not None and not (ids >= 0).any():
        _check_same_names(feature_names, labels)
    label = ids[np.searchsorted(features, x.indices)]
    known = label >= 0
    row = np.repeat(np.arange(x.n_rows), np.diff(x.indptr))[known]
    pairs = np.unique(row * labels.n + label[known])
    indptr = np.searchsorted(pairs, np.arange(x.n_rows + 1, dtype=np.int64) * labels.n)
    return Csr(indptr.astype(np.int64), (pairs % labels.n).astype(np.int32), None, labels.n)


def _check_same_columns(x: Csr, labels: LabelNames, in_columns: bool) -> None:
    """Refuse labels of which it is not known that label i is feature i."""
    if x.n_columns != labels.n or (labels.names is not None and not in_columns):
        names = "have no names" if labels.names is None else "have names"
        raise InputError(
            f"{setting('exclude', INPUT)} needs to know which feature is which label, but the {x.n_columns} "
            f"features and the {labels.n} labels, which {names}, can be matched neither by name nor by "
            "column. "
            + wording(
                "Fit on a data frame whose columns are named like the labels, or give X and an indicator y "
                f"one column for each item, or {_PASS}",
                f"Train on data whose features are named like the labels, or {_GIVE}",
            )
        )


def _check_same_names(feature_names: NDArray[Any], labels: LabelNames) -> None:
    """Refuse features of which none is a label: they are of another kind."""
    if not (labels.look_up(feature_names) >= 0).any():
        label = labels.array()[:1].tolist()[0]
        raise InputError(
            f"{setting('exclude', INPUT)} needs features and labels that are the same things, but no feature "
            f"bears the name of a label: features are like {str(feature_names[0])!r}, labels like {label!r}. "
            "Instead, " + wording(_PASS, _GIVE)
        )
