"""Paths of files, and what the operating system's errors about them mean: for each a remedy that helps."""

import errno
import os
import zipfile
from pathlib import Path

from hashslide.errors import InputError

StrPath = str | os.PathLike[str]

NO_MEMORY = (
    "Close other programs, raise the limit of this process (ulimit -v), or use a machine with more memory."
)
_REMEDIES = {
    errno.ENOENT: "Check the name and its folder.",
    errno.ENOTDIR: "A part of the path is a file where a folder should be: check the path.",
    errno.EISDIR: "It is a folder: give the name of a file in it.",
    errno.ELOOP: "Its symbolic links lead in a circle: give the name of the file itself.",
    errno.ENAMETOOLONG: "Give a shorter name: most file systems take 255 bytes.",
    errno.EACCES: "Change the permissions of the file or its folder, or choose another place.",
    errno.EPERM: "Change the permissions of the file or its folder, or choose another place.",
    errno.EROFS: "The file system is mounted read-only: choose another place.",
    errno.EEXIST: "Another program made a file of this name just now: try again.",
    errno.EBUSY: "Another program holds it: close that program, or choose another name.",
    errno.ETXTBSY: "Another program runs it: close that program, or choose another name.",
    errno.ENOSPC: "Free some space on the disk, or choose another place.",
    errno.EDQUOT: "Delete files of yours, ask for a larger quota, or choose another place.",
    errno.EFBIG: "Raise the limit of file sizes (ulimit -f), or choose another file system.",
    errno.ENOMEM: NO_MEMORY,
    errno.EMFILE: "Close files in this process, or raise its limit of open files (ulimit -n).",
    errno.ENFILE: "Close other programs: the system has too many open files.",
    errno.EIO: "The disk or the connection to it fails: check it and try again.",
    errno.ESTALE: "The network file system has lost it: mount it again.",
    errno.ETIMEDOUT: "The network file system does not answer: check the connection.",
    errno.ENODEV: "It is not a regular file: copy its content to one.",
    errno.ENXIO: "It is not a regular file: copy its content to one.",
    errno.ESPIPE: "It is not a regular file: copy its content to one.",
    errno.EINVAL: "The file system cannot do this: choose another place.",
    errno.EOPNOTSUPP: "The file system cannot do this: choose another place.",
    errno.EPIPE: "The program that read this output has ended.",
}

# What says nothing about the content of a file that is read. A damaged one can lead to the other errors.
_OUTSIDE = (errno.EIO, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE)


def explain(error: OSError | MemoryError) -> str:
    """Return what has failed and what to do about it, as two sentences without the name of the file."""
    if isinstance(error, MemoryError):
        return f"there is not enough memory. {NO_MEMORY}"
    reason = error.strerror or str(error) or type(error).__name__
    return f"{reason}. {_REMEDIES.get(error.errno or 0, 'See what the operating system says about it.')}"


def pass_on_system_errors(error: Exception) -> None:
    """Raise an error again if the disk or the memory is to blame for it, and not the file's content."""
    hidden = error.__context__ if isinstance(error, zipfile.BadZipFile) else None  # by "not a zip file"
    for cause in (error, hidden):
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in _OUTSIDE):
            raise cause from None


def as_path(path: StrPath) -> Path:
    """Return a path if a file can have such a name."""
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        raise InputError(f"the path of a file is {path!r}; accepted are str and pathlib.Path.")
    try:
        encoded = os.fsencode(text)
    except UnicodeError:
        raise InputError(f"the path {path!r} is not text that the file system can hold.") from None
    if not encoded or b"\0" in encoded:
        raise InputError(f"the path of a file is {text!r}; accepted is a name without null characters.")
    return Path(text)
