"""The text formats of the Extreme Classification Repository.

In one file: a header line ``examples features labels``, then one line per example, ``l1,l2,... f:v f:v ...``
with ids from 0, ascending; the line of an example without labels begins with a space.

In two files, as the newer sets are published: a matrix of features and one of labels, each with a header line
``rows columns``, then one line per example, ``c:v c:v ...``. Source: Bhatia et al. 2016, "The extreme
classification repository".
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from hashslide._os_errors import StrPath, as_path

from ._pairs import of_equal_rows
from ._repairs import fault, id_range
from ._rows import NamedData
from ._text import read_matrix, read_text, write_matrices, write_text
from .sources import open_text

__all__ = ["labels_path", "load_pairs", "load_xmc", "read_xmc", "save_xmc"]


def __dir__() -> list[str]:
    return __all__


_FEATURES, _LABELS = "_X_Xf.txt", "_X_Y.txt"


def load_xmc(
    path: StrPath, labels_file: StrPath | None = None, *, lenient: bool = False
) -> tuple[csr_matrix, csr_matrix]:
    """Read a data set in the XMC text format, plain or gzip.

    The file is parsed in C++ while it is read: memory is that of the result, the GIL is released.

    Parameters
    ----------
    path : str or path
        The file; gzip is recognised by its content.
    labels_file : str or path, optional
        The matrix of labels, if `path` is a matrix of features alone. For a `path` such as ``trn_X_Xf.txt``,
        the name under which it is published, it is ``trn_X_Y.txt`` in the same folder by default.
    lenient : bool, default=False
        Repair what is harmless and say so in one `RepairWarning`: ids out of order are sorted, a repeated
        label counts once, values of a repeated feature are summed, the number of rows is taken from the rows.
        Ids out of range, NaN, infinity and broken lines are errors all the same. Line ends of any system and
        empty lines at the end of the file are always accepted.

    Returns
    -------
    X : csr_matrix of float32, shape (examples, features)
        Values as in the file, stored zeros included; ids sorted and unique in a row.
    Y : csr_matrix of float32, shape (examples, labels)
        1 where the example has the label.

    Raises
    ------
    DataFileError
        The file is not in the format; the message names file, line, what stands there and the remedy.
    OSError
        The file cannot be opened.

    Notes
    -----
    A last line without line feed is accepted if the header's number of rows is reached: whether its last
    number lost digits cannot be seen.
    """
    ((X, Y, *_),) = read_xmc(path, labels_file=labels_file, lenient=lenient)
    return X, Y


def read_xmc(
    path: StrPath,
    *,
    labels_file: StrPath | None = None,
    lenient: bool = False,
    limit: int | None = None,
) -> Iterator[NamedData]:
    """Yield the blocks of a data set that `load_xmc` reads.

    limit: about the number of ids in a block; None: all in one.
    """
    labels_file = labels_path(path) if labels_file is None else labels_file
    if labels_file is None:
        yield from read_text(path, limit, lenient=lenient)
        return
    counts = [0, 0]
    X = _counted(read_matrix(path, "feature", lenient, limit), counts, 0)
    Y = _counted(read_matrix(labels_file, "label", lenient, limit), counts, 1)
    for x, y in of_equal_rows(X, Y):
        yield NamedData(x, y, None, None)
    if counts[0] != counts[1]:
        found = f"{counts[0]} rows of features, but {counts[1]} rows of labels in {os.fspath(labels_file)}"
        raise fault(path, "", found, "give two files with one row for each example")


def _counted(blocks: Iterator[csr_matrix], counts: list[int], place: int) -> Iterator[csr_matrix]:
    for block in blocks:
        counts[place] += block.shape[0]
        yield block


def save_xmc(path: StrPath, X: Any, Y: Any, *, labels_file: StrPath | None = None) -> None:
    """Write a data set in the XMC text format, compressed if the name ends in ``.gz``.

    Each file appears whole or not at all. Values are written as float32 with the fewest digits that read back
    equal.

    Parameters
    ----------
    path : str or path
        Where to write; an existing file is replaced.
    X : sparse matrix or array, shape (examples, features)
        Finite values.
    Y : sparse matrix or array, shape (examples, labels)
        1 for each label of an example, else 0.
    labels_file : str or path, optional
        Where to write the labels, to get two files; by default as in `load_xmc`.

    Raises
    ------
    InputError
        X or Y is not a matrix, their numbers of rows differ, X holds NaN or infinity, or Y holds something
        else than 0 and 1.
    OutputError
        The file cannot be written.
    """
    labels_file = labels_path(path) if labels_file is None else labels_file
    if labels_file is None:
        write_text(path, X, Y, header=True, feature_base=0)
    else:
        write_matrices(path, labels_file, X, Y)


def load_pairs(path: StrPath, shape: tuple[int, int]) -> csr_matrix:
    """Read pairs of an example and a label, such as those that published results leave out.

    Sets whose labels are examples too come with ``filter_labels_test.txt``: in each line the number of a test
    example and a label that is the same thing; `exclude` of `hashslide.metrics.precision_at_k` takes them.

    Parameters
    ----------
    path : str or path
        Text, plain or gzip: two integers in each line, both counted from 0.
    shape : (int, int)
        Numbers of examples and labels.

    Returns
    -------
    csr_matrix of float32
        1 for each pair; of the given shape.

    Raises
    ------
    DataFileError
        A line does not hold two integers of the range.
    OSError
        The file cannot be opened.
    """
    pairs: list[tuple[int, int]] = []
    with open_text(path) as source:
        for number, line in enumerate(source.lines(), 1):
            parts = line.split()
            if not parts:
                continue
            if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
                found, remedy = f"{line[:40]!r} is not a pair of integers", "write an example and a label"
                raise fault(path, f"line {number}", found, remedy)
            pair = int(parts[0]), int(parts[1])
            for what, value, n in zip(("example", "label"), pair, shape, strict=True):
                if value >= n:
                    found = f"{what} {value} is out of range; accepted is {id_range(n)}"
                    raise fault(path, f"line {number}", found, "give the pairs of these examples and labels")
            pairs.append(pair)
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    matrix = csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    matrix.data[:] = 1  # a pair that stands in the file twice
    return matrix


def labels_path(path: StrPath) -> Path | None:
    """Return the file of labels that belongs to a file of features by its published name; else None."""
    path = as_path(path)
    for suffix in ("", ".gz"):
        if path.name.endswith(_FEATURES + suffix):
            stem = path.name.removesuffix(_FEATURES + suffix)
            return path.with_name(f"{stem}{_LABELS}{suffix}")
    return None
