"""Data sets on disk: the XMC text format, and the same matrices in a binary form that loads at once."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, load_npz, save_npz


def part_file(folder: Path, part: str) -> Path:
    """Return the file of the "train" or "test" part of a data folder, gzipped or plain."""
    zipped = folder / f"{part}.txt.gz"
    return zipped if zipped.exists() else folder / f"{part}.txt"


def open_lines(path: Path) -> IO[bytes]:
    """Open a text file, gzipped if its name says so."""
    return gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")


def load_xmc(path: Path) -> tuple[csr_matrix, csr_matrix]:
    """Read a file in the XMC repository's text format, gzipped or plain.

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

    with open_lines(path) as file:
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


def save_text(source: Path, folder: Path, rows: NDArray[np.int64]) -> None:
    """Store the plain text of some rows of a file, ascending, for a library that reads only text."""
    kept = set(rows.tolist())
    with open_lines(source) as lines, open(text_path(folder), "wb") as target:
        _, *widths = next(lines).split()
        target.write(b" ".join([str(len(kept)).encode(), *widths]) + b"\n")
        target.writelines(line for row, line in enumerate(lines) if row in kept)


def text_path(folder: Path) -> Path:
    """Return where :func:`save_text` puts the training text."""
    return folder / "train.txt"
