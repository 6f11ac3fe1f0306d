"""Minima of the support under random permutations, kept to four bits each."""

import numpy as np
import torch
from torch import Tensor

from hashslide._checks import check_int
from hashslide.reference.rng import CounterRng, mix
from hashslide.torch.hashing.elementary import Elementary, ElementaryFamily, as_words
from hashslide.torch.hashing.winners import ATTEMPTS, donor_bins

__all__ = ["MinHash"]

EMPTY = 2**63 - 1  # above all words: the largest of the signed ones
LOW_HALF = 2**32 - 1


def __dir__() -> list[str]:
    return __all__


class MinHash(ElementaryFamily):
    """Four bits of the minimum of the support in a bin of a permutation (Broder 1997; Li & König 2010).

    Two vectors whose supports have the Jaccard similarity J agree with chance J + (1 - J)/16.

    Parameters
    ----------
    width : int
        Coordinates of a vector.
    size : int
        Number of vectors that the tables are to hold.
    tables, hashes : int
        L tables of K minima.
    top : int
        Of more than so many coordinates that are not zero, the largest are the support.
    seed : int
        Seed of the functions.
    """

    words: Tensor  # (width, permutations): rank and id, as integers that order like the unsigned words
    kept: Tensor  # (width + 1, permutations): four bits of each word; the last row is that of no word
    donors: Tensor  # (n_hashes, ATTEMPTS)

    def __init__(
        self, width: int, size: int, *, tables: int = 50, hashes: int = 4, top: int = 32, seed: int = 0
    ) -> None:
        top = check_int("top", top, 1, 2**31 - 1)
        super().__init__(width, size, tables=tables, hashes=hashes, bits=4, stream="minhash", seed=seed)
        self.top = min(top, self.width)
        self.bins = 1 << (max(self.top // 2, 1).bit_length() - 1)
        self.permutations = -(-self.n_hashes // self.bins)
        self.draw()

    def draw_hashes(self, rng: CounterRng) -> None:
        """Draw the ranks of all coordinates, and the donors of empty bins."""
        n, ids = self.permutations, np.arange(self.width, dtype=np.uint64)[:, None]
        ranks = rng.bits(np.arange(n * self.width, dtype=np.uint64)).reshape(self.width, n) >> np.uint64(32)
        words = ranks << np.uint64(32) | ids
        empty = np.full((1, n), np.iinfo(np.uint64).max)
        kept = (mix(np.concatenate([words, empty])) >> np.uint64(60)).astype(np.int64)
        self._keep("words", as_words(words ^ np.uint64(1 << 63)))
        self._keep("kept", torch.from_numpy(kept))
        i = np.arange(self.n_hashes * ATTEMPTS, dtype=np.uint64) + np.uint64(1 << 61)
        self._keep("donors", torch.from_numpy(rng.below(i, self.bins)).reshape(-1, ATTEMPTS))

    @property
    def numbers_per_vector(self) -> int:
        """The words of the support, or the donors."""
        return max(self.permutations * self.top, self.n_hashes * ATTEMPTS, self.width)

    def elementary(self, x: Tensor) -> Elementary:
        """Return the minima, the next smallest, and the magnitude of the minimum's coordinate."""
        n, bins = len(x), self.bins
        ids, present = self._support(x)
        words = self.words[ids]  # (n, top, permutations)
        place = ((words >> 32) + 2**31) * bins >> 32
        at = (place + bins * torch.arange(self.permutations, device=x.device)).flatten(1)
        words = torch.where(present[:, :, None], words, EMPTY).flatten(1)
        none = words.new_full((n, self.permutations * bins), EMPTY)
        first = none.scatter_reduce(1, at, words, "amin")
        others = torch.where(words == first.gather(1, at), EMPTY, words)
        second = none.scatter_reduce(1, at, others, "amin")

        hash_ = torch.arange(self.n_hashes, device=x.device)
        permutation, own = hash_ // bins, hash_ % bins
        full = (first < EMPTY).reshape(n, self.permutations, bins)
        source = torch.cat(
            [
                donor_bins(full[:, p], self.donors[p * bins : (p + 1) * bins], own[p * bins : (p + 1) * bins])
                for p in range(self.permutations)
            ],
            dim=1,
        )
        source = source + permutation * bins
        first, second = first.gather(1, source), second.gather(1, source)
        none_first, none_second = first == EMPTY, second == EMPTY
        first_id = torch.where(none_first, self.width, first & LOW_HALF)
        second_id = torch.where(none_second, self.width, second & LOW_HALF)
        magnitudes = x.gather(1, first_id.clamp(max=self.width - 1)).abs()
        return Elementary(
            self.kept[first_id, permutation],
            self.kept[second_id, permutation],
            torch.where(none_second, torch.inf, magnitudes),
        )

    def _support(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return `top` ids of each vector, largest values first, and which of them are in the support."""
        values = torch.where(x == 0, -torch.inf, x)
        values, order = values.sort(dim=1, descending=True, stable=True)
        return order[:, : self.top], values[:, : self.top] > -torch.inf
