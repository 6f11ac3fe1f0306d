"""Becoming one of the ranks that torchrun has started, and finding out whom the others have lost."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from hashslide.distributed.exchange import Alone, Exchange
from hashslide.errors import InputError, WorkerError

__all__ = ["is_rank", "joined"]


def __dir__() -> list[str]:
    return __all__


_START = 60.0  # seconds for all ranks to begin: interpreters are slow on a busy machine


def is_rank() -> bool:
    """Tell whether the environment names the rank of this process, as torchrun does."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


@contextmanager
def joined(timeout_s: float) -> Iterator[Exchange]:
    """Give the exchange of this process with all other ranks; without torchrun it is alone.

    Parameters
    ----------
    timeout_s : float
        How long to wait for another rank.

    Raises
    ------
    WorkerError
        Another rank has been lost: it has died, or does not answer in time. The message names it.
    """
    if not is_rank():
        yield Alone()
        return
    try:
        import torch.distributed as dist
    except ModuleNotFoundError:
        raise InputError(
            "training on several workers needs torch, which is missing. "
            'Run: pip install "hashslide[distributed]"'
        ) from None
    from hashslide.distributed.gloo import GlooExchange
    from hashslide.distributed.launching.watchdog import Watchdog

    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    try:
        # The store is there before the ranks where torchrun holds it, and else from when rank 0 joins.
        if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
            watchdog = Watchdog(rank, size, max(timeout_s, _START))
            exchange = GlooExchange.join(timeout_s)
        else:
            exchange = GlooExchange.join(timeout_s)
            watchdog = Watchdog(rank, size, timeout_s)
    except RuntimeError as error:
        raise WorkerError(
            f"the ranks have not found each other within {timeout_s:g} s: {_first_line(error)} See whether "
            "all machines have been started, and whether they reach each other."
        ) from error
    try:
        yield exchange
    except RuntimeError as error:
        if not _is_of_exchange(error):
            watchdog.close()
            raise
        lost = watchdog.lost()
        watchdog.close()
        raise WorkerError(_loss(lost, timeout_s, error)) from error
    watchdog.close()
    dist.destroy_process_group()


def _is_of_exchange(error: RuntimeError) -> bool:
    """Tell whether an error comes from messages between ranks."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or "gloo" in str(error).lower()


def _loss(lost: list[str], timeout_s: float, error: RuntimeError) -> str:
    if not lost:
        return (
            f"the exchange with another rank has failed: {_first_line(error)} See what that rank has printed."
        )
    who = " and ".join(lost)
    return (
        f"{who} does not answer: it has died, or was stopped or unreachable for {timeout_s:g} s. Start the "
        "training again; with a folder of checkpoints it can be resumed."
    )


def _first_line(error: RuntimeError) -> str:
    return f"{(str(error).strip() or type(error).__name__).splitlines()[0].rstrip('.')}."
