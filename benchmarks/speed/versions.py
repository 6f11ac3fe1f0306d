"""How much faster this version is than another one, by instruction set.

    git worktree add ../old bee18d6  # and install it in an environment of its own
    python -m benchmarks.speed.versions --other ../old/.venv/bin/python --data DIR --isa avx2

Both versions train with their defaults and then predict exactly, each run in a process of its own, and take
turns. The medians are printed: examples that a second of training steps takes, seconds of the whole fit, and
seconds of the prediction. Products of the BLAS are held to the instruction set too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

SCRIPT = """
import json, sys, time
import numpy as np
from hashslide import SlideClassifier
from hashslide.data import load_xmc
from hashslide.metrics import precision_at_k

folder, threads, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
train, test = (load_xmc(f"{folder}/{part}.txt.gz") for part in ("train", "test"))
start = time.perf_counter()
model = SlideClassifier(n_jobs=threads, random_state=seed).fit(*train)
fit = time.perf_counter() - start
steps = sum(model.network_.stage_seconds.values())
predictions = []
for _ in range(3):
    start = time.perf_counter()
    labels = model.predict_topk(test[0], 5, approximate=False)[0]
    predictions.append(time.perf_counter() - start)
print(json.dumps({
    "examples a second of steps": train[0].shape[0] * model.n_iter_ / steps,
    "fit, s": fit,
    "exact prediction, s": min(predictions),
    "P@1": float(precision_at_k(test[1], labels, 1)),
}))
"""
# The least processor of each instruction set, as OpenBLAS names it.
BLAS = {"baseline": "Prescott", "avx2": "Haswell", "avx512": "SkylakeX", "avx512bf16": "Cooperlake"}
KNOWN_BEFORE = ("baseline", "avx2", "avx512")  # the other version takes its best one instead of a newer one


def run(python: str, folder: Path, isa: str, threads: int, seed: int) -> dict[str, float]:
    """Return the figures of one run."""
    environment = {**os.environ, "HASHSLIDE_ISA": isa}
    if isa in BLAS:
        environment["OPENBLAS_CORETYPE"] = BLAS[isa]
    command = [python, "-c", SCRIPT, str(folder), str(threads), str(seed)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{python} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--other", required=True, help="a Python that imports the other version")
    parser.add_argument(
        "--data", type=Path, nargs="+", required=True, help="folders of train and test.txt.gz"
    )
    parser.add_argument("--isa", nargs="+", default=["avx512"], help="instruction sets of this version")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    for folder in arguments.data:
        for isa in arguments.isa:
            before = isa if isa in KNOWN_BEFORE else KNOWN_BEFORE[-1]
            records: dict[str, list[dict[str, float]]] = {"other": [], "this": []}
            for seed in range(arguments.runs):
                records["other"].append(run(arguments.other, folder, before, arguments.threads, seed))
                records["this"].append(run(sys.executable, folder, isa, arguments.threads, seed))
            print(f"\n{folder.name}, {isa} (the other version: {before}), medians of {arguments.runs}\n")
            print("| | other version | this version | ratio |\n| --- | --: | --: | --: |")
            for name in records["this"][0]:
                other, this = (median(record[name] for record in records[key]) for key in records)
                print(f"| {name} | {other:.4g} | {this:.4g} | {this / other:.2f} |", flush=True)


if __name__ == "__main__":
    main()
