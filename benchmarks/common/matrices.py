"""Data sets on disk: the XMC text format, and the same matrices in a binary form that loads at once."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, load_npz, save_npz

SPLITS = ("train", "test")


def load_xmc(path: Path) -> tuple[csr_matrix, csr_matrix]:
    """Read a gzipped file in the XMC repository's text format.

    Parameters
    ----------
    path
        A header line ``num_points num_features num_labels``, then one line a point:
        ``l1,l2,... f:v f:v ...`` with ids from 0. A point without labels starts with a space.

    Returns
    -------
    X : csr_matrix of float32, shape (num_points, num_features)
    Y : csr_matrix of float32 ones, shape (num_points, num_labels)
    """
    from sklearn.datasets import load_svmlight_file

    with gzip.open(path, "rb") as file:
        n_points, n_features, n_labels = map(int, file.readline().split())
        X, labels = load_svmlight_file(
            file, n_features=n_features, dtype=np.float32, zero_based=True, multilabel=True
        )
    if X.shape[0] != n_points:
        raise ValueError(f"{path}: the header announces {n_points} points, the file holds {X.shape[0]}")
    return X, indicator(labels, n_labels)


def indicator(labels: list[tuple[float, ...]], n_labels: int) -> csr_matrix:
    """Return the CSR matrix of ones at each row's `labels`."""
    lengths = np.fromiter(map(len, labels), dtype=np.int64, count=len(labels))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.fromiter((label for row in labels for label in row), dtype=np.int32, count=int(indptr[-1]))
    Y = csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(len(labels), n_labels))
    Y.sort_indices()
    return Y


def save_matrices(X: csr_matrix, Y: csr_matrix, folder: Path, split: str) -> None:
    """Store (X, Y) under `folder` for :func:`load_matrices`."""
    save_npz(folder / f"{split}-X.npz", X, compressed=False)
    save_npz(folder / f"{split}-Y.npz", Y, compressed=False)


def load_matrices(folder: Path, split: str) -> tuple[csr_matrix, csr_matrix]:
    """Load the (X, Y) that :func:`save_matrices` stored."""
    X, Y = load_npz(folder / f"{split}-X.npz"), load_npz(folder / f"{split}-Y.npz")
    return csr_matrix(X), csr_matrix(Y)


def save_text(text_gz: Path, folder: Path) -> None:
    """Store the plain text of a training file under `folder`, for a library that reads only text."""
    with gzip.open(text_gz, "rb") as source, open(text_path(folder), "wb") as target:
        while block := source.read(1 << 24):
            target.write(block)


def text_path(folder: Path) -> Path:
    """Return where :func:`save_text` puts the training text."""
    return folder / "train.txt"
