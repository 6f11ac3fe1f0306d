"""What `SlideClassifier.tune` gains over the defaults, on parts of the data that the search never sees.

    python -m benchmarks.learning.tune --data DIR --data DIR --seconds 300

A random tenth of the training file is the validation part, as in the ablation; the search has the rest, of
which it holds out rows of its own. Both models are trained on this rest, and measured on the validation part
and on the test file. A gain is that of the metric, with the standard error of its paired differences.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from scipy.sparse import csr_matrix

from hashslide import SlideClassifier
from hashslide.metrics import per_example, propensity
from hashslide.settings.expressions import write_setting
from hashslide.tuning.judging import gain_of

from ..common.matrices import load_xmc
from .ablation import split

COLUMNS = "set | changed | trials | seconds | validation: defaults, tuned | gain | test: the same | gain"
Data = tuple[csr_matrix, csr_matrix]


def compared(models: list[SlideClassifier], part: Data, monitor: str) -> list[str]:
    """Return the metric of two models on a part of the data, and the gain of the second."""
    X, Y = part
    network = models[0].network_
    weights = propensity(network.label_counts, network.n_examples_seen)
    topk = [model.predict_topk(X, k=5)[0] for model in models]
    before, after = (per_example(monitor, Y, labels, propensity=weights) for labels in topk)
    return [f"{before.mean():.4f}, {after.mean():.4f}", str(gain_of(after, before))]


def row(folder: Path, monitor: str, seconds: float, threads: int, seed: int) -> str:
    """Return the line of one set."""
    train, validation = split(*load_xmc(folder / "train.txt.gz"))
    test = load_xmc(folder / "test.txt.gz")
    defaults = SlideClassifier(n_jobs=threads, random_state=seed).fit(*train)
    begin = time.perf_counter()
    tuned = SlideClassifier(n_jobs=threads, random_state=seed).tune(*train, seconds=seconds, monitor=monitor)
    taken = time.perf_counter() - begin
    changes = tuned.tuning_.parameters.items()
    changed = ", ".join(f"`{name}={write_setting(value)}`" for name, value in changes) or "nothing"
    facts = [folder.name, changed, str(len(tuned.tuning_.trials)), f"{taken:.0f} of {seconds:.0f}"]
    figures = [text for part in (validation, test) for text in compared([defaults, tuned], part, monitor)]
    return f"| {' | '.join(facts + figures)} |"


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="folder of train and test")
    parser.add_argument("--monitor", default="nDCG@5")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(f"| {COLUMNS} |\n| {' | '.join(['---'] * (COLUMNS.count('|') + 1))} |")
    given = arguments.monitor, arguments.seconds, arguments.threads, arguments.seed
    for folder in arguments.data:
        print(row(folder, *given), flush=True)


if __name__ == "__main__":
    main()
