"""From how many classes on does the output layer cost more than the network below it?

    python -m benchmarks.heads.break_even

For each network: C* by counting multiplications, those of its forward pass for one example divided by its
width, and C* as `profile_head` measures it, with a full softmax and its optimiser.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hashslide.torch import profile_head

from ..common.harness import table
from .trunks import LSTM, CharacterCNN, GlyphCNN, Transformer

CLASSES = 50_000  # of the full layer that is measured; its time is proportional to them
WORDS, PIECES, CODES = 10_000, 30_522, 100


class Shape(NamedTuple):
    """A network and a batch for it."""

    make: Callable[[], nn.Module]
    batch: Callable[[], Tensor]


SHAPES = {
    "LSTM of 128, a word": Shape(lambda: LSTM(WORDS, 128), lambda: torch.randint(WORDS, (64, 10))),
    "LSTM of 512, a word": Shape(lambda: LSTM(WORDS, 512), lambda: torch.randint(WORDS, (64, 10))),
    "CNN over 32 characters": Shape(
        lambda: CharacterCNN(CODES, 128), lambda: torch.randint(1, CODES, (256, 32))
    ),
    "CNN over 32 x 32 pixels": Shape(
        lambda: GlyphCNN(256), lambda: torch.randint(256, (256, 32, 32), dtype=torch.uint8)
    ),
    "MiniLM, 32 word pieces": Shape(
        lambda: Transformer(PIECES, 384, 6, 12), lambda: torch.randint(1, PIECES, (16, 32))
    ),
}


def multiplications(trunk: nn.Module, batch: Tensor) -> tuple[float, int]:
    """Return those of a forward pass for one row of activations, and the width of these."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        h = trunk(batch)
    of_lstms = sum(  # which the counter does not see
        4 * (module.input_size + module.hidden_size) * module.hidden_size
        for module in trunk.modules()
        if isinstance(module, nn.LSTM)
    )
    return counter.get_total_flops() / 2 / len(h) + of_lstms, h.shape[1]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=list(SHAPES), choices=list(SHAPES), metavar="NAME")
    parser.add_argument("--classes", type=int, default=CLASSES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    rows = []
    for name in options.networks:
        trunk, batch = SHAPES[name].make(), SHAPES[name].batch()
        counted, width = multiplications(trunk, batch)
        found = profile_head(
            trunk, batch, options.classes, repeats=options.repeats, n_jobs=options.threads, random_state=0
        )
        whole = found.trunk + found.sampled + found.sampled_update
        rows.append(
            [
                name,
                f"{width}",
                f"{1e3 * found.trunk:.0f}",
                f"{1e3 * (found.full + found.full_update):.0f}",
                f"{1e3 * (whole - found.trunk):.0f}",
                f"{counted / width:,.0f}",
                f"{found.break_even:,.0f}",
            ]
        )
    head = [
        "network",
        "width",
        "its ms a step",
        f"full layer, {options.classes:,} classes",
        "SlideLoss",
        "C* counted",
        "C* measured",
    ]
    print(table(head, rows))


if __name__ == "__main__":
    main()
