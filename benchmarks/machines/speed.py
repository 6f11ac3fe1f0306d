"""What do two processes cost beside two threads? Examples per second of both, on the same two cores.

    python -m benchmarks.machines.speed pubmed-mesh --runs 5

Two workers with a thread each, by protocol, and one process with two threads train in turns, from the same
pack. Of each training the fastest epoch counts, of the runs the median of the ratios.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

from ..common.harness import Report, say, table
from .commands import train
from .steps import pack_of


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="*", default=["pubmed-mesh"], help="folders, or built-in sets")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--batch-size", default="auto")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    report, rows = Report(options.out, options), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for data in options.data:
            pack, model = pack_of(data, folder), folder / "model"
            common = ["--epochs", options.epochs, "--batch-size", options.batch_size]
            common += ["--ranker", "no", "--approximate", "no"]
            arms = {"one process": ["--jobs", options.workers]} | {
                protocol: ["--workers", options.workers, "--jobs", 1, "--protocol", protocol]
                for protocol in ("activations", "rows")
            }
            speeds: dict[str, list[float]] = {arm: [] for arm in arms}
            for run in range(options.runs):
                for arm, own in arms.items():
                    records = train(pack, model, *common, "--seed", run, *own)
                    speeds[arm].append(max(record["examples_per_second"] for record in records))
                    report.add({"data": data, "arm": arm, "run": run, "speed": speeds[arm][-1]})
                    say(f"{data} {arm} {speeds[arm][-1]:,.0f} examples/s")
            for arm, found in speeds.items():
                ratios = [speed / one for speed, one in zip(found, speeds["one process"], strict=True)]
                rows.append([pack.stem, arm, f"{median(found):,.0f}", f"{median(ratios):.2f}"])
    print(table(["data", "training", "examples/s", "beside one process"], rows, 2))


if __name__ == "__main__":
    main()
