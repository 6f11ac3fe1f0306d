"""Where the time of a training step goes, and how far its products are from the library's own peak.

    python -m benchmarks.speed.stages --data DIR

Trains with the defaults and prints each stage's share of the step, the GFLOP/s of the two stages made of
products, and the bytes a second that the updates of touched rows move at least. Set them against
`benchmarks.speed.limits` on the same machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

import numpy as np
from scipy.sparse import csr_matrix

from hashslide import SlideClassifier

from ..common.matrices import load_xmc


def measure(
    X: csr_matrix, Y: csr_matrix, threads: int, seed: int
) -> tuple[dict[str, float], SlideClassifier]:
    """Return the seconds of each stage of one fit, and the classifier."""
    model = SlideClassifier(n_jobs=threads, random_state=seed).fit(X, Y)
    return model.network_.stage_seconds, model


def work(model: SlideClassifier, n_examples: int) -> dict[str, float]:
    """Return what one fit computes and moves: FLOP of the products, bytes of the updates of output rows."""
    hidden = model.network_.config.width
    examples = n_examples * model.n_iter_
    active = float(np.mean([record["active"] for record in model.history_]))
    steps = model.network_.step
    return {
        "forward": 2 * examples * active * hidden,
        "backward": 4 * examples * active * hidden,
        # A row is read to gather it, and read and written to update it, with its accumulator.
        "update_bytes": steps * active * (3 * 4 * hidden + 2 * 4),
    }


def report(seconds: dict[str, float], done: dict[str, float]) -> str:
    """Return the shares of the stages and the two rates as text."""
    total = sum(seconds.values())
    lines = ["| stage | share |", "| --- | --: |"]
    lines += [f"| {name} | {value / total:.1%} |" for name, value in seconds.items()]
    products = seconds["output_forward"] + seconds["output_backward"]
    lines += [
        "",
        f"output forward: {done['forward'] / seconds['output_forward'] / 1e9:.0f} GFLOP/s, "
        f"output backward with update: {done['backward'] / seconds['output_backward'] / 1e9:.0f} GFLOP/s, "
        f"both: {products / total:.0%} of the step",
        f"bytes moved by gathering and updating output rows: {done['update_bytes'] / 1e9:.1f} GB, "
        f"{done['update_bytes'] / products / 1e9:.1f} GB/s within those stages",
    ]
    return "\n".join(lines)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.txt.gz")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    X, Y = load_xmc(arguments.data / "train.txt.gz")
    runs = [measure(X, Y, arguments.threads, seed) for seed in range(arguments.runs)]
    seconds = {name: median(run[0][name] for run in runs) for name in runs[0][0]}
    print(report(seconds, work(runs[-1][1], X.shape[0])))


if __name__ == "__main__":
    main()
