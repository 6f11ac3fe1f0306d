"""How soon does an LSTM predict the next identifier of a source tree, among more than 10⁵ words?

    python -m benchmarks.heads.lstm_words FOLDER --steps 1000

All output layers take the same steps on the same text. The quality is the perplexity of files that are held
out, by the softmax over all words; it counts as equal within 2 %.
"""

from __future__ import annotations

import argparse
from math import exp

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .arms import Head
from .command import compete, parser
from .race import Batch
from .sets import words
from .trunks import LSTM

TOLERANCE = 0.02


class Streams:
    """A text as `n` streams side by side, cut into pieces of `length` words."""

    def __init__(self, text: NDArray[np.int32], n: int, length: int):
        columns = (len(text) - 1) // n
        self.words = torch.from_numpy(text[: n * columns].reshape(n, columns))
        self.next = torch.from_numpy(text[1 : n * columns + 1].reshape(n, columns))
        self.length = length

    def __len__(self) -> int:
        return self.words.shape[1] // self.length

    def __call__(self, step: int) -> Batch:
        """Return the words of a step, shape (n, length), and the word after each, flat."""
        begin = step % len(self) * self.length
        part = slice(begin, begin + self.length)
        return self.words[:, part], self.next[:, part].flatten().long()


def perplexity(trunk: LSTM, head: Head, streams: Streams, n_steps: int) -> float:
    """Return exp of the mean exact loss over the first `n_steps` pieces, from a state of zeros."""
    state, trunk.state = trunk.state, None
    losses = [
        head.nll(trunk(x), y).double().mean() for x, y in map(streams, range(min(n_steps, len(streams))))
    ]
    trunk.state = state
    return exp(float(torch.stack(losses).mean()))


def measure(text: words.Words, options: argparse.Namespace) -> None:
    """Train and print the table."""
    train, test = (Streams(part, options.batch, options.length) for part in (text.train, text.test))

    def quality(trunk: nn.Module, head: Head) -> float:
        return perplexity(trunk, head, test, options.test_steps)

    print(f"{len(text.counts):,} words, {len(text.train):,} tokens to train on, {len(text.test):,} held out")
    compete(
        options,
        torch.from_numpy(text.counts),
        lambda: LSTM(len(text.counts), options.width),
        train,
        quality,
        "perplexity",
        larger_is_better=False,
        tolerance=TOLERANCE,
        digits=2,
    )


def main() -> None:
    """Run what the command line asks for."""
    made = parser(__doc__, steps=1000, batch=64, rate=0.003, negatives=2048)
    made.set_defaults(full_optimizer="adam", full_rate=0.003)
    made.add_argument("--words", type=int, default=100_000, help="of the vocabulary")
    made.add_argument("--length", type=int, default=10, help="words of a stream in a step")
    made.add_argument("--test-steps", type=int, default=30, help="pieces of held out text in an evaluation")
    options = made.parse_args()
    measure(words.load(options.folder, options.words), options)


if __name__ == "__main__":
    main()
