"""Cells of k-means, learned from the vectors that they are going to hold: the core's family `kmeans`."""

import numpy as np
import torch
from torch import Tensor, nn

from hashslide._checks import check_int
from hashslide.errors import InputError
from hashslide.reference.rng import CounterRng
from hashslide.torch.hashing.elementary import BLOCK, permutations
from hashslide.torch.hashing.inputs import check_integers, check_vectors
from hashslide.torch.hashing.ragged import offsets_of

__all__ = ["LearnedCells"]

SAMPLE_PER_CELL, MOVES, BALANCING, LARGEST_CELL = 64, 4, 8, 3


def __dir__() -> list[str]:
    return __all__


class LearnedCells(nn.Module):
    """A vector lies in the cell of the nearest centre; a query probes those of largest inner product.

    Parameters
    ----------
    width : int
        Coordinates of a vector.
    cells : int
        Buckets of a table. Twice the square root of the number of vectors is a good choice.
    tables : int
        Clusterings, each from a sample of its own.
    seed : int
        Seed of the samples.
    """

    centres: Tensor  # (tables, cells, width)
    penalties: Tensor  # (tables, cells): of cells that are too large; probes do not see them
    is_learned: Tensor

    def __init__(self, width: int, cells: int, *, tables: int = 1, seed: int = 0) -> None:
        super().__init__()
        self.width = check_int("width", width, 1, 2**31 - 1)
        self.n_buckets = check_int("cells", cells, 1, 2**24)
        self.n_tables = check_int("tables", tables, 1, 2**16)
        self.seed = check_int("seed", seed, 0, 2**64 - 1)
        self.round = 0
        self.register_buffer("centres", torch.zeros(self.n_tables, self.n_buckets, self.width))
        self.register_buffer("penalties", torch.zeros(self.n_tables, self.n_buckets))
        self.register_buffer("is_learned", torch.zeros((), dtype=torch.bool))

    def draw(self, round: int = 0) -> None:
        """Choose the round of the samples that `learn` will draw."""
        self.round = check_int("round", round, 0, 2**48)

    def learn(self, x: Tensor) -> None:
        """Learn centres from at most 64 vectors per cell: Lloyd's algorithm, with penalties for large cells.

        Parameters
        ----------
        x : Tensor of shape (n, width), floating point
            All vectors that are going to be hashed; n >= 1.
        """
        if not len(check_vectors("x", x[:1], self.width)):
            raise InputError("x has no row to learn cells from; give at least one.")
        self.penalties.zero_()
        for t in range(self.n_tables):
            rng = CounterRng(self.seed, "cells", self.round * self.n_tables + t)
            size = min(len(x), SAMPLE_PER_CELL * self.n_buckets)
            chosen = torch.tensor(permutations(rng, len(x), [size])[0], device=x.device)
            sample = check_vectors("x", x[chosen], self.width)
            self._start(t, sample, len(x), rng)
            for _ in range(MOVES):
                cells, margins = self._nearest(sample, t)
                self._move_centres(t, sample, cells)
                self._balance(t, cells, margins)
            quarter = sample[: (len(sample) + 3) // 4]
            for _ in range(BALANCING):
                self._balance(t, *self._nearest(quarter, t))
        self.is_learned.fill_(True)

    def _start(self, t: int, sample: Tensor, n: int, rng: CounterRng) -> None:
        """Draw the first centres with chances that grow with the length (lightweight coresets)."""
        squared = sample.square().sum(dim=1).double()
        u = 1 - rng.uniform(np.arange(n, n + len(sample), dtype=np.uint64)).astype(float)
        waits = torch.from_numpy(-np.log(u)).to(sample.device) / (squared.mean() + squared)
        first = waits.argsort(stable=True)[: self.n_buckets]
        self.centres[t, : len(first)] = sample[first].to(self.centres.dtype)

    def _scores(self, x: Tensor, t: int) -> Tensor:
        centres = self.centres[t].float()
        return x @ centres.T - centres.square().sum(dim=1) / 2 - self.penalties[t].float()

    def _nearest(self, x: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Return the cell of each vector, and by how much it is nearer than the next."""
        cells, margins = [], []
        for block in x.split(max(1, BLOCK // self.n_buckets)):
            best = self._scores(block, t).topk(min(2, self.n_buckets), dim=1)
            cells.append(best.indices[:, 0])
            margins.append(best.values[:, 0] - best.values[:, -1])
        return torch.cat(cells), torch.cat(margins)

    def _move_centres(self, t: int, sample: Tensor, cells: Tensor) -> None:
        sizes = torch.bincount(cells, minlength=self.n_buckets)
        means = torch.segment_reduce(sample[cells.argsort(stable=True)], "sum", lengths=sizes)
        means = (means / sizes.clamp(min=1)[:, None]).to(self.centres.dtype)
        self.centres[t] = torch.where(sizes[:, None] > 0, means, self.centres[t])

    def _balance(self, t: int, cells: Tensor, margins: Tensor) -> None:
        """Raise penalties until the surplus of each large cell, by smallest margin, would leave it."""
        limit = max(1, LARGEST_CELL * len(cells) // self.n_buckets)
        sizes = torch.bincount(cells, minlength=self.n_buckets)
        order = margins.argsort(stable=True)
        margins = margins[order[cells[order].argsort(stable=True)]]  # cell by cell, smallest first
        large = (sizes > limit).nonzero()[:, 0]
        stays = offsets_of(sizes)[large] + sizes[large] - limit
        self.penalties[t, large] += ((margins[stays - 1] + margins[stays]) / 2).to(self.penalties.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return the cell of each vector in each table, (n, n_tables) int64.

        Parameters
        ----------
        x : Tensor of shape (n, width), floating point
            The vectors.

        Raises
        ------
        InputError
            `x` has another shape or type, or nothing has been learned.
        """
        blocks = self._split(self._checked(x))
        scores = ([self._scores(block, t) for t in range(self.n_tables)] for block in blocks)
        return torch.cat([torch.stack([s.argmax(dim=1) for s in tables], dim=1) for tables in scores])

    def probe(self, x: Tensor, probes: int) -> Tensor:
        """Return the cells whose centres have the largest inner products with each query.

        Parameters
        ----------
        x : Tensor of shape (n, width), floating point
            The queries.
        probes : int
            Cells in each table.

        Returns
        -------
        Tensor of shape (n, n_tables, probes), int64
            Best first; -1 where a table has no more.
        """
        probes = check_int("probes", probes, 1, 2**24)
        found = [
            self._probe_block(block, min(probes, self.n_buckets)) for block in self._split(self._checked(x))
        ]
        return nn.functional.pad(torch.cat(found), (0, probes - found[0].shape[2]), value=-1)

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        return x.split(max(1, BLOCK // (self.n_buckets * self.n_tables)))

    def _probe_block(self, x: Tensor, probes: int) -> Tensor:
        return (x @ self.centres.float().transpose(1, 2)).transpose(0, 1).topk(probes, dim=2).indices

    def follow(self, x: Tensor, buckets: Tensor, sizes: Tensor) -> None:
        """Move each centre towards the vectors that have been hashed into its cell again.

        Parameters
        ----------
        x : Tensor of shape (n, width), floating point
            The vectors.
        buckets : Tensor of shape (n, n_tables), integers
            Their cells.
        sizes : Tensor of shape (n_tables, cells), integers
            Vectors in each cell; a centre moves by 1 / size for each vector.
        """
        x = self._checked(x)
        buckets = check_integers("buckets", buckets, (len(x), self.n_tables), 0, self.n_buckets - 1)
        sizes = check_integers("sizes", sizes, (self.n_tables, self.n_buckets), 0, 2**62)
        for t in range(self.n_tables):
            cells, order = buckets[:, t].sort(stable=True)
            touched, counts = cells.unique_consecutive(return_counts=True)
            means = torch.segment_reduce(x[order], "mean", lengths=counts)
            left = (1 - 1 / sizes[t, touched].clamp(min=1).double()) ** counts  # of the old centre
            moved = means + left.float()[:, None] * (self.centres[t, touched].float() - means)
            self.centres[t, touched] = moved.to(self.centres.dtype)

    def _checked(self, x: Tensor) -> Tensor:
        if not self.is_learned:
            raise InputError("The cells have not been learned yet; call learn() with the vectors first.")
        return check_vectors("x", x, self.width)
