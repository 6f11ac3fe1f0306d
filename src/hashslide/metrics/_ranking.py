"""From what metrics are given to relevant labels and predictions in one numbering."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide._checks import as_int
from hashslide.csr import Csr, as_pattern
from hashslide.errors import InputError
from hashslide.settings.limits import MAX_IDS
from hashslide.targets import LabelNames, Target, check_classes, column_names, is_missing, parse_target

PADDING = -1


@dataclass(frozen=True)
class Ranking:
    """Checked arguments.

    Attributes
    ----------
    y : Csr without data
        Relevant labels.
    ids : int64 array of shape (n, at most k)
        Predicted labels, best first; -1 is padding.
    hits : boolean array of the shape of ids
        Which of them are relevant.
    k : int
    is_numbered : bool
        Whether the labels have an order that the caller knows: of Y's columns or of `classes`.
    """

    y: Csr
    ids: NDArray[np.int64]
    hits: NDArray[np.bool_]
    k: int
    is_numbered: bool

    def first(self, k: int) -> "Ranking":
        """Return the ranking by the first k predictions."""
        return replace(self, ids=self.ids[:, :k], hits=self.hits[:, :k], k=k)


def ranked(
    Y: Any,
    topk: ArrayLike,
    k: int,
    classes: ArrayLike | None = None,
    exclude: Any = None,
    *,
    is_cut: bool = True,
) -> Ranking:
    """Return the first k predictions and the relevant labels, checked against each other.

    Parameters
    ----------
    Y, topk, k, classes, exclude
        As in `precision_at_k`.
    is_cut : bool
        Whether fewer than k columns are a mistake of the caller: there may be more predictions.
    """
    check_k(k)
    named = None if classes is None else check_classes(classes)
    truth, predicted = _truth(Y, named), _predicted(topk)
    labels = _labels(truth, predicted, named)
    y, ids = labels.encode(truth), _ids(predicted, labels, named)
    if y.n_rows == 0 == len(ids):
        raise InputError("Y and topk have no rows. Give one row for each example, and one example at least.")
    if len(ids) != y.n_rows:
        raise InputError(
            f"Y has {y.n_rows} rows and topk has {len(ids)}. Give both one row for each example."
        )
    _check_ids(ids, labels.n)
    is_numbered = truth.n_columns is not None or named is not None
    n_labels = labels.n if named is None else len(named)
    possible = min(k, n_labels if is_numbered else len(np.unique(ids[ids >= 0])))
    if is_cut and ids.shape[1] < possible:
        raise InputError(
            f"k is {k}, but topk has {ids.shape[1]} columns. Predict the {possible} best labels of each "
            "example."
        )
    if exclude is not None:
        left_out = _left_out(exclude, named, labels)
        y, ids = _without(y, left_out), _moved_up(ids, left_out, n_labels, k if is_cut else 0)
    ids = ids[:, :k]
    return Ranking(y, ids, find(y, ids), k, is_numbered)


def check_k(k: int) -> None:
    """Refuse what is no number of predictions."""
    if not 1 <= (as_int(k) or 0) <= MAX_IDS:
        raise InputError(f"k is {k!r}. Give a whole number from 1 to {MAX_IDS}.")


def rows_of(matrix: Csr) -> NDArray[np.int64]:
    """Return the row of each stored item."""
    return np.repeat(np.arange(matrix.n_rows, dtype=np.int64), np.diff(matrix.indptr))


def find(y: Csr, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which ids are stored in their row: a search for (row, id), O(ids log stored)."""
    if y.nnz == 0:
        return np.zeros(ids.shape, dtype=bool)
    n_rows, n_labels = y.shape
    stored = rows_of(y) * n_labels + y.indices
    wanted = np.arange(n_rows, dtype=np.int64)[:, np.newaxis] * n_labels + ids
    places = np.minimum(np.searchsorted(stored, wanted), len(stored) - 1)
    return (stored[places] == wanted) & (ids >= 0)


def _truth(Y: Any, named: NDArray[Any] | None, name: str = "Y") -> Target:
    if Y is None:
        raise InputError(f"{name} is None. Pass the relevant labels of each example.")
    if getattr(Y, "ndim", 1) == 2 or isinstance(Y, Csr):
        pattern = as_pattern(Y, name=name)
        return Target(True, pattern.indptr, pattern.indices, pattern.n_columns, column_names(Y))
    return parse_target(Y, lists=None, n_labels=None if named is None else len(named))


def _predicted(topk: ArrayLike) -> NDArray[Any]:
    if isinstance(topk, tuple) and len(topk) == 2 and all(getattr(part, "ndim", 0) == 2 for part in topk):
        raise InputError(
            "topk is the pair (labels, scores) of predict_topk. Pass its first part, the labels."
        )
    try:
        array = np.asarray(topk)
    except ValueError as error:
        raise InputError(f"topk is not rectangular ({error}). Fill its short rows with -1 or None.") from None
    if array.dtype.kind in "OT":
        items = [None if is_missing(item) else item for item in array.ravel().tolist()]
        array = np.array([*items, None], dtype=object)[:-1].reshape(array.shape)
    if array.ndim != 2 or array.dtype.kind not in "biufUO":
        remedy = " Of one prediction for each example, pass topk.reshape(-1, 1)." if array.ndim == 1 else ""
        raise InputError(
            f"topk has shape {array.shape} of {array.dtype}; it must hold labels, best first, shape "
            f"(examples, >= k), as predict_topk returns them.{remedy}"
        )
    return array


def _labels(truth: Target, predicted: NDArray[Any], named: NDArray[Any] | None) -> LabelNames:
    """Return the numbering of all labels of both sides."""
    if truth.n_columns is not None and truth.columns is None:
        if named is not None and len(named) != truth.n_columns:
            raise InputError(
                f"Y has {truth.n_columns} columns, but classes holds {len(named)} names. Give one for each."
            )
        return LabelNames(truth.n_columns, named)
    if named is not None:
        return LabelNames(len(named), named).grown(truth)
    if truth.n_columns is not None:
        return LabelNames.learn(truth)
    example, names = _example(predicted), truth.items.tolist()
    if names and example is not None and isinstance(names[0], str) != isinstance(example, str):
        raise InputError(
            f"topk holds labels like {example!r}, but Y like {names[0]!r}. If topk holds ids, pass classes=, "
            "the names "
            "of the labels in the order of the ids."
        )
    union = sorted(set(names) | (set(predicted.ravel().tolist()) - {None, PADDING}))
    return LabelNames(len(union), np.array(union, dtype=object))


def _ids(predicted: NDArray[Any], labels: LabelNames, named: NDArray[Any] | None) -> NDArray[np.int64]:
    """Return the numbers of the predicted labels."""
    names = labels.names
    is_integer = predicted.dtype.kind in "iu"
    if names is None and is_integer:
        return predicted.astype(np.int64, copy=False)
    if names is None:
        raise InputError(
            f"topk holds labels like {_example(predicted)!r}, but the columns of Y have numbers only. If "
            "topk holds "
            "names, pass classes=model.classes_, the names of the columns; else integers, -1 for padding."
        )
    if is_integer and isinstance(next(iter(names[:1].tolist()), None), str):
        return predicted.astype(np.int64, copy=False)
    numbers = {name: i for i, name in enumerate(names.tolist())}
    numbers.setdefault(None, PADDING)
    numbers.setdefault(-1, PADDING)
    items = predicted.ravel().tolist()
    unknown = next((item for item in items if item not in numbers), None)
    if unknown is not None:
        given = "classes" if named is not None else "the columns of Y"
        raise InputError(
            f"topk holds {unknown!r}, which is not among {given}, which are like {names[:1].tolist()[0]!r}. "
            "Pass "
            "classes=model.classes_ of the model that predicted."
        )
    return np.fromiter((numbers[item] for item in items), np.int64, len(items)).reshape(predicted.shape)


def _example(predicted: NDArray[Any]) -> Any:
    return next((item for item in predicted.ravel().tolist() if item is not None), None)


def _check_ids(ids: NDArray[Any], n_labels: int) -> None:
    bad = np.argwhere((ids < PADDING) | (ids >= n_labels))
    if len(bad):
        row, column = bad[0]
        raise InputError(
            f"topk[{row}, {column}] is {ids[row, column]}; ids go from 0 to {n_labels - 1}, -1 is padding. "
            "If these are "
            "names, pass classes=model.classes_."
        )
    ordered = np.sort(ids, axis=1)
    twice = np.argwhere((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0))
    if len(twice):
        row, column = twice[0]
        raise InputError(
            f"topk holds label {ordered[row, column]} twice in row {row}. Predict each label once."
        )


def _left_out(exclude: Any, named: NDArray[Any] | None, labels: LabelNames) -> Csr:
    """Return the excluded labels in the numbering of the others, which may lack some of them."""
    target = _truth(exclude, named, name="exclude")
    if target.n_columns is None or target.columns is not None:
        return labels.encode(target, drop_unknown=True)
    if target.n_columns > labels.n:
        raise InputError(
            f"exclude has {target.n_columns} columns, but there are {labels.n} labels. Give one for each."
        )
    return Csr(target.indptr, target.items, None, labels.n)


def _without(y: Csr, left_out: Csr) -> Csr:
    """Return labels without the excluded ones."""
    if left_out.n_rows != y.n_rows:
        raise InputError(
            f"exclude has {left_out.n_rows} rows and Y has {y.n_rows}. Give both one row for each example."
        )
    stored, dropped = (rows_of(matrix) * y.n_columns + matrix.indices for matrix in (y, left_out))
    kept = np.isin(stored, dropped, invert=True)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    return Csr(before[y.indptr], y.indices[kept], None, y.n_columns)


def _moved_up(ids: NDArray[np.int64], left_out: Csr, n_labels: int, k: int) -> NDArray[np.int64]:
    """Return predictions without the excluded ones, in the order of the others, with padding behind them.

    Refused if that leaves fewer than k in a row, although there are more labels.
    """
    removed = find(left_out, ids)
    kept = ids.shape[1] - removed.sum(axis=1)
    short = np.minimum(k, n_labels - np.diff(left_out.indptr)) - kept
    if (short > 0).any():
        row = short.argmax()
        raise InputError(
            f"exclude leaves {kept[row]} of topk's {ids.shape[1]} columns in row {row}. Predict at least "
            f"{ids.shape[1] + short[row]} labels for k = {k}."
        )
    ids = np.take_along_axis(ids, np.argsort(removed, axis=1, kind="stable"), axis=1)
    return np.where(np.arange(ids.shape[1]) < kept[:, np.newaxis], ids, PADDING)
