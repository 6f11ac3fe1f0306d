"""What each default earns: variants of SlideClassifier on a validation part of the training data.

    python -m benchmarks.learning.ablation --data DIR --data DIR

The validation part is a random tenth of the training file; the test file is not touched. The variants take
turns. For each set a table holds the figures of the defaults, the differences of each variant from them with
their standard error over the examples, and the median training time in multiples of the defaults'.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import Adagrad, Dense, Negatives, Scored, SlideClassifier
from hashslide.metrics import per_example, propensity
from hashslide.tuning.judging import gain_of

from ..common.matrices import load_xmc, part_file

VARIANTS: dict[str, dict] = {
    "defaults": {},
    "no prior correction": {"negatives": Negatives(prior_correction=0.0)},
    "no prior correction, 5 hard negatives": {
        "negatives": Negatives(prior_correction=0.0),
        "hash": "kmeans",
        "sampler": Scored(budget=5),
    },
    "whole prior correction": {"negatives": Negatives(prior_correction=1.0)},
    "5 hard negatives": {"hash": "kmeans", "sampler": Scored(budget=5)},
    "no ranker": {"ranker": False},
    "one way": {"both_ways": False},
    "free hidden length": {"hidden": Dense(256, length=0.0)},
    "equal weight of examples": {"example_power": 0.0},
    "one first accumulator": {"optimizer": Adagrad(initial_accumulator=0.1)},
    "no softmax": {"loss": "bce"},
    "no dropout": {"input_dropout": 0.0},
    "dropout 0.2": {"input_dropout": 0.2},
    "100 uniform": {"negatives": 100},
    "1,000 uniform": {"negatives": 1000},
    "hidden 512": {"hidden": 512},
    "ReLU": {"hidden": Dense(256, "relu")},
    "lazy Adam": {"optimizer": "adam"},
    "6 epochs": {"epochs": 6},
}
METRICS = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@5")
Data = tuple[csr_matrix, csr_matrix]
Figures = NDArray[np.float64]


def split(X: csr_matrix, Y: csr_matrix) -> tuple[Data, Data]:
    """Return the data without a random tenth, and that tenth."""
    order = np.random.default_rng(0).permutation(X.shape[0])
    held_out, kept = order[: len(order) // 10], order[len(order) // 10 :]
    return (X[kept], Y[kept]), (X[held_out], Y[held_out])


def run(train: Data, validation: Data, variant: dict, threads: int, seed: int) -> tuple[float, Figures]:
    """Return the seconds of training, and what each example adds to each of METRICS, (metrics, examples)."""
    model = SlideClassifier(n_jobs=threads, random_state=seed, **variant)
    begin = time.perf_counter()
    model.fit(*train)
    seconds = time.perf_counter() - begin
    topk, _ = model.predict_topk(validation[0], k=5)
    of_labels = propensity(train[1])
    figures = [
        per_example(m, validation[1], topk, propensity=of_labels if m.startswith("PS") else None)
        for m in METRICS
    ]
    return seconds, np.stack(figures)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, action="append", help="folder of train.txt(.gz)")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    names = list(dict.fromkeys(["defaults", *arguments.variants]))
    for folder in arguments.data:
        train, validation = split(*load_xmc(part_file(folder, "train")))
        seconds: dict[str, list[float]] = {name: [] for name in names}
        figures: dict[str, list[Figures]] = {name: [] for name in names}
        for seed in range(arguments.runs):
            for name in names:
                took, found = run(train, validation, VARIANTS[name], arguments.threads, seed)
                seconds[name].append(took)
                figures[name].append(found)
        defaults = np.mean(figures["defaults"], axis=0)  # over runs
        print(f"\n| {folder.name} | {' | '.join(METRICS)} | time |\n| --- |{' --: |' * 6}")
        print("| defaults | " + " | ".join(f"{m:.4f}" for m in defaults.mean(axis=1)) + " | 1 |")
        for name in names[1:]:
            of_variant = np.mean(figures[name], axis=0)
            cells = [str(gain_of(*both)) for both in zip(of_variant, defaults, strict=True)]
            ratio = median(seconds[name]) / median(seconds["defaults"])
            print(f"| {name} | {' | '.join(cells)} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
