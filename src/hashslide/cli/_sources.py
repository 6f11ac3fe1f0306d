"""From what the user names on the command line to matrices and names of ids."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide import data
from hashslide.cli._console import note
from hashslide.data.formats import suffixes
from hashslide.errors import DataFileError, InputError


class Part(NamedTuple):
    """One data file: its matrices and where they came from."""

    path: Path
    X: csr_matrix
    Y: csr_matrix


def part_path(name: str, part: str) -> Path:
    """Return the file that a DATA argument means.

    Parameters
    ----------
    name : str
        A file, a folder with ``train.*`` and ``test.*``, or a built-in data set.
    part : str
        "train" or "test": which file of a folder or of a built-in set.

    Raises
    ------
    InputError
        There is no such thing.
    """
    path = Path(name)
    if not path.exists() and name in data.builtin_names():
        path = data.builtin_path(name)
    if not path.is_dir():
        if not path.exists():
            known = ", ".join(data.builtin_names())
            raise InputError(f"there is no file or folder {name}, and the built-in data sets are {known}.")
        return path
    found = _file_in(path, part)
    if found is None:
        raise InputError(f"the folder {name} has no {part}.txt.gz (or another suffix). Name the file itself.")
    return found


def files_of(name: str) -> list[Path]:
    """Return all files that a command may read when it is given a file, a folder or a built-in set."""
    path = Path(name)
    if not path.exists() and name in data.builtin_names():
        path = data.builtin_path(name)
    if path.is_dir():
        parts = [_file_in(path, part) for part in ("train", "test")]
        return [*filter(None, parts), *_names_beside(path)]
    return [path, *_names_beside(path.parent)] if path.is_file() else []


def sibling_test_path(name: str) -> Path | None:
    """Return the test file that belongs to a folder or built-in set given as training data."""
    train = part_path(name, "train")
    return None if train == Path(name) else _file_in(train.parent, "test")


def load_part(path: Path, lenient: bool) -> Part:
    """Read a data file by its suffix."""
    return Part(path, *data.load(path, lenient=lenient))


def find_names(given: Path | None, beside: Path, stem: str, count: int) -> NDArray[np.object_] | None:
    """Return the names of ids: those of the given file, or of a fitting one beside the data.

    Parameters
    ----------
    given : Path or None
        File named by the user; it must fit.
    beside : Path
        Data file in whose folder ``stem.txt.gz`` and ``stem.txt`` are looked for.
    stem : str
        "labels" or "features".
    count : int
        Number of ids.
    """
    if given is not None:
        return data.load_names(given, count=count)
    for path in _names_beside(beside.parent, stem):
        if path != beside:
            try:
                return data.load_names(path, count=count)
            except DataFileError as error:
                note(f"Warning: no names of {stem}: {error}")
    return None


def _file_in(folder: Path, part: str) -> Path | None:
    return next((path for suffix in suffixes() if (path := folder / f"{part}{suffix}").is_file()), None)


def _names_beside(folder: Path, *stems: str) -> list[Path]:
    """Return the files of names in a folder of data, those of both kinds by default."""
    paths = [folder / f"{stem}.txt{end}" for stem in stems or ("labels", "features") for end in (".gz", "")]
    return [path for path in paths if path.is_file()]
