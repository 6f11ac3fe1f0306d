"""The random hash families in NumPy, hash by hash: part of the specification in reference.py.

The same seed and round give the same codes as the core. Only the sign of a projection that is zero but for
rounding may differ.
"""

import heapq
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.reference.rng import CounterRng, mix

__all__ = [
    "EMPTY",
    "WORD",
    "DenseSimHash",
    "ElementaryFamily",
    "FastSimHash",
    "MinHash",
    "SimHash",
    "SparseSimHash",
    "WinnerTakesAll",
    "first_full",
    "hash_family",
    "permutations",
]


def __dir__() -> list[str]:
    return __all__


EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
WORD = 1 << 64


def permutations(rng: CounterRng, n: int, counts: list[int]) -> list[NDArray[Any]]:
    """The first items of successive Fisher-Yates shuffles, each going on from the last one's order."""
    order, counter, found = np.arange(n), 0, []
    for count in counts:
        for i in range(count):
            j = i + int(rng.below(np.uint64(counter + i), n - i))
            order[[i, j]] = order[[j, i]]
        found.append(order[:count].copy())
        counter += count
    return found


class ElementaryFamily(ABC):
    """L tables of K elementary hashes, packed or folded into codes of at most log2(neurons) bits."""

    def __init__(
        self, width: int, neurons: int, tables: int, hashes: int, bits: int, stream: str, seed: int
    ) -> None:
        self.width, self.n_tables, self.hashes, self.bits = width, tables, hashes, bits
        self.stream, self.seed = stream, seed
        self.n_hashes = tables * hashes
        self.code_bits = min(hashes * bits, max(0, neurons - 1).bit_length())
        self.n_buckets = 2**self.code_bits

    def draw(self, round_: int) -> None:
        """Draw all functions anew."""
        rng = CounterRng(self.seed, self.stream, round_)
        counters = np.arange(self.n_hashes + self.n_tables, dtype=np.uint64) + np.uint64(1 << 62)
        words = [int(word) for word in rng.bits(counters)]
        if self.code_bits == self.hashes * self.bits:
            self.multipliers = [1 << (k % self.hashes * self.bits) for k in range(self.n_hashes)]
            self.offsets, self.shift = [0] * self.n_tables, 0
        else:
            self.multipliers, self.offsets = words[: self.n_hashes], words[self.n_hashes :]
            self.shift = 64 - self.code_bits
        self.draw_hashes(rng)

    @abstractmethod
    def draw_hashes(self, rng: CounterRng) -> None:
        """Draw the elementary hashes."""

    @abstractmethod
    def elementary(self, vector: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Each hash, its second choice and the gap between them (inf: there is no second)."""

    def hash(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """Bucket of each vector in each table."""
        return self.probe(vectors, 1)[:, :, 0]

    def probe(self, queries: NDArray[Any], probes: int) -> NDArray[Any]:
        """Buckets by growing sum of the squared gaps of the hashes that are changed; -1: no more."""
        found = np.full((len(queries), self.n_tables, probes), -1, np.int32)
        for i, query in enumerate(queries):
            hashes = list(zip(*(a.tolist() for a in self.elementary(query)), strict=True))
            for t in range(self.n_tables):
                buckets = self._probe_table(t, hashes, probes)
                found[i, t, : len(buckets)] = buckets
        return found

    def _probe_table(self, t: int, hashes: list[tuple[int, int, float]], probes: int) -> list[int]:
        code, changes = self.offsets[t], []
        for k in range(t * self.hashes, (t + 1) * self.hashes):
            value, second, gap = hashes[k]
            code += self.multipliers[k] * value
            if np.isfinite(gap):
                changes.append((gap * gap, self.multipliers[k] * (second - value)))
        changes.sort(key=lambda change: change[0])
        buckets, pushed = [code % WORD >> self.shift], 1
        heap = [(changes[0][0], 0, 0, code + changes[0][1])] if changes else []
        for _ in range(8 * probes):
            if len(buckets) == probes or not heap:
                break
            cost, _order, last, code = heapq.heappop(heap)
            bucket = code % WORD >> self.shift
            if bucket not in buckets:
                buckets.append(bucket)
            if last + 1 < len(changes):
                (c, d), (next_c, next_d) = changes[last], changes[last + 1]
                heapq.heappush(heap, (cost + next_c, pushed, last + 1, code + next_d))
                heapq.heappush(heap, (cost - c + next_c, pushed + 1, last + 1, code - d + next_d))
                pushed += 2
        return buckets


class SimHash(ElementaryFamily):
    """The sides of random hyperplanes; directions: (n_hashes, width)."""

    directions: NDArray[Any]

    def __init__(self, width: int, neurons: int, tables: int, hashes: int, seed: int) -> None:
        super().__init__(width, neurons, tables, hashes, 1, "simhash", seed)

    def elementary(self, vector: NDArray[Any]) -> Any:
        projections = self.directions.astype(np.float64) @ vector
        values = (projections > 0).astype(np.int64)
        return values, 1 - values, np.abs(projections)


class DenseSimHash(SimHash):
    """Normal directions."""

    def draw_hashes(self, rng: CounterRng) -> None:
        i = 2 * np.arange(self.n_hashes * self.width, dtype=np.uint64)
        radius = np.sqrt(-2 * np.log(1 - rng.uniform(i).astype(np.float64)))
        angle = 2 * np.pi * rng.uniform(i + np.uint64(1)).astype(np.float64)
        self.directions = (radius * np.cos(angle)).astype(np.float32).reshape(self.n_hashes, self.width)


class SparseSimHash(SimHash):
    """Directions with a third of the entries +-1."""

    def draw_hashes(self, rng: CounterRng) -> None:
        size = (self.width + 2) // 3
        self.directions = np.zeros((self.n_hashes, self.width), np.float32)
        i = np.arange(self.n_hashes * size, dtype=np.uint64) + np.uint64(1 << 61)
        plus = (rng.bits(i) >> np.uint64(63)).astype(int).reshape(-1, size).sum(axis=1)
        draws = permutations(rng, self.width, [size] * self.n_hashes)
        for row, chosen, n in zip(self.directions, draws, plus, strict=True):
            row[chosen[:n]], row[chosen[n:]] = 1, -1


class FastSimHash(SimHash):
    """Rows of H D3 H D2 H D1."""

    def draw_hashes(self, rng: CounterRng) -> None:
        padded = 1 << (self.width - 1).bit_length()
        hadamard = np.ones((1, 1))
        while len(hadamard) < padded:
            hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
        blocks = []
        for block in range(-(-self.n_hashes // padded)):
            i = block * 3 * padded + np.arange(3 * padded, dtype=np.uint64)
            d1, d2, d3 = np.where(rng.bits(i) >> np.uint64(63), 1.0, -1.0).reshape(3, padded)
            blocks.append(hadamard @ np.diag(d3) @ hadamard @ np.diag(d2) @ hadamard @ np.diag(d1))
        self.directions = np.concatenate(blocks)[: self.n_hashes, : self.width]


def first_full(donors: NDArray[Any], own: int, full: NDArray[Any]) -> int:
    """The bin to borrow from: the first full donor, else the next full bin, else the own."""
    for donor in donors:
        if full[donor]:
            return donor
    ring = (own + np.arange(len(full))) % len(full)
    return next((b for b in ring.tolist() if full[b]), own)


class WinnerTakesAll(ElementaryFamily):
    """The place of the largest of bin_size coordinates."""

    def __init__(
        self,
        width: int,
        neurons: int,
        tables: int,
        hashes: int,
        seed: int,
        *,
        densified: bool,
        bin_size: int = 8,
    ) -> None:
        super().__init__(width, neurons, tables, hashes, bin_size.bit_length() - 1, "wta", seed)
        self.bin_size, self.densified = min(bin_size, width), densified

    def draw_hashes(self, rng: CounterRng) -> None:
        bins = self.width // self.bin_size
        counts = [min(bins, self.n_hashes - b) * self.bin_size for b in range(0, self.n_hashes, bins)]
        self.coordinates = np.concatenate(permutations(rng, self.width, counts)).reshape(-1, self.bin_size)
        i = np.arange(self.n_hashes * 16, dtype=np.uint64) + np.uint64(1 << 61)
        self.donors = rng.below(i, self.n_hashes).reshape(-1, 16)

    def elementary(self, vector: NDArray[Any]) -> Any:
        x = np.where(vector == 0, -np.inf, vector) if self.densified else vector
        bins = x[self.coordinates].astype(np.float32)
        rows = np.arange(len(bins))
        values, full = bins.argmax(axis=1), bins.max(axis=1) > -np.inf
        best = bins[rows, values]
        bins[rows, values] = -np.inf
        seconds = bins.argmax(axis=1)
        with np.errstate(invalid="ignore"):
            gaps = np.where(bins[rows, seconds] > -np.inf, best - bins[rows, seconds], np.inf)
        source = [b if full[b] else first_full(self.donors[b], b, full) for b in rows.tolist()]
        return values[source], seconds[source], gaps[source]


class MinHash(ElementaryFamily):
    """Four bits of the minimum of the support in a bin of a random permutation."""

    def __init__(
        self, width: int, neurons: int, tables: int, hashes: int, seed: int, *, top: int = 32
    ) -> None:
        super().__init__(width, neurons, tables, hashes, 4, "minhash", seed)
        self.top = min(top, width)
        self.bins = 1 << (max(self.top // 2, 1).bit_length() - 1)

    def draw_hashes(self, rng: CounterRng) -> None:
        n = -(-self.n_hashes // self.bins)
        ranks = rng.bits(np.arange(n * self.width, dtype=np.uint64)).reshape(self.width, n) >> np.uint64(32)
        self.words = ranks << np.uint64(32) | np.arange(self.width, dtype=np.uint64)[:, None]
        i = np.arange(self.n_hashes * 16, dtype=np.uint64) + np.uint64(1 << 61)
        self.donors = rng.below(i, self.bins).reshape(-1, 16)

    def support(self, vector: NDArray[Any]) -> NDArray[Any]:
        """The non-zero coordinates; of more than `top` the largest."""
        present = np.flatnonzero(vector)
        return present[np.argsort(-vector[present], kind="stable")[: self.top]]

    def elementary(self, vector: NDArray[Any]) -> Any:
        support = self.support(vector)
        values, seconds, gaps = np.zeros((3, self.n_hashes))
        for k in range(self.n_hashes):
            words = self.words[support, k // self.bins]
            place = (words >> np.uint64(32)).astype(np.int64) * self.bins >> 32
            full = np.isin(np.arange(self.bins), place)
            own = k % self.bins
            members = np.flatnonzero(place == (own if full[own] else first_full(self.donors[k], own, full)))
            order = members[np.argsort(words[members])]
            first, second = [*words[order], EMPTY, EMPTY][:2]
            values[k], seconds[k] = mix(first) >> np.uint64(60), mix(second) >> np.uint64(60)
            gaps[k] = abs(vector[support[order[0]]]) if len(order) > 1 else np.inf
        return values.astype(np.int64), seconds.astype(np.int64), gaps


def hash_family(
    name: str, width: int, neurons: int, tables: int, hashes: int, seed: int, **settings: Any
) -> Any:
    """The twin of the core's family of this name."""
    if name in ("wta", "dwta"):
        settings["densified"] = name == "dwta"
    classes = {
        "simhash": DenseSimHash,
        "sparse_simhash": SparseSimHash,
        "fast_simhash": FastSimHash,
        "wta": WinnerTakesAll,
        "dwta": WinnerTakesAll,
        "minhash": MinHash,
    }
    return classes[name](width, neurons, tables, hashes, seed, **settings)
