"""What napkinXC's models share: they write their weights to a folder and predict from it."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
from napkinxc.models import Model
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from . import Options, padded


def fit_in_folder(kind: type[Model], data: tuple[csr_matrix, csr_matrix], **settings: Any) -> Model:
    """Train a model whose folder lasts as long as the model."""
    folder = tempfile.TemporaryDirectory()
    model = kind(folder.name, **settings)
    model.folder = folder
    X, Y = data
    model.fit(X, Y)
    return model


def freeze(model: Model, options: Options) -> Model:
    """Load the weights, as the library does when a model is first asked for a prediction."""
    model.load()
    return model


def predict_topk(model: Model, X: csr_matrix, k: int, options: Options) -> NDArray[np.int64]:
    """Return the `k` best label ids of each row, shape (n, k)."""
    return padded(model.predict(X, top_k=k), k)
