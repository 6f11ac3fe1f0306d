"""Does the model depend on the number of workers? Digests of model files of the same seed.

    python -m benchmarks.machines.bits pubmed-mesh

`activations` has to give one digest for all numbers of workers, and `rows` one for each number of workers,
the same each time. That trainings that were interrupted end with the same bits is measured by
`machines.failures`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from ..common.harness import say, table
from .commands import digest, train
from .steps import pack_of


def main() -> None:
    """Train and print the digests."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="?", default="pubmed-mesh", help="a folder, or a built-in set")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--runs", type=int, default=2, help="of each training with rows")
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    rows, of_activations, of_rows = [], set(), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pack, model = pack_of(options.data, folder), folder / "model"
        common = ("--seed", 3, "--epochs", options.epochs)
        for workers in options.workers:
            train(pack, model, *common, "--workers", workers, "--protocol", "activations")
            of_activations.add(digest(model))
            rows.append(["activations", str(workers), digest(model)])
            say(" ".join(rows[-1]))
        for workers in options.workers:
            for _ in range(options.runs):
                train(pack, model, *common, "--workers", workers, "--protocol", "rows")
                of_rows.setdefault(workers, set()).add(digest(model))
                rows.append(["rows", str(workers), digest(model)])
                say(" ".join(rows[-1]))
    print(table(["protocol", "workers", "digest of the model file"], rows, 3))
    is_right = len(of_activations) == 1 and all(len(found) == 1 for found in of_rows.values())
    print("\nas promised" if is_right else "\nNOT as promised")
    sys.exit(not is_right)


if __name__ == "__main__":
    main()
