"""Build three tasks from Debian's list of packages: debtags, deb-maintainer and deb-suggests.

    curl -O https://deb.debian.org/debian/dists/bookworm/main/binary-amd64/Packages.xz
    unxz Packages.xz
    python -m benchmarks.sets.debian_packages Packages FOLDER

FOLDER gets a folder for each task, with train.txt.gz and test.txt.gz in the XMC text format. A random fifth
of the packages is the test part. The features are the words of the package's name, and the words and word
pairs of its short description, as tf-idf.

- debtags: to the package's tags.
- deb-maintainer: to its maintainer, one class.
- deb-suggests: with the packages that it depends on as further features, to those it recommends or suggests.
"""

from __future__ import annotations

import argparse
import gzip
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import log, sqrt
from pathlib import Path

import numpy as np

FEWEST_PACKAGES = 2  # with a feature
SEED = 5  # of the division
WORD = re.compile(r"[a-z]+|[0-9]+")
Package = dict[str, str]


def packages(path: Path) -> Iterator[Package]:
    """Yield the fields of each package; further lines of a field belong to it."""
    fields: Package = {}
    name = ""
    with open(path, encoding="utf8") as lines:
        for line in lines:
            if line == "\n":
                yield fields
                fields = {}
            elif line[0] == " ":
                fields[name] += line.rstrip("\n")
            else:
                name, _, fields[name] = line.rstrip("\n").partition(": ")
    if fields:
        yield fields


def named(package: Package, *fields: str) -> list[str]:
    """Return the packages that some fields name, without versions and further alternatives."""
    items = (item for field in fields for item in package.get(field, "").split(","))
    return [re.split(r"[ (:|]", item.strip())[0] for item in items if item.strip()]


def terms(package: Package) -> list[str]:
    """Return the words of the name and those of the short description, and pairs of these."""
    words = WORD.findall(package.get("Description", "").lower())
    pairs = [f"{first}_{second}" for first, second in pairwise(words)]
    return [f"name:{word}" for word in WORD.findall(package["Package"].lower())] + words + pairs


def terms_and_dependencies(package: Package) -> list[str]:
    """Return the terms, and what the package depends on."""
    return terms(package) + [f"depends:{name}" for name in named(package, "Depends")]


def tags(package: Package) -> list[str]:
    """Return the tags."""
    return [tag.strip() for tag in package.get("Tag", "").split(",") if tag.strip()]


def maintainer(package: Package) -> list[str]:
    """Return the maintainer, alone."""
    return [package["Maintainer"]]


def recommended(package: Package) -> list[str]:
    """Return the packages that are recommended or suggested."""
    return named(package, "Recommends", "Suggests")


TASKS: dict[str, tuple[Callable[[Package], list[str]], Callable[[Package], list[str]]]] = {
    "debtags": (terms, tags),
    "deb-maintainer": (terms, maintainer),
    "deb-suggests": (terms_and_dependencies, recommended),
}


def build(
    all_packages: list[Package],
    features_of: Callable[[Package], list[str]],
    labels_of: Callable[[Package], list[str]],
    folder: Path,
) -> None:
    """Write the two files of a task."""
    labelled = [package for package in all_packages if labels_of(package)]
    order = np.random.default_rng(SEED).permutation(len(labelled))
    shuffled = [labelled[i] for i in order]
    n_test = len(shuffled) // 5
    parts = {"train": shuffled[n_test:], "test": shuffled[:n_test]}
    train = parts["train"]
    frequency = Counter(term for package in train for term in set(features_of(package)))
    kept = sorted(term for term, n in frequency.items() if n >= FEWEST_PACKAGES)
    feature = {term: (i, log(len(train) / frequency[term])) for i, term in enumerate(kept)}
    label = {name: i for i, name in enumerate(sorted({name for p in train for name in labels_of(p)}))}
    folder.mkdir(parents=True, exist_ok=True)
    for part, some in parts.items():
        points = []
        for package in some:
            labels = sorted({label[name] for name in labels_of(package) if name in label})
            counts = Counter(feature[term] for term in features_of(package) if term in feature)
            values = sorted((i, (1 + log(n)) * idf) for (i, idf), n in counts.items())
            if labels and values:
                length = sqrt(sum(value * value for _, value in values))
                row = " ".join(f"{i}:{value / length:.4f}" for i, value in values)
                points.append(f"{','.join(map(str, labels))} {row}\n")
        with gzip.open(folder / f"{part}.txt.gz", "wt", encoding="utf8") as file:
            file.write(f"{len(points)} {len(feature)} {len(label)}\n")
            file.writelines(points)
        print(
            f"{folder.name} {part}: {len(points):,} points, {len(feature):,} features, {len(label):,} labels"
        )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", type=Path, metavar="Packages")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    all_packages = list(packages(arguments.packages))
    for name, (features_of, labels_of) in TASKS.items():
        build(all_packages, features_of, labels_of, arguments.folder / name)


if __name__ == "__main__":
    main()
