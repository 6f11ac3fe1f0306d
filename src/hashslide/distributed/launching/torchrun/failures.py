"""Why a training of several ranks has failed, from what its processes have left."""

import signal
from collections.abc import Collection, Mapping

from hashslide._interface import wording
from hashslide.distributed.launching.job import Job
from hashslide.distributed.launching.torchrun.notes import EndNote, StartNote
from hashslide.errors import HashslideError, InputError, WorkerError

__all__ = ["explain", "remedy", "signal_name"]


def __dir__() -> list[str]:
    return __all__


_ENDED_BY_US = (signal.SIGTERM, signal.SIGINT)  # torchrun ends the ranks that are left


def explain(
    workers: int,
    starts: Collection[StartNote],
    ends: Collection[EndNote],
    exit_codes: Mapping[int, int],
    stopped: Collection[int],
    job: Job,
) -> HashslideError:
    """Return what to raise.

    What a rank itself refuses comes first; then who has died; then who has not answered.

    Parameters
    ----------
    workers : int
    starts, ends : notes of the ranks
    exit_codes : mapping of int to int
        Of the ranks that torchrun has seen fail.
    stopped : collection of int
        Ranks that were still there some time after another one had failed.
    job : Job
    """
    places = {note.rank: f"rank {note.rank} on {note.host} (process {note.pid})" for note in starts}
    for end in ends:
        if end.kind == "refused":
            return InputError(end.message)
    for rank, code in sorted(exit_codes.items()):
        if code < 0 and -code not in _ENDED_BY_US and rank not in stopped:
            return WorkerError(
                f"{places.get(rank, f'rank {rank}')} was killed by {signal_name(-code)}{_guess(-code)}. "
                f"{remedy(job)}"
            )
    if stopped:
        who = " and ".join(places.get(rank, f"rank {rank}") for rank in sorted(stopped))
        return WorkerError(f"{who} did not answer for {job.timeout:g} s and was ended. {remedy(job)}")
    for kind in ("failed", "lost"):
        for end in ends:
            if end.kind == kind:
                return WorkerError(f"{places.get(end.rank, f'rank {end.rank}')} has failed: {end.message}")
    missing = sorted(set(range(workers)) - {end.rank for end in ends})
    who = " and ".join(places.get(rank, f"rank {rank}") for rank in missing)
    return WorkerError(f"{who or 'torchrun'} ended before the training had. {remedy(job)}")


def signal_name(number: int) -> str:
    """Return what a signal is called."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _guess(number: int) -> str:
    return ", perhaps by the system for want of memory" if number == signal.SIGKILL else ""


def remedy(job: Job) -> str:
    """Return what is left of a training, and what to do."""
    if job.checkpoint is None:
        return "All others have ended, and nothing is written. With checkpoints a training can be resumed."
    resume = wording("resume_from", "--resume")
    return f"All others have ended. With {resume} the same training goes on from its last checkpoint."
