"""What ranks send each other: the interface that every protocol is written on, and that of a rank alone."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

__all__ = ["Alone", "Done", "Exchange", "Pending"]


def __dir__() -> list[str]:
    return __all__


class Pending(Protocol):
    """An exchange that has been started."""

    def wait(self) -> list[NDArray[Any]]:
        """Return what each rank sent to this one, once all of it is there."""
        ...


class Exchange(Protocol):
    """Messages between `size` ranks, of which this is number `rank`.

    All ranks make the same calls in the same order. Arrays are of one dimension and contiguous. What this
    rank sends to itself is handed on as it is, not copied.

    Attributes
    ----------
    rank, size : int
    bytes_sent : Counter of str
        Bytes of arrays that were sent to other ranks, by purpose: "features", "labels", "activations",
        "partition", "rows", "gradients", "control".
    """

    rank: int
    size: int
    bytes_sent: Counter[str]

    def start_all_to_all(
        self, parts: Sequence[NDArray[Any]], purpose: str, sizes: Sequence[int] | None = None
    ) -> Pending:
        """Begin to send ``parts[r]`` to each rank r; the parts stay as they are until `Pending.wait` returns.

        Parameters
        ----------
        parts : sequence of arrays of one dtype
            One for each rank, of any lengths.
        purpose : str
            What the bytes are counted as.
        sizes : sequence of int, optional
            The lengths of what the ranks send to this one, where they are known: that saves a message.
        """
        ...

    def all_to_all(
        self, parts: Sequence[NDArray[Any]], purpose: str, sizes: Sequence[int] | None = None
    ) -> list[NDArray[Any]]:
        """Send ``parts[r]`` to each rank r; return what each rank sent to this one."""
        ...

    def all_gather(
        self, array: NDArray[Any], purpose: str, sizes: Sequence[int] | None = None
    ) -> list[NDArray[Any]]:
        """Send an array to all ranks; return the arrays of all of them."""
        ...

    def barrier(self) -> None:
        """Return once all ranks have called it."""
        ...


class Done:
    """An exchange that is over."""

    def __init__(self, arrays: list[NDArray[Any]]) -> None:
        self._arrays = arrays

    def wait(self) -> list[NDArray[Any]]:
        """Return what was sent to this rank."""
        return self._arrays


class Alone:
    """The exchange of a single rank: nothing is sent."""

    rank, size = 0, 1

    def __init__(self) -> None:
        self.bytes_sent: Counter[str] = Counter()

    def start_all_to_all(
        self, parts: Sequence[NDArray[Any]], purpose: str, sizes: Sequence[int] | None = None
    ) -> Pending:
        """Hand the part on; see `Exchange`."""
        return Done(list(parts))

    def all_to_all(
        self, parts: Sequence[NDArray[Any]], purpose: str, sizes: Sequence[int] | None = None
    ) -> list[NDArray[Any]]:
        """Return the part; see `Exchange`."""
        return list(parts)

    def all_gather(
        self, array: NDArray[Any], purpose: str, sizes: Sequence[int] | None = None
    ) -> list[NDArray[Any]]:
        """Return the array; see `Exchange`."""
        return [array]

    def barrier(self) -> None:
        """Return at once."""
