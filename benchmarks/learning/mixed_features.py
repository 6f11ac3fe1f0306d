"""What do numbers beside words do to the accuracy, in the unit that they come in?

    python -m benchmarks.learning.mixed_features Packages

Packages is Debian's list (benchmarks/README.md). The words of a package's short description, as tf-idf, lead
to its section. Beside them stand, by row of the table: nothing; its size, installed size, numbers of
dependencies and so on, as they are; the same behind a StandardScaler, and behind a logarithm and a
StandardScaler; ten columns of noise; a year that says nothing. "as words" is hashslide when it leaves all
features as they are.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from hashslide import SlideClassifier

from ..common.harness import as_words, say, table
from ..sets.debian_index import Fields, stanzas

TEST_SHARE = 0.2
Part = tuple[sparse.csr_matrix, np.ndarray]  # words, numbers


def numbers(package: Fields) -> list[float]:
    """Return what a package's fields measure."""
    sizes = [float(package.get(name, 0)) for name in ("Size", "Installed-Size")]
    counts = [float(len(package.get(name, "").split(","))) for name in ("Depends", "Suggests")]
    lengths = [float(len(package[name])) for name in ("Package", "Description")]
    return [*sizes, *counts, *lengths, float(package.get("Architecture") == "all")]


def parts(train: Part, test: Part, seed: int) -> Iterator[tuple[str, sparse.csr_matrix, sparse.csr_matrix]]:
    """Yield what is beside the words, and both parts with it."""
    rng = np.random.default_rng(seed)
    words, given = zip(train, test, strict=True)
    logs = [np.log1p(part) for part in given]
    beside = {
        "nothing": [np.empty((len(part), 0)) for part in given],
        "numbers": given,
        "scaled numbers": [StandardScaler().fit(given[0]).transform(part) for part in given],
        "logarithms, scaled": [StandardScaler().fit(logs[0]).transform(part) for part in logs],
        "ten columns of noise": [rng.normal(size=(len(part), 10)) for part in given],
        "a year": [rng.integers(2000, 2020, (len(part), 1)) for part in given],
    }
    for name, columns in beside.items():
        pairs = zip(words, columns, strict=True)
        yield name, *(sparse.hstack([w, c.astype(np.float32)], format="csr") for w, c in pairs)


def main() -> None:
    """Print one row for each kind of columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("packages", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    found = [p for p in stanzas(options.packages) if "Section" in p and "Description" in p]
    order = np.random.default_rng(0).permutation(len(found))
    n_test = round(TEST_SHARE * len(found))
    of_parts = [[found[i] for i in rows] for rows in (order[n_test:], order[:n_test])]
    y, y_test = ([package["Section"] for package in part] for part in of_parts)
    vectorizer = TfidfVectorizer(min_df=2, dtype=np.float32)
    vectorizer.fit(package["Description"] for package in of_parts[0])
    train, test = (
        (
            vectorizer.transform([package["Description"] for package in part]),
            np.array([numbers(package) for package in part]),
        )
        for part in of_parts
    )
    own = SlideClassifier(n_jobs=options.threads, random_state=0)
    methods = {
        "hashslide": own,
        "as words": own,
        "logistic regression": LogisticRegression(C=10, max_iter=200),
    }
    rows = []
    for name, X, X_test in parts(train, test, 1):
        row = [name]
        for who, method in methods.items():
            with warnings.catch_warnings(), as_words() if who == "as words" else nullcontext():
                warnings.simplefilter("ignore")
                row.append(f"{method.fit(X, y).score(X_test, y_test):.3f}")
        rows.append(row)
        say(" ".join(row))
    print(table(["beside the words", *methods], rows))


if __name__ == "__main__":
    main()
