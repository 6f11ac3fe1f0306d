"""From what the user names on the command line to matrices and names of ids."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hashslide import data
from hashslide.cli._console import note
from hashslide.cli.inputs.part import Part
from hashslide.data.formats import suffixes
from hashslide.data.xmc import labels_path
from hashslide.errors import DataFileError, InputError

__all__ = ["NAME_FILES", "PUBLISHED", "files_of", "find_names", "part_path", "sibling_test_path"]


def __dir__() -> list[str]:
    return __all__


# Names without .txt and .gz: ours, and those under which the newer XMC sets are published.
NAME_FILES = {"labels": ("labels", "Y", "Yf"), "features": ("features", "Xf")}
PUBLISHED = {"train": "trn", "test": "tst"}


def part_path(name: str, part: str) -> Path:
    """Return the file that a DATA argument means.

    Parameters
    ----------
    name : str
        A file, a folder with ``train.*`` and ``test.*`` or ``trn_X_Xf.txt`` and ``tst_X_Xf.txt``, or a
        built-in data set.
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
        parts = [file for part in PUBLISHED if (file := _file_in(path, part)) is not None]
        return [*parts, *filter(None, map(labels_path, parts)), *_names_beside(path)]
    if not path.is_file():
        return []
    return [path, *filter(None, [labels_path(path)]), *_names_beside(path.parent)]


def sibling_test_path(name: str) -> Path | None:
    """Return the test file that belongs to a folder or built-in set given as training data."""
    train = part_path(name, "train")
    return None if train == Path(name) else _file_in(train.parent, "test")


def find_names(given: Path | None, part: Part, stem: str) -> NDArray[np.object_] | None:
    """Return the names of ids: those that the data hold, of the given file, or of a fitting one beside them.

    Parameters
    ----------
    given : Path or None
        File named by the user; it must fit.
    part : Part
        Data, in whose folder a file of names is looked for.
    stem : str
        "labels" or "features".

    Names of labels may occur more than once: they get their ids behind them. Those of features may not, as
    examples are asked about by their names.

    Raises
    ------
    InputError
        A file is given, but the data hold names.
    """
    number = stem == "labels"
    if stem == "labels":
        own, count = part.label_names, part.Y.shape[1]
    else:
        own, count = part.feature_names, part.X.shape[1]
    if own is not None:
        if given is not None:
            option = f"--{stem.removesuffix('s')}-names"
            raise InputError(f"{part.path} names its {stem}: there are no ids to name. Leave out {option}.")
        return own
    if given is not None:
        return data.load_names(given, count=count, number_repeated=number)
    for path in _names_beside(part.path.parent, stem):
        if path != part.path:
            try:
                return data.load_names(path, count=count, number_repeated=number)
            except DataFileError as error:
                note(f"Warning: no names of {stem}: {error}")
    return None


def _file_in(folder: Path, part: str) -> Path | None:
    names = [f"{part}{suffix}" for suffix in suffixes()]
    names += [f"{PUBLISHED[part]}_X_Xf.txt{end}" for end in (".gz", "")]
    return next((path for name in names if (path := folder / name).is_file()), None)


def _names_beside(folder: Path, *stems: str) -> list[Path]:
    """Return the files of names in a folder of data, those of both kinds by default."""
    names = [name for stem in stems or NAME_FILES for name in NAME_FILES[stem]]
    paths = [folder / f"{name}.txt{end}" for name in names for end in (".gz", "")]
    return [path for path in paths if path.is_file()]
