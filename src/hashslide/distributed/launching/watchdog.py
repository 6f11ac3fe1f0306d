"""Who is alive: each rank shows it by a beat in the store of the rendezvous, and looks at the others' beats.

A message that does not come says only that some rank has failed. The beats say which one: that of a killed,
stopped or unreachable process stands still. A rank that ends by itself says so first, so that it is not taken
for the cause.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]  # it names few of its parts

__all__ = ["Watchdog"]


def __dir__() -> list[str]:
    return __all__


_PERIOD = 0.5  # seconds between two beats
_SILENCE = 5 * _PERIOD  # after which a rank that has stopped beating counts as lost
_PATIENCE = 4.0  # seconds to find out who it is
_ENDED = "ended"


class Watchdog:
    """The beats of all ranks, in a thread of its own; without a rendezvous there are none.

    The process ends when its parent has: nobody else would end it, and a rank without torchrun is an orphan.

    Parameters
    ----------
    rank, size : int
    timeout_s : float
        How long to wait for the store, and for all ranks to begin.
    """

    def __init__(self, rank: int, size: int, timeout_s: float) -> None:
        self._rank, self._size = rank, size
        self._host = socket.gethostname()
        self._parent = os.getppid()
        self._beats = [f"hashslide/beat/{r}" for r in range(size)]
        self._seen: dict[int, tuple[bytes, float]] = {}
        self._lock = threading.Lock()
        self._store = TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            timeout=timedelta(seconds=timeout_s),
        )
        self._store.set(f"hashslide/host/{rank}", f"{self._host}, process {os.getpid()}")
        self._store.set(self._beats[rank], "0")
        self._store.wait(self._beats)  # so that no later look waits for a key
        self._looked = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Say that this rank ends by itself."""
        self._end.set()
        self._thread.join(_PERIOD)
        if self._thread.is_alive():  # it waits for a store that does not answer
            return
        with suppress(RuntimeError):  # the store may have ended before us
            self._store.set(self._beats[self._rank], _ENDED)

    def lost(self) -> list[str]:
        """Return the ranks that have been lost, with their machines; wait a little until one shows."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with self._lock:
                now = time.monotonic()
                if now - self._looked > _SILENCE:
                    return [f"the rendezvous on {os.environ['MASTER_ADDR']}"]
                silent = [
                    rank
                    for rank, (beat, since) in sorted(self._seen.items())
                    if rank != self._rank and now - since > _SILENCE and beat != _ENDED.encode()
                ]
            if silent:
                return [self._name(rank) for rank in silent]
            time.sleep(_PERIOD / 2)
        return []

    def _name(self, rank: int) -> str:
        try:
            return f"rank {rank} on {self._store.get(f'hashslide/host/{rank}').decode()}"
        except RuntimeError:
            return f"rank {rank}"

    def _run(self) -> None:
        beat = 0
        while not self._end.wait(_PERIOD):
            if os.getppid() != self._parent:
                os._exit(1)
            beat += 1
            try:
                self._store.set(self._beats[self._rank], str(beat))
                found: list[Any] = self._store.multi_get(self._beats)
            except RuntimeError:  # the machine of the store is gone
                continue
            now = time.monotonic()
            with self._lock:
                self._looked = now
                for rank, value in enumerate(found):
                    if rank not in self._seen or self._seen[rank][0] != value:
                        self._seen[rank] = value, now
