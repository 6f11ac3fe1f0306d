"""Files that appear whole or not at all; see docs/how/robustness.md."""

import fcntl
import gzip
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from hashslide._os_errors import StrPath, as_path, explain
from hashslide.errors import HashslideError, OutputError

_TEMPORARY = re.compile(r"\.hashslide-[0-9a-f]{16}\.tmp")
_FOLDER_FLAGS = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)  # O_PATH: needs no right to list it
_DESCRIPTORS = "/proc/self/fd"


@contextmanager
def atomic_write(path: StrPath, error: type[HashslideError] = OutputError) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well, and else vanishes.

    It reaches the disk first: a reader, or a crash at any moment, sees the old file or the new one, never a
    mixture. A symbolic link is followed; permissions, owner and access lists of an old file are kept as
    far as the system lets us. What killed processes left in the folder is removed.

    Raises
    ------
    error
        The file cannot be written. An old file stays as it was.
    """
    target, old = _target(path, error)
    with _explained(path, error), _open_folder(target.parent) as folder:
        _reclaim(folder)
        temporary = _Temporary(folder, 0o666 if old is None else 0o600)  # 0o666: less the umask
        try:
            yield temporary.file
            temporary.file.flush()
            if old is not None:
                _keep_attributes(temporary.file.fileno(), target, old)
            os.fsync(temporary.file.fileno())
            temporary.rename(target.name)
        finally:
            temporary.discard()
        with suppress(OSError):  # the new name is there, if perhaps not after a power failure
            _sync(folder)


@contextmanager
def atomic_write_text(path: StrPath) -> Iterator[BinaryIO | gzip.GzipFile]:
    """The same for bytes of text, compressed when the name ends in ``.gz`` (equal text gives equal files)."""
    with atomic_write(path) as file:
        if Path(path).suffix.lower() != ".gz":
            yield file
        else:
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as compressed:
                yield compressed


def check_writable(path: StrPath, error: type[HashslideError] = OutputError) -> None:
    """Find out before any work whether `atomic_write` could write a file.

    Raises
    ------
    error
        The folder is missing or not writable, or `path` exists and is write-protected or no regular file.
    """
    target, _ = _target(path, error)
    with _explained(path, error), _open_folder(target.parent) as folder:
        _Temporary(folder, 0o600).discard()


def _target(path: StrPath, error: type[HashslideError]) -> tuple[Path, os.stat_result | None]:
    """Return the file that a name leads to, and what it is if it exists."""
    target = Path(os.path.realpath(as_path(path)))
    with _explained(path, error):
        try:
            old = os.stat(target)
        except (FileNotFoundError, NotADirectoryError):
            old = None
        if old is not None and stat.S_ISDIR(old.st_mode):
            raise error(f"cannot write {path}: it is a folder. Give the name of a file in it.")
        if old is not None and not stat.S_ISREG(old.st_mode):
            raise error(f"cannot write {path}: it is not a regular file. Give the name of a file.")
        if old is not None and not os.access(target, os.W_OK):
            raise error(f"cannot write {path}: it is write-protected. Give another name, or permit writing.")
        if not target.parent.is_dir():
            raise error(f"cannot write {path}: there is no folder {target.parent}. Create it first.")
    return target, old


@contextmanager
def _explained(path: StrPath, error: type[HashslideError]) -> Iterator[None]:
    try:
        yield
    except OSError as reason:
        if isinstance(reason, HashslideError):
            raise
        raise error(f"cannot write {path}: {explain(reason)} An old file there is unchanged.") from reason


class _Temporary:
    """A file in the making: without a name where the system can do that, else under one that says what it is.

    It is locked for as long as it is open, so that nobody takes it for the remains of a killed process.

    Parameters
    ----------
    folder : int
        Descriptor of the folder.
    mode : int
        Permissions, from which the system takes the umask.
    """

    def __init__(self, folder: int, mode: int):
        self._folder = folder
        self._name: str | None = None
        descriptor = self._open_unnamed(mode)
        while descriptor is None:
            descriptor = self._open_named(mode)
        self.file = os.fdopen(descriptor, "wb")

    def rename(self, name: str) -> None:
        """Put the file in the place of another one, in one step."""
        if self._name is None:
            self._name = _random_name()
            os.link(
                f"{_DESCRIPTORS}/{self.file.fileno()}",
                self._name,
                src_dir_fd=self._folder,
                dst_dir_fd=self._folder,
                follow_symlinks=True,
            )
        os.replace(self._name, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._name = None

    def discard(self) -> None:
        """Close the file; it vanishes if it has not been renamed."""
        if self._name is not None:
            with suppress(OSError):
                os.unlink(self._name, dir_fd=self._folder)
        self.file.close()

    def _open_unnamed(self, mode: int) -> int | None:
        if not hasattr(os, "O_TMPFILE") or not os.path.isdir(_DESCRIPTORS):
            return None
        try:
            descriptor = os.open(".", os.O_TMPFILE | os.O_RDWR, mode, dir_fd=self._folder)
        except OSError:  # not on this file system; if there is another reason, it will show again
            return None
        _lock(descriptor)
        return descriptor

    def _open_named(self, mode: int) -> int | None:
        name = _random_name()
        descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode, dir_fd=self._folder)
        self._name = name
        _lock(descriptor)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # another process took it for remains before it was locked
        return None


def _random_name() -> str:
    return f".hashslide-{secrets.token_hex(8)}.tmp"


def _lock(descriptor: int) -> None:
    with suppress(OSError):  # a file system without locks: the remains of crashes stay there
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, _FOLDER_FLAGS)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _reclaim(folder: int) -> None:
    """Remove temporary files that nobody has locked: their process was killed."""
    with suppress(OSError), _reopened(".", os.O_DIRECTORY, folder) as listing:
        for name in filter(_TEMPORARY.fullmatch, os.listdir(listing)):
            with suppress(OSError), _reopened(name, os.O_RDWR | os.O_NOFOLLOW, folder) as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=folder)


def _sync(folder: int) -> None:
    with _reopened(".", os.O_DIRECTORY, folder) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _reopened(name: str, flags: int, folder: int) -> Iterator[int]:
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _keep_attributes(descriptor: int, target: Path, old: os.stat_result) -> None:
    """Give a new file the owner, the access lists and the permissions of the old one, as far as possible."""
    mode = stat.S_IMODE(old.st_mode)
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(OSError):
            os.fchown(descriptor, old.st_uid, -1)
        try:
            os.fchown(descriptor, -1, old.st_gid)
        except OSError:  # what the old group might do, only all may do now
            mode = mode & ~stat.S_IRWXG | (mode & stat.S_IRWXO) << 3
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(target):
                with suppress(OSError):
                    os.setxattr(descriptor, name, os.getxattr(target, name))
    os.fchmod(descriptor, mode)
