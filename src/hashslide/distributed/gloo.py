"""Messages between processes by torch.distributed's gloo."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from hashslide.distributed.exchange import Pending
from hashslide.errors import InputError

__all__ = ["GlooExchange"]


def __dir__() -> list[str]:
    return __all__


class GlooExchange:
    """The exchange of an initialised process group (`hashslide.distributed.exchange.Exchange`).

    Each message is a pair of `isend` and `irecv`: gloo's collectives want equal sizes, or cost a round of
    messages more. A rank that does not answer within the time-out of the group raises an error of torch.
    """

    def __init__(self) -> None:
        if not dist.is_initialized():
            raise InputError("there is no process group. Call GlooExchange.join in each of the processes.")
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.bytes_sent: Counter[str] = Counter()

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

    def start_all_to_all(
        self, parts: Sequence[NDArray[Any]], purpose: str, sizes: Sequence[int] | None = None
    ) -> Pending:
        """Begin to send each rank its part; see `Exchange`."""
        others = [(self.rank + step) % self.size for step in range(1, self.size)]
        sends = []
        lengths = np.array([len(part) for part in parts], np.int64)
        arrived = np.zeros(self.size, np.int64)
        if sizes is None:
            for other in others:
                sends.append(dist.isend(_tensor(lengths[other : other + 1]), other))
        for other in others:
            self.bytes_sent[purpose] += parts[other].nbytes
            if len(parts[other]):
                sends.append(dist.isend(_tensor(parts[other]), other))
        if sizes is None:
            _wait([dist.irecv(_tensor(arrived[other : other + 1]), other) for other in others])
            sizes = arrived.tolist()
        received = [
            part if r == self.rank else np.empty(sizes[r], part.dtype) for r, part in enumerate(parts)
        ]
        receives = [dist.irecv(_tensor(received[r]), r) for r in others if len(received[r])]
        return _Messages(sends, receives, received)

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


class _Messages:
    """Messages under way."""

    def __init__(self, sends: list[Any], receives: list[Any], received: list[NDArray[Any]]) -> None:
        self._sends, self._receives, self._received = sends, receives, received

    def wait(self) -> list[NDArray[Any]]:
        _wait(self._receives)
        _wait(self._sends)
        return self._received


def _wait(messages: Sequence[Any]) -> None:
    for message in messages:
        message.wait()


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    """Return the bytes of an array as a tensor around the same memory."""
    return torch.frombuffer(array.view(np.uint8), dtype=torch.uint8)
