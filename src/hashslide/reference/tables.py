"""Hash tables and the index of a layer's neurons in NumPy: part of the specification in reference.py."""

import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide.reference.rng import CounterRng

__all__ = ["Family", "HashTable", "MipsMap", "NeuronIndex", "PackedIndex"]


def __dir__() -> list[str]:
    return __all__


class HashTable:
    """Members of each bucket in their order; look-ups see at most `bucket_size` of them (0: all)."""

    def __init__(self, n_buckets: int, bucket_policy: str, bucket_size: int, key: int):
        self.bucket_policy, self.bucket_size, self.moves = bucket_policy, bucket_size, 0
        self.rng = CounterRng(key, "reservoir", 0)
        self.lists: list[list[int]] = [[] for _ in range(n_buckets)]
        self.buckets = np.zeros(0, np.int32)

    def build(self, buckets: NDArray[Any]) -> None:
        """Insert the neurons in order; buckets: (n_neurons,), -1: none."""
        self.buckets = np.array(buckets, np.int32)
        self.lists = [[] for _ in self.lists]
        for neuron in np.flatnonzero(self.buckets >= 0).tolist():
            self._append(self.lists[self.buckets[neuron]], neuron, self.moves + neuron)
        self.moves += len(self.buckets)

    def move(self, neuron: int, bucket: int) -> bool:
        """Take a neuron to another bucket; -1: out of the table."""
        old = self.buckets[neuron]
        if old == bucket:
            return False
        if old >= 0:
            self._remove(self.lists[old], neuron)
        if bucket >= 0:
            self._append(self.lists[bucket], neuron, self.moves)
            self.moves += 1
        self.buckets[neuron] = bucket
        return True

    def _append(self, members: list[int], neuron: int, counter: int) -> None:
        members.append(neuron)
        if self.bucket_policy == "reservoir" and self.bucket_size:  # a step of the inside-out shuffle
            other = int(self.rng.below(np.uint64(counter), len(members)))
            members[-1], members[other] = members[other], neuron

    def _remove(self, members: list[int], neuron: int) -> None:
        if self.bucket_policy == "fifo":
            members.remove(neuron)
        else:
            members[members.index(neuron)] = members[-1]
            members.pop()

    def grow(self, n_neurons: int) -> None:
        """New neurons are in no bucket."""
        self.buckets = np.pad(self.buckets, (0, n_neurons - len(self.buckets)), constant_values=-1)

    def restore(self, buckets: NDArray[Any], members: NDArray[Any], moves: int) -> None:
        """Return to a state: the bucket of each neuron, all members by bucket, the insertions so far."""
        self.buckets, self.moves = np.array(buckets), moves
        self.lists = [[] for _ in self.lists]
        for neuron in members.tolist():
            self.lists[self.buckets[neuron]].append(neuron)

    def bucket(self, b: int) -> list[int]:
        """What a look-up sees: the last ones that came, or the beginning of the random order."""
        members, seen = self.lists[b], self.bucket_size or len(self.lists[b])
        return members[-seen:] if self.bucket_policy == "fifo" else members[:seen]

    @property
    def sizes(self) -> NDArray[Any]:
        """Members of each bucket, seen or not."""
        return np.array([len(members) for members in self.lists])

    @property
    def members(self) -> NDArray[Any]:
        """All members, bucket by bucket."""
        return np.array([neuron for members in self.lists for neuron in members], np.int32)


class MipsMap:
    """Neurons (w, b) and queries h as vectors whose inner products order as the logits do."""

    def __init__(
        self,
        width: int,
        *,
        bias: bool = True,
        centre: bool = False,
        centre_queries: bool = False,
        augment: bool = False,
        norm_ranges: int = 1,
    ):
        self.bias, self.centre, self.centre_queries = bias, centre, centre_queries
        self.augment, self.norm_ranges = augment, norm_ranges
        self.mean: NDArray[Any] | float = 0.0
        self.longest = np.zeros(norm_ranges, np.float32)
        self.query_mean, self.query_square, self.batches = np.zeros(width, np.float32), np.float32(0), 0
        self.origin, self.balance = self.query_mean, np.float32(1)

    def observe(self, h: NDArray[Any]) -> None:
        """Follow the mean of the queries and of their squared length."""
        if not self.centre_queries or not len(h):
            return
        self.batches += 1
        rate = np.float32(max(1 / self.batches, 1 / 64))
        self.query_mean = (1 - rate) * self.query_mean + rate * h.mean(axis=0)
        self.query_square = (1 - rate) * self.query_square + rate * (h**2).sum(axis=1).mean()

    def fit(self, weight: NDArray[Any], bias: NDArray[Any]) -> None:
        """Means, and the longest neuron of each part, shortest part first."""
        self.mean, self.origin, self.balance = 0.0, self.query_mean, np.float32(1)
        hashed = (weight != 0).any(axis=1)
        if self.centre_queries and hashed.any():
            offsets = self._centred(weight, bias)[hashed, -1]
            spread = offsets.var() if self.centre else (offsets**2).mean()
            squared = max(0, self.query_square - self.origin @ self.origin) * spread
            squared /= (weight[hashed] ** 2).sum(axis=1).mean()
            self.balance = np.float32(squared**0.25 if squared > 0 else 1)
        points = self._centred(weight, bias)
        if self.centre:
            self.mean = points[hashed].mean(axis=0) if hashed.any() else np.zeros_like(points[0])
        norms, n = np.sort(np.linalg.norm(self._centred(weight, bias), axis=1)), len(weight)
        parts = np.arange(1, self.norm_ranges + 1)
        self.longest = norms[np.maximum(0, parts * n // self.norm_ranges - 1)]

    def _centred(self, weight: NDArray[Any], bias: NDArray[Any]) -> NDArray[Any]:
        offsets = (bias + weight @ self.origin) / self.balance
        return (np.column_stack([weight, offsets]) if self.bias else weight) - self.mean

    def neurons(self, weight: NDArray[Any], bias: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Vectors (n, width) and the part of each neuron (n,)."""
        vectors = self._centred(weight, bias)
        norms = np.linalg.norm(vectors, axis=1)
        part = np.minimum(np.searchsorted(self.longest, norms), self.norm_ranges - 1)
        longest = self.longest[part]
        if self.augment:
            vectors = np.column_stack([vectors, np.sqrt(np.maximum(0, longest**2 - norms**2))])
        if self.norm_ranges > 1:
            vectors = vectors / np.where(longest > 0, longest, 1)[:, None]
        return vectors.astype(np.float32), part

    def queries(self, h: NDArray[Any]) -> NDArray[Any]:
        """Vectors (n, width) of the activations h."""
        last = np.full((len(h), int(self.bias)), self.balance)
        return np.column_stack([h - self.origin, last, np.zeros((len(h), int(self.augment)))]).astype(
            np.float32
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """What the last fit found; empty where it does not matter."""
        lengths = self.augment or self.norm_ranges > 1
        mean = np.atleast_1d(self.mean) if self.centre else np.empty(0)
        parts: dict[str, ArrayLike] = {"mean": mean, "longest": self.longest if lengths else []}
        if self.centre_queries:
            parts |= {"query_mean": self.query_mean, "query_square": [self.query_square]}
            parts |= {"origin": self.origin, "balance": [self.balance]}
        arrays: dict[str, NDArray[Any]] = {name: np.array(part, np.float32) for name, part in parts.items()}
        return arrays | ({"query_batches": np.array([self.batches])} if self.centre_queries else {})

    def restore(self, state: dict[str, NDArray[Any]], fitted: bool) -> None:
        """Return to a state."""
        if self.centre_queries:
            self.query_mean, self.query_square = state["query_mean"].copy(), state["query_square"][0]
            self.origin, self.balance = state["origin"].copy(), state["balance"][0]
            self.batches = int(state["query_batches"][0])
        if fitted:
            self.mean = state["mean"].copy() if self.centre else 0.0
            self.longest = state["longest"].copy() if len(state["longest"]) else np.zeros(1, np.float32)


class Family(Protocol):
    """What every hash family has; one that learns also has `learn`, `follow`, `learned`."""

    @property
    def n_tables(self) -> int:
        """Tables, each with a function of its own."""
        ...

    @property
    def n_buckets(self) -> int:
        """Buckets of a table."""
        ...

    def draw(self, round_: int, /) -> None:
        """Draw the functions of a round."""
        ...

    def hash(self, vectors: NDArray[Any], /) -> NDArray[Any]:
        """Buckets (n, n_tables) of neurons."""
        ...

    def probe(self, queries: NDArray[Any], probes: int, /) -> NDArray[Any]:
        """Buckets (n, n_tables, probes) of queries, the best first; -1: no more."""
        ...


class NeuronIndex:
    """The neurons of a layer in the tables of a hash family, kept up to date."""

    part = 4096  # touched neurons that are re-hashed before a learned family follows them

    def __init__(
        self,
        family: Family,
        n_neurons: int,
        seed: int,
        *,
        mips: MipsMap,
        bucket_policy: str = "reservoir",
        bucket_size: int = 128,
        probes: int = 1,
        rehash_first: int = 50,
        rehash_growth: float = 2.0,
        rehash_changed: float = 1.0,
        rehash_every: int = 20,
    ):
        self.family, self.n_neurons, self.map = family, n_neurons, mips
        self.probes = min(probes, family.n_buckets)
        self.next_build, self.next_rehash, self.builds, self.changed = rehash_first, 0, 0, 0
        self.growth, self.share, self.every = rehash_growth, rehash_changed, rehash_every
        self.touched: list[int] = []
        keys = [int(CounterRng(seed, "reservoir", t).bits(np.uint64(0))) for t in range(family.n_tables)]
        n_buckets = family.n_buckets * mips.norm_ranges
        self.tables = [HashTable(n_buckets, bucket_policy, bucket_size, key) for key in keys]

    def look_up(self, h: NDArray[Any]) -> NDArray[Any]:
        """Buckets (n, n_tables, probes * norm ranges); the longer neurons first."""
        codes = self.family.probe(self.map.queries(h), self.probes)
        ranges = np.arange(self.map.norm_ranges)[::-1] * self.family.n_buckets
        found = np.where(codes[..., None] < 0, -1, codes[..., None] + ranges)
        return found.reshape(*codes.shape[:2], -1)

    def _codes(self, weight: NDArray[Any], bias: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Vectors and buckets; a neuron whose weights are all 0 has no direction to be found by: -1."""
        vectors, part = self.map.neurons(weight, bias)
        codes = self.family.hash(vectors) + self.family.n_buckets * part[:, None]
        return vectors, np.where((weight == 0).all(axis=1)[:, None], -1, codes)

    def touch(self, neurons: NDArray[Any]) -> None:
        """Note neurons that have changed."""
        self.touched = list(dict.fromkeys([*self.touched, *np.asarray(neurons).tolist()]))

    def maintain(self, weight: NDArray[Any], bias: NDArray[Any], step: int) -> None:
        """After each step: re-hash the touched neurons when due, rebuild everything on the schedule."""
        due, rebuild = self.builds > 0 and step >= self.next_rehash, step >= self.next_build
        if due and not rebuild:
            self._rehash(weight, bias)
            rebuild = self.changed >= self.share * self.n_neurons * len(self.tables)
        if rebuild:
            self.build(weight, bias)
            self.next_build = max(step + 1, math.ceil(self.growth * step))
        if due or rebuild:
            self.next_rehash = step + self.every

    def build(self, weight: NDArray[Any], bias: NDArray[Any]) -> None:
        """Rebuild everything with fresh functions."""
        self.family.draw(self.builds)
        self.builds += 1
        self.map.fit(weight, bias)
        if hasattr(self.family, "learn"):
            self.family.learn(self.map.neurons(weight, bias)[0])
        for table, codes in zip(self.tables, self._codes(weight, bias)[1].T, strict=True):
            table.build(codes)
        self.touched, self.changed = [], 0

    def _rehash(self, weight: NDArray[Any], bias: NDArray[Any]) -> None:
        for begin in range(0, len(self.touched), self.part):
            ids = self.touched[begin : begin + self.part]
            vectors, codes = self._codes(weight[ids], bias[ids])
            for table, column in zip(self.tables, codes.T.tolist(), strict=True):
                self.changed += sum(map(table.move, ids, column))
            if hasattr(self.family, "follow"):
                sizes = [t.sizes.reshape(self.map.norm_ranges, -1).sum(axis=0) for t in self.tables]
                placed = codes[:, 0] >= 0
                self.family.follow(vectors[placed], codes[placed] % self.family.n_buckets, np.array(sizes))
        self.touched = []

    def state(self) -> dict[str, NDArray[Any]]:
        """All that is needed to go on in the same way."""
        progress = [self.n_neurons, self.builds, self.next_build, self.next_rehash, self.changed]
        tables = self.tables if self.builds else []
        arrays: dict[str, NDArray[Any]] = {
            "progress": np.array(progress, np.int64),
            "touched": np.array(self.touched, np.int32),
            "buckets": np.concatenate([np.empty(0, np.int32), *(t.buckets for t in tables)]),
            "members": np.concatenate([np.empty(0, np.int32), *(t.members for t in tables)]),
            "moves": np.array([t.moves for t in tables], np.int64),
        }
        arrays |= {f"map.{name}": array for name, array in self.map.state().items()}
        learned: dict[str, NDArray[Any]] = getattr(self.family, "learned", dict)()
        return arrays | {f"family.{name}": array.ravel() for name, array in learned.items()}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Return to a state."""
        _, self.builds, self.next_build, self.next_rehash, self.changed = state["progress"].tolist()
        self.touched = state["touched"].tolist()
        of_map = {name.removeprefix("map."): a for name, a in state.items() if name.startswith("map.")}
        self.map.restore(of_map, self.builds > 0)
        if not self.builds:
            return
        self.family.draw(self.builds - 1)
        for name, array in getattr(self.family, "learned", dict)().items():
            array[:] = state[f"family.{name}"].reshape(array.shape)
        parts = [np.split(state[name], len(self.tables)) for name in ("buckets", "members")]
        for table, *arrays in zip(self.tables, *parts, state["moves"].tolist(), strict=True):
            table.restore(*arrays)

    def grow(self, n_neurons: int) -> None:
        """New neurons are found only after they have been touched and re-hashed."""
        self.n_neurons = n_neurons
        if self.builds:
            for table in self.tables:
                table.grow(n_neurons)


class PackedIndex(NeuronIndex):
    """The same with two buckets in each table; what it saves is a bit for each table and neuron."""

    def state(self) -> dict[str, NDArray[Any]]:
        """All that is needed to go on in the same way."""
        arrays = super().state()
        for name in ("members", "moves"):
            del arrays[name]
        buckets = arrays.pop("buckets").reshape(len(self.tables), -1).T
        bits = np.zeros((len(buckets), -(-len(self.tables) // 64) * 64), np.uint8)
        bits[:, : buckets.shape[1]] = buckets == 1
        codes = np.packbits(bits, axis=1, bitorder="little").view(np.int64).ravel()
        return arrays | {"codes": codes, "absent": np.flatnonzero((buckets < 0).any(axis=1)).astype(np.int32)}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Return to a state."""
        n, n_coded = len(self.tables), self.n_neurons if state["progress"][1] else 0
        codes = state["codes"].reshape(n_coded, -(-n // 64))
        buckets = np.unpackbits(codes.view(np.uint8), axis=1, bitorder="little")[:, :n].T.astype(np.int32)
        buckets[:, state["absent"]] = -1
        members = [np.concatenate([np.flatnonzero(b == side) for side in (0, 1)]) for b in buckets]
        parts = {"buckets": buckets.ravel(), "members": np.concatenate(members).astype(np.int32)}
        super().restore(state | parts | {"moves": np.zeros(n, np.int64)})
