"""Labels as lists and as an indicator matrix: from one form to the other."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from hashslide.csr import as_pattern
from hashslide.errors import InputError
from hashslide.targets import LabelNames, check_classes, column_names, parse_target

__all__ = ["label_lists", "label_matrix"]


def __dir__() -> list[str]:
    return __all__


def label_lists(Y: Any, names: ArrayLike | None = None) -> list[list[Any]]:
    """Labels of each example as a list.

    scikit-learn splits and resamples lists where it refuses sparse targets, as in ``cross_val_score``.

    Parameters
    ----------
    Y : sparse matrix, array or data frame of shape (examples, labels)
        Labels: the values that are not 0.
    names : array of shape (labels,), optional
        Names of the labels; without them, and without those of a data frame, the numbers of the columns are
        given.

    Returns
    -------
    list of list
        One for each example, in the order of the columns.

    Raises
    ------
    InputError
        Y is no matrix, or the names do not fit it.

    Examples
    --------
    >>> from hashslide.data import label_lists
    >>> label_lists([[1, 0, 1], [0, 0, 0]], names=["ant", "bee", "cat"])
    [['ant', 'cat'], []]
    """
    pattern, names = as_pattern(Y), column_names(Y) if names is None else names
    if names is None:
        labels = np.arange(pattern.n_columns)
    else:
        labels = check_classes(names)
        if len(labels) != pattern.n_columns:
            raise InputError(
                f"names holds {len(labels)} names, but Y has {pattern.n_columns} columns. Give one for each."
            )
    named, ends = labels[pattern.indices].tolist(), pattern.indptr.tolist()
    return [named[first:last] for first, last in pairwise(ends)]


def label_matrix(lists: Any, classes: ArrayLike | None = None) -> tuple[csr_matrix, NDArray[Any]]:
    """Labels of each example as a row of an indicator matrix.

    Parameters
    ----------
    lists : sequence of lists or sets, or of one class for each example
        Strings or integers.
    classes : array of shape (labels,), optional
        All labels, in the wanted order of the columns; by default those that occur, sorted.

    Returns
    -------
    Y : csr_matrix of float32, shape (examples, labels)
        1 where the example has the label.
    classes : ndarray of shape (labels,)
        Name of each column.

    Raises
    ------
    InputError
        The labels are of mixed types, missing, repeated in a row, or not among `classes`.

    Examples
    --------
    >>> from hashslide.data import label_matrix
    >>> Y, classes = label_matrix([["cat", "ant"], [], ["cat"]])
    >>> Y.toarray().tolist(), classes.tolist()
    ([[1.0, 1.0], [0.0, 0.0], [0.0, 1.0]], ['ant', 'cat'])
    """
    n_labels = None if classes is None else len(np.asarray(classes))
    target = parse_target(lists, lists=None, n_labels=n_labels)
    labels = LabelNames.learn(target, classes)
    return labels.encode(target, classes).to_scipy(), labels.array()
