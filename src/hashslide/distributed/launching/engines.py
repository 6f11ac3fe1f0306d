"""What starts the ranks: torchrun on this machine, or Ray on the machines of its cluster."""

from typing import Any

from hashslide._checks import check_choice
from hashslide.distributed.launching.job import ENGINES, Job, check_synchronous
from hashslide.distributed.launching.torchrun.starter import start as start_torchrun

__all__ = ["start"]


def __dir__() -> list[str]:
    return __all__


def start(
    job: Job, workers: int, engine: str = "torchrun", n_jobs: int | None = None
) -> list[dict[str, Any]]:
    """Train with some workers; return the records of the epochs.

    Parameters
    ----------
    job : Job
    workers : int
        They divide the number of shards.
    engine : {"torchrun", "ray"}
    n_jobs : int, optional
        Threads of each worker; by default the CPUs are divided among them.

    Raises
    ------
    InputError
        The job is not acceptable, or a package is missing; nothing has been started.
    HashslideError
        What has ended the training in one of the workers, all of which have ended.
    """
    check_choice("engine", engine, ENGINES)
    if engine == "ray":
        from hashslide.distributed.launching.ray_starter import start as start_ray

        return start_ray(job, workers, n_jobs)
    check_synchronous(job)
    return start_torchrun(job, workers, n_jobs)
