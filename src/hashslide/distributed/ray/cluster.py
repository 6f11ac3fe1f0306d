"""Ray, where it is installed, and a cluster to work on."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from hashslide.errors import InputError

__all__ = ["cluster", "import_ray"]


def __dir__() -> list[str]:
    return __all__


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


@contextmanager
def cluster(n_cpus: int) -> Iterator[ModuleType]:
    """Give the module `ray`, connected to a cluster.

    That to which this process is connected already; otherwise that which the variable ``RAY_ADDRESS`` names;
    otherwise one of this machine alone, which ends with the context.

    Parameters
    ----------
    n_cpus : int
        Of a cluster that is started here.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = os.environ.get("RAY_ADDRESS")
    own = {} if address else {"num_cpus": n_cpus, "include_dashboard": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it tells of its own future is no matter of the user's
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **own)
    try:
        yield ray
    finally:
        ray.shutdown()
