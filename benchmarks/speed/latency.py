"""Exact top-5 of one row and of many rows at a time, by the number of labels.

    python -m benchmarks.speed.latency --labels 100000 --hidden 128 --rows 1 256

Random weights: what is measured is reading and scoring them. The rival is a NumPy product over the same
weights followed by a partial sort, which is what a PyTorch model does at serving time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from hashslide import Network, NetworkConfig

from ..common.processes import wall_seconds

N_FEATURES = 1_000
N_NONZERO = 30
K = 5
NUMPY_ROWS = 32  # whose products NumPy holds at once


def network_with_random_weights(n_labels: int, hidden: int) -> Network:
    """Return a network whose output weights are standard normal."""
    config = NetworkConfig(n_features=N_FEATURES, n_labels=n_labels, hidden=hidden, input_init=0.1)
    network = Network(config)
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((n_labels, hidden), dtype=np.float32)
    network.restore({**network.state(), "output.weight": weight})
    return network


def milliseconds(call: Callable[[], object], seconds: float) -> float:
    """Return the median wall time of a call, repeated for some seconds, but at least three times."""
    once = max(wall_seconds(call, 1))
    return 1e3 * median(wall_seconds(call, max(3, int(seconds / once))))


def numpy_topk(weight: np.ndarray, h: np.ndarray) -> None:
    """Find the ids of the K largest products of each row, some rows at a time."""
    for first in range(0, len(h), NUMPY_ROWS):
        np.argpartition(h[first : first + NUMPY_ROWS] @ weight.T, -K, axis=1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--labels", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 256])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=5.0, help="about so long for each number")
    arguments = parser.parse_args()
    print("| labels | rows | threads | hashslide, ms a row | NumPy product, ms a row | ratio |")
    print("| --: | --: | --: | --: | --: | --: |")
    rng = np.random.default_rng(1)
    for n_labels in arguments.labels:
        network = network_with_random_weights(n_labels, arguments.hidden)
        weight = network.state()["output.weight"]
        for n_rows in arguments.rows:
            x = sparse.random(n_rows, N_FEATURES, N_NONZERO / N_FEATURES, "csr", np.float32, rng)
            h = rng.standard_normal((n_rows, arguments.hidden), dtype=np.float32)
            for _ in range(2):  # one of the first calls makes the screen
                network.predict_topk(x, K)
            for threads in arguments.threads:
                ours = milliseconds(partial(network.predict_topk, x, K, threads), arguments.seconds) / n_rows
                with threadpool_limits(threads, user_api="blas"):
                    theirs = milliseconds(partial(numpy_topk, weight, h), arguments.seconds) / n_rows
                times = f"{ours:.2f} | {theirs:.2f} | {theirs / ours:.1f}"
                print(f"| {n_labels:,} | {n_rows} | {threads} | {times} |")


if __name__ == "__main__":
    main()
