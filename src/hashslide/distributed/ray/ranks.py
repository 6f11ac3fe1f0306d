"""Ranks of a synchronous protocol as Ray actors, which join one gloo group and run the same program."""

import os
import time
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any

from hashslide._checks import check_int
from hashslide.distributed.exchange import Exchange
from hashslide.distributed.ray.cluster import cluster, started
from hashslide.errors import HashslideError, WorkerError

__all__ = ["Rank", "run_ranks"]


def __dir__() -> list[str]:
    return __all__


_GRACE_S = 3.0  # after the first failure: the rank that has died is to be named, not those that miss it


class Rank:
    """One rank of a group.

    Parameters
    ----------
    rank, size : int
    timeout_s : float
    """

    def __init__(self, rank: int, size: int, timeout_s: float) -> None:
        self._rank, self._size, self._timeout_s = rank, size, timeout_s
        self._store: Any = None

    def process(self) -> int:
        """Return the number of this process."""
        return os.getpid()

    def open_store(self) -> tuple[str, int]:
        """Open the store at which the ranks meet; return its address. The system chooses the port."""
        import ray
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        host = str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]
        self._store = TCPStore(
            host,
            0,
            self._size,
            is_master=True,
            timeout=timedelta(seconds=self._timeout_s),
            wait_for_workers=False,
        )
        return host, self._store.port

    def run(self, program: Callable[[Exchange], Any], address: tuple[str, int]) -> Any:
        """Join the group and return what the program returns."""
        from torch import distributed
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        from hashslide.distributed.gloo import GlooExchange

        timeout = timedelta(seconds=self._timeout_s)
        store = self._store or TCPStore(*address, self._size, is_master=False, timeout=timeout)
        exchange = GlooExchange.join(self._timeout_s, store=store, rank=self._rank, world_size=self._size)
        result = program(exchange)
        exchange.barrier()  # nobody leaves while another one still waits for its messages
        distributed.destroy_process_group()
        return result


def run_ranks(
    program: Callable[[Exchange], Any],
    n_ranks: int,
    *,
    n_threads: int = 1,
    timeout_s: float = 60.0,
    on_start: Callable[[dict[int, int]], None] | None = None,
) -> list[Any]:
    """Run a program on some ranks; return what each of them returns.

    Parameters
    ----------
    program : callable
        Is given the `Exchange` of its rank. Pickled, so that other machines can run it.
    n_ranks : int
    n_threads : int, default 1
        CPUs that Ray grants each rank.
    timeout_s : float, default 60
        How long a rank waits for another one.
    on_start : callable, optional
        Is told the process of each rank, by its number.

    Raises
    ------
    WorkerError
        A rank has died, or did not answer another one in time. The other ranks have been ended.
    HashslideError
        What the program has raised on a rank.
    """
    check_int("n_ranks", n_ranks, 1, 1 << 10)
    with cluster(1 + n_ranks * n_threads) as ray:
        actor = ray.remote(Rank).options(num_cpus=n_threads)
        ranks = [actor.remote(rank, n_ranks, timeout_s) for rank in range(n_ranks)]
        try:
            processes = started(ray, ranks, timeout_s)
            if on_start is not None:
                on_start(dict(enumerate(processes)))
            address = ray.get(ranks[0].open_store.remote(), timeout=timeout_s)
            return _results(ray, [rank.run.remote(program, address) for rank in ranks], processes)
        finally:
            for rank in ranks:
                ray.kill(rank)


def _results(ray: ModuleType, answers: list[Any], processes: list[int]) -> list[Any]:
    waiting = list(answers)
    while waiting:
        ready, waiting = ray.wait(waiting, num_returns=1)
        failure = _failure(ray, ready[0])
        if failure is not None:
            raise _first_cause(ray, answers, processes)
    return ray.get(answers)


def _failure(ray: ModuleType, answer: Any) -> Exception | None:
    try:
        ray.get(answer)
    except ray.exceptions.RayError as error:
        return error
    return None


def _first_cause(ray: ModuleType, answers: list[Any], processes: list[int]) -> Exception:
    """Return what to tell of ranks that have failed: which has died, or what error a program has raised."""
    failures: dict[int, Any] = {}
    end = time.monotonic() + _GRACE_S
    while len(failures) < len(answers) and time.monotonic() < end:
        rest = [answer for rank, answer in enumerate(answers) if rank not in failures]
        for answer in ray.wait(rest, num_returns=1, timeout=max(0.0, end - time.monotonic()))[0]:
            rank = answers.index(answer)
            failures[rank] = _failure(ray, answer)
        failed = {rank: failure for rank, failure in failures.items() if failure is not None}
        if any(isinstance(failure, ray.exceptions.RayActorError) for failure in failed.values()):
            break
    for rank, failure in failed.items():
        if isinstance(failure, ray.exceptions.RayActorError):
            return WorkerError(
                f"rank {rank} (process {processes[rank]}) has died; the other ranks have been ended. "
                "Start the training again, from its last checkpoint if there is one."
            )
    for failure in failed.values():
        if isinstance(failure.cause, HashslideError):
            return failure.cause
    rank, failure = next(iter(failed.items()))
    cause = str(failure.cause).splitlines() or [type(failure.cause).__name__]
    return WorkerError(f"rank {rank} (process {processes[rank]}) could not go on: {cause[0]}")
