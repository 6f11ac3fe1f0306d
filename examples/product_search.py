"""Product search: from the names and descriptions of Debian's packages to a model that finds them.

python examples/product_search.py

The texts are those that apt has on this machine; where there is no apt, those of the installed Python
packages.
"""

import csv
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib import metadata
from itertools import islice
from pathlib import Path

from hashslide import SlideTextClassifier, data

PACKAGES = 20_000  # the most that are learned
QUERIES = ["play chess against the computer", "edit photos", "convert video files"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "packages.tsv"
        write_table(path)
        table = data.load_texts(path, text="description", labels="parts", separator=" ")
        model = SlideTextClassifier(keep_examples=1).fit(table.documents, table.labels)
    print(f"learned {len(table.labels):,} packages and {len(model.classes_):,} parts of their names")
    for query in QUERIES:
        labels, scores = model.predict_topk([query], k=3, probabilities=True)
        for label, score in zip(labels[0], scores[0], strict=True):
            print(f"{query}: {score:.2f} {label}, such as: {model.examples_of([label])[0][0]}")
    print("The same on the command line, with a page to search in:")
    print("  hashslide train packages.tsv --text description --labels parts --separator ' ' -o m.hashslide")
    print("  hashslide serve m.hashslide")


def write_table(path: Path) -> None:
    """Write a row for each package: its name, what it is described as, and what its name consists of."""
    rows = list(islice(apt_packages() if shutil.which("apt-cache") else python_packages(), PACKAGES))
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["name", "description", "parts"])
        for name, description in rows:
            parts = [part for part in re.split(r"[^a-z]+", name.lower()) if len(part) > 1]
            if parts and description:
                writer.writerow([name, description, " ".join(dict.fromkeys(parts))])


def apt_packages() -> Iterator[tuple[str, str]]:
    """Yield names and short descriptions of the packages that apt knows."""
    with subprocess.Popen(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = ""
        for line in process.stdout:
            field, _, value = line.rstrip("\n").partition(": ")
            if field == "Package":
                name = value
            elif field == "Description" or field.startswith("Description-en"):
                yield name, value


def python_packages() -> Iterator[tuple[str, str]]:
    """Yield names and summaries of the installed Python packages."""
    for package in metadata.distributions():
        yield package.metadata["Name"], package.metadata["Summary"] or ""


if __name__ == "__main__":
    main()
