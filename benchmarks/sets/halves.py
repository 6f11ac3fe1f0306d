"""Make a recommendation task of a labelled set: half of an example's labels is given, the rest is wanted.

    python -m benchmarks.sets.halves DIR OUT

DIR holds train.txt.gz and test.txt.gz in the XMC text format, and OUT gets both. Examples with fewer than two
labels are left out; the others' features are forgotten. A given item is a feature of value 1 / sqrt(number of
given items), so features and labels share their ids. Which half a label belongs to depends on the example's
place in its file and on the label's id alone, so the task is the same on every machine.
"""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterable, Iterator
from hashlib import md5
from math import sqrt
from pathlib import Path


def label_rows(path: Path) -> tuple[list[list[int]], int]:
    """Return each example's labels and the number of labels that the header announces."""
    with gzip.open(path, "rt") as lines:
        n_labels = int(next(lines).split()[2])
        labels = (line.partition(" ")[0] for line in lines)
        return [[int(label) for label in row.split(",") if label.strip()] for row in labels], n_labels


def halved(example: str, labels: Iterable[int]) -> tuple[list[int], list[int]]:
    """Return the given and the wanted labels, ascending; of an odd number one more is wanted."""
    shuffled = sorted(labels, key=lambda label: md5(f"{example} {label}".encode()).digest())
    middle = len(shuffled) // 2
    return sorted(shuffled[:middle]), sorted(shuffled[middle:])


def task_lines(part: str, rows: list[list[int]]) -> Iterator[str]:
    """Yield the task's lines for a part's labels."""
    for row, labels in enumerate(rows):
        if len(labels) < 2:
            continue
        given, wanted = halved(f"{part}{row}", labels)
        value = f"{1 / sqrt(len(given)):.4f}"
        yield ",".join(map(str, wanted)) + " " + " ".join(f"{item}:{value}" for item in given)


def main() -> None:
    """Make the task that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, metavar="DIR")
    parser.add_argument("target", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    arguments.target.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        rows, n_labels = label_rows(arguments.source / f"{part}.txt.gz")
        lines = list(task_lines(part, rows))
        with gzip.open(arguments.target / f"{part}.txt.gz", "wt") as out:
            out.write(f"{len(lines)} {n_labels} {n_labels}\n" + "".join(f"{line}\n" for line in lines))
        print(f"{part}: {len(lines):,} examples of {n_labels:,} items")


if __name__ == "__main__":
    main()
