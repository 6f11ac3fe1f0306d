"""Data sets inside the package."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide.errors import InputError

from .names import load_names
from .xmc import load_xmc

__all__ = ["Dataset", "builtin", "builtin_names", "builtin_path"]


def __dir__() -> list[str]:
    return __all__


_FOLDER = Path(__file__).parent / "builtin"


class Dataset(NamedTuple):
    """A data set in its two parts, with the names of its ids."""

    X_train: csr_matrix
    Y_train: csr_matrix
    X_test: csr_matrix
    Y_test: csr_matrix
    feature_names: NDArray[np.object_]
    label_names: NDArray[np.object_]


def builtin_names() -> list[str]:
    """Names that `builtin` accepts."""
    return sorted(entry.name for entry in os.scandir(_FOLDER) if entry.is_dir())


def builtin_path(name: str) -> Path:
    """Folder with the files of a built-in data set: train, test, labels and features, each ``.txt.gz``."""
    if name not in builtin_names():
        raise InputError(f"No built-in data set {name!r}. There are: {', '.join(builtin_names())}.")
    return _FOLDER / name


def builtin(name: str) -> Dataset:
    """Read a data set that comes with the package.

    ``pubmed-mesh``: words of title and abstract to MeSH headings, 27,268 training and 3,040 test examples,
    28,551 features (tf-idf, rows of length 1), 11,336 labels, 9.6 labels per example. Source and licence
    stand in the README beside its files.

    Parameters
    ----------
    name : str
        One of `builtin_names`.

    Returns
    -------
    Dataset
        ``X_train, Y_train, X_test, Y_test, feature_names, label_names``.

    Raises
    ------
    InputError
        There is no such data set.
    """
    folder = builtin_path(name)
    x_train, y_train = load_xmc(folder / "train.txt.gz")
    x_test, y_test = load_xmc(folder / "test.txt.gz")
    features = load_names(folder / "features.txt.gz", count=x_train.shape[1])
    labels = load_names(folder / "labels.txt.gz", count=y_train.shape[1])
    return Dataset(x_train, y_train, x_test, y_test, features, labels)
