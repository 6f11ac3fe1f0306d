"""How soon does a CNN of images read 20,902 Chinese characters in fonts that it has never seen?

    python -m benchmarks.heads.glyph_cnn FOLDER --steps 2400

All output layers take the same steps, twice over fifteen fonts. The quality is the accuracy on three fonts
that are held out; it counts as equal within half a per cent.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import nn

from .arms import Head
from .command import compete, parser
from .sets import glyphs
from .shuffled import Shuffled, accuracy, sample
from .trunks import GlyphCNN

TOLERANCE = 0.005


def measure(data: glyphs.Glyphs, options: argparse.Namespace) -> None:
    """Train and print the table."""
    test = sample(data.test, data.y_test, options.test)
    counts = torch.from_numpy(np.bincount(data.y_train))

    def quality(trunk: nn.Module, head: Head) -> float:
        return accuracy(trunk, head, *test)

    print(
        f"{len(counts):,} classes, {len(data.train):,} images to train on, {len(test[1]):,} of unseen fonts"
    )
    compete(
        options,
        counts,
        lambda: GlyphCNN(options.width),
        Shuffled(data.train, data.y_train, options.batch),
        quality,
        "accuracy",
        larger_is_better=True,
        tolerance=TOLERANCE,
    )


def main() -> None:
    """Run what the command line asks for."""
    made = parser(__doc__, steps=2400, width=256, negatives=2048)
    made.add_argument("--test", type=int, default=16_384, help="images of an evaluation")
    options = made.parse_args()
    measure(glyphs.load(options.folder), options)


if __name__ == "__main__":
    main()
