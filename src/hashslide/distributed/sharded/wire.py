"""How activations and their gradients travel: as they are, or as bfloat16 in half the bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import _core

__all__ = ["WIRES", "Wire"]


def __dir__() -> list[str]:
    return __all__


WIRES = ("float32", "bfloat16")


class Wire:
    """Float32 arrays on their way to other ranks and back.

    Every rank reads what was sent, also of its own arrays: so all go on with the same numbers.

    Parameters
    ----------
    name : {"float32", "bfloat16"}
        float32: nothing is changed. bfloat16: numbers are rounded to the nearest; what a step's rounding
        leaves of gradients is added to those of the next step (error feedback), so that sums over many steps
        are right.

    Attributes
    ----------
    dtype : dtype
        Of what is sent.
    """

    def __init__(self, name: str) -> None:
        self._is_half = name == "bfloat16"
        self.dtype: np.dtype[Any] = np.dtype(np.uint16 if self._is_half else np.float32)
        self._residuals: dict[str, NDArray[np.float32]] = {}

    def length(self, n: int, n_whole: int = 0) -> int:
        """Return the length of what is sent for n numbers and `n_whole` that are not rounded."""
        return n + n_whole * (2 if self._is_half else 1)

    def write(
        self, values: NDArray[np.float32], feedback: str | None = None, n_whole: int = 0
    ) -> NDArray[Any]:
        """Return what to send.

        Parameters
        ----------
        values : float32 array of shape (n,)
        feedback : str, optional
            Where the rounding errors are kept until the next call.
        n_whole : int
            The last so many numbers are not rounded.
        """
        if not self._is_half:
            return values
        n = len(values) - n_whole
        sent = np.empty(self.length(n, n_whole), np.uint16)
        _core.to_wire(values[:n], None if feedback is None else self._residual(feedback, n), sent[:n])
        sent[n:] = values[n:].view(np.uint16)
        return sent

    def read(self, arrays: Sequence[NDArray[Any]], n_whole: int = 0) -> list[NDArray[np.float32]]:
        """Return the numbers of each rank."""
        if not self._is_half:
            return list(arrays)
        return [self._read(array, n_whole) for array in arrays]

    def _read(self, sent: NDArray[np.uint16], n_whole: int) -> NDArray[np.float32]:
        n = len(sent) - 2 * n_whole
        values = np.empty(n + n_whole, np.float32)
        _core.from_wire(sent[:n], values[:n])
        values[n:].view(np.uint16)[:] = sent[n:]
        return values

    def _residual(self, name: str, n: int) -> NDArray[np.float32]:
        """Return the errors of the first n places; places that there were not before have none."""
        old = self._residuals.get(name, np.empty(0, np.float32))
        if len(old) < n:
            old = self._residuals[name] = np.concatenate([old, np.zeros(n - len(old), np.float32)])
        return old[:n]
