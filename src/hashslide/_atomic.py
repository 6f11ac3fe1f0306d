"""Files that appear whole or not at all."""

import gzip
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well, and else is removed.

    It is written in the same folder and reaches the disk first: a reader, or a crash at any moment, sees the
    old file or the new one, never a mixture. A symbolic link is followed.
    """
    target = Path(os.path.realpath(path))
    temporary = target.parent / f".hashslide-{secrets.token_hex(8)}.tmp"
    try:
        # open() leaves the permissions to the umask, unlike the tempfile module's private files.
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _sync_folder(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_write_text(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """The same for bytes of text, compressed when the name ends in ``.gz`` (equal text gives equal files)."""
    with atomic_write(path) as file:
        if Path(path).suffix.lower() != ".gz":
            yield file
        else:
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as compressed:
                yield compressed


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where the system can open folders."""
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
