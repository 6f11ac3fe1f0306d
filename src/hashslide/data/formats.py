"""Reading and writing by the name of the file, or by the name of the format."""

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scipy.sparse import csr_matrix

from hashslide._interface import setting
from hashslide._os_errors import StrPath, as_path
from hashslide._validation import blocks
from hashslide.errors import InputError

from ._foreign import text_remedy
from ._rows import NamedData
from .npz import load_npz, read_npz, save_npz
from .svmlight import load_svmlight, read_svmlight, save_svmlight
from .tables.csv import load_csv, read_csv
from .tables.parquet import load_parquet, read_parquet, save_parquet
from .xmc import labels_path, load_xmc, read_xmc, save_xmc

__all__ = [
    "FORMATS",
    "Format",
    "check_options",
    "convert",
    "format_of",
    "load",
    "load_named",
    "load_pack",
    "read_blocks",
    "read_pack",
    "save",
    "suffixes",
    "writable_format_of",
]


def __dir__() -> list[str]:
    return __all__


def load_pack(path: StrPath, *, lenient: bool = False) -> tuple[csr_matrix, csr_matrix]:
    """Read all of a pack into memory, in its order; for data that fit there."""
    ((X, Y, *_),) = read_pack(path)
    return X, Y


def read_pack(path: StrPath, *, limit: int | None = None, lenient: bool = False) -> Iterator[NamedData]:
    """Yield the examples of a pack in blocks of about `limit` ids; None: all in one."""
    from .pack import Pack  # which reads the other formats

    pack = Pack.open(path)
    pack.verify()
    n_items = pack.x.nnz + pack.y.nnz
    n_rows = len(pack) if limit is None else max(1, limit * len(pack) // max(1, n_items))
    for first, last in blocks(len(pack), n_rows):
        x, y = (part.to_scipy().copy() for part in pack.examples(first, last))
        names = (pack.feature_names, pack.label_names) if last == len(pack) else (None, None)
        yield NamedData(x, y, *names)


class Format(NamedTuple):
    """A format, and the functions that read and write it."""

    name: str
    suffixes: tuple[str, ...]
    load: Callable[..., tuple[csr_matrix, csr_matrix]]
    read: Callable[..., Iterator[NamedData]]  # in blocks
    save: Callable[..., None] | None
    text: bool  # may be compressed
    names: bool = False  # may hold names instead of ids


FORMATS = (
    Format("xmc", (".txt", ".xmc"), load_xmc, read_xmc, save_xmc, True),
    Format("svmlight", (".svm", ".svmlight", ".libsvm"), load_svmlight, read_svmlight, save_svmlight, True),
    Format("npz", (".npz",), load_npz, read_npz, save_npz, False),
    Format(
        "parquet",
        (".parquet", ".pq", ".arrow", ".feather"),
        load_parquet,
        read_parquet,
        save_parquet,
        False,
        names=True,
    ),
    Format("csv", (".csv", ".tsv"), load_csv, read_csv, None, True, names=True),
    Format("pack", (".pack",), load_pack, read_pack, None, False),
)
_RAW_TEXT = (".json", ".jsonl", ".ndjson", ".ft", ".fasttext")
_OF_TEXTS = ("jsonl", "fasttext")  # formats that `load_texts` reads
_OWN = ("path", "X", "Y", "lenient")  # arguments of the readers and writers that are no options


def load(
    path: StrPath, *, format: str | None = None, lenient: bool = False, **options: Any
) -> tuple[csr_matrix, csr_matrix]:
    """Read a data set; the suffix of the name chooses the format.

    ============  =====================================================  ===============
    `format`      suffixes                                               read by
    ============  =====================================================  ===============
    "xmc"         ``.txt``, ``.xmc``, also with ``.gz``                  `load_xmc`
    "svmlight"    ``.svm``, ``.svmlight``, ``.libsvm``, also with        `load_svmlight`
                  ``.gz``
    "npz"         ``.npz``                                               `load_npz`
    "parquet"     ``.parquet``, ``.pq``, ``.arrow``, ``.feather``        `load_parquet`
    "csv"         ``.csv``, ``.tsv``, also with ``.gz``                  `load_csv`
    "pack"        ``.pack``                                              `Pack.open`
    ============  =====================================================  ===============

    Parameters
    ----------
    path : str or path
        The file. Text formats are also read from pipes and devices, such as ``/dev/stdin``.
    format : str, optional
        The name of a format, for files without a suffix of it.
    lenient : bool, default=False
        Repair what is harmless and say so in a `RepairWarning`.
    **options
        More arguments of the format's own function.

    Returns
    -------
    X : csr_matrix of float32, shape (examples, features)
    Y : csr_matrix of float32, shape (examples, labels)

    Raises
    ------
    InputError
        The suffix or the format is unknown, or the format has no such option.
    DataFileError
        The file is not acceptable; the message names file, place, what was found and the remedy.
    OSError
        The file cannot be opened.
    """
    reader = format_of(path, format)
    check_options(path, reader, reader.load, options)
    return reader.load(path, lenient=lenient, **options)


def load_named(
    path: StrPath, *, format: str | None = None, lenient: bool = False, **options: Any
) -> NamedData:
    """Read a data set together with the names of its features and labels, where it holds names.

    Columns of names in tables (``.parquet``, ``.csv``, ...) get their ids in the order in which the names
    occur. The names of features that are a column each are the columns'.

    Parameters
    ----------
    path, format, lenient, **options
        As in `load`.

    Returns
    -------
    NamedData
        ``X``, ``Y``, ``feature_names``, ``label_names``; names are None where the data hold ids.

    Raises
    ------
    InputError, DataFileError, OSError
        As in `load`.
    """
    (data,) = read_blocks(path, None, format=format, lenient=lenient, **options)
    return data


def read_blocks(
    path: StrPath,
    limit: int | None,
    *,
    format: str | None = None,
    lenient: bool = False,
    known_names: Mapping[str, dict[str, int]] | None = None,
    **options: Any,
) -> Iterator[NamedData]:
    """Yield the blocks of a data set that `load_named` reads, in memory that does not grow with their number.

    Parameters
    ----------
    path, format, lenient, **options
        As in `load`.
    limit : int or None
        About the number of ids in a block; None: all in one.
    known_names : mapping of str to dict, optional
        Ids of names of a "feature" and of a "label" that were read before. New names are added to them.

    Yields
    ------
    NamedData
        Blocks may grow wider from one to the next. Only the last one has the names, and the final widths.

    Raises
    ------
    InputError, DataFileError, OSError
        As in `load`.
    """
    reader = format_of(path, format)
    check_options(path, reader, reader.load, options)
    if reader.names:
        options |= {"collect_names": True, "known_names": known_names}
    return reader.read(path, limit=limit, lenient=lenient, **options)


def save(path: StrPath, X: Any, Y: Any, *, format: str | None = None, **options: Any) -> None:
    """Write a data set; the suffix of the name chooses the format as in `load`. Atomic. CSV is only read.

    Parameters
    ----------
    path : str or path
        Where to write; an existing file is replaced.
    X : sparse matrix or array, shape (examples, features)
    Y : sparse matrix or array, shape (examples, labels)
    format : str, optional
        The name of a format, as in `load`.
    **options
        More arguments of the format's own function.

    Raises
    ------
    InputError
        The suffix or the format is unknown, or X and Y are not acceptable.
    OutputError
        The file cannot be written.
    """
    writer = writable_format_of(path, format)
    assert writer.save is not None
    check_options(path, writer, writer.save, options)
    writer.save(path, X, Y, **options)


def convert(
    source: StrPath,
    target: StrPath,
    *,
    format: str | None = None,
    lenient: bool = False,
    **options: Any,
) -> tuple[csr_matrix, csr_matrix]:
    """Read one file and write another; the suffixes choose the formats.

    Parameters
    ----------
    source, target : str or path
        Files; `target` appears whole or not at all.
    format : str, optional
        The name of the format of `source`, as in `load`.
    lenient : bool, default=False
        As in `load`.
    **options
        More arguments for reading, such as ``zero_based``.

    Returns
    -------
    X, Y : csr_matrix
        What was written.

    Raises
    ------
    InputError
        A suffix is unknown, or both names lead to one file.
    DataFileError
        As in `load`.
    OutputError
        The target cannot be written.
    """
    writable_format_of(target)
    for read in _files(source, options.get("labels_file")):
        for written in _files(target):
            if written.exists() and read.exists() and os.path.samefile(read, written):
                raise InputError(
                    f"{read} and {written} are one file, which would be lost. Give another target."
                )
    X, Y = load(source, format=format, lenient=lenient, **options)
    save(target, X, Y)
    return X, Y


def _files(path: StrPath, labels_file: StrPath | None = None) -> list[Path]:
    """Return the files that a data set consists of."""
    labels_file = labels_path(path) if labels_file is None else labels_file
    return [Path(path), *([] if labels_file is None else [Path(labels_file)])]


def suffixes() -> list[str]:
    """Return every suffix that `load` knows, compressed text first."""
    return [s + z for form in FORMATS for s in form.suffixes for z in ([".gz", ""] if form.text else [""])]


def format_of(path: StrPath, format: str | None = None) -> Format:
    """Return the format of the given name, or else the one that the suffix of the file chooses.

    Raises
    ------
    InputError
        There is none.
    """
    if format is not None:
        found = next((form for form in FORMATS if form.name == format), None)
        if found is None:
            accepted = ", ".join(form.name for form in FORMATS)
            known = f"{setting('format')} is {format!r}; accepted are {accepted}."
            raise InputError(f"{known} Of texts: {text_remedy()}." if format in _OF_TEXTS else known)
        return found
    name = as_path(path).name.lower()
    for form in FORMATS:
        if (name.removesuffix(".gz") if form.text else name).endswith(form.suffixes):
            return form
    if name.removesuffix(".gz").endswith(_RAW_TEXT):
        raise InputError(f"{os.fspath(path)}: this is the raw text of a data set. Remedy: {text_remedy()}.")
    known = ", ".join(s + ("[.gz]" if form.text else "") for form in FORMATS for s in form.suffixes)
    raise InputError(
        f"{os.fspath(path)}: unknown suffix. Known are {known}. "
        f"Rename the file, or give its format, such as {setting('format', 'xmc')}."
    )


def writable_format_of(path: StrPath, format: str | None = None) -> Format:
    """Return the format to write a file in.

    Raises
    ------
    InputError
        There is none, or it can only be read.
    """
    found = format_of(path, format)
    if found.save is None:
        raise InputError(
            f"{os.fspath(path)}: {found.name.upper()} is read but not written here. "
            "Write .txt, .svm, .npz or .parquet instead; Pack.build writes packs."
        )
    return found


def check_options(path: StrPath, form: Format, function: Callable[..., Any], options: Iterable[str]) -> None:
    """Refuse options that a format's function does not have.

    Raises
    ------
    InputError
    """
    known = [name for name in inspect.signature(function).parameters if name not in _OWN]
    for name in options:
        if name not in known:
            has = f"It has {', '.join(map(setting, known))}." if known else "It has none."
            raise InputError(
                f"{os.fspath(path)}: the format {form.name} has no option {setting(name)}. {has} "
                f"Leave it out, or give the right {setting('format')}."
            )
