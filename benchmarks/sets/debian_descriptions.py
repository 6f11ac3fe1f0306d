"""Give the points of debian-depends their texts back: its features are words, without order and number.

    python -m benchmarks.sets.debian_descriptions SET FOLDER \\
        --packages Packages ... --descriptions Translation-en ...

SET is debian-depends in the XMC text format, with the names of its ids, features.txt.gz and labels.txt.gz.
Packages and Translation-en are files of these names of Debian's releases, plain or gzipped; the set was made
of several releases, and each can be given. A point is found again if exactly its words and its labels are
those of a package. FOLDER gets the points that were found, as train.tsv and test.tsv, with columns name,
description and depends (separated by spaces), and the same points, in the same order, as train.txt and
test.txt in the XMC text format.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from .debian_index import opened, stanzas
from .debian_packages import named

WORD = re.compile(r"[a-z0-9][a-z0-9+#]+")
NAME_PART = re.compile(r"[a-z]+|[0-9]+")
Text = tuple[str, str]  # name and description


def bag(text: Text, known: dict[str, int]) -> frozenset[int]:
    """Return the ids of a package's features."""
    name, description = text
    words = WORD.findall(description.lower()) + [f"n:{part}" for part in NAME_PART.findall(name)]
    return frozenset(known[word] for word in words if word in known)


def texts(packages: list[Path], descriptions: list[Path], features: list[str], labels: list[str]) -> dict:
    """Return the text of each pair of labels and features, of the first package that has it."""
    full = {
        item["Description-md5"]: item["Description-en"] for path in descriptions for item in stanzas(path)
    }
    feature_ids = {name: i for i, name in enumerate(features)}
    label_ids = {name: i for i, name in enumerate(labels)}
    found: dict[tuple[frozenset[int], frozenset[int]], Text] = {}
    for path in packages:
        for package in stanzas(path):
            description = full.get(package.get("Description-md5", ""), package.get("Description", ""))
            text = package["Package"], " ".join(description.split())
            wanted = frozenset(label_ids[name] for name in named(package, "Depends") if name in label_ids)
            found.setdefault((wanted, bag(text, feature_ids)), text)
    return found


def write_part(source: Path, folder: Path, part: str, found: dict, labels: list[str]) -> tuple[int, int]:
    """Write the two files of a part; return how many of its points were found, and how many there are."""
    rows, table = [], ["name\tdescription\tdepends\n"]
    n_points = 0
    with opened(source / f"{part}.txt.gz") as lines:
        _, *widths = next(lines).split()
        for line in lines:
            n_points += 1
            ids, *entries = line.split(" ")
            wanted = frozenset(map(int, ids.split(",")))
            text = found.get((wanted, frozenset(int(entry.partition(":")[0]) for entry in entries)))
            if text:
                rows.append(line)
                table.append("\t".join([*text, " ".join(labels[i] for i in sorted(wanted))]) + "\n")
    (folder / f"{part}.txt").write_text(" ".join([str(len(rows)), *widths]) + "\n" + "".join(rows))
    (folder / f"{part}.tsv").write_text("".join(table), encoding="utf8")
    return len(rows), n_points


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", type=Path, metavar="SET")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--packages", type=Path, nargs="+", required=True)
    parser.add_argument("--descriptions", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    names = []
    for file in ("features.txt.gz", "labels.txt.gz"):
        with opened(arguments.set / file) as lines:
            names.append(lines.read().split("\n"))
    features, labels = names
    found = texts(arguments.packages, arguments.descriptions, features, labels)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        n_found, n_points = write_part(arguments.set, arguments.folder, part, found, labels)
        print(f"{part}: found {n_found:,} of {n_points:,} points again")


if __name__ == "__main__":
    main()
