"""How good and how fast is training from text, beside training from ready features, and beside fastText?

    python -m benchmarks.rivals.text FOLDER --rival-python rivals/bin/python

FOLDER is what benchmarks.sets.debian_descriptions writes: the same points as texts and as features. All
methods get the same labels and the same points, and take turns. The clock runs from the data in memory to the
trained model; fastText reads its text within its training. "ready features" trains on what TextFeatures made
of the texts before the clock started, with the same settings: the difference is what the texts cost.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from hashslide import SlideClassifier, SlideTextClassifier
from hashslide.data import load_xmc
from hashslide.text import TextFeatures

from ..common.accuracy import figures
from ..common.processes import fresh, run_job

K = 5
Result = dict[str, Any]


def documents(folder: Path, part: str) -> dict[str, list[str]]:
    """Return the names and the descriptions of a part."""
    with open(folder / f"{part}.tsv", encoding="utf8") as lines:
        next(lines)
        rows = [line.rstrip("\n").split("\t") for line in lines]
    return {"name": [row[0] for row in rows], "description": [row[1] for row in rows]}


def trained(model: Any, X: Any, Y: csr_matrix, X_test: Any) -> Result:
    """Train and predict; return the times, the size of the file in MB and the labels; cpu_s: training."""
    begin, cpu_begin = time.perf_counter(), time.process_time()
    model.fit(X, Y)
    train_s, cpu_s = time.perf_counter() - begin, time.process_time() - cpu_begin
    begin = time.perf_counter()
    topk, _ = model.predict_topk(X_test, K)
    predict_s = time.perf_counter() - begin
    with tempfile.NamedTemporaryFile(suffix=".hashslide") as file:
        model.save(file.name, optimizer_state=False)
        size = Path(file.name).stat().st_size / 1e6
    return {
        "train_s": train_s,
        "cpu_s": cpu_s,
        "predict_s": predict_s,
        "mb": size,
        "topk": np.asarray(topk).tolist(),
    }


def from_text(folder: Path, seed: int, threads: int) -> Result:
    """Train from the texts, with the defaults."""
    _, Y = load_xmc(folder / "train.txt")
    model = SlideTextClassifier(
        SlideClassifier(random_state=seed, n_jobs=threads), TextFeatures(n_jobs=threads)
    )
    return trained(model, documents(folder, "train"), Y, documents(folder, "test"))


def from_ready_features(folder: Path, seed: int, threads: int) -> Result:
    """Train from the features that the texts have, made before."""
    _, Y = load_xmc(folder / "train.txt")
    features = TextFeatures(n_jobs=threads)
    X = features.fit_transform(documents(folder, "train"))
    X_test = features.transform(documents(folder, "test"))
    return trained(SlideClassifier(random_state=seed, n_jobs=threads), X, Y, X_test)


def from_words(folder: Path, seed: int, threads: int) -> Result:
    """Train from the features that the set has."""
    (X, Y), (X_test, _) = load_xmc(folder / "train.txt"), load_xmc(folder / "test.txt")
    return trained(SlideClassifier(random_state=seed, n_jobs=threads), X, Y, X_test)


def fasttext(folder: Path, seed: int, threads: int, python: str) -> Result:
    """Train fastText from the same texts."""
    with tempfile.TemporaryDirectory() as place:
        job = {"train": f"{place}/train.txt", "test": f"{place}/test.txt", "seed": seed, "threads": threads}
        for part in ("train", "test"):
            columns = documents(folder, part)
            texts = zip(columns["name"], columns["description"], strict=True)
            _, Y = load_xmc(folder / f"{part}.txt")
            ids = np.split(Y.indices, Y.indptr[1:-1])
            Path(job[part]).write_text(
                "".join(
                    "".join(f"__label__{label} " for label in labels if part == "train")
                    + f"{name} {description}".lower()
                    + "\n"
                    for labels, (name, description) in zip(ids, texts, strict=True)
                ),
                encoding="utf8",
            )
        path = Path(place) / "job.json"
        if run_job(python, "rivals.text_fasttext", job | {"k": K}, path, threads):
            raise SystemExit("fastText failed; see above.")
        result: Result = json.loads(path.with_suffix(".result").read_text())
        return result


METHODS: dict[str, Callable[..., Result]] = {
    "text": from_text,
    "ready features": from_ready_features,
    "the set's features": from_words,
}


def main() -> None:
    """Measure, and print a table of medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--rival-python", help="of an environment with fastText; without it fastText is left out"
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="takes each run's figures, as JSON")
    options = parser.parse_args()

    _, Y_train = load_xmc(options.folder / "train.txt")
    _, Y_test = load_xmc(options.folder / "test.txt")
    runs: dict[str, list[Result]] = {}
    for seed in range(options.runs):
        for name, method in METHODS.items():
            runs.setdefault(name, []).append(fresh(method, options.folder, seed, options.threads))
        if options.rival_python:
            found = fasttext(options.folder, seed, options.threads, options.rival_python)
            runs.setdefault("fastText", []).append(found)
        for results in runs.values():
            topk = np.array(results[-1].pop("topk"))
            results[-1] |= figures(csr_matrix(Y_test), topk, csr_matrix(Y_train))
            ready = runs["ready features"][-1]
            results[-1] |= {f"{key} ratio": results[-1][key] / ready[key] for key in ("train_s", "cpu_s")}
        if options.out:
            options.out.write_text(json.dumps(runs, indent=1))
        print(f"run {seed + 1} of {options.runs} is done", flush=True)

    keys = ["P@1", "P@3", "P@5", "train_s", "train_s ratio", "cpu_s", "cpu_s ratio", "predict_s", "mb"]
    print("| trained from | " + " | ".join(keys) + " |\n|---|" + "---|" * len(keys))
    for name, results in runs.items():
        medians = [median(result[key] for result in results) for key in keys]
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in medians) + " |")


if __name__ == "__main__":
    main()
