"""Exact top-5 of one row at a time, without and with the 8-bit screen, by the number of labels.

    python -m benchmarks.speed.latency --labels 100000 --hidden 128

Random weights: what is measured is reading and scoring them. The rival is a NumPy product over the same
weights followed by a partial sort, which is what a PyTorch model does at serving time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from statistics import median

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from hashslide import Network, NetworkConfig

from ..common.processes import wall_seconds

N_FEATURES = 1_000
N_NONZERO = 30
K = 5


def network_with_random_weights(n_labels: int, hidden: int) -> Network:
    """Return a network whose output weights are standard normal."""
    config = NetworkConfig(n_features=N_FEATURES, n_labels=n_labels, hidden=hidden, input_init=0.1)
    network = Network(config)
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((n_labels, hidden), dtype=np.float32)
    network.restore({**network.state(), "output.weight": weight})
    return network


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median wall time of a call."""
    return 1e3 * median(wall_seconds(call, repeats))


def numpy_topk(weight: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Return the ids of the K largest products."""
    return np.argpartition(weight @ h, -K)[-K:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--labels", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=200)
    arguments = parser.parse_args()
    print("| labels | threads | hashslide, ms | NumPy product, ms | ratio |\n| --: | --: | --: | --: | --: |")
    rng = np.random.default_rng(1)
    row = sparse.random(1, N_FEATURES, N_NONZERO / N_FEATURES, "csr", np.float32, rng)
    for n_labels in arguments.labels:
        network = network_with_random_weights(n_labels, arguments.hidden)
        weight = network.state()["output.weight"]
        h = rng.standard_normal(arguments.hidden, dtype=np.float32)
        for threads in arguments.threads:
            ours = milliseconds(lambda n=threads, net=network: net.predict_topk(row, K, n), arguments.repeats)
            with threadpool_limits(threads, user_api="blas"):
                theirs = milliseconds(lambda w=weight, q=h: numpy_topk(w, q), arguments.repeats)
            print(f"| {n_labels:,} | {threads} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.1f} |")


if __name__ == "__main__":
    main()
