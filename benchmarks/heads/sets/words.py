"""The identifiers of Linux's C files in their order: a text of more than 10⁵ words."""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from hashlib import md5
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import packages

PACKAGE = "linux-source-6.1"
SEED = 7  # of the order of the files
HELD_OUT = 20  # one of so many files
COMMENT_OR_TEXT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*")


class Words(NamedTuple):
    """A text as word ids; id 0 stands for every rare word."""

    train: NDArray[np.int32]
    test: NDArray[np.int32]
    counts: NDArray[np.int64]  # of each word in `train`


def load(folder: Path, n_words: int) -> Words:
    """Return the text with its `n_words` - 1 most frequent words; a twentieth of the files is held out."""
    target = folder / "words"
    packages.built(target, ("train.npy", "test.npy", "words.txt"), lambda: _build(folder, target))
    # The ids are ordered by frequency, so that a smaller vocabulary is a matter of the ids alone.
    train, test = (np.load(target / f"{part}.npy") for part in ("train", "test"))
    for part in (train, test):
        part[part >= n_words] = 0
    return Words(train, test, np.bincount(train, minlength=n_words))


def identifiers(source: str) -> list[str]:
    """Return the identifiers and keywords of a C file, without comments and texts."""
    return IDENTIFIER.findall(COMMENT_OR_TEXT.sub(" ", source))


def is_held_out(path: str) -> bool:
    """Tell whether a file belongs to the test part: a matter of its path alone."""
    return int(md5(path.encode()).hexdigest()[:8], 16) % HELD_OUT == 0


def encode(files: dict[str, list[str]]) -> tuple[NDArray[np.int32], NDArray[np.int32], list[str]]:
    """Return the training text, the test text and the words by falling frequency in training, from id 1 on.

    A word that occurs once in training, or in the test part alone, has the id 0.
    """
    paths = sorted(files)
    shuffled = [paths[i] for i in np.random.default_rng(SEED).permutation(len(paths))]
    train, test = ([p for p in shuffled if is_held_out(p) is held_out] for held_out in (False, True))
    frequency = Counter(chain.from_iterable(files[path] for path in train))
    words = [word for word, n in frequency.most_common() if n > 1]
    ids = {word: i for i, word in enumerate(words, 1)}

    def text(part: list[str]) -> NDArray[np.int32]:
        tokens = chain.from_iterable(files[path] for path in part)
        return np.fromiter((ids.get(token, 0) for token in tokens), np.int32)

    return text(train), text(test), words


def _build(folder: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        package = packages.debian(PACKAGE, folder / "packages")
        archive = packages.unpacked(package, Path(scratch)) / "usr" / "src" / f"{PACKAGE}.tar.xz"
        train, test, words = encode(dict(_c_files(archive)))
    np.save(target / "train.npy", train)
    np.save(target / "test.npy", test)
    (target / "words.txt").write_text("".join(f"{word}\n" for word in words))


def _c_files(archive: Path) -> Iterator[tuple[str, list[str]]]:
    known: dict[str, str] = {}  # one object a word: a hundred million tokens have to fit into memory
    with tarfile.open(archive, "r|xz") as tar:
        for member in tar:
            if member.isfile() and member.name.endswith(".c"):
                source = tar.extractfile(member).read().decode("latin-1")
                yield member.name, [known.setdefault(word, word) for word in identifiers(source)]
