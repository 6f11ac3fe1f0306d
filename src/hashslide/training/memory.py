"""How much memory the process takes, for the record of an epoch."""

import os

__all__ = ["resident_bytes"]


def __dir__() -> list[str]:
    return __all__


_MEMORY_FILE = "/proc/self/statm"


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes, 0 where the system does not tell."""
    try:
        with open(_MEMORY_FILE) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
