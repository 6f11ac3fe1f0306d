"""What one `partial_fit` of a few examples teaches about labels never seen before, and what it costs.

    python -m benchmarks.learning.new_labels --data DIR [DIR ...]

Of each data set's training file a random tenth is held out; the test file is not touched. Forty labels of 20
to 120 examples are taken out: a model is trained on the examples that have none of them, and then sees 1, 3,
5 and 20 examples of each of them in one call. For the held-out examples that have such a label, the table
holds the share of those labels that are predicted first and among the first five; for the others P@1 and P@5,
before and after. The last row is a model trained on everything. `digits` stands for scikit-learn's
handwritten digits, one label each, where two of the ten are new; there P@1 is the accuracy.
"""

from __future__ import annotations

import argparse
import pickle
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits

from hashslide import SlideClassifier
from hashslide.data import load_xmc
from hashslide.metrics import precision_at_k

from ..common.matrices import part_file

EXAMPLES = (1, 3, 5, 20)
N_NEW, LEAST, MOST = 40, 20, 120


def load(name: str) -> tuple[csr_matrix, csr_matrix]:
    """Return features and labels of a folder's training file, or of the digits."""
    if name != "digits":
        return load_xmc(part_file(Path(name), "train"))
    X, y = load_digits(return_X_y=True)
    return csr_matrix(X, dtype=np.float32), csr_matrix(np.eye(10, dtype=np.float32)[y])


def choose_new(Y: csr_matrix, held_out: csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """Return the labels to take out: of a few dozen examples, and among the held-out labels too."""
    if Y.shape[1] == 10:
        return np.sort(rng.choice(10, 2, replace=False))
    counts, counts_held_out = (np.asarray(part.sum(axis=0)).ravel() for part in (Y, held_out))
    fit = np.flatnonzero((counts >= LEAST) & (counts <= MOST) & (counts_held_out >= 3))
    return np.sort(rng.choice(fit, N_NEW, replace=False))


def first_examples(Y: csr_matrix, n_old: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return rows that hold k random examples of each label from `n_old` on."""
    columns = Y[:, n_old:].tocsc()
    rows = (columns.indices[a:b] for a, b in zip(columns.indptr[:-1], columns.indptr[1:], strict=True))
    return np.unique(np.concatenate([rng.choice(r, min(k, len(r)), replace=False) for r in rows]))


def report(what: str, model: SlideClassifier, X: csr_matrix, Y: csr_matrix, n_old: int) -> None:
    """Print one row of the table."""
    topk, _ = model.predict_topk(X, 5)
    rows, new = Y[:, n_old:].nonzero()
    found = topk[rows] == (new + n_old)[:, None]
    is_old = np.diff(Y[:, n_old:].tocsr().indptr) == 0
    old = [precision_at_k(Y[is_old], topk[is_old], k) for k in (1, 5)]
    figures = [found[:, 0].mean(), found.any(axis=1).mean(), *old]
    print(f"| {what} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |", flush=True)


def as_target(Y: csr_matrix, is_single: bool) -> csr_matrix | np.ndarray:
    """Return the labels as classes where each example has one."""
    return Y.argmax(axis=1).A1 if is_single else Y


def compare(name: str, seed: int) -> None:
    """Print the table of one data set."""
    rng, is_single = np.random.default_rng(seed), name == "digits"
    X, Y = load(name)
    order = rng.permutation(X.shape[0])
    held_out, kept = order[: len(order) // 10], order[len(order) // 10 :]
    new = choose_new(Y[kept], Y[held_out], rng)
    columns = np.concatenate([np.setdiff1d(np.arange(Y.shape[1]), new), new])
    n_old, Y = Y.shape[1] - len(new), Y[:, columns].tocsr()
    X_test, Y_test, X, Y = X[held_out], Y[held_out], X[kept], Y[kept]
    without = np.diff(Y[:, n_old:].tocsr().indptr) == 0

    print(f"\n{Path(name).name}, {len(new)} new labels of {Y.shape[1]:,}\n")
    print("| examples of each | first | among 5 | old P@1 | old P@5 |\n| --- | --: | --: | --: | --: |")
    base = SlideClassifier(random_state=seed).fit(X[without], as_target(Y[without][:, :n_old], is_single))
    report("none", base, X_test, Y_test, n_old)
    saved = pickle.dumps(base)
    for k in EXAMPLES:
        rows = first_examples(Y, n_old, k, rng)
        model = pickle.loads(saved).partial_fit(X[rows], as_target(Y[rows], is_single))
        report(str(k), model, X_test, Y_test, n_old)
    everything = SlideClassifier(random_state=seed).fit(X, as_target(Y, is_single))
    report("all, trained anew", everything, X_test, Y_test, n_old)


def main() -> None:
    """Compare on each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", nargs="+", default=["digits"], help="folders with train.txt(.gz), or digits"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for name in arguments.data:
        compare(name, arguments.seed)


if __name__ == "__main__":
    main()
