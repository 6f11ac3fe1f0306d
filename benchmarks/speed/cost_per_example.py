"""Cost of training on one example as the number of labels grows and the active set does not.

    python -m benchmarks.speed.cost_per_example --data DIR

The inputs are a data set's own; each example gets labels drawn from a Zipf law over 10^4 to 3·10^6 labels.
Every run has a process of its own; the sizes take turns. Building the network is not timed. The first epoch
stands apart: in it the system hands out and clears the memory of each row that is touched for the first time.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
from scipy.sparse import csr_matrix, vstack

from hashslide import SlideClassifier

from ..common.matrices import load_xmc
from ..common.processes import fresh, peak_mb

SIZES = (10_000, 100_000, 1_000_000, 3_000_000)
LABELS_PER_EXAMPLE = 5


@dataclass(frozen=True)
class Setting:
    """What every run is told."""

    data: Path
    examples: int
    active: int
    batch: int
    hidden: int
    threads: int


@dataclass(frozen=True)
class Cost:
    """What one run measured: µs an example in the second and the first epoch, active labels, peak memory."""

    microseconds: float
    first_epoch: float
    active: float
    peak_mb: float


def uniform_negatives(Y: csr_matrix, setting: Setting) -> int:
    """Return how many labels to draw so that with a batch's own labels there are `setting.active`."""
    starts = range(0, 10 * setting.batch, setting.batch)
    own = [np.unique(Y[i : i + setting.batch].indices).size for i in starts]
    return max(0, setting.active - round(float(np.mean(own))))


def train_epochs(X: csr_matrix, Y: csr_matrix, setting: Setting, seed: int) -> list[dict]:
    """Return the records of two epochs; building the network is not part of them."""
    classifier = SlideClassifier(
        hidden=setting.hidden,
        epochs=2,
        batch_size=setting.batch,
        negatives=uniform_negatives(Y, setting),
        n_jobs=setting.threads,
        random_state=seed,
    )
    return classifier.fit(X, Y).history_


def tiled_inputs(path: Path, n_examples: int) -> csr_matrix:
    """Return `n_examples` rows of a data set, from its start again when it has fewer."""
    X, _ = load_xmc(path)
    copies = -(-n_examples // X.shape[0])
    return csr_matrix(vstack([X] * copies, format="csr")[:n_examples])


def zipf_labels(n_examples: int, n_labels: int, rng: np.random.Generator) -> csr_matrix:
    """Return an indicator matrix whose labels are drawn with probability in proportion to 1 / (id + 1)."""
    # The inverse of the distribution function ln(id + 1) / ln(n_labels + 1), the sum taken as an integral.
    uniform = rng.random((n_examples, LABELS_PER_EXAMPLE))
    labels = np.exp(uniform * np.log(n_labels + 1)).astype(np.int64) - 1
    indices = np.minimum(labels, n_labels - 1).ravel()
    indptr = np.arange(n_examples + 1) * LABELS_PER_EXAMPLE
    Y = csr_matrix((np.ones(len(indices), np.float32), indices, indptr), shape=(n_examples, n_labels))
    Y.sum_duplicates()
    Y.data[:] = 1
    return Y


def run_once(n_labels: int, seed: int, setting: Setting) -> Cost:
    """Measure one size once; runs in a process of its own."""
    X = tiled_inputs(setting.data / "train.txt.gz", setting.examples)
    Y = zipf_labels(setting.examples, n_labels, np.random.default_rng(seed))
    records = train_epochs(X, Y, setting, seed)
    first, second = (1e6 * record["seconds"] / setting.examples for record in records)
    return Cost(second, first, records[0]["active"], peak_mb())


def run_all(sizes: list[int], runs: int, setting: Setting) -> dict[int, list[Cost]]:
    """Return the costs of every run: number of labels -> one cost a run."""
    costs: dict[int, list[Cost]] = {n_labels: [] for n_labels in sizes}
    for run in range(runs):
        for n_labels in sizes:
            costs[n_labels].append(fresh(run_once, n_labels, run, setting))
    return costs


def table(costs: dict[int, list[Cost]]) -> str:
    """Return the medians as a Markdown table; the ratio is to the smallest number of labels."""
    summary = {n: median(cost.microseconds for cost in runs) for n, runs in costs.items()}
    smallest = summary[min(summary)]
    lines = [
        "| labels | active | µs per example | ratio | lowest | highest | first epoch | peak MB |",
        "| --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for n_labels, runs in costs.items():
        micros = [cost.microseconds for cost in runs]
        peak = median(cost.peak_mb for cost in runs)
        first = median(cost.first_epoch for cost in runs)
        active = median(cost.active for cost in runs)
        lines.append(
            f"| {n_labels:,} | {active:.0f} | {summary[n_labels]:.1f} | {summary[n_labels] / smallest:.2f} "
            f"| {min(micros):.1f} | {max(micros):.1f} | {first:.1f} | {peak:.0f} |"
        )
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train.txt.gz: the inputs")
    parser.add_argument("--labels", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--examples", type=int, default=51_200)
    parser.add_argument("--active", type=int, default=2_000, help="neurons that a batch touches")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write every measurement there as JSON")
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    arguments = parse_arguments()
    fields = Setting.__dataclass_fields__
    setting = Setting(**{name: getattr(arguments, name) for name in fields})
    costs = run_all(arguments.labels, arguments.runs, setting)
    print(table(costs))
    if arguments.out:
        report = {
            "setting": asdict(setting) | {"data": setting.data.name},
            "costs": {n_labels: [asdict(cost) for cost in runs] for n_labels, runs in costs.items()},
        }
        arguments.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
