"""How soon does a CNN of characters tell who owns an npm package, among 284,477 owners?

    python -m benchmarks.heads.name_cnn FOLDER --seconds 300

All output layers get the same time. The quality is P@1 on names that are held out, over all owners.
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

from .arms import Head
from .command import compete, parser
from .sets import names
from .shuffled import Shuffled, accuracy, sample
from .trunks import CharacterCNN


def measure(data: names.Names, options: argparse.Namespace) -> None:
    """Train and print the table."""
    test = sample(data.test, data.y_test, options.test)

    def quality(trunk: nn.Module, head: Head) -> float:
        return accuracy(trunk, head, *test)

    print(f"{len(data.counts):,} classes, {len(data.train):,} names to train on, {len(test[1]):,} held out")
    compete(
        options,
        torch.from_numpy(data.counts),
        lambda: CharacterCNN(names.N_CODES, options.width),
        Shuffled(data.train, data.y_train, options.batch),
        quality,
        "P@1",
        larger_is_better=True,
    )


def main() -> None:
    """Run what the command line asks for."""
    made = parser(__doc__, seconds=300)
    made.add_argument("--test", type=int, default=4096, help="held out names of an evaluation")
    options = made.parse_args()
    measure(names.load(options.folder), options)


if __name__ == "__main__":
    main()
