"""hashslide with the estimator's defaults."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import SlideClassifier

from . import Options

EXCLUDES_INPUT = True


def fit(data: tuple[csr_matrix, csr_matrix], options: Options) -> SlideClassifier:
    """Train from the CSR matrices (X, Y)."""
    X, Y = data
    return SlideClassifier(n_jobs=options.threads, random_state=options.seed).fit(X, Y)


def predict_topk(model: SlideClassifier, X: csr_matrix, k: int, options: Options) -> NDArray[np.int64]:
    """Return the `k` best label ids of each row, shape (n, k)."""
    labels, _ = model.predict_topk(X, k=k, exclude="input" if options.exclude_input else None)
    return np.asarray(labels, dtype=np.int64)
