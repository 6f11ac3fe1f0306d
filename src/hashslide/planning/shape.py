"""The shape of training data, which may be larger than what there is of them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hashslide._checks import check_int
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.settings.limits import MAX_IDS

__all__ = ["Matrix", "Shape", "occurring"]


def __dir__() -> list[str]:
    return __all__


_MOST_EXAMPLES = 2**53


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large the data of a training are.

    Attributes
    ----------
    n_examples, n_features, n_labels : int
    features_per_example, labels_per_example : float
        Means.
    labels_seen, features_seen : int
        How many of them occur in an example.
    is_both_ways : bool
        Whether each example is learned a second time with features and labels exchanged.
    """

    n_examples: int
    n_features: int
    n_labels: int
    features_per_example: float
    labels_per_example: float
    labels_seen: int
    features_seen: int
    is_both_ways: bool

    @classmethod
    def of(
        cls,
        x: Csr,
        y: Csr,
        total_examples: int | None = None,
        total_features: int | None = None,
        total_labels: int | None = None,
        is_both_ways: bool = False,
    ) -> "Shape":
        """Return the shape of data of which x and y are all or a sample.

        Parameters
        ----------
        x, y : Csr
        total_examples, total_features, total_labels : int, optional
            Of all the data. Of features and labels beyond those of the sample all are taken to occur.
        is_both_ways : bool

        Raises
        ------
        InputError
            There are no examples, or one of the numbers is smaller than that of the sample.
        """
        if x.n_rows == 0:
            raise InputError("there are no examples to estimate from. Give one at least.")
        whole = {
            "n_examples": _total("total_examples", total_examples, x.n_rows, _MOST_EXAMPLES),
            "n_features": _total("total_features", total_features, x.n_columns, MAX_IDS),
            "n_labels": _total("total_labels", total_labels, y.n_columns, MAX_IDS),
        }
        features_seen, labels_seen = occurring(x, y, is_both_ways)
        return cls(
            **whole,
            features_per_example=x.nnz / x.n_rows,
            labels_per_example=y.nnz / x.n_rows,
            labels_seen=labels_seen + whole["n_labels"] - y.n_columns,
            features_seen=features_seen + whole["n_features"] - x.n_columns,
            is_both_ways=is_both_ways,
        )

    @property
    def data_bytes(self) -> int:
        """Memory of features and labels: an id and a value for each entry, and the rows."""
        entries = 8 * (self.features_per_example + self.labels_per_example)
        return round(self.n_learned * (entries + 16))

    @property
    def n_learned(self) -> int:
        """Examples of an epoch."""
        return self.n_examples * (1 + self.is_both_ways)


def _total(name: str, given: int | None, own: int, most: int) -> int:
    """Return how many there are in all, at least those of the sample."""
    return own if given is None else check_int(name, given, own, most)


class Matrix(Protocol):
    """A sparse matrix by rows."""

    @property
    def indices(self) -> NDArray[np.int32]:
        """The columns of the entries."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        ...


def occurring(x: Matrix, y: Matrix, is_both_ways: bool) -> tuple[int, int]:
    """Return how many features and how many labels occur; both ways, each is both."""
    found = []
    for matrix, other in ((x, y), (y, x)):
        is_there = np.zeros(matrix.shape[1], np.bool_)
        is_there[matrix.indices] = True
        if is_both_ways:
            is_there[other.indices] = True
        found.append(int(is_there.sum()))
    return found[0], found[1]
