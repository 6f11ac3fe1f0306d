"""Hamming distances of packed codes: each word of a row is read once for a query."""

import torch
import triton
import triton.language as tl
from torch import Tensor

__all__ = ["distances"]


def __dir__() -> list[str]:
    return __all__


BLOCK = 512  # rows of a program
FIELD_1, FIELD_2, FIELD_4, EACH_BYTE = (
    tl.constexpr(0x5555555555555555),
    tl.constexpr(0x3333333333333333),
    tl.constexpr(0x0F0F0F0F0F0F0F0F),
    tl.constexpr(0x0101010101010101),
)


@triton.jit
def _distances(words, queries, out, begin, end, size, n_words, BLOCK: tl.constexpr):
    """Add the numbers of different bits of all words."""
    query = tl.program_id(0).to(tl.int64)
    places = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = begin + places < end
    total = tl.full((BLOCK,), 0, tl.int32)
    for word in range(n_words):
        of_query = tl.load(queries + query * n_words + word)
        of_rows = tl.load(words + word * size + begin + places, mask=mask, other=0)
        x = (of_rows ^ of_query).to(tl.uint64)
        x = x - ((x >> 1) & FIELD_1)  # neighbouring fields of bits are added
        x = (x & FIELD_2) + ((x >> 2) & FIELD_2)
        x = (x + (x >> 4)) & FIELD_4
        total += ((x * EACH_BYTE) >> 56).to(tl.int32)
    tl.store(out + query * (end - begin) + places, total.to(tl.int16), mask=mask)


def distances(words: Tensor, queries: Tensor, begin: int, end: int) -> Tensor:
    """Return the Hamming distances of queries to the rows begin .. end - 1.

    Parameters
    ----------
    words : int64 tensor of shape (n_words, size)
        Of `hashslide.torch.hashing.Codes`.
    queries : int64 tensor of shape (n, n_words)
    begin, end : int

    Returns
    -------
    int16 tensor of shape (n, end - begin)
    """
    out = torch.empty(len(queries), end - begin, dtype=torch.int16, device=words.device)
    grid = (len(queries), triton.cdiv(end - begin, BLOCK))
    if out.numel():
        _distances[grid](
            words, queries.contiguous(), out, begin, end, words.shape[1], len(words), BLOCK=BLOCK
        )
    return out
