"""Models and data together: the model's ids, and scores in blocks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide.cli.inputs.columns import fit_width, is_start_of, keep_known, move_columns, places, with_width
from hashslide.cli.inputs.part import Part
from hashslide.cli.inputs.sources import find_names
from hashslide.data import load_pairs
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.targets.exclusion import INPUT

__all__ = ["ROWS_PER_BLOCK", "fit_features", "fit_labels", "load_classifier", "load_excluded", "row_blocks"]


def __dir__() -> list[str]:
    return __all__


ROWS_PER_BLOCK = 2048


def load_classifier(path: Path, jobs: int | None) -> SlideClassifier:
    """Return the model of a file, memory-mapped, with the given number of threads."""
    return SlideClassifier.load(path).set_params(n_jobs=jobs)


def row_blocks(n_rows: int) -> Iterator[slice]:
    """Yield slices that cover the rows; between two of them, Ctrl-C is heard."""
    for first in range(0, n_rows, ROWS_PER_BLOCK):
        yield slice(first, first + ROWS_PER_BLOCK)


def fit_features(
    part: Part, model: SlideClassifier, names_file: Path | None, drop_unknown: bool
) -> csr_matrix:
    """Return features in the columns of a model.

    Where both the model and the data have names, columns are matched by name: features unknown to the model
    are left out. Otherwise ids are taken as they are.

    Parameters
    ----------
    part : Part
    model : SlideClassifier
    names_file : Path or None
        File with the names of the data's ids; by default the one beside the data.
    drop_unknown : bool
        Whether ids beyond the model's are left out.

    Raises
    ------
    InputError
        The data have more features than the model, and no names tell which is which.
    """
    names = find_names(names_file, part, "features")
    known = getattr(model, "feature_names_in_", None)
    if known is None and part.feature_names is not None:  # ids are the names of themselves
        known = np.arange(model.n_features_in_).astype(str).astype(object)
    if names is not None and known is not None:
        return keep_known(part.X, names, known, str(part.path))
    return fit_width(part.X, model.n_features_in_, str(part.path), drop_unknown)


def load_excluded(
    exclude: str, X: csr_matrix, names: NDArray[Any] | None, part: Part, model: SlideClassifier
) -> csr_matrix:
    """Return the labels that --exclude leaves out.

    Parameters
    ----------
    exclude : str
        "input", or a file of pairs of an example and a label of the data.
    X : csr_matrix
        The features of the data in the columns of the model.
    names : array or None
        Names of the data's labels.
    part : Part
    model : SlideClassifier

    Returns
    -------
    csr_matrix
        As `fit_labels` returns them.
    """
    if exclude == INPUT:
        return model.excluded_labels(X)
    n_labels = part.Y.shape[1] or len(model.classes_)
    return fit_labels(load_pairs(exclude, (part.Y.shape[0], n_labels)), names, part, model)


def fit_labels(Y: csr_matrix, names: NDArray[Any] | None, part: Part, model: SlideClassifier) -> csr_matrix:
    """Return labels in the columns of a model.

    Parameters
    ----------
    Y : csr_matrix of shape (n, labels of the data)
    names : array or None
        Their names.
    part : Part
        The data.
    model : SlideClassifier

    Returns
    -------
    csr_matrix
        Labels unknown to the model follow its own.

    Raises
    ------
    InputError
        The data have more labels than the model, and no names tell which is which.
    """
    classes, is_named = model.classes_, part.label_names is not None
    n = len(classes)
    if classes.dtype.kind not in "UO":
        classes = classes.astype(str) if is_named else classes
        names = names if is_named else np.arange(Y.shape[1])
    if names is not None and not is_start_of(names, classes):
        moved = places(names, classes)
        unknown = np.flatnonzero(moved < 0)
        moved[unknown] = n + np.arange(len(unknown))
        return move_columns(Y, moved, n + len(unknown))
    if Y.shape[1] > n:
        raise InputError(
            f"the data have {Y.shape[1]:,} labels without names, the model {n:,} with. Give --label-names."
        )
    return with_width(Y, n)
