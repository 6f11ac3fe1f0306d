"""Names of features and labels: text files in UTF-8, plain or gzip, where line i names id i."""

import os
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hashslide._atomic import atomic_write_text
from hashslide._checks import check_bool
from hashslide._interface import wording
from hashslide._os_errors import StrPath
from hashslide.errors import InputError

from ._repairs import fault, warn
from .sources import open_text

__all__ = ["load_names", "save_names"]


def __dir__() -> list[str]:
    return __all__


def load_names(
    path: StrPath, count: int | None = None, *, number_repeated: bool = False
) -> NDArray[np.object_]:
    """Read the names of features or labels, one name per line.

    Parameters
    ----------
    path : str or path
        UTF-8 text; gzip is recognised by its content.
    count : int, optional
        How many names there must be.
    number_repeated : bool, default False
        A name has to lead back to one id. Several ids of the same name, as titles in the published XMC sets,
        are therefore refused, or, if this is True, get their id behind it, as in "Boots [17]" and
        "Boots [81]"; a `RepairWarning` says so.

    Returns
    -------
    ndarray of str objects, shape (names,)
        Names by id: ``names[labels]`` translates an array of ids.

    Raises
    ------
    DataFileError
        Not UTF-8, an empty or repeated name, a damaged file, or not `count` names.
    InputError
        `number_repeated` is not True or False.
    OSError
        The file cannot be opened.
    """
    with open_text(path) as source:
        names = source.text().split("\n")
    while names and not names[-1]:
        names.pop()
    if check_bool("number_repeated", number_repeated):
        names = _numbered(path, names)
    _check_names(path, names, count)
    return np.array(names, dtype=object)


def save_names(path: StrPath, names: Iterable[str]) -> None:
    """Write names, one per line, in UTF-8, compressed if the name of the file ends in ``.gz``; atomic.

    Parameters
    ----------
    path : str or path
        Where to write; an existing file is replaced.
    names : sequence of str or int
        Name i belongs to id i.

    Raises
    ------
    InputError
        A name is neither text nor an integer, is empty or repeated, or holds a line break.
    OutputError
        The file cannot be written.
    """
    names = list(names)
    for position, name in enumerate(names):
        if not isinstance(name, str | int | np.integer | np.bool_):
            raise InputError(
                f"Name {position} is {name!r} of type {type(name).__name__}. A name is text or an integer."
            )
    names = [str(name) for name in names]
    for position, name in enumerate(names):
        if not name or any(sign in name for sign in "\n\r\0"):
            raise InputError(
                f"Name {position} is {name!r}. A name is a line of text: not empty, no line break, no NUL."
            )
        try:
            name.encode()
        except UnicodeEncodeError:
            raise InputError(
                f"Name {position} is {name!r}, half of a surrogate pair. Decode it again."
            ) from None
    if names and names[0].startswith("\ufeff"):
        raise InputError(
            f"Name 0 is {names[0]!r}. Take the byte order mark away, which a reader would do too."
        )
    if (place := _repeated(names)) is not None:
        raise InputError(f"Name {place} is {names[place]!r} again. Give every id a name of its own.")
    with atomic_write_text(path) as file:
        file.write("".join(f"{name}\n" for name in names).encode("utf-8"))


def _numbered(path: StrPath, names: list[str]) -> list[str]:
    """Return the names, those that occur more than once with their id behind them."""
    counts = Counter(names)
    repeated = [i for i, name in enumerate(names) if name and counts[name] > 1]
    if not repeated:
        return names
    numbered = names.copy()
    for i in repeated:
        numbered[i] = f"{names[i]} [{i}]"
    warn(
        f"{os.fspath(path)}: {len(repeated):,} of {len(names):,} names stand for several ids; each got its "
        f"id behind it, as in {numbered[repeated[0]]!r}."
    )
    return numbered


def _check_names(path: StrPath, names: list[str], count: int | None) -> None:
    binary = next((i for i, name in enumerate(names) if "\0" in name), None)
    if binary is not None:
        raise fault(
            path, f"line {binary + 1}", "a NUL byte, which no text holds", "convert the file to UTF-8"
        )
    if "" in names:
        raise fault(
            path,
            f"line {names.index('') + 1}",
            "the line is empty",
            "write one name per line, in the order of ids",
        )
    if (place := _repeated(names)) is not None:
        found = f"{names[place]!r} also stands in line {names.index(names[place]) + 1}"
        number = wording(", or read the file with number_repeated=True", "")
        remedy = f"give every id a name of its own{number}"
        raise fault(path, f"line {place + 1}", found, remedy)
    if count is not None and len(names) != count:
        raise fault(
            path, "", f"{len(names)} names for {count} ids", "write one name per line, in the order of ids"
        )


def _repeated(names: list[str]) -> int | None:
    """Position of the first name that occurred before."""
    if len(set(names)) == len(names):
        return None
    seen: set[str] = set()
    return next(i for i, name in enumerate(names) if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # None: go on
