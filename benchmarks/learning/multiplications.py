"""Networks of wide hidden layers with few active neurons: multiplications, accuracy, time and energy.

    python -m benchmarks.learning.multiplications --mnist DIR --fashion-mnist DIR --out multiplications.json
    python -m benchmarks.learning.multiplications --labels-data DIR --out labels.json

The first form trains two and three hidden layers of 1,000 neurons, as Spring & Shrivastava (2017) did, on
MNIST, Fashion-MNIST (folders of the four IDX files), CONVEX and RECTANGLES (generated): dense, dropout,
adaptive dropout, winner-take-all, low rank, and hashed at several shares of active neurons.
"Multiplications" are counted by the network itself, forward and backward: products, hashing of neurons and
queries, and the scores of samplers that look at all neurons; element-wise work and the optimiser's, which
is in proportion to the touched weights, are not. Both come as a share of the dense network's.

The second form counts those of an output of many labels: our default and SLIDE mode, each also with smaller
sets, against 2 nnz H + 3 labels H multiplications an example, which computing all labels over the same
sparse input takes (forward and backward; the input has no gradient).

One set of settings serves all data sets; `--tune` compares hash families and sizes on validation images: a
part of the training data, or images drawn from another seed. Every training has a process of its own.
Energy is that of the processor's package (RAPL), where the system lets it be read.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from hashslide import (
    DWTA,
    AdaptiveDropout,
    Dense,
    Dropout,
    Hashed,
    KMeans,
    Layer,
    LowRank,
    Negatives,
    SignCodes,
    SlideClassifier,
    SparseSimHash,
    Vanilla,
    WinnerTakeAll,
)
from hashslide.settings import HashFamily

from ..common.harness import Record, Report, as_words, cell, middle, say, stored, table, train_measured
from ..common.processes import fresh
from ..sets import image_sets

WIDTH = 1000
RAPL = Path("/sys/class/powercap/intel-rapl:0/energy_uj")
# An image has more active pixels than a layer has active neurons, so the first layer's neurons cost most.
FIRST_LAYER = {2: 0.6, 3: 0.5}
SHARES = {2: 0.14, 3: 0.17}  # of active neurons in the further layers, by the number of layers
# A hashed layer computes so many times the neurons that it activates: counts of tables are no exact ranking.
CANDIDATES = 2.1
HALF = 693  # draws of 1,000 that hit half of them: 1 - (1 - 1/1000)^693
# Counting a neuron in one more table is an addition, so that many tables of short codes rank all of them.
# Packed codes are such tables.
SCHEDULE: Record = {"rehash_first": 1, "rehash_every": 10}
TABLES: Record = {"bucket_size": 0, **SCHEDULE}
HASHING = SignCodes(bits=600, **SCHEDULE)
TUNED: dict[str, HashFamily] = {
    "sign_codes, 600 bits": HASHING,
    "the same, queries as they are": replace(HASHING, centre_queries=False),
    "sign_codes, 200 bits": replace(HASHING, bits=200),
    "sparse_simhash, K = 1, L = 600": SparseSimHash(hashes=1, tables=600, **TABLES),
    "sparse_simhash, K = 3, L = 50": SparseSimHash(hashes=3, tables=50, **TABLES),
    "dwta, K = 1, L = 600": DWTA(hashes=1, tables=600, **TABLES),
    "kmeans, 64 cells, 8 probed": KMeans(cells=64, probes=8, centre=False, **TABLES),
}
TRAINING: Record = {
    "loss": "softmax",
    "active": "per_example",
    "batch_size": 16,
    "ranker": False,
    "input_dropout": 0.0,
    "negatives": Negatives(uniform=0, popular=10),  # all classes
}
LEARNING_RATE = {"dense": 0.03, "sparse": 0.08}
GENERATED = {"CONVEX": image_sets.convex, "RECTANGLES": image_sets.rectangles}
Images = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def layers(method: str, share: float, depth: int, hashing: HashFamily) -> list[Layer]:
    """Return the hidden layers of a method with about this share of active neurons.

    Winners keep their inner products: the choice is the non-linearity, and a ReLU would let losers die.
    """
    first = round(FIRST_LAYER.get(depth, 1.0) * share * WIDTH)
    budgets = [first] + [round(share * WIDTH)] * (depth - 1)
    if method == "hashed":
        return [Hashed(WIDTH, round(CANDIDATES * n), "identity", hash=hashing, winners=n) for n in budgets]
    if method == "winner-take-all":
        return [WinnerTakeAll(WIDTH, budget, "identity") for budget in budgets]
    if method == "dropout":
        return [Dropout(WIDTH, HALF) for _ in budgets]
    if method == "adaptive dropout":
        return [AdaptiveDropout(WIDTH) for _ in budgets]
    if method == "low rank":
        return [layer for _ in budgets for layer in LowRank(WIDTH, round(share * WIDTH / 2))]
    return [Dense(WIDTH, "relu") for _ in budgets]


SHARED = ("hashed", "winner-take-all", "low rank")  # the methods that have a share
METHODS = ("dense", "dropout", "adaptive dropout", *SHARED)


def image_set(name: str, folder: Path | None, options: Record) -> Images:
    """Return X_train, y_train, X_test, y_test; to tune, the test part is one of the training data."""
    n, n_test = options["examples"], options["test"]
    if name in GENERATED:
        X, y = GENERATED[name](n + n_test, seed=1 if options["tune"] else 0)
        return X[:n], y[:n], X[n:], y[n:]
    X, y, X_test, y_test = image_sets.mnist(folder)
    if options["tune"]:
        X, X_test, y, y_test = X[:-n_test], X[-n_test:], y[:-n_test], y[-n_test:]
    return X[:n], y[:n], X_test[:n_test], y_test[:n_test]


def joules() -> float | None:
    """Return the counter of the package's energy, None where it cannot be read."""
    try:
        return int(RAPL.read_text()) / 1e6
    except OSError:
        return None


def train(
    data: tuple[str, Path | None], hidden: list[Layer], is_dense: bool, options: Record, seed: int
) -> Record:
    """Train once and measure; runs in a process of its own."""
    X, y, X_test, y_test = image_set(*data, options)
    rate = LEARNING_RATE["dense" if is_dense else "sparse"]
    threads = {"n_jobs": options["threads"], "random_state": seed}
    model = SlideClassifier(
        hidden=hidden, epochs=options["epochs"], learning_rate=rate, **TRAINING, **threads
    )
    before, wall, cpu = joules(), time.perf_counter(), time.process_time()
    with as_words():  # every network sees the pixels as they are
        model.fit(csr_matrix(X), y)
    measured = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    energy = None if before is None else joules() - before
    multiplications = model.network_.multiplications
    return measured | {
        "joules": energy,
        "mults": multiplications,
        "accuracy": model.score(csr_matrix(X_test), y_test),
    }


def variants(options: argparse.Namespace, depth: int) -> list[tuple[str, float, str]]:
    """Return (method, share, hashing) of every network of so many layers that is trained."""
    shares = options.shares or [SHARES.get(depth, 0.17)]
    if options.tune:
        return [("dense", 1.0, "")] + [("hashed", share, name) for name in TUNED for share in shares]
    chosen = next(iter(TUNED))
    return [(m, s, chosen) for m in options.methods for s in (shares if m in SHARED else [1.0])]


def run_images(arguments: argparse.Namespace, report: Report) -> None:
    """Train every method on every image set and print the table."""
    options = {k: v for k, v in vars(arguments).items() if isinstance(v, int)}
    folders = {"MNIST": arguments.mnist, "Fashion-MNIST": arguments.fashion_mnist}
    sets = [(n, f) for n, f in folders.items() if f] + [
        (n, None) for n in GENERATED if n in arguments.generated
    ]
    for seed in range(arguments.runs):
        for data in sets:
            for depth in arguments.depths:
                for method, share, hashing in variants(arguments, depth):
                    hidden = layers(method, share, depth, TUNED.get(hashing, HASHING))
                    is_dense = method in ("dense", "low rank")
                    result = fresh(train, data, hidden, is_dense, options, seed)
                    name = {
                        "data": data[0],
                        "depth": depth,
                        "method": method,
                        "share": share,
                        "hashing": hashing,
                    }
                    report.add(name | {"run": seed} | result)
                    say(f"run {seed + 1}  {name}: {result}")
    print(image_table(report, [name for name, _ in sets], arguments))


def image_table(report: Report, sets: list[str], arguments: argparse.Namespace) -> str:
    """Return the medians as a Markdown table; multiplications are shares of the dense network's."""
    lines = []
    for data in sets:
        for depth in arguments.depths:
            dense = report.select(data=data, depth=depth, method="dense")
            for method, share, hashing in variants(arguments, depth):
                found = report.select(data=data, depth=depth, method=method, share=share, hashing=hashing)
                part = {key: middle(found, key) / middle(dense, key) for key in ("mults", "wall")}
                energy = middle(found, "joules")
                label = f"{method}{', ' + hashing if arguments.tune and hashing else ''}"
                accuracy, lead = (
                    middle(found, "accuracy"),
                    middle(found, "accuracy") - middle(dense, "accuracy"),
                )
                active = f"{share:.1%}" if method in SHARED else "n/a"
                figures = [(100 * part["mults"], 2), (100 * accuracy, 2), (100 * lead, 2)]
                figures += [
                    (middle(found, "wall"), 1),
                    (part["wall"], 2),
                    (middle(found, "cpu"), 1),
                    (energy, 0),
                ]
                lines.append([data, str(depth), label, active, *(cell(*figure) for figure in figures)])
    head = [
        "data",
        "hidden",
        "method",
        "active",
        "multiplications %",
        "accuracy %",
        "minus dense",
        "s",
        "times dense",
        "CPU s",
    ]
    return table([*head, "J"], lines, texts=3)


LABEL_METHODS: dict[str, dict[str, Any]] = {
    "our default": {},
    "batches of 64, 50 uniform": {"batch_size": 64, "negatives": 50},
    "SLIDE mode": {"active": "per_example", "hash": "dwta"},
    "SLIDE mode, small sets": {
        "active": "per_example",
        "hash": "dwta",
        "sampler": Vanilla(budget=100),
        "negatives": Negatives(uniform=100, popular=200),
    },
}


def train_labels(parameters: dict[str, Any], folder: str, options: Record, seed: int) -> Record:
    """Train once on data of many labels; runs in a process of its own."""
    model, curve, (X, Y) = train_measured(parameters, Path(folder), options, seed)
    width = model.network_.config.width
    dense = options["epochs"] * width * (2.0 * X.nnz + 3.0 * X.shape[0] * Y.shape[1])
    return curve.points[-1] | {"mults": model.network_.multiplications, "dense": dense}


def run_labels(arguments: argparse.Namespace, report: Report) -> None:
    """Count the multiplications of an output of many labels and print the table."""
    options = {"threads": arguments.threads, "epochs": arguments.epochs}
    with stored(arguments.labels_data, 0, arguments.test) as folder:
        for seed in range(arguments.runs):
            for name, parameters in LABEL_METHODS.items():
                result = fresh(train_labels, parameters, folder, options, seed)
                report.add({"method": name, "run": seed} | result)
                say(f"run {seed + 1}  {name}: {result}")
    lines = []
    for name in LABEL_METHODS:
        done = report.select(method=name)
        share = 100 * middle(done, "mults") / middle(done, "dense")
        lines.append([name, cell(share, 3), cell(middle(done, "P@1"), 4), cell(middle(done, "wall"), 1)])
    print(table(["method", "multiplications % of dense", "P@1", "s"], lines))


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mnist", type=Path, help="folder of MNIST's IDX files")
    parser.add_argument("--fashion-mnist", type=Path, help="folder of Fashion-MNIST's IDX files")
    parser.add_argument("--generated", nargs="*", default=list(GENERATED), choices=list(GENERATED))
    parser.add_argument(
        "--labels-data", type=Path, help="folder of train.txt.gz: count an output of many labels"
    )
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--shares", type=float, nargs="+", help="of active neurons; default: by depth")
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 3], help="numbers of hidden layers")
    parser.add_argument("--examples", type=int, default=8_000, help="size of the training part")
    parser.add_argument("--test", type=int, default=5_000, help="size of the test or validation part")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--tune", action="store_true", help="compare hash families on a validation part instead"
    )
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    report = Report(arguments.out, arguments)
    if arguments.labels_data:
        run_labels(arguments, report)
    else:
        run_images(arguments, report)


if __name__ == "__main__":
    main()
