"""Many strings in two arrays, which may lie in a mapped file; none is decoded before it is asked for."""

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hashslide.errors import InputError

__all__ = ["StringTable"]


def __dir__() -> list[str]:
    return __all__


class StringTable:
    """Strings by their number.

    Parameters
    ----------
    utf8 : uint8 array
        The strings in UTF-8, one after the other.
    offsets : int64 array of shape (n + 1,)
        String i is utf8[offsets[i] : offsets[i + 1]].

    Raises
    ------
    InputError
        The offsets do not rise from 0 to the number of bytes.
    """

    def __init__(self, utf8: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        is_table = utf8.dtype == np.uint8 and offsets.dtype == np.int64 and utf8.ndim == offsets.ndim == 1
        is_table = is_table and len(offsets) > 0 and offsets[0] == 0 and offsets[-1] == len(utf8)
        if not is_table or (offsets[1:] < offsets[:-1]).any():
            raise InputError(f"the offsets of strings do not rise from 0 to their {utf8.size:,} bytes")
        self.utf8, self.offsets = utf8, offsets

    @classmethod
    def of(cls, strings: Iterable[str]) -> "StringTable":
        """Return the table of some strings."""
        encoded = [string.encode() for string in strings]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(string) for string in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> str:
        return self.utf8[self.offsets[i] : self.offsets[i + 1]].tobytes().decode(errors="replace")

    def all(self, errors: str = "replace") -> NDArray[np.object_]:
        """Return all strings; `errors` as of `bytes.decode`."""
        text, found = self.utf8.tobytes(), np.empty(len(self), object)
        found[:] = [
            text[begin:end].decode(errors=errors) for begin, end in itertools.pairwise(self.offsets.tolist())
        ]
        return found

    def arrays(self) -> dict[str, NDArray[np.uint8] | NDArray[np.int64]]:
        """Return the parameters by name."""
        return {"utf8": self.utf8, "offsets": self.offsets}
