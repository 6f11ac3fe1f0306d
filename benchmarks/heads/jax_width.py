"""Time of a step and peak memory of the output layer for JAX as the number of classes grows.

    python -m benchmarks.heads.jax_width

A step samples, computes the loss and its gradient with respect to rows and activations, and updates the rows.
Every run has a process of its own; the sizes take turns, and the ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from statistics import median

from ..common.harness import table
from ..common.processes import fresh, peak_mb

SIZES = (100_000, 1_000_000, 10_000_000)


@dataclass(frozen=True)
class Setting:
    """What every run is told."""

    in_features: int
    batch: int
    negatives: int
    loss: str
    steps: int


@dataclass(frozen=True)
class Cost:
    """What one run measured: ms of the median step, peak MB, and MB of the table."""

    milliseconds: float
    peak_mb: float
    table_mb: float


def run_once(num_classes: int, seed: int, setting: Setting) -> Cost:
    """Measure one size once; runs in a process of its own."""
    import jax  # JAX starts threads: not in the process that starts the others

    from hashslide.jax import SlideHead

    head = SlideHead(setting.in_features, num_classes, loss=setting.loss, negatives=setting.negatives)

    def step(rows_table, h, y, key):
        sample = head.sample(rows_table, y, key)
        loss, gradients = jax.value_and_grad(head.loss, (0, 1))(h, sample.rows, sample)
        return head.update(rows_table, sample, gradients[1], 0.1), loss, gradients[0]

    train = jax.jit(step, donate_argnums=0)
    keys = jax.random.split(jax.random.key(seed), setting.steps + 4)
    state = head.init(keys[0])
    h = jax.random.normal(keys[1], (setting.batch, setting.in_features))
    times = []
    for key in keys[2:]:
        y = jax.random.randint(key, (setting.batch,), 0, num_classes)
        begin = time.perf_counter()
        state, *_ = jax.block_until_ready(train(state, h, y, key))
        times.append(time.perf_counter() - begin)
    table_mb = sum(array.nbytes for array in state if array is not None) / 1e6
    return Cost(1e3 * median(times[2:]), peak_mb(), table_mb)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--classes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--in-features", type=int, default=64)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--negatives", type=int, default=8192)
    parser.add_argument("--loss", choices=["softmax", "bce"], default="softmax")
    parser.add_argument("--steps", type=int, default=100)
    arguments = parser.parse_args()
    setting = Setting(**{name: getattr(arguments, name) for name in Setting.__dataclass_fields__})
    rounds = [
        {n: fresh(run_once, n, seed, setting) for n in arguments.classes} for seed in range(arguments.rounds)
    ]
    smallest = min(arguments.classes)
    rows = []
    for n in arguments.classes:
        costs = [costs_of[n] for costs_of in rounds]
        ratio = median(costs_of[n].milliseconds / costs_of[smallest].milliseconds for costs_of in rounds)
        times = [cost.milliseconds for cost in costs]
        rows.append(
            [
                f"{n:,}",
                f"{median(times):.1f}",
                f"{ratio:.2f}",
                f"{min(times):.1f}",
                f"{max(times):.1f}",
                f"{costs[0].table_mb:,.0f}",
                f"{median(cost.peak_mb for cost in costs):,.0f}",
            ]
        )
    print(table(["classes", "ms a step", "ratio", "lowest", "highest", "table MB", "peak MB"], rows))


if __name__ == "__main__":
    main()
