"""Multi-label svmlight (LIBSVM) files: ``l1,l2,... f:v f:v ...`` without a header, ``#`` starts a comment."""

from collections.abc import Iterator
from typing import Any

from scipy.sparse import csr_matrix

from hashslide._os_errors import StrPath

from ._rows import NamedData, check_count
from ._text import read_text, write_text

__all__ = ["load_svmlight", "read_svmlight", "save_svmlight"]


def __dir__() -> list[str]:
    return __all__


def load_svmlight(
    path: StrPath,
    *,
    zero_based: bool = False,
    n_features: int | None = None,
    n_labels: int | None = None,
    lenient: bool = False,
) -> tuple[csr_matrix, csr_matrix]:
    """Read a multi-label data set in the svmlight format, plain or gzip.

    Parameters
    ----------
    path : str or path
        The file; gzip is recognised by its content.
    zero_based : bool, default=False
        Whether feature ids start at 0. The format starts at 1; nothing is guessed, because a file whose
        smallest id happens to be 1 fits both. Label ids always start at 0. An example may have no labels.
    n_features, n_labels : int, optional
        Width of X and Y. By default the largest id decides, so give the training set's when you read a test
        set.
    lenient : bool, default=False
        Repair ids out of order and repeated ids as `load_xmc` does.

    Returns
    -------
    X : csr_matrix of float32, shape (examples, n_features)
    Y : csr_matrix of float32, shape (examples, n_labels)

    Raises
    ------
    DataFileError
        The file is not in the format; the message names file, line, what stands there and the remedy.
    InputError
        `n_features` or `n_labels` is not a count.
    OSError
        The file cannot be opened.
    """
    widths = {"n_features": n_features, "n_labels": n_labels}
    ((X, Y, *_),) = read_svmlight(path, zero_based=zero_based, lenient=lenient, **widths)
    return X, Y


def read_svmlight(
    path: StrPath,
    *,
    zero_based: bool = False,
    n_features: int | None = None,
    n_labels: int | None = None,
    lenient: bool = False,
    limit: int | None = None,
) -> Iterator[NamedData]:
    """Yield the blocks of a data set that `load_svmlight` reads.

    limit: about the number of ids in a block; None: all in one.
    """
    yield from read_text(
        path,
        limit,
        header=False,
        lenient=lenient,
        feature_base=0 if zero_based else 1,
        n_features=_width(n_features, "n_features"),
        n_labels=_width(n_labels, "n_labels"),
    )


def save_svmlight(path: StrPath, X: Any, Y: Any, *, zero_based: bool = False) -> None:
    """Write a data set in the svmlight format, compressed if the name ends in ``.gz``; atomic.

    Parameters
    ----------
    path : str or path
        Where to write; an existing file is replaced.
    X : sparse matrix or array, shape (examples, features)
    Y : sparse matrix or array, shape (examples, labels)
    zero_based : bool, default=False
        Whether feature ids in the file start at 0 instead of 1.

    Raises
    ------
    InputError
        X or Y is not a matrix, their numbers of rows differ, X holds NaN or infinity, or there are no rows:
        an empty file is not read as data.
    OutputError
        The file cannot be written.
    """
    write_text(path, X, Y, header=False, feature_base=0 if zero_based else 1)


def _width(value: int | None, name: str) -> int:
    count = check_count(value, name)
    return -1 if count is None else count
