"""Columns of matrices and their names: moved, widened, left out, so that data sets fit each other."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide.cli._console import note
from hashslide.cli.inputs.part import Part
from hashslide.errors import InputError

__all__ = ["fit_width", "is_start_of", "keep_known", "move_columns", "places", "same_columns", "with_width"]


def __dir__() -> list[str]:
    return __all__


def same_columns(parts: dict[str, Part], drop_unknown: bool) -> dict[str, Part]:
    """Return the parts with the same features and labels, those of "train" first.

    Parts that name their columns are matched by name: a feature that "train" lacks is left out, a label that
    it lacks is added. Of ids, the widest part counts; with `drop_unknown`, features that "train" lacks are
    left out.

    Raises
    ------
    InputError
        Some parts have names and others ids.
    """
    train = parts["train"]
    for stem in ("feature", "label"):
        named = [name for name, part in parts.items() if getattr(part, f"{stem}_names") is not None]
        if named and len(named) < len(parts):
            others = [name for name in parts if name not in named]
            raise InputError(
                f"the {stem}s of the {named[0]} data have names, those of the {others[0]} data have ids. "
                "Give both in the same form."
            )
    x_names, y_names = train.feature_names, train.label_names
    if y_names is not None:
        every = np.concatenate([part.label_names for part in parts.values()]).tolist()
        y_names = np.array(list(dict.fromkeys(every)), dtype=object)
    n_features = train.X.shape[1] if drop_unknown else max(part.X.shape[1] for part in parts.values())
    n_labels = max(part.Y.shape[1] for part in parts.values())
    fitted = {}
    for name, part in parts.items():
        if x_names is None:
            X = fit_width(part.X, n_features, f"the {name} data", drop_unknown)
        else:
            assert part.feature_names is not None
            X = keep_known(part.X, part.feature_names, x_names, f"the {name} data")
        if y_names is None:
            Y = with_width(part.Y, n_labels)
        else:
            assert part.label_names is not None
            Y = move_columns(part.Y, places(part.label_names, y_names), len(y_names))
        known = min(part.X.shape[1], n_features)
        if x_names is None and y_names is None and (X.shape[1], Y.shape[1]) != (known, part.Y.shape[1]):
            note(
                f"Warning: {name} data have {known:,} features and {part.Y.shape[1]:,} labels; "
                f"widened to {n_features:,} and {n_labels:,}, the most of all parts."
            )
        fitted[name] = part._replace(X=X, Y=Y, feature_names=x_names, label_names=y_names)
    return fitted


def fit_width(X: csr_matrix, width: int, what: str, drop_unknown: bool) -> csr_matrix:
    """Return the same rows with the given number of columns.

    Raises
    ------
    InputError
        There are more columns, and they are not to be dropped.
    """
    extra = X.shape[1] - width
    if extra <= 0:
        return with_width(X, width)
    if not drop_unknown:
        raise InputError(
            f"{what} has {X.shape[1]:,} features but the model {width:,}. Give data like the training's, or "
            "--drop-unknown to leave the features beyond out."
        )
    unknown = X.indices >= width
    if unknown.any():
        rows = np.unique(np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))[unknown])
        note(
            f"Warning: {what} has {extra:,} features more than are known; {int(unknown.sum()):,} values in "
            f"{len(rows):,} rows are left out."
        )
    return X[:, :width]


def keep_known(X: csr_matrix, names: NDArray[Any], known: NDArray[Any], what: str) -> csr_matrix:
    """Return the same rows with the known features as columns; others are left out, with a warning."""
    if is_start_of(names, known):
        return with_width(X, len(known))
    moved = places(names, known)
    lacking = int((moved < 0).sum())
    if lacking:
        note(f"Warning: {lacking:,} of {len(names):,} features of {what} are unknown and left out.")
    return move_columns(X, moved, len(known))


def is_start_of(names: NDArray[Any], known: NDArray[Any]) -> bool:
    """Tell whether the known names begin with the given ones."""
    return len(names) <= len(known) and bool((names == known[: len(names)]).all())


def places(names: NDArray[Any], known: NDArray[Any]) -> NDArray[np.int64]:
    """Return the position of each name among the known ones, -1 where it is not."""
    lookup = {name: i for i, name in enumerate(known.tolist())}
    return np.fromiter((lookup.get(name, -1) for name in names.tolist()), np.int64, len(names))


def move_columns(matrix: csr_matrix, places: NDArray[np.int64], width: int) -> csr_matrix:
    """Return a matrix whose column ``places[j]`` is column j of the given one; -1 drops it."""
    coo = matrix.tocoo()
    columns = places[coo.col]
    kept = columns >= 0
    return csr_matrix((coo.data[kept], (coo.row[kept], columns[kept])), shape=(matrix.shape[0], width))


def with_width(matrix: csr_matrix, width: int) -> csr_matrix:
    """Return the same rows with more, empty, columns; the arrays are shared."""
    return csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], width))
