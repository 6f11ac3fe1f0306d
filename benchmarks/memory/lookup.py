"""What does a memory's look-up cost with 10^4, 10^5 and 10^6 slots, and what do codes and tables miss?

    python -m benchmarks.memory.lookup

A memory is full of keys around random directions, ten for each; queries come from around them too. The table
holds the median time of a query and of a write of one batch, how often the value found is the one that all
keys give, how often the nearest slot is found, and the bytes that an index takes beside the keys. The arms
take turns.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch.nn.functional import normalize

from hashslide.torch.hashing import Codes, LearnedCells, Tables
from hashslide.torch.memory import Memory

PER_VALUE = 10
ARMS = ("exact", "codes", "tables", "tables of learned cells")


def near(centres: torch.Tensor, noise: float) -> torch.Tensor:
    """Return directions near those given: `noise` is the length of what is added to length 1."""
    return normalize(centres + noise * normalize(torch.randn(centres.shape), dim=1), dim=1)


def filled(arm: str, keys: torch.Tensor, values: torch.Tensor, args: argparse.Namespace) -> Memory:
    """Return a memory that holds these keys."""
    kind = arm.split()[0]
    family = LearnedCells(keys.shape[1], int(2 * len(keys) ** 0.5), tables=2) if "cells" in arm else None
    memory = Memory(keys.shape[1], len(keys), args.neighbours, kind, hash=family, candidates=args.candidates)
    if family is not None:
        family.learn(keys)
    last_used = torch.zeros(len(keys), dtype=torch.int64)
    memory.load_state_dict(memory.state_dict() | {"keys": keys, "values": values, "last_used": last_used})
    return memory


def index_bytes(memory: Memory) -> int:
    """Return the bytes of an index beside the keys."""
    parts = list(memory.index.modules())
    packed = sum(part.words.nbytes + part.absent.nbytes for part in parts if isinstance(part, Codes))
    return packed + sum(part.memory_bytes for part in parts if isinstance(part, Tables))


def parsed() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slots", type=int, nargs="+", default=[10**4, 10**5, 10**6])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--key-dim", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--neighbours", type=int, default=64)
    parser.add_argument("--candidates", type=int, default=512)
    parser.add_argument("--noise", type=float, default=0.75)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    """Print the table."""
    args = parsed()
    torch.set_num_threads(args.threads)
    print("| slots | index | query, ms | write, ms | same value, % | nearest slot, % | MB beside the keys |")
    print("|---:|---|---:|---:|---:|---:|---:|")
    for slots in args.slots:
        torch.manual_seed(0)
        centres = normalize(torch.randn(slots // PER_VALUE, args.key_dim), dim=1)
        values = torch.arange(slots) % len(centres)
        keys = near(centres[values], args.noise)
        memories = {arm: filled(arm, keys, values, args) for arm in args.arms}
        exact = memories.get("exact") or filled("exact", keys, values, args)
        clocks = {arm: ([], []) for arm in args.arms}
        agreement = {arm: ([], []) for arm in args.arms}
        batches = [
            near(centres[torch.randint(len(centres), (args.batch,))], args.noise) for _ in range(args.rounds)
        ]
        for queries in batches:
            wanted = exact.query(queries)
            for arm, memory in memories.items():
                start = time.perf_counter()
                found = memory.query(queries)
                clocks[arm][0].append(time.perf_counter() - start)
                agreement[arm][0].append((found.values == wanted.values).float().mean().item())
                same = found.neighbours[:, 0] == wanted.neighbours[:, 0]
                agreement[arm][1].append(same.float().mean().item())
        for queries in batches:
            new = torch.randint(len(centres), (args.batch,))
            for arm, memory in memories.items():
                found = memory.query(queries)
                start = time.perf_counter()
                memory.write(queries, new, found)
                clocks[arm][1].append(time.perf_counter() - start)
        for arm, (query, write) in clocks.items():
            value, slot = (100 * np.mean(shares) for shares in agreement[arm])
            times = f"{1000 * np.median(query):.2f} | {1000 * np.median(write):.2f}"
            size = index_bytes(memories[arm]) / 1e6
            print(f"| {slots} | {arm} | {times} | {value:.1f} | {slot:.1f} | {size:.1f} |", flush=True)


if __name__ == "__main__":
    main()
