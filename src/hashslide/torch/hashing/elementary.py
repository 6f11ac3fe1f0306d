"""From K elementary hashes of a table to buckets: what SimHash, WTA, DWTA and MinHash share.

The formulas are those of `hashslide.reference.families`; docs/how/hash_families.md explains them.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hashslide._checks import check_int
from hashslide.reference.rng import CounterRng
from hashslide.torch.hashing.inputs import check_vectors

__all__ = ["Elementary", "ElementaryFamily", "as_words", "permutations"]

BLOCK = 2**22  # numbers of a block's largest array
TRIES_PER_PROBE = 8


def __dir__() -> list[str]:
    return __all__


class Elementary(NamedTuple):
    """Elementary hashes (n, n_hashes), their second choices, and the gaps by which these lost; inf: none."""

    values: Tensor
    seconds: Tensor
    gaps: Tensor


def as_words(words: NDArray[np.uint64]) -> Tensor:
    """Return 64-bit words as int64, whose sums and products wrap around to the same bits."""
    return torch.from_numpy(words.astype(np.uint64).view(np.int64).copy())


def permutations(rng: CounterRng, n: int, counts: list[int]) -> list[list[int]]:
    """Return the first items of successive Fisher-Yates shuffles, each going on from the last one's order."""
    order, first, found = list(range(n)), 0, []
    for count in counts:
        i = np.arange(count)
        others = i + rng.below((i + first).astype(np.uint64), (n - i).astype(np.uint64))  # type: ignore[arg-type]
        for here, other in enumerate(others.tolist()):
            order[here], order[other] = order[other], order[here]
        found.append(order[:count])
        first += count
    return found


class ElementaryFamily(nn.Module, ABC):
    """L tables of K elementary hashes, packed or folded into codes of at most log2(size) bits.

    The same `seed` and round give the functions, and so the buckets, of the core's family; see
    docs/frameworks/hashing.md for where rounding may tell.

    Parameters
    ----------
    width : int
        Coordinates of a vector.
    size : int
        Number of vectors that the tables are to hold. A table has at most the next power of two as buckets.
    tables, hashes : int
        L and K.
    bits : int
        Bits of one elementary hash.
    stream : str
        The family's stream of random numbers.
    seed : int
        Seed of all functions.
    """

    multipliers: Tensor  # (n_tables, hashes)
    offsets: Tensor  # (n_tables,)

    def __init__(
        self, width: int, size: int, *, tables: int, hashes: int, bits: int, stream: str, seed: int
    ) -> None:
        super().__init__()
        self.width = check_int("width", width, 1, 2**31 - 1)
        self.size = check_int("size", size, 1, 2**31 - 1)
        self.n_tables = check_int("tables", tables, 1, 2**16)
        self.hashes = check_int("hashes", hashes, 1, 2**16)
        self.seed = check_int("seed", seed, 0, 2**64 - 1)
        self.bits, self.stream = bits, stream
        self.n_hashes = self.n_tables * self.hashes
        self.code_bits = min(self.hashes * bits, (self.size - 1).bit_length())
        self.n_buckets = 2**self.code_bits
        self.round = 0

    def draw(self, round: int = 0) -> None:
        """Draw all functions anew; the same round gives the same functions."""
        self.round = check_int("round", round, 0, 2**64 - 1)
        rng = CounterRng(self.seed, self.stream, self.round)
        if self.code_bits == self.hashes * self.bits:
            places = 1 << (np.arange(self.hashes, dtype=np.uint64) * np.uint64(self.bits))
            multipliers, offsets = np.tile(places, self.n_tables), np.zeros(self.n_tables, np.uint64)
        else:
            words = rng.bits(np.arange(self.n_hashes + self.n_tables, dtype=np.uint64) + np.uint64(1 << 62))
            multipliers, offsets = words[: self.n_hashes], words[self.n_hashes :]
        self._keep("multipliers", as_words(multipliers).reshape(self.n_tables, self.hashes))
        self._keep("offsets", as_words(offsets))
        self.draw_hashes(rng)

    def _keep(self, name: str, drawn: Tensor) -> None:
        """Keep drawn integers as a buffer; the seed repeats them, so that no state_dict needs them."""
        old = getattr(self, name, None)
        self.register_buffer(name, drawn if old is None else drawn.to(old.device), persistent=False)

    @abstractmethod
    def draw_hashes(self, rng: CounterRng) -> None:
        """Draw the elementary hashes."""

    @abstractmethod
    def elementary(self, x: Tensor) -> Elementary:
        """Return the elementary hashes of float32 vectors (n, width)."""

    @property
    def numbers_per_vector(self) -> int:
        """Numbers that the largest array of `elementary` holds for each vector."""
        return self.n_hashes

    def _blocks(self, x: Tensor, factor: int = 1) -> tuple[Tensor, ...]:
        return x.split(max(1, BLOCK // (self.numbers_per_vector * factor)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the bucket of each vector in each table.

        Parameters
        ----------
        x : Tensor of shape (n, width), floating point
            The vectors; they are hashed as float32.

        Returns
        -------
        Tensor of shape (n, n_tables), int64

        Raises
        ------
        InputError
            `x` has another shape or type, or values that are not finite.
        """
        blocks = self._blocks(check_vectors("x", x, self.width))
        return torch.cat([self._buckets(self._sums(self.elementary(block).values)) for block in blocks])

    def _sums(self, values: Tensor) -> Tensor:
        values = values.reshape(-1, self.n_tables, self.hashes)
        return (values * self.multipliers).sum(dim=2) + self.offsets

    def _buckets(self, sums: Tensor) -> Tensor:
        if self.code_bits == self.hashes * self.bits:
            return sums
        return (sums >> min(64 - self.code_bits, 63)) & (self.n_buckets - 1)

    def probe(self, x: Tensor, probes: int) -> Tensor:
        """Return the buckets that promise most, by growing sum of the squared gaps of the changed hashes.

        Parameters
        ----------
        x : Tensor of shape (n, width), floating point
            The queries.
        probes : int
            Buckets in each table.

        Returns
        -------
        Tensor of shape (n, n_tables, probes), int64
            Best first, different; -1 where a table has no more.
        """
        probes = check_int("probes", probes, 1, 2**16)
        x = check_vectors("x", x, self.width)
        if probes == 1:
            return self(x)[:, :, None]
        return torch.cat([self._probe_block(block, probes) for block in self._blocks(x, 4 * probes)])

    def _probe_block(self, x: Tensor, probes: int) -> Tensor:
        values, seconds, gaps = self.elementary(x)
        shape = (-1, self.n_tables, self.hashes)
        differences = ((seconds - values).reshape(shape) * self.multipliers).reshape(-1, self.hashes)
        costs = gaps.double().square().reshape(-1, self.hashes)
        costs, order = costs.sort(dim=1, stable=True)
        sums = self._sums(values).reshape(-1)
        return self._search(sums, costs, differences.gather(1, order), probes).reshape(
            len(x), self.n_tables, probes
        )

    def _search(self, sums: Tensor, costs: Tensor, differences: Tensor, probes: int) -> Tensor:
        """Run the search of Lv et al. 2007 for all rows in step: one heap a row, as a row of an array.

        A new entry comes behind the older ones, and the first of equally cheap ones leaves: the heap's order.
        """
        n, hashes, inf = len(sums), costs.shape[1], float("inf")
        rows = torch.arange(n, device=sums.device)
        found = sums.new_full((n, probes), -1)
        found[:, 0] = self._buckets(sums)
        n_found = torch.ones_like(sums)
        heap_cost = costs[:, :1].clone()
        heap_last, heap_sum = torch.zeros_like(sums)[:, None], (sums + differences[:, 0])[:, None]
        for _ in range(TRIES_PER_PROBE * probes):
            cost, at = heap_cost.min(dim=1)
            active = (n_found < probes) & (cost < inf)
            if not active.any():
                break
            last, total = heap_last[rows, at], heap_sum[rows, at]
            bucket = self._buckets(total)
            is_new = active & (found != bucket[:, None]).all(dim=1)
            found[rows[is_new], n_found[is_new]] = bucket[is_new]
            n_found += is_new
            heap_cost[rows, at] = inf
            following = (last + 1).clamp(max=hashes - 1)
            next_cost = torch.where(active & (last + 1 < hashes), costs[rows, following], inf)
            added = total + differences[rows, following]
            kept = torch.where(active, costs[rows, last], 0)
            replaced = torch.where(next_cost < inf, cost - kept + next_cost, inf)
            grown = torch.where(next_cost < inf, cost + next_cost, inf)
            heap_cost = torch.cat([heap_cost, grown[:, None], replaced[:, None]], dim=1)
            heap_last = torch.cat([heap_last, following[:, None], following[:, None]], dim=1)
            heap_sum = torch.cat(
                [heap_sum, added[:, None], (added - differences[rows, last])[:, None]], dim=1
            )
        return found
