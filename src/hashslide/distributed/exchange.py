"""What ranks send each other: the interface that every protocol is written on, and that of a rank alone."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import DTypeLike, NDArray

__all__ = ["Alone", "Done", "Exchange", "Expected", "Pending"]


def __dir__() -> list[str]:
    return __all__


class Pending(Protocol):
    """An exchange that has been started."""

    def wait(self) -> list[NDArray[Any]]:
        """Return what each rank sent to this one, once all of it is there."""
        ...


class Expected(Pending, Protocol):
    """An exchange of which it is known what arrives, but not yet what is sent."""

    def send(self, parts: Sequence[NDArray[Any]], purpose: str) -> None:
        """Begin to send ``parts[r]`` to each rank r; the parts stay as they are until `wait` returns."""
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

    def expect(self, dtype: DTypeLike, sizes: Sequence[int]) -> Expected:
        """Say what arrays the ranks are going to send to this one, as early as that is known.

        Parameters
        ----------
        dtype : dtype
        sizes : sequence of int
            Lengths of the array of each rank.
        """
        ...

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
    """An exchange in which every part arrives at once."""

    def __init__(self, arrays: Sequence[NDArray[Any]] = ()) -> None:
        self._arrays = list(arrays)

    def send(self, parts: Sequence[NDArray[Any]], purpose: str) -> None:
        """Hand the parts on."""
        self._arrays = list(parts)

    def wait(self) -> list[NDArray[Any]]:
        """Return what was sent to this rank."""
        return self._arrays


class Alone:
    """The exchange of a single rank: nothing is sent."""

    rank, size = 0, 1

    def __init__(self) -> None:
        self.bytes_sent: Counter[str] = Counter()

    def expect(self, dtype: DTypeLike, sizes: Sequence[int]) -> Expected:
        """Wait for the part; see `Exchange`."""
        return Done()

    def start_all_to_all(
        self, parts: Sequence[NDArray[Any]], purpose: str, sizes: Sequence[int] | None = None
    ) -> Pending:
        """Hand the part on; see `Exchange`."""
        return Done(parts)

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
