"""PECOS XR-Linear with the defaults of its command: hierarchical k-means on PIFA label embeddings."""

from __future__ import annotations

import tempfile

import numpy as np
from numpy.typing import NDArray
from pecos.xmc import Indexer, LabelEmbeddingFactory
from pecos.xmc.xlinear.model import XLinearModel
from scipy.sparse import csr_matrix

from . import Options, topk_of_csr

BEAM_SIZE = 10  # the default of PECOS's command; its Python interface would search 20: slower, no better


def fit(data: tuple[csr_matrix, csr_matrix], options: Options) -> XLinearModel:
    """Train from the CSR matrices (X, Y): embed the labels, cluster them, train the tree."""
    X, Y = data
    threads = options.threads
    embedding = LabelEmbeddingFactory.create(Y, X, method="pifa", threads=threads)
    clusters = Indexer.gen(embedding, seed=options.seed, threads=threads)
    return XLinearModel.train(X, Y.tocsc(), C=clusters, threads=threads, pred_kwargs={"beam_size": BEAM_SIZE})


def freeze(model: XLinearModel, options: Options) -> XLinearModel:
    """Save and load again: the prediction-only form is the one that the library's own command uses."""
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        return XLinearModel.load(folder, is_predict_only=True)


def predict_topk(model: XLinearModel, X: csr_matrix, k: int, options: Options) -> NDArray[np.int64]:
    """Return the `k` best label ids of each row, shape (n, k), by beam search."""
    return topk_of_csr(model.predict(X, only_topk=k, threads=options.threads), k)
