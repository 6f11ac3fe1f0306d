"""Opening data files. Each is opened once and read from its beginning to its end, so that pipes serve too."""

import codecs
import gzip
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from hashslide._os_errors import StrPath, as_path

from ._foreign import check_foreign
from ._repairs import fault

__all__ = ["TextSource", "open_regular", "open_text"]


def __dir__() -> list[str]:
    return __all__


_GZIP = b"\x1f\x8b"
_MARKS = {  # byte order marks; where one begins another, the longer one counts
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
}
_PIECE = 1 << 20  # bytes: stays in the cache between reading and parsing
_HEAD = 4096  # bytes in which content of another kind is recognised
_LINE_ENDS = re.compile("\r\n|\r|\n")


class TextSource:
    """The text of one file, plain or gzip, in UTF-8 or in the encoding that its byte order mark names.

    Nothing is read ahead of what is asked for, so that a dialogue over a pipe is answered line by line.

    Parameters
    ----------
    path : str or path
        What messages call the file.
    file : binary file
        Open at its beginning.
    """

    def __init__(self, path: StrPath, file: io.BufferedIOBase) -> None:
        self._path = path
        with self._damage_explained():
            magic, file = _split_magic(file, (_GZIP,))
            if magic:
                file = gzip.GzipFile(fileobj=io.BufferedReader(_Joined(magic, file)))
            mark, self._file = _split_magic(file, tuple(_MARKS))
        self._encoding = _MARKS.get(mark, "utf-8")

    def pieces(self) -> Iterator[bytes | memoryview]:
        """Yield the text as UTF-8 bytes, in pieces of any length; lone carriage returns become line feeds.

        Each piece is valid until the next one is asked for.

        Raises
        ------
        DataFileError
            The content is of another kind, damaged, or not in its encoding.
        """
        with self._damage_explained():
            pieces = self._utf8_pieces()
            first = bytes(next(pieces, b""))
            check_foreign(self._path, first[:_HEAD])
            if b"\r" in first[:-1] and b"\n" not in first:
                first = first.replace(b"\r", b"\n")
                pieces = (bytes(piece).replace(b"\r", b"\n") for piece in pieces)
            yield first
            yield from pieces

    def lines(self) -> Iterator[str]:
        """Yield lines without their ends: line feed, carriage return, or both.

        Bytes that are no text become U+FFFD, which no number and no sensible name holds, so that one bad line
        does not end a dialogue.

        Raises
        ------
        DataFileError
            The content is of another kind or damaged.
        """
        with self._damage_explained():
            number = 0
            for raw in self._raw_lines():
                if number == 0:
                    check_foreign(self._path, raw[:_HEAD])
                lines = _LINE_ENDS.split(raw.decode(errors="replace"))
                number += len(lines) - 1
                yield from lines[:-1] if lines[-1] == "" else lines

    def utf8_file(self) -> "io.BufferedReader":
        """Return the text of `pieces` as a file that is open for reading."""
        return io.BufferedReader(_Pieces(self.pieces()))

    def text(self) -> str:
        """Return the whole text, line ends as line feeds.

        Raises
        ------
        DataFileError
            As for `pieces`.
        """
        with self._damage_explained():
            raw = b"".join(map(bytes, self._utf8_pieces()))
            check_foreign(self._path, raw[:_HEAD])
            return _LINE_ENDS.sub("\n", self._decode(raw))

    def _utf8_pieces(self) -> Iterator[bytes | memoryview]:
        buffer = bytearray(_PIECE)
        view = memoryview(buffer)
        decoder = codecs.getincrementaldecoder(self._encoding)()
        while size := self._file.readinto(buffer):
            piece = view[:size]
            yield piece if self._encoding == "utf-8" else decoder.decode(piece).encode()
        if self._encoding != "utf-8":
            decoder.decode(b"", final=True)

    def _raw_lines(self) -> Iterator[bytes]:
        if self._encoding == "utf-8":
            yield from self._file
        else:
            for line in io.TextIOWrapper(self._file, self._encoding, "replace", newline=None):
                yield line.encode()

    def _decode(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            raise fault(
                self._path, f"byte {error.start}", "not UTF-8 text", "convert the file to UTF-8"
            ) from None

    @contextmanager
    def _damage_explained(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            found = f"the compressed data is damaged or cut off ({error})"
            raise fault(self._path, "", found, "download or copy the file again") from None
        except UnicodeDecodeError:
            found = f"not {self._encoding} text, which its byte order mark promises"
            raise fault(self._path, "", found, "convert the file to UTF-8") from None


@contextmanager
def open_text(path: StrPath) -> Iterator[TextSource]:
    """Open a text file, a pipe or a device.

    Raises
    ------
    OSError
        It cannot be opened.
    """
    with open(as_path(path), "rb") as file:
        yield TextSource(path, file)


@contextmanager
def open_regular(path: StrPath) -> Iterator[BinaryIO]:
    """Open a file of a format whose parts are not read in their order.

    Raises
    ------
    DataFileError
        It is a pipe or a device, or its content is of another kind.
    OSError
        It cannot be opened.
    """
    with open(as_path(path), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            found = "not a regular file, but this format is not read from its beginning to its end"
            raise fault(path, "", found, "write it to a file first, or send a text format")
        head = file.read(_HEAD)
        if not head:
            raise fault(path, "", "the file is empty", "check that it was written or downloaded completely")
        check_foreign(path, head, text=False)
        file.seek(0)
        yield file


class _Joined(io.RawIOBase):
    """Bytes that were read already, then the rest of their file."""

    def __init__(self, head: bytes, rest: io.BufferedIOBase) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # Not readinto1, which waits for more when the buffer below is the smaller one.
        piece = self._head[: len(buffer)] or self._rest.read1(len(buffer))
        self._head = self._head[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)


class _Pieces(io.RawIOBase):
    """A binary file of pieces."""

    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size


def _split_magic(file: io.BufferedIOBase, magics: tuple[bytes, ...]) -> tuple[bytes, io.BufferedReader]:
    """Return the longest of the magic numbers that the file begins with, and the file behind it.

    No byte is read that cannot belong to one: the sender of a pipe may be waiting for an answer.
    """
    head = b""
    while any(len(magic) > len(head) and magic.startswith(head) for magic in magics):
        if not (byte := file.read(1)):
            break
        head += byte
    found = max((magic for magic in magics if head.startswith(magic)), key=len, default=b"")
    return found, io.BufferedReader(_Joined(head[len(found) :], file))
