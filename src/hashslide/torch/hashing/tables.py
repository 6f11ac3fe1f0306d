"""Hash tables as sorted arrays: built, changed and looked up without a loop over rows, on any device."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from hashslide._checks import check_int
from hashslide.errors import InputError
from hashslide.torch.hashing.inputs import check_integers, check_rows
from hashslide.torch.hashing.ragged import best_of_each, expand_ranges, offsets_of

__all__ = ["Candidates", "Run", "Tables"]


def __dir__() -> list[str]:
    return __all__


class Run(NamedTuple):
    """Entries sorted by key = table * n_buckets + bucket; an entry is valid while its stamp is the row's."""

    keys: Tensor
    rows: Tensor
    stamps: Tensor


class Candidates(NamedTuple):
    """The rows found for each query: those of query i lie from offsets[i] to offsets[i + 1], in their order.

    `counts` says in how many buckets, at most one in each table, a row was found.
    """

    offsets: Tensor
    rows: Tensor
    counts: Tensor

    def most_frequent(self, k: int) -> Tensor:
        """Return the k rows of each query with the largest counts, (n, k) int64; -1: no more."""
        best = best_of_each(self.counts, self.offsets, check_int("k", k, 1, 2**31 - 1))
        return torch.where(best < 0, -1, self.rows[best.clamp(min=0)] if len(self.rows) else -1)


class Tables(nn.Module):
    """L hash tables over rows 0 .. size - 1, held as runs of sorted entries.

    A build sorts all rows into one run. A change of rows adds a run of their new entries, sorted; runs of
    similar length are merged, as in a log-structured merge tree (O'Neil et al. 1996), so that there are
    O(log size) of them and an entry is sorted again O(log size) times in its life. The old entries of a
    changed row stay until a merge meets them, and look-ups skip them: the row's stamp has become another.

    Parameters
    ----------
    n_tables, n_buckets : int
        L, and the buckets of a table; a family's attributes of these names.
    size : int
        Number of rows.
    bucket_size : int
        Members of a bucket that a look-up sees in each run; 0: all. The members of a built bucket stand in
        random order, so that a look-up sees a random part.
    seed : int
        Seed of that order.
    device : torch.device, optional
        Where the tables lie.
    """

    stamps: Tensor

    def __init__(
        self,
        n_tables: int,
        n_buckets: int,
        size: int,
        *,
        bucket_size: int = 0,
        seed: int = 0,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.n_tables = check_int("n_tables", n_tables, 1, 2**16)
        self.n_buckets = check_int("n_buckets", n_buckets, 1, 2**31)
        self.size = check_int("size", size, 1, 2**31 - 1)
        self.bucket_size = check_int("bucket_size", bucket_size, 0, 2**31 - 1)
        self.seed = check_int("seed", seed, 0, 2**63 - 1)
        stamps = torch.zeros(self.size, dtype=torch.int64, device=device)
        self.register_buffer("stamps", stamps, persistent=False)
        self.updates = 0
        self.runs: list[Run] = []

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.runs = [Run(*map(fn, run)) for run in self.runs]
        return self

    def build(self, buckets: Tensor) -> None:
        """Put all rows into the tables anew. O(L size log(L size)).

        Parameters
        ----------
        buckets : Tensor of shape (size, n_tables), integers
            The bucket of each row in each table, as a family returns them; -1: in none.

        Raises
        ------
        InputError
            Of another shape or range; the tables are unchanged then.
        """
        buckets = self._checked(buckets, self.size)
        self.updates, self.runs = 0, []
        self.stamps.zero_()
        order = torch.randperm(self.size, generator=torch.Generator().manual_seed(self.seed))
        order = order.to(buckets.device)
        self._add(order, buckets[order])

    def update(self, rows: Tensor, buckets: Tensor) -> None:
        """Move rows to other buckets. O(L rows log(size)) on average over all updates.

        Parameters
        ----------
        rows : Tensor of shape (n,), integers
            Different rows.
        buckets : Tensor of shape (n, n_tables), integers
            Their new buckets; -1: in none.

        Raises
        ------
        InputError
            Of another shape or range, or a row is named twice; the tables are unchanged then.
        """
        rows = check_rows(rows, self.size)
        buckets = self._checked(buckets, len(rows))
        self.updates += 1
        self.stamps[rows] = self.updates
        self._add(rows, buckets)

    def _checked(self, buckets: Tensor, n: int) -> Tensor:
        buckets = check_integers("buckets", buckets, (n, self.n_tables), -1, self.n_buckets - 1)
        if buckets.device != self.stamps.device:
            raise InputError(
                f"buckets are on {buckets.device} and the tables on {self.stamps.device}; move one of them."
            )
        return buckets

    def _add(self, rows: Tensor, buckets: Tensor) -> None:
        table = torch.arange(self.n_tables, device=buckets.device)
        keys = torch.where(buckets < 0, -1, table * self.n_buckets + buckets).T.reshape(-1)
        rows = rows.repeat(self.n_tables)
        kept = keys >= 0
        new = self._sorted(keys[kept], rows[kept].int(), self.stamps[rows[kept]].int())
        while self.runs and len(self.runs[-1].keys) < 2 * len(new.keys):
            old = self.runs.pop()
            valid = self._is_valid(old.rows, old.stamps)
            new = self._sorted(
                *(torch.cat([part[valid], added]) for part, added in zip(old, new, strict=True))
            )
        if len(new.keys):
            self.runs.append(new)

    @staticmethod
    def _sorted(keys: Tensor, rows: Tensor, stamps: Tensor) -> Run:
        keys, order = keys.sort(stable=True)
        return Run(keys, rows[order], stamps[order])

    def _is_valid(self, rows: Tensor, stamps: Tensor) -> Tensor:
        return self.stamps[rows.long()] == stamps

    def query(self, buckets: Tensor) -> Candidates:
        """Return the rows that lie in the buckets of each query, and in how many of these.

        O(found log(found)), and O(L P log(size)) for each query.

        Parameters
        ----------
        buckets : Tensor of shape (n, n_tables) or (n, n_tables, probes), integers
            The buckets to look into: what a family or its `probe` returns; -1: none. Those of a table differ.

        Returns
        -------
        Candidates

        Raises
        ------
        InputError
            Of another shape or range.
        """
        wanted = buckets[:, :, None] if isinstance(buckets, Tensor) and buckets.ndim == 2 else buckets
        probes = wanted.shape[2] if isinstance(wanted, Tensor) and wanted.ndim == 3 else 1
        shape = (None, self.n_tables, probes)
        wanted = check_integers("buckets", wanted, shape, -1, self.n_buckets - 1)
        n, device = len(wanted), self.stamps.device
        table = torch.arange(self.n_tables, device=device)[:, None]
        keys = torch.where(wanted < 0, -1, table * self.n_buckets + wanted).reshape(-1)
        lists = torch.arange(n, device=device).repeat_interleave(self.n_tables * probes)
        keys, lists = keys[keys >= 0], lists[keys >= 0]
        pairs = torch.cat([keys.new_zeros(0), *(self._found(run, keys, lists) for run in self.runs)])
        pairs, counts = pairs.sort().values.unique_consecutive(return_counts=True)
        owner = pairs // self.size
        return Candidates(offsets_of(torch.bincount(owner, minlength=n)), pairs % self.size, counts)

    def _found(self, run: Run, keys: Tensor, lists: Tensor) -> Tensor:
        """Return list * size + row of every valid entry of a run that has one of the keys."""
        begin = torch.searchsorted(run.keys, keys)
        lengths = torch.searchsorted(run.keys, keys, right=True) - begin
        if self.bucket_size:
            lengths = lengths.clamp(max=self.bucket_size)
        places, owner = expand_ranges(begin, lengths)
        rows = run.rows[places]
        valid = self._is_valid(rows, run.stamps[places])
        return lists[owner[valid]] * self.size + rows[valid]

    @property
    def memory_bytes(self) -> int:
        """Bytes of all arrays."""
        arrays = [self.stamps, *(part for run in self.runs for part in run)]
        return sum(array.numel() * array.element_size() for array in arrays)
