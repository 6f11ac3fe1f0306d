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
``EXCLUDES_INPUT``
    Whether ``predict_topk`` leaves out what a row of `X` holds if `options.exclude_input` asks for it. For
    the others ``predict_allowed`` asks for more than `k` and drops it.

A module defines ``fit`` and ``predict_topk``; the rest falls back to what is here.
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

EXCLUDES_INPUT = False
SPARE = 20  # labels asked for beyond k where the input's own are dropped afterwards


@dataclass(frozen=True)
class Method:
    """Where a method lives, the package that it needs, how the table calls it, and where it makes sense.

    Attributes
    ----------
    by_default
        Whether it takes part unless it is named.
    needs_items
        Whether features and labels have to be the same items.
    most_items
        The largest number of items that have training examples which it can take.
    """

    module: str
    package: str
    title: str
    by_default: bool = True
    needs_items: bool = False
    most_items: float = float("inf")

    def reason_against(self, traits: Traits) -> str:
        """Return why the method is left out of a data set, empty if it is not."""
        if self.needs_items and not traits.are_items:
            return "the features are no items"
        if traits.n_seen > self.most_items:
            return f"{traits.n_seen:,} items are more than {self.most_items:,.0f}"
        return ""


@dataclass(frozen=True)
class Traits:
    """What decides which methods make sense on a data set.

    Attributes
    ----------
    are_items
        Whether features and labels are the same items, as in a recommendation task.
    n_seen
        The number of items, or labels, that occur in the training part.
    """

    are_items: bool
    n_seen: int

    @classmethod
    def of(cls, X: csr_matrix, Y: csr_matrix) -> Traits:
        """Return the traits of a training part; as many features as labels are taken for the same items."""
        are_items = X.shape[1] == Y.shape[1]
        seen = [Y.indices, X.indices] if are_items else [Y.indices]
        return cls(are_items, len(np.unique(np.concatenate(seen))))


METHODS = {
    "hashslide": Method("hashslide_classifier", "hashslide", "hashslide"),
    "pecos": Method("pecos_xrlinear", "pecos", "PECOS XR-Linear"),
    "omikuji": Method("omikuji_parabel", "omikuji", "Omikuji"),
    "napkinxc": Method("napkinxc_plt", "napkinxc", "napkinXC, PLT"),
    "napkinxc-ovr": Method("napkinxc_ovr", "napkinxc", "napkinXC, one-vs-all", by_default=False),
    "fasttext": Method("fasttext_hs", "fasttext", "fastText"),
    "torch-full": Method("torch_full", "torch", "PyTorch, full"),
    "torch-sampled": Method("torch_sampled", "torch", "PyTorch, sampled"),
    # The inverse of 20,000 items' Gram matrix takes 3.2 GB and minutes; both grow fast.
    "ease": Method("ease", "scipy", "EASE", needs_items=True, most_items=20_000),
    "item-knn": Method("item_knn", "scipy", "item-kNN", needs_items=True),
    "als": Method("implicit_als", "implicit", "implicit, ALS", needs_items=True),
}


@dataclass(frozen=True)
class Options:
    """What every method is told.

    Attributes
    ----------
    threads
        How many it may use.
    seed
        The run's random seed.
    torch_epochs
        PyTorch's epochs.
    exclude_input
        Whether predictions leave out the features of their row, which are items already.
    """

    threads: int = 2
    seed: int = 0
    torch_epochs: int = 4
    exclude_input: bool = False


def load_method(name: str) -> ModuleType:
    """Import the module of the method called `name`, with the defaults filled in."""
    module = importlib.import_module(f".{METHODS[name].module}", __package__)
    for key, default in {"load": load, "freeze": freeze, "EXCLUDES_INPUT": EXCLUDES_INPUT}.items():
        if not hasattr(module, key):
            setattr(module, key, default)
    return module


def load(folder: Path, options: Options) -> tuple[csr_matrix, csr_matrix]:
    """Return the training matrices (X, Y): what most methods train from."""
    return load_matrices(folder, "train")


def freeze(model: Any, options: Options) -> Any:
    """Return `model` unchanged: most libraries predict from what they trained."""
    return model


def predict_allowed(
    method: ModuleType, model: Any, X: csr_matrix, k: int, options: Options
) -> NDArray[np.int64]:
    """Return the `k` best labels of each row, without the row's own features if `options` excludes them."""
    if method.EXCLUDES_INPUT or not options.exclude_input:
        return method.predict_topk(model, X, k, options)
    more = method.predict_topk(model, X, min(k + SPARE, X.shape[1]), options)
    return without_input(more, X, k)


def without_input(topk: NDArray[np.int64], X: csr_matrix, k: int) -> NDArray[np.int64]:
    """Return the first `k` labels of each row that are no features of it, -1 where there are fewer."""
    rows = np.arange(X.shape[0])
    given = np.repeat(rows, np.diff(X.indptr)) * X.shape[1] + X.indices
    is_dropped = np.isin(rows[:, None] * X.shape[1] + topk, given) | (topk < 0)
    kept_first = np.argsort(is_dropped, axis=1, kind="stable")[:, :k]
    kept = np.take_along_axis(np.where(is_dropped, -1, topk), kept_first, axis=1)
    return np.pad(kept, ((0, 0), (0, k - kept.shape[1])), constant_values=-1)


def topk_of_csr(scores: csr_matrix, k: int) -> NDArray[np.int64]:
    """Return the column ids of each row's `k` highest stored scores, best first, -1 where there are fewer."""
    topk = np.full((scores.shape[0], k), -1, dtype=np.int64)
    for row, (begin, end) in enumerate(zip(scores.indptr[:-1], scores.indptr[1:], strict=True)):
        best = np.argsort(-scores.data[begin:end], kind="stable")[:k]
        topk[row, : len(best)] = scores.indices[begin:end][best]
    return topk


def padded(rows: list[list[int]], k: int) -> NDArray[np.int64]:
    """Return lists of at most `k` label ids as an array of shape (n, k), -1 where there are fewer."""
    return np.array([row + [-1] * (k - len(row)) for row in rows], dtype=np.int64).reshape(-1, k)


def interactions(X: csr_matrix, Y: csr_matrix) -> csr_matrix:
    """Return the 0/1 matrix of the items that each example was given or wanted, float32."""
    both = csr_matrix(X != 0) + csr_matrix(Y != 0)
    return csr_matrix((np.ones(both.nnz, np.float32), both.indices, both.indptr), shape=both.shape)
