"""From which width on is a hashed hidden layer faster than a dense one, and is it as accurate?

    python -m benchmarks.hashing.hidden_layers --widths 1024 4096 16384 65536 262144 --accuracy 1024 4096

Trains ``[Dense(128), LAYER, Dense(128)]`` on pubmed-mesh or the set of ``--data``. LAYER is dense, with a
ReLU, or hashed: of all its neurons the `--budget` ones whose packed sign codes are nearest to the example's
are computed. The time of a step is that of the whole network, its update, re-hashing and scheduled rebuilds
included: the mean of the last half of `--steps` batches (dense: a quarter as many; the widest, whose every
step takes seconds: `--dense-steps`). P@1 is that of both networks after the same number of epochs, on
validation rows cut from the training part. Products of dense layers are BLAS's.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import mean

import numpy as np

from hashslide import Dense, Hashed, Negatives, NetworkConfig, SignCodes, SlideClassifier, data
from hashslide.csr import Csr, as_csr
from hashslide.network import Network
from hashslide.settings import Layer

from ..common.matrices import load_xmc

AROUND = 128  # units of the dense layers below and above
WIDE = 50_000  # from here on a dense layer is timed by fewer steps


def layers(width: int, hashed: bool, budget: int, bits: int) -> list[Layer]:
    """Return the three layers."""
    middle = Hashed(width, budget, hash=SignCodes(bits=bits, rehash_first=1, rehash_every=20))
    return [Dense(AROUND, "relu"), middle if hashed else Dense(width, "relu"), Dense(AROUND, "relu")]


def step_seconds(
    x: Csr, y: Csr, hidden: list[Layer], batch: int, steps: int, threads: int, seed: int = 0
) -> float:
    """Return the mean time of the second half of some steps."""
    config = NetworkConfig(
        n_features=x.n_columns,
        n_labels=y.n_columns,
        hidden=tuple(hidden),
        negatives=Negatives(uniform=250, popular=0, prior_correction=0.6),
        seed=seed,
    )
    network = Network(config)
    counts = np.bincount(y.indices, minlength=y.n_columns)
    network.set_label_prior(counts, y.n_rows)
    rng, seconds = np.random.default_rng(seed), []
    for _ in range(steps):
        rows = rng.integers(0, x.n_rows, batch)
        begun = time.perf_counter()
        network.train_batch(x, y, rows, 0.02, None, threads)
        seconds.append(time.perf_counter() - begun)
    return mean(seconds[len(seconds) // 2 :])


def precision(x: Csr, y: Csr, hidden: list[Layer], epochs: int, threads: int, seed: int) -> float:
    """Return P@1 in percent on a tenth of the rows, after training on the others."""
    order = np.random.default_rng(0).permutation(x.n_rows)
    held, kept = np.split(order, [x.n_rows // 10])
    X, Y = x.to_scipy(), y.to_scipy()
    model = SlideClassifier(
        hidden=hidden,
        epochs=epochs,
        batch_size=64,
        learning_rate=0.05,  # of a few, the one that suits the dense network
        ranker=False,
        approximate=False,
        n_jobs=threads,
        random_state=seed,
    ).fit(X[kept], Y[kept])
    return 100 * model.score(X[held], Y[held])


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of train.txt.gz; by default pubmed-mesh")
    parser.add_argument("--widths", type=int, nargs="*", default=[1024, 4096, 16384, 65536, 262144])
    parser.add_argument("--accuracy", type=int, nargs="*", default=[1024, 4096], help="widths to train fully")
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 1])
    parser.add_argument("--budget", type=int, default=256)
    parser.add_argument("--bits", type=int, default=512)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--dense-steps", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.data is None:
        mesh = data.builtin("pubmed-mesh")
        X, Y = mesh.X_train, mesh.Y_train
    else:
        X, Y = load_xmc(arguments.data / "train.txt.gz")
    x, y = as_csr(X), as_csr(Y)
    budget, bits, threads = arguments.budget, arguments.bits, arguments.threads
    print("| neurons | batch | dense, ms | hashed, ms | dense / hashed |\n| --: | --: | --: | --: | --: |")
    for width in arguments.widths:
        for batch in arguments.batches:
            few = arguments.dense_steps if width >= WIDE else arguments.steps // 4
            dense = step_seconds(x, y, layers(width, False, budget, bits), batch, few, threads)
            hashed = step_seconds(x, y, layers(width, True, budget, bits), batch, arguments.steps, threads)
            print(
                f"| {width:,} | {batch} | {dense * 1e3:.2f} | {hashed * 1e3:.2f} | {dense / hashed:.2f} |",
                flush=True,
            )
    if arguments.accuracy:
        print("\n| neurons | seed | P@1 dense | P@1 hashed | difference |\n| --: | --: | --: | --: | --: |")
    for width in arguments.accuracy:
        for seed in range(arguments.seeds):
            dense, hashed = (
                precision(x, y, layers(width, kind, budget, bits), arguments.epochs, threads, seed)
                for kind in (False, True)
            )
            print(f"| {width:,} | {seed} | {dense:.2f} | {hashed:.2f} | {hashed - dense:+.2f} |", flush=True)


if __name__ == "__main__":
    main()
