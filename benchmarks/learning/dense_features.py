"""How good are the defaults on tables of measurements and on images, beside scikit-learn's classifiers?

    python -m benchmarks.learning.dense_features FOLDER --images /usr/share/datasets/fashion-mnist

Accuracy, a mean over five folds, and the median seconds of a training. The tables are those of the R packages
mlbench and kernlab, which are fetched into FOLDER as Debian packages; the settings for dense features were
chosen on a part of the first eight, and the others were kept for the end. Of Fashion-MNIST, the test part is
predicted. scikit-learn's classifiers are those of its defaults, behind a StandardScaler. "as words" is
hashslide when it takes dense features for those of words: neither standardized nor learned in another way.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hashslide import SlideClassifier

from ..common.harness import as_words, say, table
from ..heads.sets import packages
from ..sets.image_sets import fashion_mnist

TABLES = {  # the file of each and the column of its classes
    "letter": ("mlbench", "LetterRecognition", "lettr"),
    "satellite": ("mlbench", "Satellite", "classes"),
    "shuttle": ("mlbench", "Shuttle", "Class"),
    "vowel": ("mlbench", "Vowel", "Class"),
    "dna": ("mlbench", "DNA", "Class"),
    "vehicle": ("mlbench", "Vehicle", "Class"),
    "spam": ("kernlab", "spam", "type"),
    "musk": ("kernlab", "musk", "Class"),
    "breast-cancer": ("mlbench", "BreastCancer", "Class"),
    "glass": ("mlbench", "Glass", "Type"),
    "ionosphere": ("mlbench", "Ionosphere", "Class"),
    "pima": ("mlbench", "PimaIndiansDiabetes", "diabetes"),
    "sonar": ("mlbench", "Sonar", "Class"),
}
FOLDS = 5
Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def read(folder: Path, package: str, file: str, classes: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the measurements of a table, without rows that lack any, and the number of each row's class."""
    import rdata

    unpacked = packages.unpacked(packages.debian(f"r-cran-{package}", folder), folder / package)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the files do not name their encoding
        (frame,) = rdata.read_rda(next(unpacked.rglob(f"{file}.rda"))).values()
    frame = frame.drop(columns="Id", errors="ignore").dropna()
    X = frame.drop(columns=classes).astype(str).astype(np.float32).to_numpy()
    return X, np.unique(frame[classes].astype(str), return_inverse=True)[1]


def folds(X: np.ndarray, y: np.ndarray) -> Iterator[Split]:
    """Yield training and test parts."""
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=1).split(X, y):
        yield X[train], y[train], X[test], y[test]


def methods(threads: int) -> dict[str, Any]:
    """Return a classifier of each kind."""
    rivals = {
        "logistic regression": LogisticRegression(max_iter=1000),
        "nearest neighbours": KNeighborsClassifier(n_jobs=threads),
        "MLP": MLPClassifier(random_state=0),
        "random forest": RandomForestClassifier(n_jobs=threads, random_state=0),
    }
    own = SlideClassifier(n_jobs=threads, random_state=0)
    scaled = {name: make_pipeline(StandardScaler(), rival) for name, rival in rivals.items()}
    return {"hashslide": own, "as words": own} | scaled


def measured(name: str, method: Any, splits: list[Split]) -> tuple[float, float]:
    """Return accuracy and seconds of training."""
    found = []
    for X, y, X_test, y_test in splits:
        with warnings.catch_warnings(), as_words() if name == "as words" else nullcontext():
            warnings.simplefilter("ignore")
            model, started = clone(method), time.perf_counter()
            model.fit(X, y)
            seconds = time.perf_counter() - started
            found.append((model.score(X_test, y_test), seconds))
    accuracies, times = zip(*found, strict=True)
    return mean(accuracies), median(times)


def main() -> None:
    """Print one row for each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="for the packages")
    parser.add_argument("--images", type=Path, help="folder of Fashion-MNIST's four files")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    everyone, rows = methods(options.threads), []

    def add(name: str, splits: list[Split]) -> None:
        X, y = splits[0][:2]
        results = {who: measured(who, method, splits) for who, method in everyone.items()}
        cells = [f"{accuracy:.3f} ({seconds:.2g} s)" for accuracy, seconds in results.values()]
        rows.append([name, f"{len(X):,}", str(X.shape[1]), str(len(np.unique(y))), *cells])
        say(" ".join(rows[-1]))

    for name, where in TABLES.items():
        add(name, list(folds(*read(options.folder, *where))))
    if options.images is not None:
        add("fashion", [fashion_mnist(options.images)])
    print(table(["data", "trained on", "features", "classes", *everyone], rows))


if __name__ == "__main__":
    main()
