"""How often each feature occurs, counted by all ranks together."""

import mmap
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hashslide._validation import blocks
from hashslide.data.pack import Pack
from hashslide.distributed.exchange import Exchange

__all__ = ["feature_counts"]


def __dir__() -> list[str]:
    return __all__


def feature_counts(pack: Pack, n_rows: int, exchange: Exchange) -> NDArray[np.int64]:
    """Return in how many of the first `n_rows` examples of a pack each feature occurs. Collective.

    Each rank reads its part of the examples, adds up its part of the features, and gets the sums of
    the others.
    """
    rank, size = exchange.rank, exchange.size
    first, last = n_rows * rank // size, n_rows * (rank + 1) // size
    counts = np.zeros(pack.n_features, np.int64)
    for begin, end in blocks(last - first, pack.block_rows):
        begin, end = first + begin, first + end
        ids, found = np.unique(pack.examples(begin, end)[0].indices, return_counts=True)
        counts[ids] += found
        pack.advise(begin, end, mmap.MADV_DONTNEED)
    bounds = [len(counts) * r // size for r in range(size + 1)]
    parts = [counts[a:b] for a, b in pairwise(bounds)]
    own = np.asarray(np.sum(exchange.all_to_all(parts, "control"), axis=0))
    return np.concatenate(exchange.all_gather(own, "control"))
