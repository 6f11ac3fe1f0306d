"""How many threads a caller's `n_jobs` stands for."""

import os

from hashslide import _core
from hashslide._checks import as_int
from hashslide.errors import InputError


def effective_threads(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` stands for.

    Parameters
    ----------
    n_jobs : int or None
        A positive number as it is; -1 for all CPUs that this process may use, -2 for all but one, ...; None
        for all of them, but no more than ``OMP_NUM_THREADS``, which joblib sets in its workers.

    Raises
    ------
    InputError
        Zero, or no integer.
    """
    if n_jobs is None:
        cpus, limit = _core.available_cpus(), os.environ.get("OMP_NUM_THREADS", "")
        return min(cpus, int(limit)) if limit.isdecimal() and int(limit) > 0 else cpus
    number = as_int(n_jobs)
    if not number:
        raise InputError(
            f"n_jobs is {n_jobs!r}; accepted are None, a positive number of threads, or -1 for all CPUs."
        )
    return number if number > 0 else max(1, _core.available_cpus() + 1 + number)
