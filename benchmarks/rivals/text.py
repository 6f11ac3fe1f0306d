"""Training from a table of texts beside training from its features, and beside fastText on the same texts.

    python -m benchmarks.rivals.text Packages FOLDER [--rival-python PYTHON]

Packages is Debian's list of packages (see benchmarks.sets.debian_packages); FOLDER gets the tables. Each
package is a text, its name and short description, and the packages that it depends on are its labels. A
package is in the test part if a hash of its name says so.

- text: ``hashslide train TABLE --text ... --labels ...``, one command from the table to the model file.
- features: the command on the same features, made and saved beforehand: what reading texts costs.
- words: the command on words and their pairs, as scikit-learn's TfidfVectorizer finds them, saved beforehand.
- fastText: its library on the same texts, if ``--rival-python`` names an interpreter that has it.

Every training is a process of its own; its seconds include the start, reading and writing.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer

from hashslide import data
from hashslide.text import TextFeatures

from ..sets.debian_packages import Package, named, packages

TEXT, LABELS, SEPARATOR = "text", "depends", " "
FASTTEXT = """
import sys, fasttext
train, test, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = fasttext.train_supervised(train, loss="hs", lr=0.2, epoch=25, thread=threads, seed=1, verbose=0)
model.save_model(train + ".bin")
hits = rows = 0
for line in open(test, encoding="utf8"):
    labels = {word for word in line.split() if word.startswith("__label__")}
    text = " ".join(word for word in line.split() if not word.startswith("__label__"))
    hits += model.predict(text, k=1)[0][0] in labels
    rows += 1
print(hits / rows)
"""


def is_test(package: Package) -> bool:
    """Tell whether a package is in the test part."""
    return int(hashlib.md5(package["Package"].encode()).hexdigest()[:8], 16) % 10 == 0


def text_of(package: Package) -> str:
    """Return what is learned from."""
    return f"{package['Package']} {package.get('Description', '')}"


def write_tables(source: Path, folder: Path) -> None:
    """Write the texts as tables and for fastText, and their features in the XMC text format."""
    rows = [(is_test(package), text_of(package), named(package, "Depends")) for package in packages(source)]
    known = {label for of_test, _, labels in rows if not of_test for label in labels}
    parts = {
        part: [(text, kept) for of_test, text, labels in rows if of_test == (part == "test")
               if (kept := [label for label in dict.fromkeys(labels) if label in known])]
        for part in ("train", "test")
    }  # fmt: skip
    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2)).fit(
        text for text, _ in parts["train"]
    )
    own = TextFeatures().fit({TEXT: [text for text, _ in parts["train"]]})
    for name in ("features", "words"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        data.save_names(folder / name / "labels.txt.gz", sorted(known))
    for part, some in parts.items():
        with open(folder / f"{part}.tsv", "w", encoding="utf8", newline="") as file:
            writer = csv.writer(file, delimiter="\t")
            writer.writerow([TEXT, LABELS])
            writer.writerows([text, SEPARATOR.join(labels)] for text, labels in some)
        with open(folder / f"{part}.ft", "w", encoding="utf8") as file:
            for text, labels in some:
                file.write("".join(f"__label__{label} " for label in labels) + text.lower() + "\n")
        Y, _ = data.label_matrix([labels for _, labels in some], sorted(known))
        texts = [text for text, _ in some]
        data.save(folder / "features" / f"{part}.txt.gz", own.transform({TEXT: texts}), Y)
        data.save(folder / "words" / f"{part}.txt.gz", vectorizer.transform(texts), Y)
    counts = ", ".join(f"{len(some):,} {part}" for part, some in parts.items())
    print(f"{counts}, {len(known):,} labels")


def hashslide(*arguments: object) -> str:
    """Run a command of hashslide; return what it prints."""
    command = [sys.executable, "-m", "hashslide", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def run_text(folder: Path, threads: int) -> tuple[float, float, int]:
    """Return seconds of training from the table, P@1 and bytes of the model."""
    model, columns = folder / "text.hashslide", ["--labels", LABELS, "--separator", SEPARATOR]
    begin = time.perf_counter()
    hashslide("train", folder / "train.tsv", "--text", TEXT, *columns, "-o", model, "-j", threads, "-q")
    seconds = time.perf_counter() - begin
    report = json.loads(hashslide("evaluate", model, folder / "test.tsv", *columns, "--json"))
    return seconds, report["P@1"], model.stat().st_size


def run_features(folder: Path, threads: int) -> tuple[float, float, int]:
    """Return the same of training from the features in a folder."""
    model = folder / "m.hashslide"
    begin = time.perf_counter()
    hashslide("train", folder / "train.txt.gz", "-o", model, "-j", threads, "-q")
    seconds = time.perf_counter() - begin
    report = json.loads(hashslide("evaluate", model, folder / "test.txt.gz", "--json"))
    return seconds, report["P@1"], model.stat().st_size


def run_fasttext(folder: Path, threads: int, python: str) -> tuple[float, float, int]:
    """Return the same of fastText; its seconds include the predictions."""
    arguments = [str(folder / "train.ft"), str(folder / "test.ft"), str(threads)]
    begin = time.perf_counter()
    done = subprocess.run([python, "-c", FASTTEXT, *arguments], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    return seconds, float(done.stdout), (folder / "train.ft.bin").stat().st_size


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packages", type=Path, metavar="Packages")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--rival-python", metavar="PYTHON", help="An interpreter that has fastText.")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="Of each pair of trainings.")
    arguments = parser.parse_args()
    folder, threads = arguments.folder, arguments.threads
    write_tables(arguments.packages, folder)
    ways = {
        "text": lambda: run_text(folder, threads),
        "features": lambda: run_features(folder / "features", threads),
        "words": lambda: run_features(folder / "words", threads),
    }
    runs = [{way: run() for way, run in ways.items()} for _ in range(arguments.repeats)]
    for way in ways:
        seconds, precision, size = zip(*(run[way] for run in runs), strict=True)
        print(f"{way}: {statistics.median(seconds):.1f} s, P@1 {precision[0]:.4f}, {size[0] / 1e6:.1f} MB")
    ratio = statistics.median(run["text"][0] / run["features"][0] for run in runs)
    print(f"seconds of text / seconds of features: {ratio:.2f}, median of {len(runs)} pairs")
    if arguments.rival_python is not None:
        took, hits, n_bytes = run_fasttext(folder, threads, arguments.rival_python)
        print(f"fastText: {took:.1f} s, P@1 {hits:.4f}, {n_bytes / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
