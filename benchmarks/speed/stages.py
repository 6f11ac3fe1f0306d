"""Where the time of a training step goes, and how far its products are from the library's own peak.

    python -m benchmarks.speed.stages --data DIR

Trains with the defaults and prints each stage's share of a step on the most threads, the GFLOP/s of the two
stages made of products, and the bytes a second that gathering and updating output rows moves at least. Set
them against `benchmarks.speed.limits` on the same machine. Then it prints the seconds of each stage by the
number of threads, and what they would be on more cores by Amdahl's law.
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
    settings = {"ranker": False, "approximate": False}  # neither is a part of a step
    model = SlideClassifier(n_jobs=threads, random_state=seed, **settings).fit(X, Y)
    return model.network_.stage_seconds, model


def work(model: SlideClassifier, n_examples: int) -> dict[str, float]:
    """Return what one fit computes and moves: FLOP of the products, bytes of the updates of output rows."""
    hidden = model.network_.config.width
    examples = n_examples * model.n_iter_
    active = float(np.mean([record["active"] for record in model.history_]))
    steps = model.network_.step
    size = 2 if model.network_.config.precision == "bfloat16" else 4
    return {
        "forward": 2 * examples * active * hidden,
        "backward": 4 * examples * active * hidden,
        # A row is read to gather it, and read and written to update it, with its accumulator.
        "update_bytes": steps * active * (3 * size * hidden + 2 * 4),
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


def scaling(by_threads: dict[int, dict[str, float]], predicted: list[int]) -> str:
    """Return the seconds of each stage by the number of threads, and what Amdahl's law makes of them.

    With the time ``t = s + p / n`` on n threads, s and p follow from the fewest and the most threads.
    """
    least, most = min(by_threads), max(by_threads)
    names = [name for name, value in by_threads[least].items() if value > 0]
    heads = [f"{n} threads, s" for n in by_threads] + [f"{n} threads, by the law" for n in predicted]
    lines = ["| stage | " + " | ".join(heads) + " |", "| --- |" + " --: |" * len(heads)]
    rows: list[list[float]] = []
    for name in names:
        first, last = by_threads[least][name], by_threads[most][name]
        shared = max(0.0, min(first, (first - last) / (1 / least - 1 / most)))
        alone = first - shared / least
        rows.append([by_threads[n][name] for n in by_threads] + [alone + shared / n for n in predicted])
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in rows[-1]) + " |")
    sums = [sum(column) for column in zip(*rows, strict=True)]
    lines.append("| all | " + " | ".join(f"{value:.2f}" for value in sums) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.txt.gz")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--predict", type=int, nargs="*", default=[4, 8, 16], help="threads of the model")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    X, Y = load_xmc(arguments.data / "train.txt.gz")
    records: dict[int, list[dict[str, float]]] = {n: [] for n in arguments.threads}
    for seed in range(arguments.runs):
        for threads in arguments.threads:
            seconds, model = measure(X, Y, threads, seed)
            records[threads].append(seconds)
    medians = {
        n: {name: median(run[name] for run in runs) for name in runs[0]} for n, runs in records.items()
    }
    print(report(medians[max(medians)], work(model, X.shape[0])))
    if len(medians) > 1:
        print("\n" + scaling(medians, arguments.predict))


if __name__ == "__main__":
    main()
