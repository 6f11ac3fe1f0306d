"""The index files of a Debian archive."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import IO

Fields = dict[str, str]


def opened(path: Path) -> IO[str]:
    """Open a text, plain or gzipped."""
    return gzip.open(path, "rt", encoding="utf8") if path.suffix == ".gz" else open(path, encoding="utf8")


def stanzas(path: Path) -> Iterator[Fields]:
    """Yield the fields of each paragraph; further lines of a field belong to it."""
    fields: Fields = {}
    name = ""
    with opened(path) as lines:
        for line in lines:
            if line == "\n":
                yield fields
                fields = {}
            elif line[0] == " ":
                fields[name] += line.rstrip("\n")
            else:
                name, _, value = line.rstrip("\n").partition(":")
                fields[name] = value.strip()
    if fields:
        yield fields
