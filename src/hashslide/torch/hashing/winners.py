"""The place of the largest of a few coordinates: WTA, and DWTA for vectors with zeros."""

import numpy as np
import torch
from torch import Tensor

from hashslide._checks import check_int
from hashslide.errors import InputError
from hashslide.reference.rng import CounterRng
from hashslide.torch.hashing.elementary import Elementary, ElementaryFamily, permutations

__all__ = ["DWTA", "WTA", "donor_bins"]

ATTEMPTS = 16  # to borrow from a random bin, before the next full one is taken


def __dir__() -> list[str]:
    return __all__


class WTA(ElementaryFamily):
    """The place of the largest of `bin_size` coordinates (Yagnik et al. 2011).

    Parameters
    ----------
    width : int
        Coordinates of a vector.
    size : int
        Number of vectors that the tables are to hold.
    tables, hashes : int
        L tables of K places.
    bin_size : int, a power of two
        Coordinates that one hash compares.
    seed : int
        Seed of the functions.
    """

    coordinates: Tensor  # (n_hashes, bin_size)

    def __init__(
        self, width: int, size: int, *, tables: int = 50, hashes: int = 6, bin_size: int = 8, seed: int = 0
    ) -> None:
        bin_size = check_int("bin_size", bin_size, 2, 2**16)
        if bin_size & (bin_size - 1):
            raise InputError(f"bin_size is {bin_size}; accepted is a power of two from 2 to 65536.")
        bits = bin_size.bit_length() - 1
        super().__init__(width, size, tables=tables, hashes=hashes, bits=bits, stream="wta", seed=seed)
        self.bin_size = min(bin_size, self.width)
        self.draw()

    def draw_hashes(self, rng: CounterRng) -> None:
        """Cut permutations of the coordinates into bins."""
        bins = self.width // self.bin_size
        counts = [min(bins, self.n_hashes - b) * self.bin_size for b in range(0, self.n_hashes, bins)]
        drawn = [item for items in permutations(rng, self.width, counts) for item in items]
        self._keep("coordinates", torch.tensor(drawn).reshape(-1, self.bin_size))

    @property
    def numbers_per_vector(self) -> int:
        """The coordinates of all bins."""
        return self.n_hashes * self.bin_size

    def elementary(self, x: Tensor) -> Elementary:
        """Return the places of the largest and the second largest, and the lead; equal: the first wins."""
        bins = x[:, self.coordinates]
        values = bins.argmax(dim=2, keepdim=True)
        best = bins.gather(2, values)
        bins.scatter_(2, values, -torch.inf)
        seconds = bins.argmax(dim=2, keepdim=True)
        gaps = best - bins.gather(2, seconds)  # NaN where a bin is empty
        return Elementary(values[..., 0], seconds[..., 0], gaps[..., 0].nan_to_num_(torch.inf, torch.inf))


class DWTA(WTA):
    """WTA among the coordinates that are not zero; an empty bin borrows (Chen & Shrivastava 2018).

    Parameters
    ----------
    width : int
        Coordinates of a vector.
    size : int
        Number of vectors that the tables are to hold.
    tables, hashes : int
        L tables of K places.
    bin_size : int, a power of two
        Coordinates that one hash compares.
    seed : int
        Seed of the functions.
    """

    donors: Tensor  # (n_hashes, ATTEMPTS)

    def draw_hashes(self, rng: CounterRng) -> None:
        """Draw bins, and for each the bins that it may borrow from."""
        super().draw_hashes(rng)
        i = np.arange(self.n_hashes * ATTEMPTS, dtype=np.uint64) + np.uint64(1 << 61)
        self._keep("donors", torch.from_numpy(rng.below(i, self.n_hashes)).reshape(-1, ATTEMPTS))

    @property
    def numbers_per_vector(self) -> int:
        """The coordinates of all bins, or their donors."""
        return self.n_hashes * max(self.bin_size, ATTEMPTS)

    def elementary(self, x: Tensor) -> Elementary:
        """Return what `WTA` does, of the coordinates present; an empty bin has what its donor has."""
        x = torch.where(x == 0, -torch.inf, x)
        found = super().elementary(x)
        full = (x[:, self.coordinates] > -torch.inf).any(dim=2)
        lacking = (~full).any(dim=1).nonzero()[:, 0]
        if not len(lacking):
            return found
        source = donor_bins(full[lacking], self.donors)
        return Elementary(*(part.index_copy(0, lacking, part[lacking].gather(1, source)) for part in found))


def donor_bins(full: Tensor, donors: Tensor, own: Tensor | None = None) -> Tensor:
    """Return the bin that each hash reads: its own if full, the first full donor, or the next full bin.

    Parameters
    ----------
    full : Tensor of shape (n, bins), bool
        Which bins hold anything.
    donors : Tensor of shape (hashes, attempts)
        The bins that a hash may borrow from, in their order.
    own : Tensor of shape (hashes,), optional
        The bin of each hash; by default hash i has bin i.

    Returns
    -------
    Tensor of shape (n, hashes)
        A hash's own bin where all bins are empty.
    """
    n, bins = full.shape
    own = torch.arange(bins, device=full.device) if own is None else own
    may = full[:, donors]  # (n, hashes, attempts)
    first = may.int().argmax(dim=2, keepdim=True)
    borrowed = donors.expand(n, *donors.shape).gather(2, first)[..., 0]
    ring = torch.arange(2 * bins, device=full.device)
    nearest = torch.where(full.repeat(1, 2), ring, 2 * bins).flip(1).cummin(dim=1).values.flip(1)[:, own]
    following = torch.where(nearest < 2 * bins, nearest % bins, own)
    return torch.where(full[:, own], own, torch.where(may.any(dim=2), borrowed, following))
