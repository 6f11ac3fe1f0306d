"""Some training texts of each label, kept to show what the label is about."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.model_file.string_table import StringTable

__all__ = ["KeptExamples", "shortened"]


def __dir__() -> list[str]:
    return __all__


LONGEST = 200  # characters of a text


class KeptExamples:
    """The first texts of each label.

    Parameters
    ----------
    begin : int64 array of shape (n_labels + 1,)
        The texts of label l are those from begin[l] to begin[l + 1].
    texts : StringTable
        May lie in a mapped file: what is added later is kept beside it.
    """

    def __init__(self, begin: NDArray[np.int64], texts: StringTable) -> None:
        if (
            begin.dtype != np.int64
            or begin.ndim != 1
            or len(begin) == 0
            or begin[0] != 0
            or begin[-1] != len(texts)
            or (np.diff(begin) < 0).any()
        ):
            raise InputError(f"the offsets of kept examples do not rise from 0 to {len(texts):,}")
        self._begin, self._texts = begin, texts
        self._later: dict[int, list[str]] = {}  # texts by label
        self.n_labels = len(begin) - 1

    @classmethod
    def none(cls) -> "KeptExamples":
        """Return no texts of no labels."""
        return cls(np.zeros(1, np.int64), StringTable.of([]))

    def of(self, label: int) -> list[str]:
        """Return the texts of a label, by its number."""
        first = range(0)
        if label < len(self._begin) - 1:
            first = range(self._begin[label], self._begin[label + 1])
        return [*(self._texts[i] for i in first), *self._later.get(label, ())]

    def add(self, texts: Sequence[str], y: Csr, n: int) -> None:
        """Keep up to n texts of each label: those that there are, then those of further examples.

        O(occurrences of labels in y).

        Parameters
        ----------
        texts : sequence of str
            Of each example.
        y : Csr
            Their labels, at least as many as before.
        n : int
        """
        self.grow(y.n_columns)
        rows = np.repeat(np.arange(y.n_rows), np.diff(y.indptr))
        for row, label in zip(rows.tolist(), y.indices.tolist(), strict=True):
            known = len(self._begin) > label + 1
            later = self._later.get(label, [])
            n_first = int(self._begin[label + 1] - self._begin[label]) if known else 0
            if n_first + len(later) < n:
                self._later[label] = [*later, shortened(texts[row])]

    def grow(self, n_labels: int) -> None:
        """Make room for further labels, which have no texts."""
        self.n_labels = n_labels

    def of_labels(self, labels: NDArray[np.int64]) -> "KeptExamples":
        """Return the texts of some labels, which get these numbers anew. O(texts of these)."""
        texts = [self.of(label) for label in labels.tolist()]
        begin = np.concatenate([[0], np.cumsum([len(own) for own in texts], dtype=np.int64)])
        return KeptExamples(begin, StringTable.of(text for own in texts for text in own))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the parameters by name, for a file. O(all texts) if some came later."""
        if self._later or self.n_labels > len(self._begin) - 1:
            return self.of_labels(np.arange(self.n_labels)).arrays()
        return {"begin": self._begin} | self._texts.arrays()


def shortened(text: str) -> str:
    """Return text that takes one line and can be written anywhere."""
    line = " ".join(text.split()).encode("utf-8", "replace").decode()
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
