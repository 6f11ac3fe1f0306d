"""How the slots nearest to a query are found: by all keys, by packed codes, or in hash tables.

Codes and tables choose candidates, whose similarity is then computed from the keys.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from hashslide.errors import InputError
from hashslide.torch.hashing import Codes, ElementaryFamily, LearnedCells, SimHash, Tables

__all__ = [
    "INDEXES",
    "CodesIndex",
    "ExactIndex",
    "Family",
    "Index",
    "TablesIndex",
    "check_family",
    "rescored",
]

Family = ElementaryFamily | LearnedCells
INDEXES = ("exact", "codes", "tables")
BLOCK = 2**22  # similarities, or numbers of gathered keys, that are held at once


def __dir__() -> list[str]:
    return sorted(__all__)


class Index(nn.Module, ABC):
    """Finds slots. It is told of every key that is written."""

    @abstractmethod
    def nearest(self, queries: Tensor, keys: Tensor, used: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Return (n, k) slots and similarities, most similar first; -1 and -inf: no more.

        Parameters
        ----------
        queries : Tensor of shape (n, key_dim), float32
            Of length 1.
        keys : Tensor of shape (size, key_dim)
            All keys.
        used : Tensor of shape (size,), bool
            Which slots hold a key.
        k : int
            Slots to find.
        """

    def update(self, slots: Tensor, keys: Tensor, used: Tensor) -> None:
        """Take note that the keys of `slots`, all different, have changed. O(slots) on average."""

    def rebuild(self, keys: Tensor, used: Tensor) -> None:
        """Begin anew with the keys of all used slots."""


class ExactIndex(Index):
    """The product with all keys, block by block. O(n size key_dim)."""

    def nearest(self, queries: Tensor, keys: Tensor, used: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """See `Index`."""
        n = len(queries)
        best = queries.new_full((n, 0), -torch.inf)
        slots = torch.zeros(n, 0, dtype=torch.int64, device=queries.device)
        begin = 0
        for block, held in zip(
            *(all_.split(max(k, BLOCK // max(n, 1))) for all_ in (keys, used)), strict=True
        ):
            found = (
                (queries @ block.float().T).masked_fill_(~held, -torch.inf).topk(min(k, len(block)), dim=1)
            )
            best = torch.cat([best, found.values], dim=1)
            slots = torch.cat([slots, found.indices + begin], dim=1)
            best, kept = best.topk(min(k, best.shape[1]), dim=1)
            slots = slots.gather(1, kept)
            begin += len(block)
        return torch.where(best > -torch.inf, slots, -1), best


class CodesIndex(Index):
    """The nearest codes of random signs by Hamming distance, `candidates` of them. O(n size bits / 64)."""

    def __init__(self, key_dim: int, size: int, bits: int, candidates: int, seed: int) -> None:
        super().__init__()
        self.hash = SimHash(key_dim, size, tables=1, hashes=bits, seed=seed)
        self.codes = Codes(bits, size)
        self.candidates = candidates

    def nearest(self, queries: Tensor, keys: Tensor, used: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """See `Index`."""
        slots, _ = self.codes.nearest(self.hash.signs(queries), min(len(keys), max(k, self.candidates)))
        return rescored(queries, keys, slots, k)

    def update(self, slots: Tensor, keys: Tensor, used: Tensor) -> None:
        """See `Index`."""
        self.codes.update(slots, self.hash.signs(keys[slots]))

    def rebuild(self, keys: Tensor, used: Tensor) -> None:
        """See `Index`."""
        self.codes.remove((~used).nonzero()[:, 0])
        self.update(used.nonzero()[:, 0], keys, used)


class TablesIndex(Index):
    """What lies in the query's buckets, the `candidates` rows that lie in most of them.

    Cells are learned anew whenever twice as much has been written as the last time, until every slot has been
    written twice; then they stay.
    """

    n_written: Tensor
    next_learning: Tensor

    def __init__(self, family: Family, size: int, probes: int, candidates: int) -> None:
        super().__init__()
        self.hash = family
        self.tables = Tables(family.n_tables, family.n_buckets, size)
        self.probes, self.candidates = probes, candidates
        self.register_buffer("n_written", torch.tensor(0))
        self.register_buffer("next_learning", torch.tensor(1))

    def nearest(self, queries: Tensor, keys: Tensor, used: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """See `Index`."""
        if not self.tables.runs:
            return rescored(queries, keys, queries.new_full((len(queries), k), -1).long(), k)
        found = self.tables.query(self.hash.probe(queries, self.probes))
        return rescored(queries, keys, found.most_frequent(max(k, self.candidates)), k)

    def update(self, slots: Tensor, keys: Tensor, used: Tensor) -> None:
        """See `Index`."""
        self.n_written += len(slots)
        if isinstance(self.hash, LearnedCells) and self.next_learning <= self.n_written <= 2 * len(keys):
            self.next_learning.copy_(2 * self.n_written)
            self.hash.learn(keys[used])
            self.rebuild(keys, used)
            return
        self.tables.update(slots, self.hash(keys[slots]))

    def rebuild(self, keys: Tensor, used: Tensor) -> None:
        """See `Index`."""
        slots = used.nonzero()[:, 0]
        buckets = torch.full((len(keys), self.tables.n_tables), -1, device=keys.device)
        if len(slots):
            buckets[slots] = self.hash(keys[slots])
            if self.n_written < len(slots):  # keys that came with a family that had been learned already
                self.n_written.fill_(len(slots))
                self.next_learning.fill_(2 * len(slots))
        else:
            self.n_written.zero_()
            self.next_learning.fill_(1)
        self.tables.build(buckets)


def rescored(queries: Tensor, keys: Tensor, slots: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k of a query's slots with the most similar keys, and the similarities; -1 is no slot."""
    blocks = zip(
        *(part.split(max(1, BLOCK // (slots.shape[1] * keys.shape[1]))) for part in (queries, slots)),
        strict=True,
    )
    similarity = torch.cat(
        [torch.einsum("nd,ncd->nc", q, keys[rows.clamp(min=0)].float()) for q, rows in blocks]
    ).masked_fill_(slots < 0, -torch.inf)
    best, places = similarity.topk(min(k, slots.shape[1]), dim=1)
    return slots.gather(1, places), best


def check_family(family: object, key_dim: int) -> Family:
    """Return a family that hashes keys, or refuse it."""
    if not isinstance(family, ElementaryFamily | LearnedCells) or family.width != key_dim:
        found = f"of width {family.width}" if hasattr(family, "width") else repr(family)
        raise InputError(
            f"hash is {found}; accepted is a family of hashslide.torch.hashing of width key_dim = {key_dim}."
        )
    return family
