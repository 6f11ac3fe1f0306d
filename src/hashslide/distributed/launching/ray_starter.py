"""Training with the ranks as actors of Ray, on this machine or on those of its cluster."""

from functools import partial
from typing import Any

from hashslide._core import available_cpus
from hashslide.distributed.exchange import Exchange
from hashslide.distributed.launching.job import Job, check_workers
from hashslide.distributed.launching.preparing import check_job
from hashslide.distributed.launching.rank import run_rank
from hashslide.distributed.ray.cluster import import_ray
from hashslide.distributed.ray.ranks import run_ranks
from hashslide.network import effective_threads

__all__ = ["start"]


def __dir__() -> list[str]:
    return __all__


def start(job: Job, workers: int, n_jobs: int | None = None) -> list[dict[str, Any]]:
    """Train with some actors; return the records of the epochs. See `engines.start`."""
    check_workers(workers, job.shards)
    import_ray()
    threads = max(1, available_cpus() // workers) if n_jobs is None else effective_threads(n_jobs)
    check_job(job)
    program = partial(_history, job, threads)
    return run_ranks(program, workers, n_threads=threads, timeout_s=job.timeout)[0]


def _history(job: Job, n_threads: int, exchange: Exchange) -> list[dict[str, Any]]:
    model = run_rank(job, exchange, n_threads, verify=False)
    return [] if model is None else model.history_
