"""What a pack was made from, so that it is noticed when that changes."""

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hashslide._os_errors import StrPath

__all__ = ["Origin", "changed_origins"]


def __dir__() -> list[str]:
    return __all__


_PIECE = 1 << 22


@dataclass(frozen=True)
class Origin:
    """One file that a pack was made from.

    Attributes
    ----------
    path : str
        Absolute.
    n_bytes, modified_ns : int
        Its size and the time of its last change. Only where these differ is the content looked at.
    digest : str
        SHA-256 of its content.
    """

    path: str
    n_bytes: int
    modified_ns: int
    digest: str

    @classmethod
    def of(cls, path: StrPath, is_over: Callable[[], bool] = lambda: False) -> "Origin | None":
        """Return what there is to know of a file; None for a pipe or a device, or when `is_over` says so."""
        facts = os.stat(path)
        if not stat.S_ISREG(facts.st_mode):
            return None
        digest = _digest(path, is_over)
        return None if is_over() else cls(os.path.abspath(path), facts.st_size, facts.st_mtime_ns, digest)


def changed_origins(origins: list[Origin]) -> list[str]:
    """Return the files that are there with another content; one that is gone says nothing."""
    return [origin.path for origin in origins if _has_changed(origin)]


def _has_changed(origin: Origin) -> bool:
    path = Path(origin.path)
    try:
        facts = path.stat()
        if (facts.st_size, facts.st_mtime_ns) == (origin.n_bytes, origin.modified_ns):
            return False
        return facts.st_size != origin.n_bytes or _digest(path) != origin.digest
    except OSError:
        return False


def _digest(path: StrPath, is_over: Callable[[], bool] = lambda: False) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while not is_over() and (piece := file.read(_PIECE)):
            found.update(piece)
    return found.hexdigest()
