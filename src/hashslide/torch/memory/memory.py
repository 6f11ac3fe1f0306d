"""The memory of Kaiser, Nachum, Roy & Bengio 2017, "Learning to remember rare events"."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hashslide._checks import check_choice, check_float, check_int
from hashslide.errors import InputError
from hashslide.torch.hashing import SimHash
from hashslide.torch.hashing.inputs import check_integers, check_vectors
from hashslide.torch.memory.indexes import (
    INDEXES,
    CodesIndex,
    ExactIndex,
    Family,
    Index,
    TablesIndex,
    check_family,
)

__all__ = ["Found", "Memory"]


def __dir__() -> list[str]:
    return __all__


class Found(NamedTuple):
    """What a memory knows of queries.

    Parameters
    ----------
    values : Tensor of shape (n,), int64
        The value of the nearest slot; -1 where none was found.
    neighbours : Tensor of shape (n, k), int64
        Slots, the most similar first; -1: no more.
    similarity : Tensor of shape (n, k), float32
        Cosines of the queries and the neighbours' keys; -inf: no more.
    """

    values: Tensor
    neighbours: Tensor
    similarity: Tensor


class Memory(nn.Module):
    """Pairs of keys and values, which a network reads by similarity and writes in each training step.

    A written example is known from the next query on: the network does not have to see it again.

    Parameters
    ----------
    key_dim : int
        Length of a key: what the network returns for an example.
    size : int
        Number of slots.
    neighbours : int
        k: slots that a query finds, among which the loss looks for the right value and a wrong one.
    index : {"exact", "codes", "tables"}
        How they are found: by the product with all keys, by packed codes, or in hash tables.
    margin : float
        By how much the nearest key of the right value has to be more similar than that of a wrong one.
    hash : family of hashslide.torch.hashing, optional
        Of the tables; by default 16 of `SimHash` with so many hashes that a bucket holds some 16 slots.
    bits : int
        Of a slot's code.
    probes : int
        Buckets that are looked up in each table.
    candidates : int
        Slots whose similarity is computed after codes or tables have chosen them.
    seed : int
        Of the hash functions, and of the choice among equally old slots.

    Raises
    ------
    InputError
        A setting is out of its range.
    """

    keys: Tensor  # (size, key_dim)
    values: Tensor  # (size,); -1: never written
    last_used: Tensor  # (size,) write in which the slot was hit or overwritten; -1: none
    clock: Tensor  # number of writes
    queue: Tensor  # (size,) slots, the longest unused first, as of write `queue_clock`
    queue_clock: Tensor
    queue_place: Tensor  # the first of the queue that has not been looked at

    def __init__(
        self,
        key_dim: int,
        size: int,
        neighbours: int = 256,
        index: str = "exact",
        *,
        margin: float = 0.1,
        hash: Family | None = None,
        bits: int = 256,
        probes: int = 4,
        candidates: int = 512,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.key_dim = check_int("key_dim", key_dim, 1, 2**20)
        self.size = check_int("size", size, 1, 2**31 - 1)
        self.neighbours = min(check_int("neighbours", neighbours, 1, 2**31 - 1), self.size)
        self.margin = check_float("margin", margin, 0, 2)
        self.seed = check_int("seed", seed, 0, 2**63 - 1)
        check_int("candidates", candidates, 1, 2**31 - 1)
        check_int("probes", probes, 1, 2**16)
        self.register_buffer("keys", torch.zeros(self.size, self.key_dim))
        for name, length in {"values": size, "last_used": size, "queue": size}.items():
            self.register_buffer(name, torch.full((length,), -1))
        self.register_buffer("clock", torch.tensor(0))
        self.register_buffer("queue_clock", torch.tensor(-1))
        self.register_buffer("queue_place", torch.tensor(self.size))
        if hash is not None and index != "tables":
            raise InputError(f'hash is given with index={index!r}; only index="tables" uses it.')
        self.index = self._index(check_choice("index", index, INDEXES), hash, bits, probes, candidates)
        self.register_load_state_dict_post_hook(_rebuild_index)  # type: ignore[no-untyped-call]

    def _index(self, kind: str, family: Family | None, bits: int, probes: int, candidates: int) -> Index:
        if kind == "exact":
            return ExactIndex()
        if kind == "codes":
            return CodesIndex(
                self.key_dim, self.size, check_int("bits", bits, 1, 2**14), candidates, self.seed
            )
        if family is None:
            hashes = max(4, (self.size - 1).bit_length() - 4)
            family = SimHash(self.key_dim, self.size, tables=16, hashes=hashes, seed=self.seed)
        return TablesIndex(check_family(family, self.key_dim), self.size, probes, candidates)

    @property
    def ages(self) -> Tensor:
        """(size,) int64: writes since a slot was hit or overwritten; the largest number: never. O(size)."""
        return torch.where(self.last_used < 0, torch.iinfo(torch.int64).max, self.clock - self.last_used)

    def extra_repr(self) -> str:
        """Return the settings that are printed."""
        return f"{self.key_dim}, {self.size}, neighbours={self.neighbours}, margin={self.margin}"

    def reset(self) -> None:
        """Forget everything that was written; hash functions stay. O(size)."""
        for buffer in (self.values, self.last_used, self.queue, self.queue_clock):
            buffer.fill_(-1)
        self.keys.zero_()
        self.clock.zero_()
        self.queue_place.fill_(self.size)
        self.index.rebuild(self.keys, self.values >= 0)

    @torch.no_grad()
    def query(self, queries: Tensor, neighbours: int | None = None) -> Found:
        """Return the nearest slots and the value of the nearest one.

        Parameters
        ----------
        queries : Tensor of shape (n, key_dim), floating point
            They need not have length 1.
        neighbours : int, optional
            Slots to find; by default those of the memory.

        Returns
        -------
        Found

        Raises
        ------
        InputError
            `queries` has another shape or type, or values that are not finite.
        """
        k = self.neighbours
        if neighbours is not None:
            k = min(check_int("neighbours", neighbours, 1, 2**31 - 1), self.size)
        q = nn.functional.normalize(check_vectors("queries", queries, self.key_dim), dim=1)
        slots, similarity = self.index.nearest(q, self.keys, self.values >= 0, k)
        return Found(torch.where(slots[:, 0] < 0, -1, self.values[slots[:, 0]]), slots, similarity)

    def forward(self, queries: Tensor, values: Tensor) -> Tensor:
        """Return the loss of a batch, and write the batch if the module is in training.

        Parameters
        ----------
        queries : Tensor of shape (n, key_dim), floating point
            The network's output; the loss has its gradient.
        values : Tensor of shape (n,), integers >= 0
            The right answers.

        Returns
        -------
        Tensor, 0-dimensional
            See `loss`.
        """
        found = self.query(queries)
        loss = self.loss(queries, values, found)
        if self.training:
            self.write(queries, values, found)
        return loss

    def loss(self, queries: Tensor, values: Tensor, found: Found | None = None) -> Tensor:
        """Return the mean of max(0, q·wrong - q·right + margin), of the nearest keys of such values.

        Both keys are sought among the neighbours. Where there is none of a wrong value, the loss is 0; where
        there is none of the right value, its similarity counts as 0.

        Parameters
        ----------
        queries : Tensor of shape (n, key_dim), floating point
            The network's output.
        values : Tensor of shape (n,), integers >= 0
            The right answers.
        found : Found, optional
            What `query` has returned for the same queries, so that it is not asked again.

        Returns
        -------
        Tensor, 0-dimensional
            0 for no queries.
        """
        found = self.query(queries) if found is None else found
        values = self._checked(queries, values)
        q = nn.functional.normalize(queries.float(), dim=1)
        held = self.values[found.neighbours.clamp(min=0)]
        is_slot = found.neighbours >= 0
        right = self._similarity(q, found.neighbours, is_slot & (held == values[:, None]))
        is_wrong = is_slot & (held != values[:, None])
        wrong = self._similarity(q, found.neighbours, is_wrong)
        losses = torch.where(is_wrong.any(dim=1), (wrong - right + self.margin).relu(), 0)
        return losses.sum() / max(1, len(losses))

    def _similarity(self, q: Tensor, slots: Tensor, fits: Tensor) -> Tensor:
        """Return the product with the first slot that fits; 0 where none does."""
        first = slots.gather(1, fits.int().argmax(dim=1, keepdim=True))[:, 0].clamp(min=0)
        return (q * self.keys[first].float()).sum(dim=1) * fits.any(dim=1)

    @torch.no_grad()
    def write(self, queries: Tensor, values: Tensor, found: Found | None = None) -> Tensor:
        """Write a batch: O(batch), and the index's cost of so many changes.

        If the nearest slot holds the right value, its key becomes the direction of the sum of itself and of
        all queries of the batch that hit it. Otherwise the query overwrites the slot that has not been used
        for longest, a random one of equally old ones; different queries overwrite different slots.

        Parameters
        ----------
        queries : Tensor of shape (n, key_dim), floating point
            At most `size` of them.
        values : Tensor of shape (n,), integers >= 0
            What to remember.
        found : Found, optional
            What `query` has returned for the same queries, so that it is not asked again.

        Returns
        -------
        Tensor of shape (n,), int64
            The slot in which each query now is.

        Raises
        ------
        InputError
            Of another shape or range, or more queries than slots; nothing is written then.
        """
        found = self.query(queries) if found is None else found
        values = self._checked(queries, values)
        if len(values) > self.size:
            raise InputError(f"A batch of {len(values)} is to be written into {self.size} slots; split it.")
        if not len(values):
            return values
        q = nn.functional.normalize(check_vectors("queries", queries, self.key_dim), dim=1)
        self.clock += 1
        nearest = found.neighbours[:, 0]
        is_hit = (nearest >= 0) & (self.values[nearest.clamp(min=0)] == values)
        hit = self._merge(nearest[is_hit], q[is_hit])
        new = self._take_oldest(int((~is_hit).sum()))
        self.keys[new] = q[~is_hit].to(self.keys.dtype)
        self.values[new] = values[~is_hit]
        self.index.update(torch.cat([hit, new]), self.keys, self.values >= 0)
        return nearest.masked_scatter(~is_hit, new)

    def _checked(self, queries: Tensor, values: Tensor) -> Tensor:
        return check_integers("values", values, (len(queries),), 0, 2**63 - 1)

    def _merge(self, slots: Tensor, q: Tensor) -> Tensor:
        """Add queries to the keys that they hit, and return these slots, each once."""
        if not len(slots):
            return slots
        slots, order = slots.sort(stable=True)
        slots, counts = slots.unique_consecutive(return_counts=True)
        sums = torch.segment_reduce(q[order], "sum", lengths=counts)  # in a fixed order, on any device
        self.keys[slots] = nn.functional.normalize(self.keys[slots] + sums, dim=1).to(self.keys.dtype)
        self.last_used[slots] = self.clock
        return slots

    def _take_oldest(self, n: int) -> Tensor:
        """Return the n slots that were unused for longest, and mark them as used. O(n) on average.

        The slots stand in a queue by their last use. Those that were used since it was made are passed over:
        they are younger than all others in it. When it is at its end, all slots have been used since.
        """
        taken: list[Tensor] = []
        while n > 0:
            place = int(self.queue_place)
            if place >= self.size:
                self._queue_up()
                place = 0
            chunk = self.queue[place : place + 2 * n]
            unused = (self.last_used[chunk] <= self.queue_clock).nonzero()[:n, 0]
            self.queue_place.fill_(place + (int(unused[-1]) + 1 if len(unused) == n else len(chunk)))
            taken.append(chunk[unused])
            self.last_used[taken[-1]] = self.clock
            n -= len(unused)
        return torch.cat(taken) if taken else self.queue[:0]

    def _queue_up(self) -> None:
        generator = torch.Generator().manual_seed((self.seed + int(self.clock)) % 2**63)
        shuffled = torch.randperm(self.size, generator=generator).to(self.queue.device)
        self.queue.copy_(shuffled[self.last_used[shuffled].argsort(stable=True)])
        self.queue_clock.copy_(self.clock - 1)


def _rebuild_index(memory: nn.Module, _incompatible: Any) -> None:
    """Build the index anew after a state_dict has been loaded: it follows from the keys."""
    assert isinstance(memory, Memory)
    memory.index.rebuild(memory.keys, memory.values >= 0)
