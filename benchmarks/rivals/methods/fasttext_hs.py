"""fastText, supervised, with hierarchical softmax: feature ids are its words.

Its format has no weights, so a feature's value is lost: what is not 0 counts once.
"""

from __future__ import annotations

from pathlib import Path

import fasttext
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ...common.matrices import load_matrices
from . import Options, padded

LABEL = "__label__"
# The defaults, 0.1 and 5, reach a third of this P@1 on bibtex; with 0.5, as in fastText's tutorial on many
# labels, training diverges on npm-deps-2016-halves.
LEARNING_RATE, EPOCHS = 0.2, 25


def load(folder: Path, options: Options) -> Path:
    """Write the training set in fastText's format: its library reads text only, within its training."""
    X, Y = load_matrices(folder, "train")
    path = folder / "fasttext.txt"
    with open(path, "w") as file:
        for labels, words in zip(id_lists(Y), lines(X), strict=True):
            file.write("".join(f"{LABEL}{label} " for label in labels) + words + "\n")
    return path


def id_lists(matrix: csr_matrix) -> list[list[int]]:
    """Return the column ids of each row."""
    return [ids.tolist() for ids in np.split(matrix.indices, matrix.indptr[1:-1])]


def lines(X: csr_matrix) -> list[str]:
    """Return each row as words."""
    return [" ".join(map(str, ids)) for ids in id_lists(X)]


def fit(data: Path, options: Options) -> fasttext.FastText._FastText:
    """Train from the text."""
    return fasttext.train_supervised(
        str(data),
        loss="hs",
        lr=LEARNING_RATE,
        epoch=EPOCHS,
        thread=options.threads,
        seed=options.seed,
        verbose=0,
    )


def predict_topk(
    model: fasttext.FastText._FastText, X: csr_matrix, k: int, options: Options
) -> NDArray[np.int64]:
    """Return the `k` best label ids of each row, shape (n, k); the library predicts on one thread."""
    found, _ = model.predict(lines(X), k=k)
    return padded([[int(label.removeprefix(LABEL)) for label in row] for row in found], k)
