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
        self.begin, self.texts = begin, texts

    @classmethod
    def none(cls, n_labels: int) -> "KeptExamples":
        """Return no texts of any label."""
        return cls(np.zeros(n_labels + 1, np.int64), StringTable.of([]))

    def of(self, label: int) -> list[str]:
        """Return the texts of a label, by its number."""
        return [self.texts[i] for i in range(self.begin[label], self.begin[label + 1])]

    def with_more(self, texts: Sequence[str], y: Csr, n: int) -> "KeptExamples":
        """Return up to n texts of each label: those that there are, then those of further examples.

        Parameters
        ----------
        texts : sequence of str
            Of each example.
        y : Csr
            Their labels, at least as many as before.
        n : int
        """
        rows = np.repeat(np.arange(y.n_rows), np.diff(y.indptr))
        order = np.argsort(y.indices, kind="stable")
        labels, rows = y.indices[order], rows[order]
        had = np.zeros(y.n_columns, np.int64)
        had[: len(self.begin) - 1] = np.diff(self.begin)
        starts = np.searchsorted(labels, np.arange(y.n_columns))
        kept = np.arange(len(labels)) - starts[labels] < n - had[labels]
        labels, rows = labels[kept], rows[kept]
        new = [shortened(texts[row]) for row in rows.tolist()]
        old_labels = np.repeat(np.arange(len(self.begin) - 1), np.diff(self.begin))
        both = np.concatenate([old_labels, labels])
        order = np.argsort(both, kind="stable")
        begin = np.searchsorted(both[order], np.arange(y.n_columns + 1))
        every = [*self.texts.all().tolist(), *new]
        kept_texts = StringTable.of(every[i] for i in order.tolist())
        return KeptExamples(begin.astype(np.int64), kept_texts)

    def grown(self, n_labels: int) -> "KeptExamples":
        """Return the same with further labels, which have no texts."""
        more = np.full(n_labels + 1 - len(self.begin), self.begin[-1], np.int64)
        return KeptExamples(np.concatenate([self.begin, more]), self.texts)

    def of_labels(self, labels: NDArray[np.int64]) -> "KeptExamples":
        """Return the texts of some labels, which get these numbers anew."""
        begin = np.concatenate([[0], np.cumsum(np.diff(self.begin)[labels])])
        return KeptExamples(
            begin, StringTable.of(text for label in labels.tolist() for text in self.of(label))
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the parameters by name."""
        return {"begin": self.begin} | self.texts.arrays()


def shortened(text: str) -> str:
    """Return text that takes one line and can be written anywhere."""
    line = " ".join(text.split()).encode("utf-8", "replace").decode()
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
