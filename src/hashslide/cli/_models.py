"""Models and data together: the model's ids, and scores in blocks."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide.cli._console import note
from hashslide.cli._sources import Part, find_names
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier

ROWS_PER_BLOCK = 2048


def load_classifier(path: Path, jobs: int | None) -> SlideClassifier:
    """Return the model of a file, memory-mapped, with the given number of threads."""
    return SlideClassifier.load(path).set_params(n_jobs=jobs)


def row_blocks(n_rows: int) -> Iterator[slice]:
    """Yield slices that cover the rows; between two of them, Ctrl-C is heard."""
    for first in range(0, n_rows, ROWS_PER_BLOCK):
        yield slice(first, first + ROWS_PER_BLOCK)


def fit_features(part: Part, model: SlideClassifier, names_file: Path | None) -> csr_matrix:
    """Return features in the columns of a model.

    Where both the model and the data have names, columns are matched by name: features unknown to the model
    are left out. Otherwise ids are taken as they are.

    Parameters
    ----------
    part : Part
    model : SlideClassifier
    names_file : Path or None
        File with the names of the data's ids; by default the one beside the data.

    Raises
    ------
    InputError
        The data have more features than the model, and no names tell which is which.
    """
    X, n = part.X, model.n_features_in_
    names = find_names(names_file, part.path, "features", X.shape[1])
    known = getattr(model, "feature_names_in_", None)
    if names is not None and known is not None and not _is_start_of(names, known):
        places = _places(names, known)
        lacking = int((places < 0).sum())
        if lacking:
            note(f"Warning: {lacking:,} of {len(names):,} features are unknown to the model and left out.")
        return _move_columns(X, places, n)
    if X.shape[1] > n:
        raise InputError(
            f"{part.path} has {X.shape[1]:,} features but the model {n:,}. Give data like the training's."
        )
    return with_width(X, n)


def fit_labels(Y: csr_matrix, names: NDArray | None, classes: NDArray) -> csr_matrix:
    """Return labels in the columns of a model.

    Parameters
    ----------
    Y : csr_matrix of shape (n, labels of the data)
    names : array or None
        Their names.
    classes : array
        The names of the model's labels.

    Returns
    -------
    csr_matrix
        Labels unknown to the model follow its own.

    Raises
    ------
    InputError
        The data have more labels than the model, and no names tell which is which.
    """
    n = len(classes)
    if classes.dtype.kind not in "UO":
        names = np.arange(Y.shape[1])
    if names is not None and not _is_start_of(names, classes):
        places = _places(names, classes)
        unknown = np.flatnonzero(places < 0)
        places[unknown] = n + np.arange(len(unknown))
        return _move_columns(Y, places, n + len(unknown))
    if Y.shape[1] > n:
        raise InputError(
            f"the data have {Y.shape[1]:,} labels without names, the model {n:,} with. Give --label-names."
        )
    return with_width(Y, n)


def _is_start_of(names: NDArray, known: NDArray) -> bool:
    return len(names) <= len(known) and bool((names == known[: len(names)]).all())


def _places(names: NDArray, known: NDArray) -> NDArray[np.int64]:
    """Return the position of each name among the known ones, -1 where it is not."""
    lookup = {name: i for i, name in enumerate(known.tolist())}
    return np.fromiter((lookup.get(name, -1) for name in names.tolist()), np.int64, len(names))


def _move_columns(matrix: csr_matrix, places: NDArray[np.int64], width: int) -> csr_matrix:
    """Return a matrix whose column ``places[j]`` is column j of the given one; -1 drops it."""
    coo = matrix.tocoo()
    columns = places[coo.col]
    kept = columns >= 0
    return csr_matrix((coo.data[kept], (coo.row[kept], columns[kept])), shape=(matrix.shape[0], width))


def with_width(matrix: csr_matrix, width: int) -> csr_matrix:
    """Return the same rows with more, empty, columns; the arrays are shared."""
    return csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], width))
