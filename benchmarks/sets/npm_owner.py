"""Build npm-owner: whose repository does an npm package come from, by the package's name?

    npm pack all-the-package-repos@2.0.3148
    python -m benchmarks.sets.npm_owner all-the-package-repos-2.0.3148.tgz FOLDER

Writes train.txt and test.txt (XMC text format) and the names of the ids, features.txt and labels.txt.
"""

from __future__ import annotations

import argparse
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from hashlib import md5
from itertools import pairwise
from math import log, sqrt
from pathlib import Path

# Owners of more packages are mirrors and generators; owners of one cannot be both learnt and tested.
FEWEST_PACKAGES, MOST_PACKAGES = 2, 2000
FEWEST_POINTS, LARGEST_SHARE = 3, 0.5
GRAM = 4
REPOSITORY = re.compile(r"https?://(?:www\.)?(github\.com|gitlab\.com|bitbucket\.org|gitee\.com)/([^/]+)")
CASE_CHANGE = re.compile(r"([a-z])([A-Z])")
WORD = re.compile(r"[a-z]+|[0-9]+")


def owners(archive: Path) -> dict[str, str]:
    """Return each package's owner ("host/name"), ordered by package; without those of too few or too many."""
    with tarfile.open(archive) as tar:
        repositories = json.load(tar.extractfile("package/data/packages.json"))
    found = {name: REPOSITORY.match(url or "") for name, url in sorted(repositories.items())}
    owner = {name: f"{hit[1][:6]}/{hit[2]}".lower() for name, hit in found.items() if hit}
    packages = Counter(owner.values())
    return {name: who for name, who in owner.items() if FEWEST_PACKAGES <= packages[who] <= MOST_PACKAGES}


def terms(package: str) -> list[str]:
    """Return a name's words, word pairs, first and last word and letter 4-grams, each kind with its prefix.

    The scope of a scoped package is left out: it often is the owner.
    """
    name = package.split("/", 1)[-1] if package.startswith("@") else package
    words = WORD.findall(CASE_CHANGE.sub(r"\1-\2", name).lower())
    pairs = [f"b:{first}_{second}" for first, second in pairwise(words)]
    ends = [f"s:{words[0]}", f"e:{words[-1]}"] if words else []
    letters = [gram for word in words for gram in grams(f"^{word}$")]
    return [f"w:{word}" for word in words] + pairs + ends + letters


def grams(word: str) -> list[str]:
    """Return the overlapping runs of four characters."""
    return ["c:" + word[start : start + GRAM] for start in range(len(word) - GRAM + 1)]


def in_test(package: str) -> bool:
    """Tell whether the package is one of the tenth held out: a matter of its name alone."""
    return int(md5(package.encode("utf8", "replace")).hexdigest()[:8], 16) % 10 == 0


def features(train: list[str]) -> dict[str, tuple[int, float]]:
    """Return the id and the inverse document frequency of each term neither rare nor common in training."""
    frequency: Counter[str] = Counter()
    for package in train:
        frequency.update(set(terms(package)))
    kept = sorted(t for t, n in frequency.items() if FEWEST_POINTS <= n <= LARGEST_SHARE * len(train))
    return {term: (i, log(len(train) / frequency[term])) for i, term in enumerate(kept)}


def row(package: str, feature: dict[str, tuple[int, float]]) -> list[str]:
    """Return the name's tf-idf vector, (1 + ln count) · idf scaled to length 1, as "id:value", ascending."""
    counts = sorted(Counter(feature[term] for term in terms(package) if term in feature).items())
    values = [(i, (1 + log(count)) * idf) for (i, idf), count in counts]
    length = sqrt(sum(value * value for _, value in values))
    return [f"{i}:{value / length:.3f}" for i, value in values]


def lines(packages: list[str], owner: dict[str, str], label: dict, feature: dict) -> Iterator[str]:
    """Yield the points that have a feature and, for those of the test part, a label known in training."""
    for package in packages:
        if owner[package] in label and (values := row(package, feature)):
            yield f"{label[owner[package]]} {' '.join(values)}\n"


def build(archive: Path, folder: Path) -> None:
    """Write the four files."""
    owner = owners(archive)
    parts: dict[str, list[str]] = {"train": [], "test": []}
    for package in owner:
        parts["test" if in_test(package) else "train"].append(package)
    feature = features(parts["train"])
    label = {name: i for i, name in enumerate(sorted({owner[package] for package in parts["train"]}))}
    folder.mkdir(parents=True, exist_ok=True)
    for part, packages in parts.items():
        points = list(lines(packages, owner, label, feature))
        with open(folder / f"{part}.txt", "w", encoding="utf8") as file:
            file.write(f"{len(points)} {len(feature)} {len(label)}\n")
            file.writelines(points)
        print(f"{part}: {len(points):,} points, {len(feature):,} features, {len(label):,} labels")
    for name, ids in (("features", feature), ("labels", label)):
        (folder / f"{name}.txt").write_text("".join(f"{key}\n" for key in ids), encoding="utf8")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("archive", type=Path, help="all-the-package-repos-2.0.3148.tgz")
    parser.add_argument("folder", type=Path, help="where to write")
    arguments = parser.parse_args()
    build(arguments.archive, arguments.folder)


if __name__ == "__main__":
    main()
