"""What weights of bfloat16 cost and achieve beside weights of float32.

    python -m benchmarks.speed.precision --data DIR DIR

Trains with the defaults in both precisions, which take turns, and prints medians: seconds of the fit and of
its steps, the rate of the products of the output layer, P@k on the test part, size of the layers' weights and
of the model file. Set the rates against what `benchmarks.speed.limits` says of the machine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from scipy.sparse import csr_matrix

from hashslide import SlideClassifier, build_info

from ..common.accuracy import figures
from ..common.matrices import load_xmc
from .stages import work

PRECISIONS = ("float32", "bfloat16")
Pair = tuple[csr_matrix, csr_matrix]


def measure(precision: str, train: Pair, test: Pair, threads: int, seed: int) -> dict[str, float]:
    """Return the figures of one fit."""
    start = perf_counter()
    model = SlideClassifier(precision=precision, n_jobs=threads, random_state=seed).fit(*train)
    seconds = perf_counter() - start
    stages = model.network_.stage_seconds
    done = work(model, train[0].shape[0])
    weights = [array for name, array in model.network_.state("weight").items() if name.endswith(".weight")]
    start = perf_counter()
    topk = model.predict_topk(test[0], 5)[0]
    predicted = perf_counter() - start
    scores = figures(test[1], topk, train[1])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        model.save(path)
        size = path.stat().st_size
    products = stages["output_forward"] + stages["output_backward"]
    return {
        "fit, s": seconds,
        "steps, s": sum(stages.values()),
        "output layer, s": products,
        "output layer, GFLOP/s": (done["forward"] + done["backward"]) / products / 1e9,
        "prediction, s": predicted,
        "P@1": scores["P@1"],
        "P@3": scores["P@3"],
        "P@5": scores["P@5"],
        "PSP@5": scores["PSP@5"],
        "weights, MB": sum(array.nbytes for array in weights) / 1e6,
        "file, MB": size / 1e6,
    }


def table(records: dict[str, list[dict[str, float]]]) -> str:
    """Return the medians of both precisions and their ratio, or difference where they are accuracies."""
    lines = ["| | float32 | bfloat16 | |", "| --- | --: | --: | --: |"]
    for name in records["float32"][0]:
        single, half = (median(record[name] for record in records[p]) for p in PRECISIONS)
        if name.startswith("P"):
            lines.append(f"| {name} | {single:.4f} | {half:.4f} | {half - single:+.4f} |")
        else:
            lines.append(f"| {name} | {single:.2f} | {half:.2f} | {half / single:.2f} of it |")
    return "\n".join(lines)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders of train and test.txt.gz"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    info = build_info()
    print(f"instruction set {info['isa']}, bfloat16 products by {info['bf16_unit'] or 'float32'}")
    for folder in arguments.data:
        train, test = (load_xmc(folder / f"{part}.txt.gz") for part in ("train", "test"))
        records: dict[str, list[dict[str, float]]] = {precision: [] for precision in PRECISIONS}
        for seed in range(arguments.runs):
            for precision in PRECISIONS if seed % 2 == 0 else reversed(PRECISIONS):
                records[precision].append(measure(precision, train, test, arguments.threads, seed))
        print(f"\n{folder.name}, medians of {arguments.runs}\n\n{table(records)}", flush=True)


if __name__ == "__main__":
    main()
