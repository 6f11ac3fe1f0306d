"""Build three tasks from Debian's list of packages: debtags, deb-maintainer and deb-suggests.

    python -m benchmarks.sets.debian_packages Packages FOLDER

Packages is the file of that name of Debian 12.15, in the folder dists/bookworm/main/binary-amd64 of every
mirror. FOLDER gets a folder for each task, with train.txt.gz and test.txt.gz in the XMC text format. A random
fifth of the packages is the test part. The features are the words of the package's name, and the words and
word pairs of its short description, as tf-idf.

- debtags: to the package's tags.
- deb-maintainer: to its maintainer, one class.
- deb-suggests: with the packages that it depends on as further features, to those it recommends or suggests.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import MultiLabelBinarizer

from hashslide.data import save_xmc

from .debian_index import Fields, stanzas

FEWEST_PACKAGES = 2  # with a feature
SEED = 5  # of the division
WORD = re.compile(r"[a-z]+|[0-9]+")
Terms = Callable[[Fields], list[str]]


def named(package: Fields, *fields: str) -> list[str]:
    """Return the packages that some fields name, without versions and further alternatives."""
    items = (item for field in fields for item in package.get(field, "").split(","))
    return [re.split(r"[ (:|]", item.strip())[0] for item in items if item.strip()]


def terms(package: Fields) -> list[str]:
    """Return the words of the name and those of the short description, and pairs of these."""
    words = WORD.findall(package.get("Description", "").lower())
    pairs = [f"{first}_{second}" for first, second in pairwise(words)]
    return [f"name:{word}" for word in WORD.findall(package["Package"].lower())] + words + pairs


def terms_and_dependencies(package: Fields) -> list[str]:
    """Return the terms, and what the package depends on."""
    return terms(package) + [f"depends:{name}" for name in named(package, "Depends")]


def tags(package: Fields) -> list[str]:
    """Return the tags."""
    return [tag.strip() for tag in package.get("Tag", "").split(",") if tag.strip()]


def maintainer(package: Fields) -> list[str]:
    """Return the maintainer, alone."""
    return [package["Maintainer"]]


def recommended(package: Fields) -> list[str]:
    """Return the packages that are recommended or suggested."""
    return named(package, "Recommends", "Suggests")


TASKS: dict[str, tuple[Terms, Terms]] = {  # features and labels
    "debtags": (terms, tags),
    "deb-maintainer": (terms, maintainer),
    "deb-suggests": (terms_and_dependencies, recommended),
}


def build(all_packages: list[Fields], features_of: Terms, labels_of: Terms, folder: Path) -> None:
    """Write the two files of a task."""
    labelled = [package for package in all_packages if labels_of(package)]
    order = np.random.default_rng(SEED).permutation(len(labelled))
    shuffled = [labelled[i] for i in order]
    n_test = len(shuffled) // 5
    test, train = shuffled[:n_test], shuffled[n_test:]
    features = TfidfVectorizer(analyzer=features_of, min_df=FEWEST_PACKAGES, sublinear_tf=True).fit(train)
    known = {label for package in train for label in labels_of(package)}
    labels = MultiLabelBinarizer(classes=sorted(known), sparse_output=True).fit([])
    folder.mkdir(parents=True, exist_ok=True)
    for part, some in (("train", train), ("test", test)):
        X = features.transform(some)
        Y = labels.transform([known.intersection(labels_of(package)) for package in some])
        is_whole = (np.diff(X.indptr) > 0) & (np.diff(Y.indptr) > 0)
        save_xmc(folder / f"{part}.txt.gz", X[is_whole], Y[is_whole])
        print(
            f"{folder.name} {part}: {is_whole.sum():,} points, {X.shape[1]:,} features, {Y.shape[1]:,} labels"
        )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", type=Path, metavar="Packages")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    all_packages = list(stanzas(arguments.packages))
    for name, (features_of, labels_of) in TASKS.items():
        build(all_packages, features_of, labels_of, arguments.folder / name)


if __name__ == "__main__":
    main()
