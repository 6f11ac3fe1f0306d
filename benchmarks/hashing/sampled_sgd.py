"""Does it pay to draw the examples of gradient descent where their gradients are large?

    python -m benchmarks.hashing.sampled_sgd FOLDER --out sampled_sgd.json

The packages with the data are fetched into FOLDER once. Every method has the same code but for its sampling;
scikit-learn's SGD is there for comparison. Each has its own learning rate, the one of some that has the least
validation loss after `--tune-epochs`. Then it trains 1, 2, 3, ... epochs, each time from the beginning, and
reports the epochs and the seconds of `fit`, hashing included, to the training loss that uniform draws reach
in `--epochs`. "Possible gain" is how many times smaller the second moment of the gradient's estimate would be
if examples were drawn exactly in proportion to the length of their gradient, is with hash tables, and would
be with as many draws of each class, at the weights after 1, 4 and 16 epochs of uniform draws.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.linear_model import SGDClassifier, SGDRegressor

from hashslide.estimate import LSHSampledSGDClassifier, LSHSampledSGDRegressor

from ..common.harness import Record, Report, cell, middle, say, table
from .gradient_sets import SETS, Task, xmc

UNIFORM, SKLEARN = "uniform", "scikit-learn"
METHODS = (UNIFORM, "gradient_norm", "lsh", SKLEARN)
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
CHECKED_EPOCHS = (1, 4, 16)


def new_model(method: str, task: Task, rate: float, epochs: int, seed: int, options: Record) -> Any:
    """Return an estimator that trains so many epochs."""
    common = {"alpha": options["alpha"], "max_iter": epochs, "tol": None, "eta0": rate, "random_state": seed}
    if method == SKLEARN:
        common |= {"learning_rate": "invscaling", "power_t": 0.25}
        return SGDClassifier(loss="log_loss", **common) if task.logistic else SGDRegressor(**common)
    chosen = LSHSampledSGDClassifier if task.logistic else LSHSampledSGDRegressor
    own = {key: options[key] for key in ("tables", "hashes", "uniform_share", "batch_size")}
    return chosen(sampling=method, n_jobs=1, **own, **common)


def scores(model: Any, X: Any) -> NDArray[np.float64]:
    """Return the outputs of a linear model."""
    return np.asarray(X @ model.coef_.ravel() + model.intercept_).ravel()


def loss(model: Any, X: Any, y: NDArray[np.float64], task: Task, alpha: float = 0.0) -> float:
    """Return the mean loss, with the penalty if there is an `alpha`."""
    with np.errstate(over="ignore", invalid="ignore"):
        z = scores(model, X)
        each = np.logaddexp(0, -y * z) if task.logistic else np.square(z - y) / 2
        found = float(each.mean() + alpha / 2 * np.square(model.coef_).sum())
    return found if np.isfinite(found) else np.inf


def fitted(
    method: str, task: Task, rate: float, epochs: int, seed: int, options: Record
) -> tuple[Any, float]:
    """Return a model and the seconds of its training."""
    model = new_model(method, task, rate, epochs, seed, options)
    X = task.X.astype(np.float64) if method == SKLEARN else task.X
    begin = time.perf_counter()
    model.fit(X, task.y)
    return model, time.perf_counter() - begin


def best_rate(method: str, task: Task, options: Record) -> float:
    """Return the learning rate with the least validation loss."""

    def validation_loss(rate: float) -> float:
        try:
            model, _ = fitted(method, task, rate, options["tune_epochs"], 0, options)
        except ValueError:  # it diverges
            return np.inf
        return loss(model, task.X_validation, task.y_validation, task)

    return min(RATES, key=validation_loss)


def race(name: str, task: Task, arguments: argparse.Namespace, report: Report, seed: int) -> None:
    """Train every method until it reaches the target."""
    options = vars(arguments)
    target = None
    for method in METHODS:
        rate = best_rate(method, task, options)
        if target is None:
            model, _ = fitted(method, task, rate, arguments.epochs, seed, options)
            target = loss(model, task.X, task.y, task, arguments.alpha)
        reached: Record = {}
        for epochs in range(1, arguments.most_epochs * arguments.epochs + 1):
            model, seconds = fitted(method, task, rate, epochs, seed, options)
            found = loss(model, task.X, task.y, task, arguments.alpha)
            if epochs == 1:
                first = seconds
            if epochs == arguments.epochs:
                reached["loss"] = found
                reached["validation"] = loss(model, task.X_validation, task.y_validation, task)
                reached["epoch_s"] = (seconds - first) / max(1, epochs - 1)
            if found <= target and "epochs" not in reached:
                reached |= {"epochs": epochs, "seconds": seconds}
            if "epochs" in reached and "loss" in reached:
                break
        report.add({"set": name, "method": method, "run": seed, "rate": rate, "target": target} | reached)
        say(f"run {seed + 1}  {name}, {method}, rate {rate:g}: {brief(reached)}")


def brief(reached: Record) -> str:
    """Return what one training reached as text."""
    if "epochs" not in reached:
        return f"not reached; loss {reached['loss']:.5f}"
    return f"{reached['epochs']} epochs, {reached['seconds']:.3f} s; loss {reached['loss']:.5f}"


def second_moments(name: str, task: Task, arguments: argparse.Namespace, report: Report) -> None:
    """Measure what there is to gain on the way of uniform draws."""
    options = vars(arguments)
    rate = best_rate(UNIFORM, task, options)
    squares = np.asarray(
        task.X.multiply(task.X).sum(axis=1) if issparse(task.X) else np.square(task.X).sum(1)
    )
    lengths = np.sqrt(squares.ravel() + 1)
    tables = Tables(task, options["tables"], options["hashes"])
    for epochs in CHECKED_EPOCHS:
        model, _ = fitted(UNIFORM, task, rate, epochs, 0, options)
        z = scores(model, task.X)
        slopes = 1 / (1 + np.exp(np.minimum(task.y * z, 500))) if task.logistic else np.abs(z - task.y)
        norms = slopes * lengths
        uniform = float(np.square(norms).mean())
        share = options["uniform_share"]
        q = share / len(norms) + (1 - share) * tables.chances(model)
        gains = {"exact": uniform / float(norms.mean()) ** 2, "hash tables": gain(uniform, norms, q)}
        if task.logistic:
            positive = task.y > 0
            even = np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())
            gains["each class"] = gain(uniform, norms, even)
        report.add({"set": name, "moments after": epochs} | gains)
        say(f"{name}, after {epochs} epochs: " + ", ".join(f"{k} {v:.2f}" for k, v in gains.items()))


def gain(uniform: float, norms: NDArray[np.float64], chances: NDArray[np.float64]) -> float:
    """Return the second moment of uniform draws over that of draws with the given chances."""
    return uniform / float((np.square(norms) / chances).sum() / len(norms) ** 2)


class Tables:
    """The hash tables in NumPy: codes of normal directions, and the chance to be drawn from the buckets."""

    def __init__(self, task: Task, tables: int, hashes: int):
        rng = np.random.default_rng(0)
        self.shape, self.logistic = (tables, hashes), task.logistic
        self.directions = rng.standard_normal((task.X.shape[1] + 2, tables * hashes)).astype(np.float32)
        projections = task.X @ self.directions[:-2] + self.directions[-2]
        projections = (
            projections * task.y[:, None]
            if task.logistic
            else projections + np.outer(task.y, self.directions[-1])
        )
        self.codes = self._codes(projections)

    def _codes(self, projections: NDArray[Any]) -> NDArray[np.int64]:
        bits = (projections > 0).reshape(-1, *self.shape)
        return bits @ (1 << np.arange(self.shape[1]))

    def chances(self, model: Any) -> NDArray[np.float64]:
        """Return the chance of each example."""
        query = np.append(model.coef_.ravel(), [*model.intercept_, 0.0 if self.logistic else -1.0])
        signs = (-1,) if self.logistic else (1, -1)
        n = len(self.codes)
        q = np.zeros(n)
        for sign in signs:
            alike = self.codes == self._codes(sign * (query @ self.directions)[None])
            sizes = alike.sum(axis=0)
            q += np.where(sizes > 0, alike / np.maximum(sizes, 1), 1 / n).mean(axis=1) / len(signs)
        return q


def show(report: Report, names: list[str]) -> None:
    """Print the tables."""
    head = ["method", "rate", "epochs to target", "s to target", "s an epoch", "loss", "validation loss"]
    for name in names:
        lines = []
        for method in METHODS:
            if done := report.select(set=name, method=method):
                reached = [r for r in done if "epochs" in r]
                whole = len(reached) == len(done)
                lines.append(
                    [
                        method,
                        f"{done[0]['rate']:g}",
                        cell(middle(reached, "epochs"), 0) if whole else "not reached",
                        cell(middle(reached, "seconds"), 3) if whole else "",
                        cell(middle(done, "epoch_s"), 4),
                        cell(middle(done, "loss"), 5),
                        cell(middle(done, "validation"), 5),
                    ]
                )
        if lines:
            print(f"{name}\n" + table(head, lines) + "\n")
        moments = [r for e in CHECKED_EPOCHS for r in report.select(set=name, **{"moments after": e})]
        if moments:
            kinds = [k for k in ("exact", "hash tables", "each class") if k in moments[0]]
            rows = [[str(r["moments after"]), *(cell(r[k], 2) for k in kinds)] for r in moments]
            print(f"{name}: possible gain\n" + table(["after epochs", *kinds], rows) + "\n")


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the packages are kept")
    parser.add_argument("--sets", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--data", action="append", default=[], type=Path, help="folder of train.txt.gz, too")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8, help="of uniform draws, whose loss is the target")
    parser.add_argument("--most-epochs", type=int, default=3, help="give up after so many times more")
    parser.add_argument("--tune-epochs", type=int, default=4)
    parser.add_argument("--alpha", type=float, default=1e-6)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--tables", type=int, default=50)
    parser.add_argument("--hashes", type=int, default=4)
    parser.add_argument("--uniform-share", type=float, default=0.5)
    parser.add_argument("--moments", action="store_true", help="only the possible gain")
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    report = Report(arguments.out, arguments)
    loaders = {name: (lambda name=name: SETS[name](arguments.folder)) for name in arguments.sets}
    loaders |= {folder.name: (lambda folder=folder: xmc(folder)) for folder in arguments.data}
    for name, load in loaders.items():
        task = load()
        second_moments(name, task, arguments, report)
        for seed in range(0 if arguments.moments else arguments.runs):
            race(name, task, arguments, report, seed)
    show(report, list(loaders))


if __name__ == "__main__":
    main()
