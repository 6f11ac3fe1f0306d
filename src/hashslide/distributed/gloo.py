"""Messages between processes by torch.distributed's gloo."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import DTypeLike, NDArray

from hashslide.errors import InputError

__all__ = ["GlooExchange"]


def __dir__() -> list[str]:
    return __all__


class GlooExchange:
    """The exchange of an initialised process group (`hashslide.distributed.exchange.Exchange`).

    Each message is a pair of `isend` and `irecv` with a tag of its own: gloo's collectives want equal sizes,
    or cost a round of messages more. gloo sends nothing before the other side has said that it waits for it;
    so what is expected early arrives without that delay. A rank that does not answer within the time-out of
    the group raises an error of torch.
    """

    def __init__(self) -> None:
        if not dist.is_initialized():
            raise InputError("there is no process group. Call GlooExchange.join in each of the processes.")
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.bytes_sent: Counter[str] = Counter()
        self._tags = count()

    @classmethod
    def join(cls, timeout_s: float = 60.0, init_method: str | None = None, **group: Any) -> "GlooExchange":
        """Join the process group that the environment names, as torchrun sets it.

        Parameters
        ----------
        timeout_s : float, default 60
            How long to wait for another rank, here and in each exchange.
        init_method : str, optional
            Of `torch.distributed.init_process_group`, such as ``file:///path``; then with `rank` and
            `world_size`.
        **group
            Further arguments of that function.
        """
        dist.init_process_group(
            "gloo", timeout=timedelta(seconds=timeout_s), init_method=init_method, **group
        )
        return cls()

    def expect(self, dtype: DTypeLike, sizes: Sequence[int]) -> "_Messages":
        """Say what arrays the ranks are going to send to this one; see `Exchange`."""
        messages = _Messages(self, np.dtype(dtype))
        messages.receive(sizes)
        return messages

    def start_all_to_all(
        self, parts: Sequence[NDArray[Any]], purpose: str, sizes: Sequence[int] | None = None
    ) -> "_Messages":
        """Begin to send each rank its part; see `Exchange`."""
        messages = _Messages(self, parts[0].dtype)
        if sizes is None:
            messages.exchange_sizes([len(part) for part in parts])
        else:
            messages.receive(sizes)
        messages.send(parts, purpose)
        return messages

    def all_to_all(
        self, parts: Sequence[NDArray[Any]], purpose: str, sizes: Sequence[int] | None = None
    ) -> list[NDArray[Any]]:
        """Send each rank its part; see `Exchange`."""
        return self.start_all_to_all(parts, purpose, sizes).wait()

    def all_gather(
        self, array: NDArray[Any], purpose: str, sizes: Sequence[int] | None = None
    ) -> list[NDArray[Any]]:
        """Send an array to all ranks; see `Exchange`."""
        return self.all_to_all([array] * self.size, purpose, sizes)

    def barrier(self) -> None:
        """Return once all ranks have called it."""
        dist.barrier()

    @property
    def others(self) -> list[int]:
        """All other ranks, that after this one first: so not all begin with the same one."""
        return [(self.rank + step) % self.size for step in range(1, self.size)]

    def next_tag(self) -> int:
        """Return a tag that all ranks give to the same exchange, as they make the same calls."""
        return next(self._tags) % (1 << 30)


class _Messages:
    """One exchange under way: an array from and to each other rank."""

    def __init__(self, exchange: GlooExchange, dtype: np.dtype[Any]) -> None:
        self._exchange, self._dtype = exchange, dtype
        self._tag, self._size_tag = exchange.next_tag(), exchange.next_tag()
        self._sends: list[Any] = []
        self._receives: list[Any] = []
        self._sizes: NDArray[np.int64] | None = None
        self._received: list[NDArray[Any]] = []

    def exchange_sizes(self, sizes: Sequence[int]) -> None:
        """Tell the other ranks the lengths of what they get."""
        own, self._sizes = np.array(sizes, np.int64), np.zeros(len(sizes), np.int64)
        for other in self._exchange.others:
            self._receives.append(
                dist.irecv(_bytes(self._sizes[other : other + 1]), other, tag=self._size_tag)
            )
            self._sends.append(dist.isend(_bytes(own[other : other + 1]), other, tag=self._size_tag))

    def receive(self, sizes: Sequence[int]) -> None:
        """Begin to receive arrays of known lengths."""
        self._received = [np.empty(size, self._dtype) for size in sizes]
        for other in self._exchange.others:
            if sizes[other]:
                self._receives.append(dist.irecv(_bytes(self._received[other]), other, tag=self._tag))

    def send(self, parts: Sequence[NDArray[Any]], purpose: str) -> None:
        """Begin to send; see `Exchange.expect`."""
        self._parts = parts
        for other in self._exchange.others:
            self._exchange.bytes_sent[purpose] += parts[other].nbytes
            if len(parts[other]):
                self._sends.append(dist.isend(_bytes(parts[other]), other, tag=self._tag))

    def wait(self) -> list[NDArray[Any]]:
        """Return what each rank has sent to this one."""
        self._finish(self._receives)
        if self._sizes is not None:
            self.receive(self._sizes.tolist())
            self._finish(self._receives)
        self._finish(self._sends)
        self._received[self._exchange.rank] = self._parts[self._exchange.rank]
        return self._received

    def _finish(self, messages: list[Any]) -> None:
        for message in messages:
            message.wait()
        messages.clear()


def _bytes(array: NDArray[Any]) -> torch.Tensor:
    """Return the bytes of an array as a tensor around the same memory; of one that is read-only, a copy."""
    return torch.from_numpy((array if array.flags.writeable else array.copy()).view(np.uint8))
