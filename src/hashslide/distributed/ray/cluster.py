"""Ray, where it is installed, and a cluster to work on."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from hashslide.errors import InputError, WorkerError

__all__ = ["cluster", "import_ray", "started"]


def __dir__() -> list[str]:
    return __all__


_START_S = 300.0  # for actors to start: interpreters are slow on a busy machine


def import_ray() -> ModuleType:
    """Return the module `ray`.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError(
            'the engine "ray" needs the package ray, which is not installed. '
            'Install it: pip install "hashslide[ray]".'
        ) from error
    return ray


def started(ray: ModuleType, actors: Sequence[Any], timeout_s: float) -> list[int]:
    """Return the processes of actors that have a method `process`, once all of them are there.

    Raises
    ------
    WorkerError
        They are not there in time.
    """
    timeout_s = max(_START_S, timeout_s)
    try:
        return ray.get([actor.process.remote() for actor in actors], timeout=timeout_s)
    except ray.exceptions.GetTimeoutError as error:
        raise WorkerError(
            f"the {len(actors)} workers have not started in {timeout_s:g} s. The cluster has "
            f"{ray.cluster_resources().get('CPU', 0):g} CPUs; see whether these are enough, and free."
        ) from error


@contextmanager
def cluster(n_cpus: int) -> Iterator[ModuleType]:
    """Give the module `ray`, connected to a cluster.

    That to which this process is connected already; otherwise that which the variable ``RAY_ADDRESS`` names;
    otherwise one of this machine alone, which ends with the context.

    Parameters
    ----------
    n_cpus : int
        Of a cluster that is started here.

    Raises
    ------
    InputError
        Ray is not installed.
    WorkerError
        Ray cannot start.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS")
    own = {} if address else {"num_cpus": n_cpus, "include_dashboard": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it tells of its own future is no matter of the user's
            ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **own)
    except Exception as error:  # it has no base class of its own for these
        where = f"to the cluster at {address}" if address else "on this machine"
        raise WorkerError(f"Ray could not start {where}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()
