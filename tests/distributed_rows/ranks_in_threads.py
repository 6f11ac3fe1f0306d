"""Ranks as threads of this process: the real protocol and the real core, with queues for a network."""

import queue
import threading
from collections import Counter

import numpy as np

TIMEOUT_S = 60.0


class ThreadExchange:
    """An `Exchange` between threads; messages are copied, as a network does."""

    def __init__(self, rank, size, mail):
        self.rank, self.size, self._mail = rank, size, mail
        self.bytes_sent = Counter()

    def all_to_all(self, parts, purpose, sizes=None):
        for other, part in enumerate(parts):
            if other != self.rank:
                self.bytes_sent[purpose] += part.nbytes
                self._mail[self.rank, other].put(part.copy())
        received = [
            part if other == self.rank else self._mail[other, self.rank].get(timeout=TIMEOUT_S)
            for other, part in enumerate(parts)
        ]
        assert sizes is None or [len(part) for part in received] == list(sizes)
        return received

    def start_all_to_all(self, parts, purpose, sizes=None):
        return _Done(self.all_to_all(parts, purpose, sizes))

    def all_gather(self, array, purpose, sizes=None):
        return self.all_to_all([array] * self.size, purpose, sizes)

    def barrier(self):
        self.all_gather(np.empty(0), "control")


class _Done:
    def __init__(self, arrays):
        self._arrays = arrays

    def wait(self):
        return self._arrays


def run_ranks(size, program):
    """Run a program on each rank; return what they return."""
    mail = {(a, b): queue.Queue() for a in range(size) for b in range(size)}
    results, errors = [None] * size, []

    def work(rank):
        try:
            results[rank] = program(ThreadExchange(rank, size, mail))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results
