"""How the ranks' parts of a sum over all shards come together, and how all ranks get what is made of it.

An array (examples, width) has a row for each example of a batch, rank by rank. A note is what a rank tells
the others besides: it travels with an array, as each message takes time of its own.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hashslide.distributed.exchange import Exchange, Expected

from .wire import Wire

__all__ = ["ByAll", "ByOwners", "MakesRows", "Sum"]


def __dir__() -> list[str]:
    return __all__


Floats = NDArray[np.float32]
MakesRows = Callable[[list[Floats]], Floats]
_NO_NOTE = np.empty(0)


class Sum(Protocol):
    """One sum of a step; it waits for what the other ranks send as soon as it is made.

    Attributes
    ----------
    notes : list of float64 array
        Of each rank, after `finish`.
    """

    notes: list[NDArray[np.float64]]

    def start(self, part: Floats, note: NDArray[np.float64] = ...) -> None:
        """Begin to send this rank's part of the sums of all examples, which stays as it is until `finish`."""
        ...

    def finish(self, make: MakesRows) -> list[Floats]:
        """Return the rows of all examples, in runs one after the other.

        Parameters
        ----------
        make : callable
            Takes the parts of some examples, one of each rank, and returns their rows.
        """
        ...


class _OnWire:
    """What both ways have in common.

    Parameters
    ----------
    exchange : Exchange
    wire : Wire
    examples_of : sequence of int
        How many examples each rank has read.
    width : int
    feedback : str, optional
        Of `Wire.write`.
    n_note : int
        Length of the note of each rank.
    """

    def __init__(
        self,
        exchange: Exchange,
        wire: Wire,
        examples_of: Sequence[int],
        width: int,
        feedback: str | None = None,
        n_note: int = 0,
    ) -> None:
        self._exchange, self._wire, self._feedback = exchange, wire, feedback
        self._note_bytes = n_note * _NO_NOTE.itemsize
        self._ends = (np.cumsum(examples_of) * width).tolist()
        self._own = examples_of[exchange.rank] * width
        self.notes: list[NDArray[np.float64]] = []

    def _expect(self, sizes: Sequence[int], note_bytes: int = 0) -> Expected:
        item = self._wire.dtype.itemsize
        return self._exchange.expect(np.uint8, [n * item + note_bytes for n in sizes])

    def _to_all(self, expected: Expected, sent: NDArray[Any], note: NDArray[np.float64]) -> None:
        message = sent.view(np.uint8)
        if self._note_bytes:
            message = np.concatenate([message, note.view(np.uint8)])
        expected.send([message] * self._exchange.size, "activations")

    def _from_all(self, expected: Expected) -> list[Floats]:
        messages, n = expected.wait(), self._note_bytes
        self.notes = [message[len(message) - n :].copy().view(np.float64) for message in messages]
        return self._read([message[: len(message) - n] for message in messages])

    def _read(self, messages: Sequence[NDArray[np.uint8]]) -> list[Floats]:
        return self._wire.read([message.view(self._wire.dtype) for message in messages])


class ByAll(_OnWire):
    """Every rank gets all parts and makes all rows itself: one message, s H B (W - 1) bytes a rank.

    For two ranks these are as many bytes as those of `ByOwners`, in half the messages.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._parts = self._expect([self._ends[-1]] * self._exchange.size, self._note_bytes)

    def start(self, part: Floats, note: NDArray[np.float64] = _NO_NOTE) -> None:
        """Send the part to all ranks; see `Sum`."""
        self._to_all(self._parts, self._wire.write(part, self._feedback), note)

    def finish(self, make: MakesRows) -> list[Floats]:
        """Make all rows; see `Sum`."""
        return [make(self._from_all(self._parts))]


class ByOwners(_OnWire):
    """The rank that has read an example makes its row: two messages, 2 s H B (W - 1) / W bytes a rank."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._parts = self._expect([self._own] * self._exchange.size)
        sizes = [end - begin for begin, end in pairwise([0, *self._ends])]
        self._rows = self._expect(sizes, self._note_bytes)

    def start(self, part: Floats, note: NDArray[np.float64] = _NO_NOTE) -> None:
        """Send each rank what belongs to its examples; see `Sum`."""
        sent, self._note = self._wire.write(part, self._feedback), note
        parts = [sent[begin:end].view(np.uint8) for begin, end in pairwise([0, *self._ends])]
        self._parts.send(parts, "activations")

    def finish(self, make: MakesRows) -> list[Floats]:
        """Make the rows of this rank's examples and send them to all; see `Sum`."""
        rows = make(self._read(self._parts.wait()))
        feedback = None if self._feedback is None else f"{self._feedback} of rows"
        self._to_all(self._rows, self._wire.write(rows, feedback), self._note)
        return self._from_all(self._rows)
