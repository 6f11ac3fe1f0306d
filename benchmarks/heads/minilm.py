"""What does an output layer cost above MiniLM, and how good is MiniLM beside a sparse model of words?

    python -m benchmarks.heads.minilm FOLDER --steps 1500

First what profile_head says, and the stages of a training step with more and more classes, by the full
softmax and by SlideLoss. Then both are fine-tuned, with the whole of MiniLM, from the glosses of WordNet to
their hypernyms, for the same number of steps. Beside them stands hashslide's own model of the words of the
same texts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from hashslide import SlideClassifier, SlideTextClassifier
from hashslide.metrics import precision_at_k
from hashslide.torch import profile_head

from ..common.harness import Report, say, table
from .arms import ARMS, Head, Task
from .command import parser, task_of
from .race import Batch, Budget, Learner, race, summary
from .sets import glosses
from .shuffled import EVALUATED
from .stages import TITLES, cells, medians, staged_step
from .trunks import minilm, optimizers

PADDING = -100  # beside the labels of an example that has fewer than others
KS = (1, 3, 5)


def padded(Y) -> Tensor:
    """Return the labels of each row of a CSR matrix, shape (n, most labels), with PADDING behind them."""
    lengths = np.diff(Y.indptr)
    labels = np.full((len(lengths), lengths.max()), PADDING, np.int64)
    labels[np.arange(labels.shape[1]) < lengths[:, None]] = Y.indices
    return torch.from_numpy(labels)


def shares(labels: Tensor, n_classes: int) -> Tensor:
    """Return the targets of the full softmax, (n, n_classes): each row's labels share its weight of 1."""
    is_label = (labels != PADDING).float()
    targets = torch.zeros(len(labels), n_classes)
    return targets.scatter_add_(1, labels.clamp(min=0), is_label / is_label.sum(1, keepdim=True))


def several_labels(arm: str, task: Task) -> Head:
    """Return an output layer whose classes are rows of labels, as :func:`padded` returns them."""
    head = ARMS[arm](task)
    if arm.startswith("native"):
        module = head.loss
        head.loss = lambda h, labels: module(h, shares(labels, task.n_classes))
    return head


def stage_table(
    trunk: Callable[[], nn.Module], pieces: Tensor, classes: list[int], options: argparse.Namespace
) -> str:
    """Return the stages of a step with so many classes, one label an example."""
    rows = []
    for n_classes in classes:
        generator = torch.Generator().manual_seed(options.seed)
        labels = torch.randint(n_classes, (len(pieces),), generator=generator)
        task = task_of(options, torch.ones(n_classes))
        for arm in options.arms:
            network, head = trunk(), ARMS[arm](task)
            step = partial(
                staged_step, partial(network, pieces), head, labels, optimizers(network, options.rate)
            )
            rows.append([f"{n_classes:,}", arm, *cells(medians(step, options.stage_steps))])
            say(" ".join(rows[-1]))
            del network, head, step
    return table(["classes", "output layer", *TITLES], rows, texts=2)


def topk(trunk: nn.Module, head: Head, pieces: Tensor) -> np.ndarray:
    """Return the best labels of texts, best first."""
    return torch.cat([head.topk(trunk(part), max(KS)) for part in pieces.split(EVALUATED)]).numpy()


def sparse_model(train: glosses.Part, test: glosses.Part, threads: int) -> list[str]:
    """Return the row of hashslide's own model of the words of the texts."""
    begin = time.perf_counter()
    model = SlideTextClassifier(SlideClassifier(n_jobs=threads, random_state=0)).fit(train.texts, train.Y)
    seconds = time.perf_counter() - begin
    best, _ = model.predict_topk(test.texts, max(KS))
    found = [f"{precision_at_k(test.Y, np.asarray(best), k):.3f}" for k in KS]
    return ["words, SlideTextClassifier", "", f"{seconds:.0f}", *found]


def quality_table(
    trunk: Callable[[], nn.Module], train: glosses.Part, test: glosses.Part, options: argparse.Namespace
) -> str:
    """Fine-tune with each output layer; return P@k beside the sparse model's."""
    pieces, labels = torch.from_numpy(train.pieces).long(), padded(train.Y)
    test = glosses.Part(test.texts[: options.test], test.pieces[: options.test], test.Y[: options.test])
    test_pieces = torch.from_numpy(test.pieces).long()
    counts = torch.from_numpy(np.bincount(train.Y.indices, minlength=train.Y.shape[1]))
    task = task_of(options, counts)
    orders = [np.random.default_rng(epoch).permutation(len(pieces)) for epoch in range(options.epochs)]
    order = torch.from_numpy(np.concatenate(orders))

    def batch(step: int) -> Batch:
        begin = step * options.batch % (len(order) - options.batch + 1)
        rows = order[begin : begin + options.batch]
        return pieces[rows], labels[rows]

    def quality(network: nn.Module, head: Head) -> float:
        return precision_at_k(test.Y, topk(network, head, test_pieces), max(KS))

    learners = [Learner(arm, trunk(), several_labels(arm, task), batch, options.rate) for arm in options.arms]
    race(learners, Budget(options.steps, options.seconds), quality, options.evaluations, say)
    report = Report(options.out, options)
    rows = []
    for learner in learners:
        report.add(summary(learner))
        with torch.no_grad():
            best = topk(learner.trunk, learner.head, test_pieces)
        found = [f"{precision_at_k(test.Y, best, k):.3f}" for k in KS]
        steps = f"{len(learner.step_seconds):,}"
        rows.append([f"MiniLM, {learner.name}", steps, f"{learner.seconds:.0f}", *found])
    rows.append(sparse_model(train, test, options.threads))
    return table(["model", "steps", "seconds", *(f"P@{k}" for k in KS)], rows)


def measure(
    trunk: Callable[[], nn.Module], train: glosses.Part, test: glosses.Part, options: argparse.Namespace
) -> None:
    """Print both tables."""
    torch.set_num_threads(options.threads)
    pieces = torch.from_numpy(train.pieces[: options.batch]).long()
    for n_classes in options.classes[:1]:
        print(profile_head(trunk(), pieces, n_classes, negatives=options.negatives, n_jobs=options.threads))
    print(f"\n{stage_table(trunk, pieces, options.classes, options)}", flush=True)
    if options.steps or options.seconds < float("inf"):
        print(f"\n{len(train.texts):,} texts to train on, {train.Y.shape[1]:,} labels\n")
        print(quality_table(trunk, train, test, options))


def main() -> None:
    """Run what the command line asks for."""
    made = parser(
        __doc__,
        steps=1500,
        batch=64,
        width=384,
        rate=1e-4,
        negatives=4096,
        arms=["native", "slide"],
        evaluations=4,
    )
    made.add_argument(
        "--classes", type=int, nargs="*", default=[50_000, 1_000_000], help="of the first table"
    )
    made.add_argument("--stage-steps", type=int, default=5, help="measured for each row of the first table")
    made.add_argument("--epochs", type=int, default=4, help="different orders of the texts")
    made.add_argument("--test", type=int, default=4096, help="held out texts of an evaluation")
    options = made.parse_args()
    train, test = glosses.load(options.folder)
    model: Path = glosses.model(options.folder)
    measure(lambda: minilm(model), train, test, options)


if __name__ == "__main__":
    main()
