"""How much is learned from few examples, beside linear classifiers?

    python -m benchmarks.learning.few_examples --data DIR --data DIR --sizes 300 1000 3000

Random training rows of each set, as many as each size says, without the features and labels that they lack;
the set's test part is predicted. "network alone" has no ranker beside the network. "linear SVMs" are
scikit-learn's, one for each label. Figures are P@1 and nDCG@5, means over `--runs` choices of rows; seconds
are the median of a training.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from hashslide import SlideClassifier
from hashslide.metrics import ndcg_at_k, precision_at_k

from ..common.harness import say, table
from ..common.matrices import load_xmc, part_file

K = 5
MOST_SVMS = 3000  # examples: with more, one for each label takes too long


def methods(threads: int, seed: int, n_examples: int) -> dict[str, Any]:
    """Return the classifiers to compare."""
    own = {"n_jobs": threads, "random_state": seed}
    found: dict[str, Any] = {
        "hashslide": SlideClassifier(**own),
        "network alone": SlideClassifier(**own, ranker=False),
    }
    if n_examples <= MOST_SVMS:
        found["linear SVMs"] = OneVsRestClassifier(LinearSVC())
    return found


def best(method: Any, X: csr_matrix) -> NDArray[np.int64]:
    """Return the K best labels of each row."""
    if isinstance(method, SlideClassifier):
        return np.asarray(method.predict_topk(X, k=K)[0])
    scores = np.asarray(method.decision_function(X))
    return np.argsort(-scores, axis=1, kind="stable")[:, :K]


def main() -> None:
    """Print a row for each set and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of a set; repeat")
    parser.add_argument("--sizes", type=int, nargs="+", default=[300, 1000, 3000])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    names = list(methods(1, 0, 0))
    rows = []
    for folder in options.data:
        X, Y = load_xmc(part_file(folder, "train"))
        X_test, Y_test = load_xmc(part_file(folder, "test"))
        X_test.resize(X_test.shape[0], X.shape[1])
        Y_test.resize(Y_test.shape[0], Y.shape[1])
        for size in (size for size in options.sizes if size <= X.shape[0]):
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
            for run in range(options.runs):
                chosen = np.random.default_rng(run).permutation(X.shape[0])[:size]
                features, labels = (np.flatnonzero(part[chosen].getnnz(axis=0)) for part in (X, Y))
                own = X[chosen][:, features], Y[chosen][:, labels]
                for name, method in methods(options.threads, run, size).items():
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        begin = time.perf_counter()
                        method.fit(*own)
                        seconds = time.perf_counter() - begin
                    topk = labels[best(method, X_test[:, features])]
                    found[name].append((precision_at_k(Y_test, topk, 1), ndcg_at_k(Y_test, topk, K), seconds))
            cells = []
            for runs in found.values():
                first, ndcg, times = zip(*runs, strict=True) if runs else ((), (), ())
                cells.append(
                    f"{np.mean(first):.3f} {np.mean(ndcg):.3f} ({median(times):.2g} s)" if runs else ""
                )
            rows.append([folder.name, f"{size:,}", *cells])
            say(" ".join(rows[-1]))
    print(table(["data", "examples", *names], rows, texts=1))


if __name__ == "__main__":
    main()
