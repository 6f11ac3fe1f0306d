"""The names of npm packages as characters, and the owners of their repositories: npm-owner for a CNN."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...sets.npm_owner import in_test, owners
from . import packages

PACKAGE, VERSION = "all-the-package-repos", "2.0.3148"
LENGTH = 32  # of a name; longer ones lose their end
CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_./~ABCDEFGHIJKLMNOPQRSTUVWXYZ"
N_CODES = len(CHARACTERS) + 2  # 0 is padding, 1 any other character
CODE = {character: i for i, character in enumerate(CHARACTERS, 2)}


class Names(NamedTuple):
    """Names as codes, shape (n, LENGTH), and the ids of their owners."""

    train: NDArray[np.uint8]
    y_train: NDArray[np.int32]
    test: NDArray[np.uint8]
    y_test: NDArray[np.int32]
    counts: NDArray[np.int64]  # of each owner in training


def load(folder: Path) -> Names:
    """Return the set; both parts and the ids of the classes are those of ``benchmarks.sets.npm_owner``.

    Unlike there, names without a known feature are kept: a network of characters can read all names.
    """
    target = folder / "names"
    files = ("train.npy", "y_train.npy", "test.npy", "y_test.npy")
    packages.built(target, files, lambda: _build(folder, target))
    arrays = [np.load(target / name) for name in files]
    return Names(*arrays, np.bincount(arrays[1]))


def encode(names: list[str]) -> NDArray[np.uint8]:
    """Return the codes of names without their scope, shape (n, LENGTH)."""
    codes = np.zeros((len(names), LENGTH), np.uint8)
    for row, name in zip(codes, names, strict=True):
        bare = name.split("/", 1)[-1] if name.startswith("@") else name
        values = [CODE.get(character, 1) for character in bare[:LENGTH]]
        row[: len(values)] = values
    return codes


def divide(owner: dict[str, str]) -> tuple[NDArray, ...]:
    """Return the codes and class ids of the training part and of the test part."""
    train = [name for name in owner if not in_test(name)]
    ids = {who: i for i, who in enumerate(sorted({owner[name] for name in train}))}
    test = [name for name in owner if in_test(name) and owner[name] in ids]
    y_train, y_test = (np.array([ids[owner[name]] for name in part], np.int32) for part in (train, test))
    return encode(train), y_train, encode(test), y_test


def _build(folder: Path, target: Path) -> None:
    arrays = divide(owners(packages.npm(PACKAGE, VERSION, folder / "packages")))
    for name, array in zip(("train", "y_train", "test", "y_test"), arrays, strict=True):
        np.save(target / f"{name}.npy", array)
