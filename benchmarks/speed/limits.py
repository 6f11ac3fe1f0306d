"""What this machine can do at most: float32 GEMM and memory bandwidth, on one thread and on more.

    python -m benchmarks.speed.limits --threads 1 2

A stage of the engine is judged by its share of these two figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from ..common.processes import wall_seconds

# (rows, inner, columns): a square product, and a step's logits: batch × hidden × active set.
PRODUCTS = ((1024, 1024, 1024), (256, 256, 4096))
BLOCK = 1 << 15  # floats; the temporary of the triad must stay in the second-level cache

Floats = NDArray[np.float32]


def gemm_gflops(shape: tuple[int, int, int], threads: int, repeats: int) -> float:
    """Return the GFLOP/s of a float32 product in NumPy's BLAS."""
    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    left = rng.random((rows, inner), dtype=np.float32)
    right = rng.random((inner, columns), dtype=np.float32)
    out = np.empty((rows, columns), np.float32)
    with threadpool_limits(threads, user_api="blas"):
        seconds = min(wall_seconds(lambda: np.matmul(left, right, out=out), repeats))
    return 2 * rows * inner * columns / seconds / 1e9


def copy(a: Floats, b: Floats, c: Floats) -> None:
    """Do a = b."""
    np.copyto(a, b)


def triad(a: Floats, b: Floats, c: Floats) -> None:
    """Do a = b + 2 c, block by block: NumPy has no fused form, and the temporary must not reach memory."""
    scaled = np.empty(BLOCK, np.float32)
    for begin in range(0, len(a), BLOCK):
        span = slice(begin, begin + BLOCK)
        part = scaled[: len(a[span])]
        np.multiply(c[span], np.float32(2), out=part)
        np.add(b[span], part, out=a[span])


KERNELS: dict[str, tuple[Callable[[Floats, Floats, Floats], None], int]] = {
    "copy": (copy, 2),
    "triad": (triad, 3),
}


def bandwidth(name: str, arrays: list[Floats], threads: int, repeats: int) -> float:
    """Return the GB/s of a kernel, counted as STREAM does: each array once, no write-allocate."""
    kernel, n_arrays = KERNELS[name]
    shares = list(zip(*(np.array_split(array, threads) for array in arrays), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        seconds = min(wall_seconds(lambda: list(pool.map(lambda share: kernel(*share), shares)), repeats))
    return n_arrays * arrays[0].nbytes / seconds / 1e9


def last_level_cache_mb() -> float:
    """Return the size of the largest cache that the system reports, 0 if it reports none."""
    sizes = Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")
    return max((int(size.read_text().strip().rstrip("K")) * 1024 / 1e6 for size in sizes), default=0.0)


def table(threads: list[int], megabytes: int, repeats: int) -> str:
    """Return every limit as a Markdown table, one column per number of threads."""
    arrays = [np.ones(megabytes * 10**6 // 4, np.float32) for _ in range(3)]
    lines = [
        "| limit | " + " | ".join(f"{n} threads" for n in threads) + " |",
        "| --- |" + " --: |" * len(threads),
    ]
    for shape in PRODUCTS:
        cells = [f"{gemm_gflops(shape, n, repeats):.0f}" for n in threads]
        lines.append(f"| GEMM {'x'.join(map(str, shape))}, GFLOP/s | " + " | ".join(cells) + " |")
    for name in KERNELS:
        cells = [f"{bandwidth(name, arrays, n, repeats):.1f}" for n in threads]
        lines.append(f"| {name}, GB/s | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--megabytes", type=int, default=1024, help="size of each of the three arrays")
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    libraries = {
        f"{lib['internal_api']} {lib['version']}" for lib in threadpool_info() if lib["user_api"] == "blas"
    }
    print(
        f"BLAS: {', '.join(sorted(libraries)) or 'unknown'}; last-level cache {last_level_cache_mb():.0f} MB"
    )
    print(table(arguments.threads, arguments.megabytes, arguments.repeats))


if __name__ == "__main__":
    main()
