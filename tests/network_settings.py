"""A short way to write settings of networks in tests."""

import dataclasses

import numpy as np
from scipy import sparse

from hashslide.settings import Negatives, NetworkConfig, SimHash
from hashslide.settings.layers import HIDDEN_TABLES

NEGATIVES = {field.name for field in dataclasses.fields(Negatives)}


def make_config(**settings) -> NetworkConfig:
    """The settings of a network, with the fields of `Negatives` beside the others."""
    negatives = {name: value for name, value in settings.items() if name in NEGATIVES}
    others = {name: value for name, value in settings.items() if name not in NEGATIVES}
    return NetworkConfig(**others, negatives=Negatives(**negatives))


def sparse_problem(rng, shape, density):
    """Random features of a fifth of the columns and labels of some density, as the core takes them.

    shape: (examples, features, labels). Returns the arrays of both matrices, and how often each label occurs.
    """
    n, n_features, n_labels = shape
    x = sparse.random(n, n_features, 0.2, "csr", np.float32, random_state=rng)
    y = sparse.random(n, n_labels, density, "csr", np.float32, random_state=rng)
    y.sort_indices()
    x.sort_indices()
    arrays = [x.indptr.astype(np.int64), x.indices, x.data, y.indptr.astype(np.int64), y.indices]
    return arrays, np.bincount(y.indices, minlength=n_labels).astype(np.int64)


def hidden_tables(family=SimHash, **settings):
    """Hash tables with the schedule of a hidden layer."""
    return family(**HIDDEN_TABLES | settings)
