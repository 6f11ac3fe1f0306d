"""Which identifier comes next in Linux's C files? One label a point, Zipf's tail, 10⁶ or 10⁷ labels.

`words`: the label is the next identifier, of 1,688,589 that occur twice or more. `pairs`: the next two
identifiers, of some 10⁷ pairs. The features are the identifiers before it, each with its distance; those of
rank `FREQUENT` or more count as one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..heads.sets import words

CONTEXT = 4  # words before the label
FREQUENT = 100_000  # words that are features; id 0 stands for all others
HELD_OUT = 0.02  # of the training text, at its end, for validation: the text is a sequence of shuffled files
MOST_WORDS = 2_000_000  # more than there are


class NextWords:
    """Points of a text, whose features are made when they are asked for.

    Parameters
    ----------
    text : int32 array
        Word ids by falling frequency; 0 stands for unknown words, which are no labels.
    labels : int32 array
        The label of the point at each word of the text; -1: none.
    n_labels : int
    held_out : float
        Share of the text that is for validation.

    Attributes
    ----------
    train, validation : int64 arrays
        Places of the points in the text.
    counts : int64 array of shape (n_labels,)
        Of each label in the training part.
    """

    def __init__(
        self, text: NDArray[np.int32], labels: NDArray[np.int32], n_labels: int, held_out: float = HELD_OUT
    ):
        self.n_labels, self.n_features = n_labels, CONTEXT * FREQUENT
        self._text = np.where(text < FREQUENT, text, 0).astype(np.int32)
        self._labels = labels
        points = CONTEXT + np.flatnonzero(labels[CONTEXT:] >= 0)
        first = round((1 - held_out) * len(text))
        self.train, self.validation = points[points < first], points[points >= first]
        self.counts = np.bincount(labels[self.train], minlength=n_labels)

    def features(self, points: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the ids of the features, shape (n, CONTEXT)."""
        distance = np.arange(1, CONTEXT + 1)
        ids = self._text[points[:, None] - distance] + (distance - 1) * FREQUENT
        return ids.astype(np.int32)

    def labels(self, points: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the labels, shape (n,)."""
        return self._labels[points]


def load(folder: Path, kind: str = "words", tokens: int = 0) -> NextWords:
    """Return the points of the text, which is built in the folder unless it is there.

    Parameters
    ----------
    folder : Path
        Of `benchmarks.heads.sets.words`, which fetches a Debian package.
    kind : {"words", "pairs"}
    tokens : int
        Take the first ones of the text; 0: all.
    """
    text = words.load(folder, MOST_WORDS).train
    return of_text(text[:tokens] if tokens else text, kind)


def of_text(text: NDArray[np.int32], kind: str, held_out: float = HELD_OUT) -> NextWords:
    """Return the points of a text of word ids."""
    label_of = {"words": next_word, "pairs": next_pair}[kind]
    labels, n_labels = label_of(text)
    return NextWords(text, labels, n_labels, held_out)


def next_word(text: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """Return the label at each place and their number: word i has the label i - 1."""
    return text - 1, int(text.max())


def next_pair(text: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """Return the label at each place and their number: pairs of known words by the ids of both."""
    known = (text[:-1] > 0) & (text[1:] > 0)
    keys = (text[:-1].astype(np.int64) << 32 | text[1:])[known]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    rank = np.r_[0, np.cumsum(keys[1:] != keys[:-1])].astype(np.int32)
    labels = np.full(len(text), -1, np.int32)
    labels[np.flatnonzero(known)[order]] = rank
    return labels, int(rank[-1]) + 1
