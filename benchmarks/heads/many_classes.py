"""Does a step of SlideLoss cost the same with 10⁷ classes as with 10⁵? What memory does it take?

    python -m benchmarks.heads.many_classes

Each number of classes has a fresh process, which trains on random vectors and classes. The full softmax of
PyTorch stands beside it up to --native classes.
"""

from __future__ import annotations

import argparse
import time
from statistics import median

import torch

from ..common.harness import table
from ..common.processes import fresh, peak_mb
from .arms import ARMS, Task

FORGOTTEN = 3  # first steps, which are not measured


def measure(arm: str, n_classes: int, options: argparse.Namespace) -> tuple[float, float, float]:
    """Return the median seconds of a step, and the peak memory in MB before the layer is made and after."""
    torch.set_num_threads(options.threads)
    before = peak_mb()
    generator = torch.Generator().manual_seed(options.seed)
    task = Task(options.width, torch.ones(n_classes), negatives=options.negatives, threads=options.threads)
    head = ARMS[arm](task)
    seconds = []
    for _ in range(FORGOTTEN + options.steps):
        h = torch.randn(options.batch, options.width, generator=generator).requires_grad_()
        y = torch.randint(n_classes, (options.batch,), generator=generator)
        begin = time.perf_counter()
        head.loss(h, y).backward()
        head.optimizer.step()
        head.optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - begin)
    return median(seconds[FORGOTTEN:]), before, peak_mb()


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--classes", type=int, nargs="+", default=[10**4, 10**5, 10**6, 10**7])
    parser.add_argument("--native", type=int, default=10**6, help="most classes of PyTorch's full softmax")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--negatives", type=int, default=8192)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows = []
    for arm in ("slide", "native"):
        for n_classes in options.classes:
            if arm == "native" and n_classes > options.native:
                continue
            seconds, before, peak = fresh(measure, arm, n_classes, options)
            weights = n_classes * (options.width + 1) * 4 / 1e6
            numbers = [f"{1000 * seconds:,.1f}", f"{weights:,.0f}", f"{peak:,.0f}", f"{peak - before:,.0f}"]
            rows.append([arm, f"{n_classes:,}", *numbers])
    head = [
        "output layer",
        "classes",
        "ms a step",
        "parameters, MB",
        "peak, MB",
        "of it without Python and PyTorch, MB",
    ]
    print(table(head, rows))


if __name__ == "__main__":
    main()
