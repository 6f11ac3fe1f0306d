"""The methods that ``python -m benchmarks.rivals`` compares, one module each, all with the same interface.

``load(folder, options) -> data``
    Read the training set into the form that the library trains from. Not timed.
``fit(data, options) -> model``
    Train. Timed.
``freeze(model, options) -> model``
    Bring the trained model into the form that the library predicts from. Not timed.
``predict_topk(model, X, k, options) -> labels``
    The `k` best label ids of each row of the CSR matrix `X`, best first, as an int array of shape
    (n, k); -1 where a method found fewer than `k`. Timed.

A module defines ``fit`` and ``predict_topk``; ``load`` and ``freeze`` fall back to the ones here.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ...common.matrices import load_matrices


@dataclass(frozen=True)
class Method:
    """Where a method lives, the package that it needs, and how to call that package in a message."""

    module: str
    package: str
    title: str


METHODS = {
    "hashslide": Method("hashslide_classifier", "hashslide", "hashslide"),
    "pecos": Method("pecos_xrlinear", "pecos", "PECOS XR-Linear"),
    "omikuji": Method("omikuji_parabel", "omikuji", "Omikuji"),
    "torch-full": Method("torch_full", "torch", "PyTorch, full"),
    "torch-sampled": Method("torch_sampled", "torch", "PyTorch, sampled"),
}


@dataclass(frozen=True)
class Options:
    """What every method is told: threads, the run's random seed, PyTorch's epochs."""

    threads: int = 2
    seed: int = 0
    torch_epochs: int = 4


def load_method(name: str) -> ModuleType:
    """Import the module of the method called `name`, with the defaults filled in."""
    module = importlib.import_module(f".{METHODS[name].module}", __package__)
    for default in (load, freeze):
        if not hasattr(module, default.__name__):
            setattr(module, default.__name__, default)
    return module


def load(folder: Path, options: Options) -> tuple[csr_matrix, csr_matrix]:
    """Return the training matrices (X, Y): what most methods train from."""
    return load_matrices(folder, "train")


def freeze(model: Any, options: Options) -> Any:
    """Return `model` unchanged: most libraries predict from what they trained."""
    return model


def topk_of_csr(scores: csr_matrix, k: int) -> NDArray[np.int64]:
    """Return the column ids of each row's `k` highest stored scores, best first, -1 where there are fewer."""
    topk = np.full((scores.shape[0], k), -1, dtype=np.int64)
    for row, (begin, end) in enumerate(zip(scores.indptr[:-1], scores.indptr[1:], strict=True)):
        best = np.argsort(-scores.data[begin:end], kind="stable")[:k]
        topk[row, : len(best)] = scores.indices[begin:end][best]
    return topk
