"""Packed bits of all rows, scanned by their Hamming distance to a query."""

import numpy as np
import torch
from torch import Tensor, nn

from hashslide._checks import check_bool, check_int
from hashslide.errors import InputError
from hashslide.torch import fused as triton_kernels
from hashslide.torch.hashing.inputs import check_integers, check_rows

__all__ = ["Codes", "pack_bits", "popcount"]

WORD = 64
BLOCK = 2**20  # distances that are held at once
FEWEST_ROWS = 2**12  # of a block


def __dir__() -> list[str]:
    return __all__


def pack_bits(bits: Tensor) -> Tensor:
    """Pack bits into words of 64.

    Parameters
    ----------
    bits : Tensor of shape (n, n_bits), bool
        Bit j of a row goes to place j % 64 of word j // 64; what is left of the last word is 0.

    Returns
    -------
    Tensor of shape (n, ceil(n_bits / 64)), int64
    """
    if not isinstance(bits, Tensor) or bits.dtype != torch.bool or bits.ndim != 2:
        raise InputError("bits are to be a bool tensor (n, n_bits); compare with 0 to make one of numbers.")
    n, n_bits = bits.shape
    bits = nn.functional.pad(bits, (0, -n_bits % WORD)).reshape(n, -(-n_bits // WORD), WORD)
    places = torch.ones((), dtype=torch.int64, device=bits.device) << torch.arange(WORD, device=bits.device)
    return (bits * places).sum(
        dim=2
    )  # the places differ, so that the sum only sets bits, the sign among them


def popcount(words: Tensor) -> Tensor:
    """Return how many bits of each int64 are 1.

    On the CPU by NumPy, which has an instruction for it; elsewhere by adding neighbouring fields of bits.
    """
    if words.device.type == "cpu" and hasattr(np, "bitwise_count"):
        # NumPy counts the bits of the magnitude of signed numbers: it has to see unsigned ones.
        return torch.from_numpy(np.bitwise_count(words.numpy().view(np.uint64)))
    pairs = words - ((words >> 1) & 0x5555555555555555)
    fours = (pairs & 0x3333333333333333) + ((pairs >> 2) & 0x3333333333333333)
    bytes_ = (fours + (fours >> 4)) & 0x0F0F0F0F0F0F0F0F
    return ((bytes_ * 0x0101010101010101) >> 56 & 0xFF).to(torch.uint8)


class Codes(nn.Module):
    """The codes of rows 0 .. size - 1, and the exact nearest ones by Hamming distance.

    Parameters
    ----------
    n_bits : int
        Bits of a code.
    size : int
        Number of rows. A row is absent, and never found, until it gets a code.
    device : torch.device, optional
        Where the codes lie.
    fused : bool, default False
        Find the distances by a Triton kernel, `hashslide.torch.fused`, on a GPU.
    """

    words: Tensor  # (ceil(n_bits / 64), size): a scan reads one word of many rows after the other
    absent: Tensor

    def __init__(
        self, n_bits: int, size: int, *, device: torch.device | str | None = None, fused: bool = False
    ) -> None:
        super().__init__()
        self.fused = check_bool("fused", fused)
        if fused:
            triton_kernels.check()
        self.n_bits = check_int("n_bits", n_bits, 1, 2**14)
        self.size = check_int("size", size, 1, 2**31 - 1)
        words = torch.zeros(-(-self.n_bits // WORD), self.size, dtype=torch.int64, device=device)
        self.register_buffer("words", words, persistent=False)
        absent = torch.ones(self.size, dtype=torch.bool, device=device)
        self.register_buffer("absent", absent, persistent=False)

    def update(self, rows: Tensor, bits: Tensor) -> None:
        """Give rows their codes. O(rows).

        Parameters
        ----------
        rows : Tensor of shape (n,), integers
            Different rows.
        bits : Tensor of shape (n, n_bits), bool
            Their codes, such as `SimHash.signs` returns them.

        Raises
        ------
        InputError
            Of another shape or type, or a row is named twice; nothing is changed then.
        """
        rows = check_rows(rows, self.size)
        packed = self._packed(bits)
        if len(packed) != len(rows):
            raise InputError(f"bits has {len(packed)} rows for {len(rows)} rows; give each its own.")
        self.words[:, rows] = packed.T
        self.absent[rows] = False

    def remove(self, rows: Tensor) -> None:
        """Make rows (n,) absent."""
        self.absent[check_integers("rows", rows, (None,), 0, self.size - 1)] = True

    def _packed(self, bits: Tensor) -> Tensor:
        if isinstance(bits, Tensor) and bits.ndim == 2 and bits.shape[1] != self.n_bits:
            raise InputError(f"bits has {bits.shape[1]} columns; accepted are {self.n_bits}.")
        return pack_bits(bits)

    def nearest(self, bits: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Return the k rows of smallest Hamming distance, nearest first; of equally near ones the first rows.

        Blocks of rows are scanned one after the other: never all distances are held at once.
        O(n size n_bits / 64).

        Parameters
        ----------
        bits : Tensor of shape (n, n_bits), bool
            Codes of the queries.
        k : int
            Rows to find.

        Returns
        -------
        rows, distances : Tensor of shape (n, k), int64
            -1 in both where there are no more rows.
        """
        k = check_int("k", k, 1, 2**31 - 1)
        queries = self._packed(bits)
        n, width = len(queries), max(FEWEST_ROWS, BLOCK // max(1, len(queries)))
        far = WORD * len(self.words) + 1  # farther than any
        keys = torch.full((n, 0), 0, dtype=torch.int64, device=queries.device)
        for begin in range(0, self.size, width):
            distances = self._distances(queries, begin, min(begin + width, self.size), far)
            # One number orders by distance and then by row.
            rows = torch.arange(distances.shape[1], dtype=torch.int32, device=distances.device)
            found = (
                (distances.int() * width + rows).topk(min(k, len(rows)), dim=1, largest=False).values.long()
            )
            found = (found // width) * self.size + begin + found % width
            keys = torch.cat([keys, found], dim=1).sort(dim=1).values[:, :k]
        keys = nn.functional.pad(keys, (0, k - keys.shape[1]), value=far * self.size)
        distances, rows = keys // self.size, keys % self.size
        return torch.where(distances < far, rows, -1), torch.where(distances < far, distances, -1)

    def _distances(self, queries: Tensor, begin: int, end: int, far: int) -> Tensor:
        if self.fused:
            total = triton_kernels.distances(self.words, queries, begin, end)
        else:
            total = torch.zeros(len(queries), end - begin, dtype=torch.int16, device=queries.device)
            for word, of_queries in zip(self.words, queries.T, strict=True):
                total += popcount(word[begin:end] ^ of_queries[:, None])
        return total.masked_fill_(self.absent[begin:end], far)
