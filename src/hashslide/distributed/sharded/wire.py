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
        float32: nothing is changed. bfloat16: numbers are rounded to the nearest.

    Attributes
    ----------
    dtype : dtype
        Of what is sent.
    """

    def __init__(self, name: str) -> None:
        self._is_half = name == "bfloat16"
        self.dtype: np.dtype[Any] = np.dtype(np.uint16 if self._is_half else np.float32)
        self._residuals: dict[str, NDArray[np.float32]] = {}

    def write(self, values: NDArray[np.float32], feedback: str | None = None) -> NDArray[Any]:
        """Return what to send.

        Parameters
        ----------
        values : float32 array of shape (n,)
        feedback : str, optional
            A name under which rounding errors are kept, and added to the values in the same places of the
            next call (error feedback): so sums over many calls are right.
        """
        if not self._is_half:
            return values
        sent = np.empty(len(values), np.uint16)
        _core.to_wire(values, None if feedback is None else self._residual(feedback, len(values)), sent)
        return sent

    def read(self, arrays: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Return the numbers of each rank."""
        return [self._read(array) for array in arrays] if self._is_half else list(arrays)

    def _read(self, sent: NDArray[np.uint16]) -> NDArray[np.float32]:
        values = np.empty(len(sent), np.float32)
        _core.from_wire(sent, values)
        return values

    def _residual(self, name: str, n: int) -> NDArray[np.float32]:
        """Return the errors of the first n places; places that there were not before have none."""
        old = self._residuals.get(name, np.empty(0, np.float32))
        if len(old) < n:
            old = self._residuals[name] = np.concatenate([old, np.zeros(n - len(old), np.float32)])
        return old[:n]
