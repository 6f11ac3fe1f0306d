"""Lists of different lengths in flat arrays: list i is what lies from offsets[i] to offsets[i + 1]."""

import torch
from torch import Tensor

__all__ = ["best_of_each", "expand_ranges", "offsets_of"]


def __dir__() -> list[str]:
    return __all__


def offsets_of(lengths: Tensor) -> Tensor:
    """Return where lists of these lengths begin, and where the last one ends: (n + 1,) int64."""
    return torch.cat([lengths.new_zeros(1, dtype=torch.int64), lengths.cumsum(0)])


def expand_ranges(begin: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return all numbers of the ranges begin[i] .. begin[i] + lengths[i] - 1, and for each its i."""
    owner = torch.repeat_interleave(torch.arange(len(begin), device=begin.device), lengths)
    within = torch.arange(len(owner), device=begin.device) - offsets_of(lengths)[owner]
    return begin[owner] + within, owner


def best_of_each(scores: Tensor, offsets: Tensor, k: int) -> Tensor:
    """Return the places of the k largest scores of each list, largest first; of equal ones the first.

    Parameters
    ----------
    scores : Tensor of shape (total,)
        Of all lists, one after the other.
    offsets : Tensor of shape (n + 1,)
        Where the lists begin.
    k : int
        Places to return.

    Returns
    -------
    Tensor of shape (n, k), int64
        Places in `scores`; -1 where a list is shorter.
    """
    n = len(offsets) - 1
    owner = torch.repeat_interleave(torch.arange(n, device=scores.device), offsets.diff())
    order = scores.argsort(descending=True, stable=True)
    order = order[owner[order].argsort(stable=True)]
    rank = torch.arange(len(order), device=scores.device) - offsets[owner]
    kept = rank < k
    best = offsets.new_full((n, k), -1)
    best[owner[kept], rank[kept]] = order[kept]
    return best
