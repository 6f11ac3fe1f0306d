"""What the shell offers after Tab, besides the commands, options and choices that the framework knows."""

import os
from glob import escape, glob

__all__ = ["complete_data"]


def __dir__() -> list[str]:
    return __all__


def complete_data(incomplete: str) -> list[str]:
    """Return what a DATA argument may become: built-in sets, and the files and folders that begin so.

    Where no built-in set does, the list is empty, and the shell completes file names in its own way.
    """
    from hashslide.data import builtin_names  # imports much, which the help of a command need not wait for

    names = [name for name in builtin_names() if name.startswith(incomplete)]
    return names + sorted(map(_with_slash, glob(escape(incomplete) + "*"))) if names else []


def _with_slash(path: str) -> str:
    return path + os.sep if os.path.isdir(path) else path
