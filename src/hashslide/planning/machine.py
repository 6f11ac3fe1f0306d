"""What this machine has."""

import os

__all__ = ["memory_of_machine"]


def __dir__() -> list[str]:
    return __all__


def memory_of_machine() -> int:
    """Return the bytes of memory that this machine has, 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
