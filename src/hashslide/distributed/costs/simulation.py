"""Trainings on many machines, event by event: synchronous ones, and Downpour, whose replicas do not wait."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hashslide.distributed.costs.link import Link
from hashslide.distributed.costs.phases import Phase
from hashslide.distributed.costs.stragglers import NONE, Stragglers

__all__ = ["Run", "simulate_downpour", "simulate_synchronous"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a simulated training did.

    Attributes
    ----------
    examples_per_second : float
    staleness : float
        How many batches others have pushed, on average, between a machine's fetch of rows and its own push of
        what it made of them. 0 where everybody waits.
    busy : float
        Share of the time that a machine computes its own batches.
    """

    examples_per_second: float
    staleness: float
    busy: float


def simulate_synchronous(
    phases: Sequence[Phase],
    link: Link,
    machines: int,
    batch: float,
    *,
    steps: int = 200,
    stragglers: Stragglers = NONE,
    seed: int = 0,
) -> Run:
    """Return what a training does in which every phase ends when all machines have all messages.

    A machine that is slow is so in all phases of a step. The events of a phase, in which the machines do not
    wait for each other, are taken together: O(machines) for each phase.

    Parameters
    ----------
    phases : sequence of Phase
        Of a step.
    link : Link
    machines : int
    batch : float
        Examples of a step, of all machines together.
    steps : int
    stragglers : Stragglers
    seed : int
    """
    rng = np.random.default_rng(seed)
    now, busy = np.zeros(machines), 0.0
    for _ in range(steps):
        factor = stragglers.draw(rng, machines)
        for phase in phases:
            now = now + phase.compute * factor
            busy += float(phase.compute * factor.sum())
            if phase.messages and machines > 1:
                now = np.full(machines, now.max() + phase.exchange(link, machines))
    total = float(now.max())
    return Run(examples_per_second=steps * batch / total, staleness=0.0, busy=busy / (machines * total))


class _Shards:
    """Owners of rows, each of which serves what it is asked, in the order in which it arrives."""

    def __init__(self, machines: int) -> None:
        self._free = np.zeros(machines)

    def serve(self, arrived: float, service: float) -> float:
        """Serve a request to all owners; return when the last one is done with it."""
        self._free = np.maximum(self._free, arrived) + service
        return float(self._free.max())


def simulate_downpour(
    phases: Sequence[Phase],
    link: Link,
    machines: int,
    batch: float,
    *,
    batches: int = 200,
    stragglers: Stragglers = NONE,
    seed: int = 0,
) -> Run:
    """Return what replicas do that fetch, compute and push without waiting for each other (Dean et al. 2012).

    Each of the machines is a replica and owns as many rows as any other. A replica asks all owners, waits for
    their answers, computes, and pushes; the push travels while it fetches the next rows, but one push at a
    time. An owner serves in the order of arrival; a request costs it a message, copying, and the bytes of the
    answer or the push. Events are a replica's fetch, its push and the arrival of that; O(machines) for each
    of them.

    Parameters
    ----------
    phases : sequence of Phase
        Of the protocol "rows": requests, answers, computing and push, update.
    link : Link
    machines : int
    batch : float
        Examples of a batch of one replica.
    batches : int
        Of each replica, on average.
    stragglers : Stragglers
    seed : int
    """
    asking, answering, learning, updating = phases
    rng = np.random.default_rng(seed)
    shards = _Shards(machines)
    of_owner = 1 / machines  # of what a replica asks or pushes
    far = 0.0 if machines == 1 else 1.0
    overhead = far * link.message
    answer = of_owner * (answering.compute + answering.n_bytes / link.bandwidth) + overhead
    taking = of_owner * (updating.compute + learning.n_bytes / link.bandwidth) + overhead
    ask = far * ((machines - 1) * link.message + asking.n_bytes / link.bandwidth)
    send = far * ((machines - 1) * link.message + learning.n_bytes / link.bandwidth)
    receive = answering.n_bytes / link.bandwidth
    delay = far * link.delay

    events = [(0.0, replica, "fetch", 0, 0.0) for replica in range(machines)]
    heapq.heapify(events)
    pushed_at = np.zeros(machines)  # when the owners have the last push of a replica
    version = 0  # pushes that have arrived
    busy, stale, done, now = 0.0, 0, 0, 0.0
    while done < machines * batches:
        now, replica, event, seen, computing = heapq.heappop(events)
        if event == "fetch":
            arrived = now + ask + delay
            answered = max(shards.serve(arrived, answer), arrived + receive) + delay
            heapq.heappush(events, (answered, replica, "learn", 0, 0.0))
        elif event == "learn":
            computing = learning.compute * float(stragglers.draw(rng, 1)[0])
            ready = max(now + computing, float(pushed_at[replica]))
            heapq.heappush(events, (ready, replica, "push", version, computing))
        elif event == "push":
            sent = now + send
            pushed_at[replica] = taken = shards.serve(sent + delay, taking)
            heapq.heappush(events, (taken, replica, "arrival", seen, computing))
            heapq.heappush(events, (sent, replica, "fetch", 0, 0.0))
        else:
            stale, busy = stale + version - seen, busy + computing
            version, done = version + 1, done + 1
    return Run(examples_per_second=done * batch / now, staleness=stale / done, busy=busy / (machines * now))
