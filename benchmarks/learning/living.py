"""Models that live on: updates instead of retraining, forgetting, and labels without an example.

    python -m benchmarks.learning.living updates --data DIR [--examples 60000] [--replay 0 1 2]
    python -m benchmarks.learning.living forget --data DIR
    python -m benchmarks.learning.living describe --data DIR

Of the training file a random tenth is held out; the test file is not touched.

- updates: a tenth of the labels of 5 to 500 examples is new: each appears on one of ten days, and no example
  that has it comes before. The model is trained on what there is before the first day, about half of the
  examples, and gets one call of `partial_fit` a day. At the end it is compared with a model that is trained
  on everything: P@1 of all held-out examples, of those without a new label, and of those with one; and the
  share of the new labels that are among the first five. Times are of one run, in which both take turns with
  nothing else of this command.
- forget: one label in a hundred, at random, is forgotten: the time as a share of the training's, and P@1 of
  the held-out examples on the other labels before and after.
- describe: 300 labels of 3 to 500 examples are taken out with all their examples. Each is added with the
  tf-idf of the words of its name that are features. Among these labels, P@5 of the model and of the cosine
  between the example and the name.
"""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from hashslide import SlideClassifier
from hashslide.data import load_names, load_xmc
from hashslide.metrics import precision_at_k

from ..common.matrices import part_file

DAYS = 10


def load(folder: Path, n: int | None, seed: int) -> tuple[csr_matrix, csr_matrix, csr_matrix, csr_matrix]:
    """Return features and labels to train on and held out."""
    X, Y = (part.tocsr() for part in load_xmc(part_file(folder, "train")))
    order = np.random.default_rng(seed).permutation(X.shape[0])[:n]
    held_out, kept = np.split(order, [len(order) // 10])
    return X[kept], Y[kept], X[held_out], Y[held_out]


def rows_with(Y: csr_matrix, labels: np.ndarray) -> np.ndarray:
    """Return whether each row has one of the labels."""
    return np.asarray(Y[:, labels].sum(axis=1)).ravel() > 0


def judge(model: SlideClassifier, X: csr_matrix, Y: csr_matrix, new: np.ndarray) -> list[float]:
    """Return P@1 of all rows, of those without and with a new label, and the new labels among the first 5."""
    topk = topk_of(model, X)
    has_new = rows_with(Y, new)
    parts = [np.ones(X.shape[0], bool), ~has_new, has_new]
    figures = [precision_at_k(Y[part], topk[part], 1) for part in parts]
    row, label = Y.tocsc()[:, new].nonzero()
    return [*figures, float((topk[row] == new[label][:, None]).any(axis=1).mean())]


def days_of(Y: csr_matrix, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the new labels and the day of each example: 0 is before the first day."""
    counts = np.asarray(Y.sum(axis=0)).ravel()
    fit = np.flatnonzero((counts >= 5) & (counts <= 500))
    new = np.sort(rng.choice(fit, len(fit) // 10, replace=False))
    arrival = np.zeros(Y.shape[1], int)
    arrival[new] = rng.integers(1, DAYS + 1, len(new))
    day = np.maximum(rng.integers(1 - DAYS, DAYS + 1, Y.shape[0]), 0)
    latest = np.maximum.reduceat(np.append(arrival[Y.indices], 0), Y.indptr[:-1])
    return new, np.maximum(day, np.where(np.diff(Y.indptr) > 0, latest, 0))


def as_lists(Y: csr_matrix) -> list[np.ndarray]:
    """Return the labels of each row by number, so that a label exists from its first example on."""
    return [Y.indices[a:b] for a, b in zip(Y.indptr[:-1], Y.indptr[1:], strict=True)]


def updates(options: argparse.Namespace) -> None:
    """Print the table of updates."""
    rng = np.random.default_rng(options.seed)
    X, Y, X_held, Y_held = load(options.data, options.examples, options.seed)
    new, day = days_of(Y, rng)
    print(f"{options.data.name}: {np.bincount(day).tolist()} examples by day, {len(new):,} new labels\n")
    head = ["model", "P@1", "old P@1", "new P@1", "new among 5", "seconds", "of retraining"]
    print("| " + " | ".join(head) + " |\n| --- |" + " --: |" * (len(head) - 1))

    def say(what: str, model: SlideClassifier, seconds: float, whole: float) -> None:
        figures = " | ".join(f"{figure:.4f}" for figure in judge(model, X_held, Y_held, new))
        print(f"| {what} | {figures} | {seconds:.1f} | {seconds / whole:.3f} |", flush=True)

    def trained(rows: np.ndarray, reservoir: int) -> tuple[SlideClassifier, float]:
        started = time.perf_counter()
        model = SlideClassifier(random_state=options.seed, n_jobs=options.jobs)
        model.fit(X[rows], as_lists(Y[rows]), reservoir=reservoir)
        return model, time.perf_counter() - started

    everything, whole = trained(np.arange(len(day)), 0)
    say("trained on everything", everything, whole, whole)
    before = np.flatnonzero(day == 0)
    base, seconds = trained(before, options.reservoir)
    say("before the first day", base, seconds, whole)
    path = options.data.name + ".living.hashslide"
    base.save(path)
    for replay in options.replay:
        model, times = SlideClassifier.load(path, mmap=False).set_params(n_jobs=options.jobs), []
        if options.rate:
            model.set_params(learning_rate=options.rate)
        for today in range(1, DAYS + 1):
            rows = np.flatnonzero(day == today)
            started = time.perf_counter()
            model.partial_fit(X[rows], as_lists(Y[rows]), replay=replay, decay=options.decay)
            times.append(time.perf_counter() - started)
        say(f"ten updates, replay {replay:g}, median", model, float(np.median(times)), whole)
        print([round(record["P@1"], 3) for record in model.drift_.records], flush=True)
    Path(path).unlink()


def forget(options: argparse.Namespace) -> None:
    """Print what forgetting costs and what it leaves."""
    X, Y, X_held, Y_held = load(options.data, options.examples, options.seed)
    started = time.perf_counter()
    model = SlideClassifier(random_state=options.seed, n_jobs=options.jobs).fit(X, Y)
    training = time.perf_counter() - started
    rng = np.random.default_rng(options.seed)
    gone = np.sort(rng.choice(Y.shape[1], Y.shape[1] // 100, replace=False))
    others = np.setdiff1d(np.arange(Y.shape[1]), gone)
    Y_others = Y_held[:, others]
    before = precision_at_k(Y_others, np.searchsorted(others, topk_of(model.hide_labels(gone), X_held)), 1)
    model.unhide_labels()
    started = time.perf_counter()
    model.forget_labels(gone)
    seconds = time.perf_counter() - started
    after = precision_at_k(Y_others, np.searchsorted(model.classes_, topk_of(model, X_held)), 1)
    print(
        f"{options.data.name}: {len(gone):,} of {Y.shape[1]:,} labels forgotten in {seconds:.3f} s, "
        f"1/{training / seconds:.0f} of the training's {training:.1f} s; P@1 of the others "
        f"{before:.4f} before, {after:.4f} after"
    )


def topk_of(model: SlideClassifier, X: csr_matrix) -> np.ndarray:
    """Return the five best labels of each row."""
    return np.asarray(model.predict_topk(X, 5, approximate=False)[0])


def describe(options: argparse.Namespace) -> None:
    """Print P@5 among labels that are known by their names alone."""
    rng = np.random.default_rng(options.seed)
    X, Y, X_held, Y_held = load(options.data, options.examples, options.seed)
    names = load_names(next(options.data.glob("labels.txt*")))
    features = {name: i for i, name in enumerate(load_names(next(options.data.glob("features.txt*"))))}
    words = [{features[w] for w in re.findall(r"[a-z0-9]+", name.lower()) if w in features} for name in names]
    counts, held = (np.asarray(part.sum(axis=0)).ravel() for part in (Y, Y_held))
    fit = (counts >= 3) & (counts <= 500) & (held > 0) & np.array([len(w) > 0 for w in words])
    new = np.sort(rng.choice(np.flatnonzero(fit), min(300, int(fit.sum()) // 2), replace=False))
    old = np.setdiff1d(np.arange(Y.shape[1]), new)
    without = ~rows_with(Y, new)
    X, Y = X[without], Y[without][:, old]
    idf = np.log((X.shape[0] + 1) / (np.bincount(X.indices, minlength=X.shape[1]) + 1)) + 1
    rows = np.repeat(np.arange(len(new)), [len(words[label]) for label in new])
    columns = np.concatenate([sorted(words[label]) for label in new])
    D = normalize(csr_matrix((idf[columns], (rows, columns)), shape=(len(new), X.shape[1]))).astype(
        np.float32
    )
    asked = rows_with(Y_held, new)
    X_held, Y_held = X_held[asked], Y_held[asked][:, new]
    cosine = np.argsort(-(normalize(X_held) @ D.T).toarray(), axis=1, kind="stable")[:, :5]
    model = SlideClassifier(random_state=options.seed, n_jobs=options.jobs).fit(X, Y, classes=names[old])
    model.add_labels(names[new], D).hide_labels(names[old])
    place = {name: i for i, name in enumerate(names[new])}
    found = np.vectorize(place.__getitem__)(topk_of(model, X_held))
    figures = [precision_at_k(Y_held, topk, 5) for topk in (found, cosine)]
    print(
        f"{options.data.name}: {len(new)} labels, {X_held.shape[0]:,} examples, P@5 of the model "
        f"{figures[0]:.4f}, of the cosine {figures[1]:.4f}"
    )


def main() -> None:
    """Run one of the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("updates", "forget", "describe"))
    parser.add_argument("--data", type=Path, required=True, help="folder with train.txt(.gz)")
    parser.add_argument("--examples", type=int, help="use so many of the training file")
    parser.add_argument("--reservoir", type=int, default=20_000)
    parser.add_argument("--replay", type=float, nargs="+", default=[0, 4])
    parser.add_argument("--decay", type=float, default=0.0)
    parser.add_argument("--rate", type=float, help="learning rate of the updates")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    {"updates": updates, "forget": forget, "describe": describe}[options.what](options)


if __name__ == "__main__":
    main()
