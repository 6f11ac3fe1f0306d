"""Ranks as threads of one process, which exchange arrays by queues."""

import queue
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from hashslide.distributed.exchange import Done


class Threads:
    """The exchange of one of `size` threads."""

    def __init__(self, rank, boxes, barrier):
        self.rank, self.size = rank, len(boxes)
        self._boxes, self._barrier = boxes, barrier
        self.bytes_sent = Counter()

    def expect(self, dtype, sizes):
        return Expected(self, dtype, sizes)

    def start_all_to_all(self, parts, purpose, sizes=None):
        assert len(parts) == self.size
        for rank, part in enumerate(parts):
            if rank != self.rank:
                assert part.ndim == 1
                self.bytes_sent[purpose] += part.nbytes
                self._boxes[rank][self.rank].put(part.copy())
        received = [
            parts[rank] if rank == self.rank else self._boxes[self.rank][rank].get(timeout=60)
            for rank in range(self.size)
        ]
        if sizes is not None:
            assert [len(part) for part in received] == list(sizes)
        return Done(received)

    def all_to_all(self, parts, purpose, sizes=None):
        return self.start_all_to_all(parts, purpose, sizes).wait()

    def all_gather(self, array, purpose, sizes=None):
        return self.all_to_all([array] * self.size, purpose, sizes)

    def barrier(self):
        self._barrier.wait(60)


class Expected:
    """What a thread expects, with a look at whether it comes."""

    def __init__(self, exchange, dtype, sizes):
        self._exchange, self._dtype, self._sizes = exchange, dtype, sizes

    def send(self, parts, purpose):
        assert all(part.dtype == self._dtype for part in parts)
        self._done = self._exchange.start_all_to_all(parts, purpose, self._sizes)

    def wait(self):
        return self._done.wait()


def on_threads(size, work):
    """Return what ``work(exchange)`` returns on each of `size` ranks."""
    boxes = [[queue.Queue() for _ in range(size)] for _ in range(size)]
    barrier = threading.Barrier(size)
    with ThreadPoolExecutor(size) as pool:
        futures = [pool.submit(work, Threads(rank, boxes, barrier)) for rank in range(size)]
        return [future.result() for future in futures]
