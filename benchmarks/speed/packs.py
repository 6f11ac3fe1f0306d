"""What training from a pack costs beside training in memory, and what memory it takes.

    python -m benchmarks.speed.packs figures npm-deps-2016 --seeds 5
    python -m benchmarks.speed.packs memory --rows 50000000 --limit 300MB --plot docs/_static/packs.svg

"figures": the time of packing beside that of reading, the speed of an epoch (warm, and with the pack
dropped from the system's cache before each epoch), P@1 of fits in memory, from a pack, and from a pack
of a file that is sorted by its labels, and what checkpoints cost. "memory": generated examples of 5
features and a label each are packed and then trained on, in a process of its own, whose memory is
limited by a control group (root only); the curve is that of its anonymous memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hashslide import SlideClassifier, data
from hashslide.callbacks import Callback
from hashslide.csr import Csr
from hashslide.data import Pack
from hashslide.data.pack.building import parse_bytes

from ..common.matrices import part_file
from ..common.processes import machine

BLOCK = 100_000  # generated rows
N_FEATURES, N_LABELS, PER_ROW = 1_000_000, 100_000, 5
GROUPS = Path("/sys/fs/cgroup")


class DropCache(Callback):
    """Lets the system forget a pack before each epoch."""

    def __init__(self, pack: Pack):
        self.pack = pack

    def on_epoch_begin(self, estimator: Any, context: Any) -> None:
        """Drop its pages, from this process and from the cache."""
        import mmap

        self.pack.advise(0, len(self.pack), mmap.MADV_DONTNEED)
        with self.pack.path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds_of(action: Any) -> float:
    """Return how long something takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def examples_per_second(model: SlideClassifier) -> float:
    """Return the median over the epochs."""
    return statistics.median(record["examples_per_second"] for record in model.history_)


def figures(source: str, seeds: int, repeats: int, epochs: int | None, threads: int) -> None:
    """Print the figures of one data set."""
    folder = data.builtin_path(source) if source in data.builtin_names() else Path(source)
    X, Y = data.load(part_file(folder, "train"))
    X_test, Y_test = data.load(part_file(folder, "test"))
    with tempfile.TemporaryDirectory(dir=".") as name:
        scratch = Path(name)
        plain, by_label = scratch / "train.txt", scratch / "sorted.txt"
        first = np.array(
            [Y.indices[a] if b > a else -1 for a, b in zip(Y.indptr, Y.indptr[1:], strict=False)]
        )
        order = np.argsort(first, kind="stable")
        data.save(plain, X, Y)
        data.save(by_label, X[order], Y[order])
        read, packed = [], []
        for _ in range(repeats):
            read.append(seconds_of(lambda: data.load(plain)))
            packed.append(seconds_of(lambda: Pack.build(plain, scratch / "train.pack")))
        print(
            f"packing / load: {statistics.median(np.divide(packed, read)):.2f} "
            f"({statistics.median(read):.2f} s)"
        )
        pack = Pack.open(scratch / "train.pack")
        of_sorted = Pack.build(by_label, scratch / "sorted.pack", memory="10MB")
        settings: dict[str, Any] = {"n_jobs": threads} | ({} if epochs is None else {"epochs": epochs})

        def fit(seed: int, *args: Any, **more: Any) -> SlideClassifier:
            return SlideClassifier(**settings | {"random_state": seed} | more).fit(*args)

        warm, cold, saved = [], [], []
        few = {"epochs": 3, "ranker": False, "approximate": False}
        for seed in range(repeats):
            memory = examples_per_second(fit(seed, X, Y, **few))
            warm.append(examples_per_second(fit(seed, pack, **few)) / memory)
            cold.append(examples_per_second(fit(seed, pack, callbacks=[DropCache(pack)], **few)) / memory)
            trained = fit(seed, X, Y, **few)
            saved.append(seconds_of(lambda model=trained: model.save(scratch / "model")))
        print(f"speed from a pack / in memory, warm: {statistics.median(warm):.3f}")
        print(f"speed from a pack / in memory, cold: {statistics.median(cold):.3f}")
        share = statistics.median(saved) / 300
        print(f"a checkpoint: {statistics.median(saved):.2f} s, every 5 min: {share:.2%} of the time")
        scores = np.array(
            [
                [model.score(X_test, Y_test) for model in (fit(s, X, Y), fit(s, pack), fit(s, of_sorted))]
                for s in range(seeds)
            ]
        )
        mean, error = scores.mean(axis=0), scores.std(axis=0) / np.sqrt(max(1, seeds - 1))
        for what, m, e in zip(("in memory", "pack", "pack of the sorted file"), mean, error, strict=True):
            print(f"P@1 {what}: {m:.4f} +- {e:.4f}")


def generated(n: int) -> Iterator[tuple[Csr, Csr]]:
    """Yield blocks of examples whose labels are skewed (rank by the cube of a uniform number).

    A label has 8 features of its own, of which an example has two, and shares 200 of each of three kinds
    with others.
    """
    for number in range(n // BLOCK):
        rng = np.random.default_rng([0, number])
        label = (N_LABELS * rng.random(BLOCK) ** 3).astype(np.int64)
        own = label * 4 + rng.integers(0, 4, BLOCK)
        columns = [own, 400_000 + label * 2 + rng.integers(0, 2, BLOCK)]
        for kind, groups in enumerate((500, 250, 125)):
            columns.append(600_000 + 100_000 * kind + label % groups * 200 + rng.integers(0, 200, BLOCK))
        ids = np.stack(columns, axis=1).astype(np.int32)
        indptr = np.arange(0, ids.size + 1, PER_ROW)
        x = Csr(indptr, ids.ravel(), np.ones(ids.size, np.float32), N_FEATURES)
        yield x, Csr(np.arange(BLOCK + 1), label.astype(np.int32), None, N_LABELS)


class Memory(threading.Thread):
    """Takes note of the process's anonymous and file memory twice a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.curve: list[tuple[float, float, float, str]] = []
        self.stage = "start"
        self._began = time.monotonic()

    def run(self) -> None:
        """Measure until the process ends."""
        while True:
            facts = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            anonymous, mapped = (int(facts[name].split()[0]) / 1000 for name in ("RssAnon", "RssFile"))
            self.curve.append((time.monotonic() - self._began, anonymous, mapped, self.stage))
            time.sleep(0.5)


def one_run(path: Path, rows: int, stage: str, memory: str, window: str) -> None:
    """Build the pack, or train on it; print the curve as JSON."""
    watch = Memory()
    watch.start()
    time.sleep(0.6)
    result: dict[str, Any] = {"base": watch.curve[-1][1]}
    watch.stage = stage
    if stage == "pack":
        Pack.build(generated(rows), path, memory, window=window)
    else:
        pack = Pack.open(path)
        model = SlideClassifier(16, epochs=1, batch_size=256, random_state=0, n_jobs=1).fit(pack)
        result["model"] = sum(array.nbytes for array in model.network_.state().values()) / 1e6
        result["settings"] = str(model.settings_["ranker"])
        result["loss"] = model.history_[-1]["loss"]
        result["seconds"] = model.history_[-1]["seconds"]
    result["curve"] = watch.curve
    print(json.dumps(result))


def limited(command: list[str], limit: int | None) -> dict[str, Any]:
    """Run a command with a limit of memory, the cache of its files included; return what it prints."""
    group, prefix = None, ""
    if limit is not None:
        version_1 = (GROUPS / "memory").is_dir()
        group = (GROUPS / "memory" if version_1 else GROUPS) / f"hashslide-packs-{os.getpid()}"
        group.mkdir()
        (group / ("memory.limit_in_bytes" if version_1 else "memory.max")).write_text(str(limit))
        prefix = f"echo $$ > {group}/cgroup.procs; "
    try:
        shell = prefix + 'exec "$@"'
        done = subprocess.run(
            ["sh", "-c", shell, "sh", *command], capture_output=True, text=True, check=False
        )
    finally:
        if group is not None:
            group.rmdir()
    if done.returncode:
        sys.exit(f"ended with {done.returncode}: {done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def memory_of(
    rows: int, limit: int | None, folder: Path, memory: str, window: str, plot: Path | None
) -> None:
    """Pack and train in limited memory; print the peaks and draw the curves."""
    path = folder / "generated.pack"
    results = {}
    for stage in ("pack", "train"):
        command = [sys.executable, "-m", "benchmarks.speed.packs", "one-run", "--rows", str(rows)]
        command += ["--folder", str(folder), "--stage", stage, "--memory", memory, "--window", window]
        results[stage] = limited(command, limit)
        curve = results[stage]["curve"]
        peak = max(point[1] for point in curve)
        base = results[stage]["base"]
        print(
            f"{stage}: {curve[-1][0]:.0f} s, anonymous peak {peak:.0f} MB, "
            f"of which {base:.0f} MB before it began"
        )
    pack = Pack.open(path)
    size = path.stat().st_size / 1e6
    trained = results["train"]
    peak = max(point[1] for point in trained["curve"]) - trained["base"]
    allowed = trained["model"] + parse_bytes("window", window) / 1e6
    print(
        f"pack: {len(pack):,} examples, {pack.x.nnz:,} values, {size:.0f} MB; "
        f"limit {limit and limit / 1e6} MB"
    )
    print(f"model {trained['model']:.0f} MB; peak above the start / (model + window): {peak / allowed:.2f}")
    print(
        f"loss {trained['loss']:.4f}, {rows / trained['seconds']:,.0f} examples/s; "
        f"ranker: {trained['settings']}"
    )
    if plot is not None:
        draw(plot, results, limit, size)
    path.unlink()


def draw(path: Path, results: dict[str, Any], limit: int | None, size: float) -> None:
    """Draw the curves of memory."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
    for ax, (stage, result) in zip(axes, results.items(), strict=True):
        curve = result["curve"]
        ax.plot([p[0] for p in curve], [p[1] for p in curve], label="anonymous")
        ax.plot([p[0] for p in curve], [p[2] for p in curve], label="mapped files", alpha=0.6)
        if limit is not None:
            ax.axhline(limit / 1e6, color="black", linestyle="--", linewidth=1, label="limit")
        ax.set_title({"pack": "packing", "train": "training"}[stage] + f" ({size / 1000:.1f} GB on the disk)")
        ax.set_xlabel("seconds")
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("MB")
    axes[1].legend()
    figure.savefig(path)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    of_set = commands.add_parser("figures")
    of_set.add_argument("data", help="a folder with train.txt(.gz) and test.txt(.gz), or a built-in set")
    of_set.add_argument("--seeds", type=int, default=3, help="of the fits whose P@1 is averaged")
    of_set.add_argument("--repeats", type=int, default=3, help="of the times, whose median counts")
    of_set.add_argument("--epochs", type=int)
    of_set.add_argument("--threads", type=int, default=1)
    for name in ("memory", "one-run"):
        large = commands.add_parser(name)
        large.add_argument("--rows", type=int, default=50_000_000)
        large.add_argument("--folder", type=Path, default=Path("."), help="for the pack")
        large.add_argument("--memory", default="128MB", help="of packing")
        large.add_argument("--window", default="64MB", help="of training")
        large.add_argument("--limit", help="of the process, such as 300MB")
        large.add_argument("--plot", type=Path)
        large.add_argument("--stage", choices=["pack", "train"], default="pack", help="of one-run")
    arguments = parser.parse_args()
    if arguments.what == "figures":
        print(machine())
        figures(arguments.data, arguments.seeds, arguments.repeats, arguments.epochs, arguments.threads)
    elif arguments.what == "memory":
        limit = None if arguments.limit is None else parse_bytes("limit", arguments.limit)
        memory_of(arguments.rows, limit, arguments.folder, arguments.memory, arguments.window, arguments.plot)
    else:
        path = arguments.folder / "generated.pack"
        one_run(path, arguments.rows, arguments.stage, arguments.memory, arguments.window)


if __name__ == "__main__":
    main()
