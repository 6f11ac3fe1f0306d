"""Training both ways, for recommendation: what was wanted is given, too, and what was given is wanted.

Where features and labels are the same items, as in a basket of which one half is given, an example tells as
much the other way round: that is twice the training data, and rare items are met twice as often.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg as sparse_linalg

from hashslide._checks import is_auto
from hashslide._interface import setting, wording
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.settings import Setting
from hashslide.targets import LabelNames
from hashslide.training import TrainingData

__all__ = ["both_ways", "with_reversed"]


def __dir__() -> list[str]:
    return __all__


MOST_ROWS, MOST_ENTRIES = 20_000, 1 << 21  # that are looked at
LEAST_ITEMS = 100  # fewer may avoid each other by accident
LEAST_EXPECTED = 100.0
MOST_SHARED = 0.01  # of what is expected
LEAST_COUNT = 10  # of an item: of rare ones chance decides which side they are on
LEAST_CORRELATION = 0.7


def both_ways(
    wanted: bool | str,
    data: TrainingData,
    labels: LabelNames,
    feature_names: NDArray[Any] | None,
    multilabel: bool,
) -> tuple[TrainingData, Setting]:
    """Return the data with the reversed examples, where they are wanted, and the setting with its reason.

    "auto" reverses where no item is a feature and a label of one example although chance would make that so
    often, and where items are labels about as often as they are features.

    Parameters
    ----------
    wanted : bool or "auto"
    data : TrainingData
    labels : LabelNames
        Which tell the label that is the same item as a feature: `LabelNames.of_features`.
    feature_names : array of str, or None
    multilabel : bool

    Raises
    ------
    InputError
        True, but an example has one class, or features and labels cannot be matched.
    """
    if wanted is False:
        return data, Setting(False, "it was given")
    if not is_auto(wanted):
        _check(labels, feature_names, multilabel)
        label_of = labels.of_features(data.x.n_columns, feature_names)
        return with_reversed(data, label_of), Setting(True, "it was given")
    if not multilabel:
        return data, Setting(False, "an example has one class")
    label_of = labels.of_features(data.x.n_columns, feature_names)
    meeting = _Meeting.of(data, label_of)
    if not meeting.is_of_same_items:
        return data, Setting(False, "features and labels are not the same things, as far as the data tell")
    reason = (
        "features and labels are the same items: as often one as the other, and "
        f"{meeting.shared:,} times both in one example, where chance would make {meeting.expected:,.0f}"
    )
    return with_reversed(data, label_of), Setting(True, reason)


def _check(labels: LabelNames, feature_names: NDArray[Any] | None, multilabel: bool) -> None:
    """Refuse data that cannot be reversed."""
    named = setting("both_ways", True)
    if not multilabel:
        raise InputError(
            f"{named} needs examples with several labels, but these have one class each. Give y as an "
            "indicator or as lists of labels, or leave it at its default."
        )
    is_text = labels.names is not None and labels.names.dtype.kind not in "iu"
    if labels.from_lists and is_text and feature_names is None:
        raise InputError(
            f"{named} needs to know which feature is which label, but the labels have names and the features "
            "have none. "
            + wording(
                "Fit on a data frame whose columns are named like the labels, or give y as an indicator "
                "with the columns of X.",
                "Train on data whose features are named like the labels.",
            )
        )


@dataclass(frozen=True)
class _Meeting:
    """How features and the labels that are the same items occur in some examples.

    Attributes
    ----------
    items : int
        What is a feature and a label.
    shared : int
        How often an item is both in one example.
    expected : float
        The same, if they occurred independently.
    correlation : float
        Of the logarithms of how often they occur, where that is not seldom.
    """

    items: int
    shared: int
    expected: float
    correlation: float

    @property
    def is_of_same_items(self) -> bool:
        """Whether chance cannot explain that they avoid each other."""
        return (
            self.items >= LEAST_ITEMS
            and self.expected >= LEAST_EXPECTED
            and self.shared <= MOST_SHARED * self.expected
            and self.correlation >= LEAST_CORRELATION
        )

    @classmethod
    def of(cls, data: TrainingData, label_of: NDArray[np.int64]) -> "_Meeting":
        """Return that of a sample of the examples, evenly spread."""
        per_row = (data.x.nnz + data.y.nnz) / max(data.x.n_rows, 1)
        n_rows = int(min(MOST_ROWS, MOST_ENTRIES / max(per_row, 1), len(data.rows)))
        rows = data.rows[np.linspace(0, len(data.rows) - 1, n_rows).astype(np.int64)]
        x, y = data.x.take(rows), data.y.take(rows)
        n, row = y.n_columns, np.arange(len(rows))
        items = label_of[x.indices]
        is_given = (x.values != 0) & (items >= 0)
        keys_given = (np.repeat(row, np.diff(x.indptr)) * n + items)[is_given]
        keys_wanted = np.repeat(row, np.diff(y.indptr)) * n + y.indices
        given, wanted = (
            np.bincount(keys % n, minlength=n).astype(np.float64) for keys in (keys_given, keys_wanted)
        )
        expected = float(given @ wanted) / max(len(rows), 1)
        a, b = (np.log1p(counts[given + wanted >= LEAST_COUNT]) for counts in (given, wanted))
        is_constant = len(a) < 2 or a.std() == 0 or b.std() == 0
        correlation = 0.0 if is_constant else float(np.corrcoef(a, b)[0, 1])
        shared = int(np.isin(keys_wanted, keys_given, assume_unique=True).sum())
        return cls(int(((given > 0) & (wanted > 0)).sum()), shared, expected, correlation)


def with_reversed(data: TrainingData, label_of: NDArray[np.int64]) -> TrainingData:
    """Return the data with a reversed copy of each example behind them.

    Its labels become features, and its features labels; what the other side does not have is left out, and
    examples that then lack one side have no copy. The features of a copy have equal values, and together the
    length of the features of the example that it is made of.

    Parameters
    ----------
    data : TrainingData
    label_of : int64 array of shape (n_features,)
        The label that is the same item as each feature, -1 where there is none; each label once.
    """
    x, y = data.x, data.y
    is_item = label_of >= 0
    feature_of = np.full(y.n_columns, -1, np.int64)
    feature_of[label_of[is_item]] = np.flatnonzero(is_item)
    given = (x.values != 0) & is_item[x.indices]
    wanted = feature_of[y.indices] >= 0
    n_given, n_wanted = _per_row(given, x), _per_row(wanted, y)
    rows = data.rows[((n_given > 0) & (n_wanted > 0))[data.rows]]
    length = sparse_linalg.norm(x.to_scipy(), axis=1) / np.sqrt(np.maximum(n_wanted, 1))
    features = _rows(n_wanted, feature_of[y.indices[wanted]], np.repeat(length, n_wanted), x.n_columns)
    labels = _rows(n_given, label_of[x.indices[given]], np.ones(int(n_given.sum())), y.n_columns)
    labels = Csr(labels.indptr, labels.indices, None, labels.n_columns)
    weight = data.sample_weight
    return replace(
        data,
        x=_stacked(x, features.take(rows)),
        y=_stacked(y, labels.take(rows)),
        rows=np.concatenate([data.rows, np.arange(x.n_rows, x.n_rows + len(rows))]),
        sample_weight=None if weight is None else np.concatenate([weight, weight[rows]]),
        n_reversed=len(rows),
    )


def _per_row(kept: NDArray[np.bool_], matrix: Csr) -> NDArray[np.int64]:
    """Return how many items of each row are kept."""
    return np.diff(np.concatenate([[0], np.cumsum(kept)])[matrix.indptr])


def _rows(
    counts: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float64], n_columns: int
) -> Csr:
    """Return the matrix of so many items in each row, in any order."""
    indptr = np.concatenate([[0], np.cumsum(counts)])
    matrix = sparse.csr_matrix((values.astype(np.float32), columns, indptr), (len(counts), n_columns))
    matrix.sort_indices()
    return Csr(indptr, matrix.indices.astype(np.int32), matrix.data, n_columns)


def _stacked(above: Csr, below: Csr) -> Csr:
    """Return the rows of both."""
    data = None
    if above.data is not None or below.data is not None:
        data = np.concatenate([above.values, below.values])
    indptr = np.concatenate([above.indptr, above.indptr[-1] + below.indptr[1:]])
    return Csr(indptr, np.concatenate([above.indices, below.indices]), data, above.n_columns)
