"""The text format of the Extreme Classification Repository.

A header line ``points features labels``, then one line a point, ``l1,l2,... f:v f:v ...``: ids from 0,
ascending; the line of a point without labels begins with a space. Source: Bhatia et al. 2016, "The extreme
classification repository".
"""

import os

from scipy.sparse import csr_matrix

from ._text import read_text, write_text


def load_xmc(path: str | os.PathLike, *, lenient: bool = False) -> tuple[csr_matrix, csr_matrix]:
    """Read a data set in the XMC text format, plain or gzip.

    The file is parsed in C++ while it is read: memory is that of the result, the GIL is released.

    Parameters
    ----------
    path : str or path
        The file; gzip is recognised by its content.
    lenient : bool, default=False
        Repair what is harmless and say so in one `RepairWarning`: ids out of order are sorted, a repeated
        label counts once, values of a repeated feature are summed, the number of points is taken from the
        rows. Ids out of range, NaN, infinity and broken lines are errors all the same. Windows line ends and
        empty lines at the end of the file are always accepted.

    Returns
    -------
    X : csr_matrix of float32, shape (points, features)
        Values as in the file, stored zeros included; ids sorted and unique in a row.
    Y : csr_matrix of float32, shape (points, labels)
        1 where the point has the label.

    Raises
    ------
    DataFileError
        The file is not in the format; the message names file, line, what stands there and the remedy.
    OSError
        The file cannot be opened.

    Notes ----- A last line without line feed is accepted if the header's number of points is reached: whether
    its last number lost digits cannot be seen.
    """
    return read_text(path, lenient=lenient)


def save_xmc(path: str | os.PathLike, X, Y) -> None:
    """Write a data set in the XMC text format, compressed if the name ends in ``.gz``.

    The file appears whole or not at all. Values are written as float32 with the fewest digits that read back
    equal.

    Parameters
    ----------
    path : str or path
        Where to write; an existing file is replaced.
    X : sparse matrix or array, shape (points, features)
        Finite values.
    Y : sparse matrix or array, shape (points, labels)
        A label for every value that is not 0.

    Raises
    ------
    InputError
        X or Y is not a matrix, their numbers of rows differ, or X holds NaN or infinity.
    OutputError
        The file cannot be written.
    """
    write_text(path, X, Y, header=True, feature_base=0)
