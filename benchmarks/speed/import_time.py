"""How long `import hashslide` and the small commands take, each in a fresh process.

    python -m benchmarks.speed.import_time --runs 10
    python -m benchmarks.speed.import_time --before old-checkout/src     (built, with its own _core)

User time is the process's own CPU time: on a busy machine it says more than the clock.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

COMMAND = "from hashslide.cli import main; main()"
CASES = {
    "python alone": ["-c", "pass"],
    "import numpy": ["-c", "import numpy"],
    "import sklearn.base": ["-c", "import sklearn.base"],
    "import hashslide": ["-c", "import hashslide"],
    "from hashslide import SlideClassifier": ["-c", "from hashslide import SlideClassifier"],
    "hashslide --version": ["-c", COMMAND, "--version"],
    "hashslide --help": ["-c", COMMAND, "--help"],
    "hashslide train --help": ["-c", COMMAND, "train", "--help"],
    "hashslide data list": ["-c", COMMAND, "data", "list"],
}


def run(arguments: list[str], source: Path | None) -> tuple[float, float]:
    """Return the seconds of the clock and of user time that one process takes."""
    environment = os.environ | ({"PYTHONPATH": str(source)} if source else {})
    cpu, clock = os.times().children_user, time.perf_counter()
    subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True)
    return time.perf_counter() - clock, os.times().children_user - cpu


def measure(source: Path | None, runs: int) -> dict[str, tuple[float, float]]:
    """Return the medians of each case; the first run, which compiles and fills caches, does not count."""
    medians = {}
    for name, arguments in CASES.items():
        seconds = [run(arguments, source) for _ in range(runs + 1)][1:]
        medians[name] = (median(clock for clock, _ in seconds), median(user for _, user in seconds))
    return medians


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="folder with another version of the package")
    parser.add_argument("--source", type=Path, help="folder with the package; by default the one installed")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    versions = {"before": options.before} if options.before else {}
    results = {
        name: measure(source, options.runs) for name, source in (versions | {"now": options.source}).items()
    }
    print("| case | " + " | ".join(f"{name}, s | {name}, user s" for name in results) + " |")
    print("|---|" + "--:|--:|" * len(results))
    for case in CASES:
        cells = [f"{number:.2f}" for result in results.values() for number in result[case]]
        print(f"| {case} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
