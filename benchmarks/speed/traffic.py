"""How far each stage of a training step is from the least time that memory and arithmetic allow it.

    python -m benchmarks.speed.traffic --data DIR --threads 1 2

Counts, batch by batch, the bytes that each stage of the default step cannot do without: every row of
weights that the batch touches once for each read and once for each write, every number of the batch once.
Divided by the bandwidth of a triad, and the operations by the speed of float32 GEMM, both measured in the
same run, they give the least time of the stage. An instruction that multiplies bfloat16 numbers does twice
the operations of a float32 one. Rows that are still in a cache come faster than memory, so that a ratio
below 1 is possible.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from scipy.sparse import csr_matrix

from hashslide import SlideClassifier
from hashslide.csr import as_csr
from hashslide.training import TrainingData

from ..common.matrices import load_xmc
from .limits import PRODUCTS, bandwidth, gemm_gflops

ID, NUMBER, ACCUMULATOR = 4, 4, 4  # bytes of an id, of a float32, and of a row's accumulator


@dataclass
class Need:
    """What a stage cannot do without, summed over steps."""

    bytes: float = 0.0
    operations: float = 0.0


def needs(X: csr_matrix, Y: csr_matrix, model: SlideClassifier, seed: int) -> dict[str, Need]:
    """Return what each stage of the fit of a model with one dense hidden layer needs."""
    config, batch_size = model.network_.config, model.settings_["batch_size"].value
    hidden, size = config.width, 2 if config.precision == "bfloat16" else 4
    row = size * hidden
    x, y = as_csr(X), as_csr(Y)
    data = TrainingData(x=x, y=y, rows=np.arange(X.shape[0]))
    result = {name: Need() for name in model.network_.stage_seconds}
    for epoch, record in enumerate(model.history_):
        active = record["active"]
        for batch in data.batches(epoch, batch_size, seed):
            part = x.take(batch.rows)
            n, nnz, labels = part.n_rows, part.nnz, y.take(batch.rows).nnz
            features = len(np.unique(part.indices))
            logits, activations = NUMBER * n * active, NUMBER * n * hidden
            of_stage = {
                "hidden_forward": (nnz * (ID + NUMBER) + features * row + activations, 2 * nnz * hidden),
                "active_set": (labels * ID + active * (ID + NUMBER), 0),
                "output_forward": (
                    active * (row + NUMBER) + activations + logits,
                    2 * n * active * hidden,
                ),
                "loss": (2 * logits, 0),
                "output_backward": (
                    logits + 2 * activations + 2 * active * (row + 2 * ACCUMULATOR + NUMBER),
                    4 * n * active * hidden,
                ),
                "hidden_backward": (
                    nnz * (ID + NUMBER) + activations + 2 * features * (row + ACCUMULATOR),
                    2 * nnz * hidden,
                ),
            }
            for stage, (moved, done) in of_stage.items():
                result[stage].bytes += moved
                result[stage].operations += done
    return result


def table(seconds: dict[str, float], need: dict[str, Need], gbytes: float, gflops: float) -> str:
    """Return the least times and the measured ones as a Markdown table."""
    lines = [
        "| stage | GB | GFLOP | least s, memory | least s, arithmetic | measured s | measured / least |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for stage, taken in seconds.items():
        moved, done = need[stage].bytes / 1e9, need[stage].operations / 1e9
        if not moved:
            continue
        least = moved / gbytes, done / gflops
        lines.append(
            f"| {stage} | {moved:.2f} | {done:.0f} | {least[0]:.3f} | {least[1]:.3f} | {taken:.3f} | "
            f"{taken / max(least):.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.txt.gz")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    X, Y = load_xmc(arguments.data / "train.txt.gz")
    arrays = [np.ones(64_000_000, np.float32) for _ in range(3)]
    for threads in arguments.threads:
        models = [
            SlideClassifier(
                n_jobs=threads,
                precision=arguments.precision,
                random_state=seed,
                ranker=False,
                approximate=False,
            ).fit(X, Y)
            for seed in range(arguments.runs)
        ]
        records = [model.network_.stage_seconds for model in models]
        gbytes = bandwidth("triad", arrays, threads, 10)
        gflops = max(gemm_gflops(shape, threads, 10) for shape in PRODUCTS)
        print(f"{threads} thread(s): triad {gbytes:.1f} GB/s, float32 GEMM {gflops:.0f} GFLOP/s\n")
        if models[0].network_.config.precision == "bfloat16":
            gflops *= 2
        seconds = {stage: median(record[stage] for record in records) for stage in records[0]}
        print(table(seconds, needs(X, Y, models[0], 0), gbytes, gflops) + "\n")


if __name__ == "__main__":
    main()
