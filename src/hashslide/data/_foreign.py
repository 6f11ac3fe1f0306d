"""Content that is given as data by mistake: what it is, and what to do."""

import codecs
import re

from hashslide._interface import wording
from hashslide._os_errors import StrPath

from ._repairs import fault

_PAGE = re.compile(rb"\s*(<!doctype html|<html[\s>].*</?(head|title|body|html)|<\?xml )", re.I | re.S)
_POINTER = b"version https://git-lfs.github.com/spec/"
_RAW_JSON = re.compile(rb"\s*[{\[]")
_FASTTEXT = re.compile(rb"\s*__label__")
_ARCHIVES = {
    b"PK\x03\x04": "a zip archive, or .npz",
    b"BZh": "data compressed by bzip2",
    b"\xfd7zXZ": "data compressed by xz",
    b"\x28\xb5\x2f\xfd": "data compressed by zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x89HDF": "an HDF5 file",
}


def text_remedy() -> str:
    """Return what to do with texts that were given as numbers."""
    return wording(
        "read texts with load_texts, and train a SlideTextClassifier on them",
        "train on texts by naming their columns with --text, or give --format fasttext",
    )


def check_foreign(path: StrPath, head: bytes, text: bool = True) -> None:
    """Refuse a file whose first bytes show that it is no data at all.

    Parameters
    ----------
    path : str or path
        What messages call the file.
    head : bytes
        Where the file begins, decompressed; one line is enough for text.
    text : bool
        Whether the format is text, so that archives are foreign too.

    Raises
    ------
    DataFileError
        It is a Git LFS pointer, a web page, or, with `text`, not text.
    """
    if head.startswith(_POINTER):
        found = "a Git LFS pointer, which stands for the file, not the file itself"
        raise fault(path, "", found, "fetch the content with: git lfs pull")
    if _PAGE.match(head):
        found = "a web page (HTML or XML), not data; most likely the server's answer to a failed download"
        raise fault(path, "", found, "open it to see what the server says, and download the file again")
    if not text or not _is_binary(head):
        return
    for magic, kind in _ARCHIVES.items():
        if head.startswith(magic):
            remedy = wording(
                "unpack it, or load it under a name with its own suffix",
                "unpack it, or give its format with --format",
            )
            raise fault(path, "", f"not text, but {kind}", remedy)
    if b"\0" in head[:2]:
        found = "the file begins with a NUL byte: binary data, or UTF-16 text without a byte order mark"
        raise fault(path, "", found, "convert the file to UTF-8 text")


def _is_binary(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        return True
    return b"\0" in head


def check_raw_text(path: StrPath, head: bytes) -> None:
    """Refuse texts that are not yet numbers: JSON lines as in ``trn.json.gz``, and fastText's format.

    Raises
    ------
    DataFileError
        The first bytes are those of such a file.
    """
    for pattern, kind in ((_RAW_JSON, "JSON, the raw text of a data set"), (_FASTTEXT, "fastText's format")):
        if pattern.match(head):
            raise fault(path, "", f"the file is {kind}", text_remedy())
