"""Where is BERT's bottleneck, and does sampling its 30,522 words help there?

    python -m benchmarks.heads.masked_lm

Steps of masked language modelling in the shapes of MiniLM and of BERT-base: with scores of all words at all
places, of all words at the masked places alone (15 %), and of sampled words at the masked places. The texts
are random words: only time is measured here.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from torch import Tensor

from ..common.harness import say, table
from .arms import ARMS, Task
from .stages import TITLES, Stages, cells, medians, staged_step
from .trunks import Transformer, optimizers

SHAPES = {"MiniLM": (384, 6, 12), "BERT-base": (768, 12, 12)}  # width, layers, heads of attention
MASKED = 0.15
N_WORDS = 30_522
CASES = {  # output layer, and whether it gets the masked places alone
    "all words at all places": ("native", False),
    "all words at the masked places": ("native", True),
    "sampled words at the masked places": ("slide", True),
}


def measure(shape: tuple[int, int, int], n_words: int, options: argparse.Namespace) -> dict[str, Stages]:
    """Return the stages of a step for each of CASES."""
    width, n_layers, n_heads = shape
    generator = torch.Generator().manual_seed(options.seed)
    size = (options.batch, options.length)
    pieces = torch.randint(1, n_words, size, generator=generator)
    is_masked = torch.rand(size, generator=generator) < MASKED
    counts = torch.bincount(pieces.flatten(), minlength=n_words)
    task = Task(width, counts, negatives=options.negatives, threads=options.threads)
    trunk = Transformer(n_words, width, n_layers, n_heads, options.length)
    updates = optimizers(trunk, 1e-4)

    def rows(chosen: Tensor) -> Tensor:
        return trunk.states(pieces)[chosen]

    stages = {}
    for name, (arm, masked_alone) in CASES.items():
        chosen = is_masked if masked_alone else torch.ones_like(is_masked)
        head = ARMS[arm](task)
        step = partial(staged_step, partial(rows, chosen), head, pieces[chosen], updates)
        stages[name] = medians(step, options.steps)
    return stages


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--batch", type=int, default=16, help="texts of a step")
    parser.add_argument("--length", type=int, default=128, help="word pieces of a text")
    parser.add_argument("--negatives", type=int, default=2048, help="sampled words of a step")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for shape in options.shapes:
        for name, stages in measure(SHAPES[shape], N_WORDS, options).items():
            rows.append([shape, name, *cells(stages)])
            say(" ".join(rows[-1]))
    print(f"batches of {options.batch} texts of {options.length} word pieces, {options.threads} threads\n")
    print(table(["trunk", "scores", *TITLES], rows, texts=2))


if __name__ == "__main__":
    main()
