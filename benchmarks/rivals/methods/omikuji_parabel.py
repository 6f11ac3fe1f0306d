"""Omikuji with its default hyper-parameters: three balanced 2-means trees, as Parabel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import omikuji
from numpy.typing import NDArray
from omikuji import ffi, lib
from scipy.sparse import csr_matrix

from ...common.matrices import text_path
from . import Options

BEAM_SIZE = 10  # the default of Omikuji's Model.predict
SPANS_PER_THREAD = 8


class Loaded(NamedTuple):
    """Omikuji's own data set in memory, and the pool that its training runs on."""

    data_set: Any
    pool: Any


def load(folder: Path, options: Options) -> Loaded:
    """Read the training text with Omikuji's reader."""
    # Model.train_on_data reads and trains in one call; the two are told apart only below it.
    pool = omikuji._ThreadPoolHandle(options.threads)
    path = ffi.new("char[]", str(text_path(folder)).encode())
    data_set = ffi.gc(lib.load_omikuji_data_set(path, pool.ptr), lib.free_omikuji_data_set)
    return Loaded(data_set, pool)


def fit(data: Loaded, options: Options) -> omikuji.Model:
    """Train from Omikuji's data set."""
    trained = lib.train_omikuji_model(data.data_set, omikuji.Model.default_hyper_param(), data.pool.ptr)
    if trained == ffi.NULL:
        raise RuntimeError("Omikuji failed to train")
    return omikuji.Model(trained, data.pool)


def freeze(model: omikuji.Model, options: Options) -> omikuji.Model:
    """Densify the weights, as Omikuji's own command does by default before it predicts."""
    model.densify_weights(0.1)
    return model


def predict_topk(model: omikuji.Model, X: csr_matrix, k: int, options: Options) -> NDArray[np.int64]:
    """Return the `k` best label ids of each row, shape (n, k)."""
    edges = np.linspace(0, X.shape[0], options.threads * SPANS_PER_THREAD + 1).astype(int)
    with ThreadPoolExecutor(options.threads) as executor:
        spans = executor.map(lambda begin, end: predict_span(model, X[begin:end], k), edges[:-1], edges[1:])
        return np.vstack(list(spans))


def predict_span(model: omikuji.Model, X: csr_matrix, k: int) -> NDArray[np.int64]:
    """Predict row by row: the only call there is."""
    # The arrays go to the library's C function as they are: Model.predict would box every number.
    indices, values = X.indices.astype(np.uint32), X.data.astype(np.float32)
    labels, scores = np.empty(k, np.uint32), np.empty(k, np.float32)
    labels_out, scores_out = ffi.from_buffer("uint32_t[]", labels), ffi.from_buffer("float[]", scores)
    topk = np.full((X.shape[0], k), -1, dtype=np.int64)
    for row, (begin, end) in enumerate(zip(X.indptr[:-1], X.indptr[1:], strict=True)):
        found = lib.omikuji_predict(
            model._model_ptr,
            BEAM_SIZE,
            int(end - begin),
            ffi.from_buffer("uint32_t[]", indices[begin:end]),
            ffi.from_buffer("float[]", values[begin:end]),
            k,
            labels_out,
            scores_out,
            model._thread_pool.ptr,
        )
        topk[row, :found] = labels[:found]
    return topk
