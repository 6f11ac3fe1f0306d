"""Does a network with a memory know a character that it has seen once, or five times?

    python -m benchmarks.memory.unseen_characters --fonts DIR

A small CNN is trained with a `hashslide.torch.Memory` on characters in seven fonts. Then come characters
that no training step has seen, in three fonts that none has seen. An episode writes one or five pictures of
each of 5 or 20 such characters into the memory, in two of the fonts, and asks for a picture of each in the
third. It does so with an empty memory, and with one that is full of training characters, any of which may
be mistaken for the right one. Pictures are turned, shifted and scaled at random.

The arms are the ways to find neighbours: all keys, packed codes, hash tables. Each trains a network of its
own from the same start, on the same batches. The table holds the share of right answers in per cent, with
its standard error.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hashslide.torch.memory import Memory

from .glyphs import TRAINING, UNSEEN, characters_of_all, render, varied

KEY_DIM, PER_CLASS = 128, 4


def network() -> nn.Sequential:
    """Return a CNN of three convolutions from 32 x 32 pixels to a key."""
    layers: list[nn.Module] = []
    for before, after in ((1, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 4 * 4, KEY_DIM))


def train(index: str, pictures: np.ndarray, args: argparse.Namespace) -> tuple[nn.Sequential, Memory, float]:
    """Return a trained network, its memory, and the seconds that a step took."""
    torch.manual_seed(args.seed)
    trunk = network()
    memory = Memory(KEY_DIM, args.slots, args.neighbours, index, seed=args.seed)
    optimizer = torch.optim.Adam(trunk.parameters(), lr=1e-3)
    draws, generator = np.random.default_rng(args.seed), torch.Generator().manual_seed(args.seed)
    n_fonts, n_characters = pictures.shape[:2]
    start = time.perf_counter()
    for _ in range(args.steps):
        labels = np.repeat(draws.choice(n_characters, args.batch // PER_CLASS, replace=False), PER_CLASS)
        x = varied(pictures[draws.integers(n_fonts, size=len(labels)), labels], generator)
        optimizer.zero_grad()
        memory(trunk(x), torch.from_numpy(labels)).backward()
        optimizer.step()
    return trunk, memory, (time.perf_counter() - start) / max(1, args.steps)


@torch.no_grad()
def episodes(
    trunk: nn.Sequential,
    memory: Memory,
    pictures: np.ndarray,
    ways: int,
    shots: int,
    args: argparse.Namespace,
) -> np.ndarray:
    """Return the share of right answers of each episode. What an episode writes is forgotten after it."""
    draws, generator = np.random.default_rng(args.seed + 1), torch.Generator().manual_seed(args.seed + 1)
    n_fonts, first_new = len(pictures), 2**40  # the new characters' values are no training character's
    right = []
    for _ in range(args.episodes):
        chosen = draws.choice(pictures.shape[1], ways, replace=False)
        asked = draws.integers(n_fonts)
        held = copy.deepcopy(memory).eval()
        values = torch.arange(ways) + first_new
        for _ in range(shots):
            fonts = (asked + draws.integers(1, n_fonts, size=ways)) % n_fonts
            held.write(trunk(varied(pictures[fonts, chosen], generator)), values)
        found = held.query(trunk(varied(pictures[asked, chosen], generator)))
        right.append((found.values == values).float().mean().item())
    return np.array(right)


def parsed() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fonts", type=Path, required=True, help="a folder below which the fonts lie")
    parser.add_argument("--characters", type=int, default=3000, help="of the training")
    parser.add_argument("--unseen", type=int, default=1000, help="characters of the episodes")
    parser.add_argument("--slots", type=int, default=8192)
    parser.add_argument("--neighbours", type=int, default=64)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--indexes", nargs="+", default=["exact", "codes", "tables"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    args = parsed()
    torch.set_num_threads(args.threads)
    characters = characters_of_all(args.fonts)
    order = np.random.default_rng(args.seed).permutation(len(characters))
    known, new = np.split(order[: args.characters + args.unseen], [args.characters])
    pictures = render(args.fonts, TRAINING, [characters[i] for i in known])
    unseen = render(args.fonts, UNSEEN, [characters[i] for i in new])
    print(
        f"{len(known)} characters x {len(TRAINING)} fonts, {len(new)} unseen x {len(UNSEEN)} fonts",
        flush=True,
    )
    print(
        "| index | memory | ways | shots | right, % | ± | ms per step |\n|---|---|---:|---:|---:|---:|---:|"
    )
    for index in args.indexes:
        trunk, memory, seconds = train(index, pictures, args)
        trunk.eval()
        empty = copy.deepcopy(memory)
        empty.reset()
        for state, held in (("empty", empty), ("full", memory)):
            for ways in (5, 20):
                for shots in (1, 5):
                    right = 100 * episodes(trunk, held, unseen, ways, shots, args)
                    error = right.std(ddof=1) / np.sqrt(len(right))
                    print(
                        f"| {index} | {state} | {ways} | {shots} | {right.mean():.1f} | {error:.1f} | "
                        f"{1000 * seconds:.0f} |",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
