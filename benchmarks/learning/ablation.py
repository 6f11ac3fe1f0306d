"""What each default earns: variants of SlideClassifier on a validation part of the training data.

    python -m benchmarks.learning.ablation --data DIR

The validation part is a random tenth of the training file; the test file is not touched. The variants take
turns; the table holds the means of P@1, P@3, P@5 and the median training time in multiples of the defaults'.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np
from scipy.sparse import csr_matrix

from hashslide import Dense, Negatives, Scored, SlideClassifier
from hashslide.metrics import precision_at_k

from ..common.matrices import load_xmc

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
    "free hidden length": {"hidden": Dense(256, length=0.0)},
    "equal weight of examples": {"example_power": 0.0},
    "no dropout": {"input_dropout": 0.0},
    "dropout 0.2": {"input_dropout": 0.2},
    "100 uniform": {"negatives": 100},
    "1,000 uniform": {"negatives": 1000},
    "hidden 512": {"hidden": 512},
    "ReLU": {"hidden": Dense(256, "relu")},
    "lazy Adam": {"optimizer": "adam"},
    "6 epochs": {"epochs": 6},
}
KS = (1, 3, 5)
Data = tuple[csr_matrix, csr_matrix]


def split(X: csr_matrix, Y: csr_matrix) -> tuple[Data, Data]:
    """Return the data without a random tenth, and that tenth."""
    order = np.random.default_rng(0).permutation(X.shape[0])
    held_out, kept = order[: len(order) // 10], order[len(order) // 10 :]
    return (X[kept], Y[kept]), (X[held_out], Y[held_out])


def run(train: Data, validation: Data, variant: dict, threads: int, seed: int) -> list[float]:
    """Return the seconds of training and P@k for each of KS."""
    model = SlideClassifier(n_jobs=threads, random_state=seed, **variant)
    begin = time.perf_counter()
    model.fit(*train)
    seconds = time.perf_counter() - begin
    topk, _ = model.predict_topk(validation[0], k=max(KS))
    return [seconds, *(float(precision_at_k(validation[1], topk, k)) for k in KS)]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.txt.gz")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    train, validation = split(*load_xmc(arguments.data / "train.txt.gz"))
    names = list(dict.fromkeys(["defaults", *arguments.variants]))
    figures: dict[str, list[list[float]]] = {name: [] for name in names}
    for seed in range(arguments.runs):
        for name in names:
            figures[name].append(run(train, validation, VARIANTS[name], arguments.threads, seed))
    reference = median(figure[0] for figure in figures["defaults"])
    print("| variant | P@1 | P@3 | P@5 | time |\n| --- | --: | --: | --: | --: |")
    for name in names:
        precision = np.mean([figure[1:] for figure in figures[name]], axis=0)
        ratio = median(figure[0] for figure in figures[name]) / reference
        print(f"| {name} | " + " | ".join(f"{p:.4f}" for p in precision) + f" | {ratio:.2f} |")


if __name__ == "__main__":
    main()
