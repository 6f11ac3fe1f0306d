"""Examples from Python: rows of features and labels, or blocks of them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.csr import Csr, as_csr
from hashslide.errors import InputError
from hashslide.settings.limits import MAX_IDS
from hashslide.targets import parse_target

from .growing import Names

__all__ = ["read_examples"]


def __dir__() -> list[str]:
    return __all__


def read_examples(
    sources: Any, feature_names: Names, label_names: Names, limit: int
) -> Iterator[tuple[Csr, Csr, bool]]:
    """Yield X, Y and whether an example may have several labels, block by block.

    sources: an iterable of rows or of blocks, see `Pack.build`. limit: about the number of ids in a block of
    rows.

    Raises
    ------
    InputError
        An item is neither.
    """
    if isinstance(sources, Mapping) or not isinstance(sources, Iterable):
        raise InputError(
            f"sources is a {type(sources).__name__}; accepted are paths of files, or an iterable of rows "
            "(features, labels) or of blocks (X, Y)."
        )
    rows = _Rows(feature_names, label_names)
    for number, item in enumerate(sources):
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise InputError(
                f"item {number} of sources is no pair (features, labels) or (X, Y): {item!r:.80}."
            )
        if isinstance(item[0], Csr) or getattr(item[0], "ndim", 1) == 2:
            yield from rows.take()
            yield _block(number, item[0], item[1], feature_names, label_names)
        else:
            rows.add(f"item {number} of sources", *item)
            if rows.n_items >= limit:
                yield from rows.take()
    yield from rows.take()


def _block(number: int, X: Any, Y: Any, feature_names: Names, label_names: Names) -> tuple[Csr, Csr, bool]:
    where = f"block {number} of sources"
    x, target = as_csr(X, name=f"X of {where}"), parse_target(Y.to_scipy() if isinstance(Y, Csr) else Y)
    if x.n_rows != target.n_rows:
        raise InputError(
            f"{where} has {x.n_rows} rows of X but {target.n_rows} of Y. Give both the same rows."
        )
    columns = list(getattr(X, "columns", []))
    has_names = len(columns) > 0 and all(isinstance(name, str) for name in columns)
    feature_names.note(has_names, where)
    if has_names:
        ids = np.array(feature_names.of_items(columns, where), np.int64)
        x = _sorted(x.indptr, ids[x.indices], x.values, len(feature_names.ids))
    if target.n_columns is not None and target.columns is None:
        label_names.note(False, where)
        return x, Csr(target.indptr, target.items, None, target.n_columns), target.multilabel
    items = target.items if target.columns is None else target.columns[target.items]
    ids = np.array(label_names.of_items(items.tolist(), where), np.int64)
    n_labels = len(label_names.ids) if label_names.are_used else int(ids.max(initial=-1)) + 1
    y = _sorted(target.indptr, ids, None, n_labels)
    return x, y, target.multilabel


class _Rows:
    """Rows that wait for others, to become a block."""

    def __init__(self, feature_names: Names, label_names: Names) -> None:
        self._feature_names, self._label_names = feature_names, label_names
        self._start()

    def _start(self) -> None:
        self.n_items = 0
        self._features: list[list[int]] = []
        self._values: list[float] = []
        self._labels: list[list[int]] = []

    def add(self, where: str, features: Any, labels: Any) -> None:
        """Take one example."""
        if isinstance(features, str) or not isinstance(features, Iterable):
            raise InputError(
                f"{where} has features of the type {type(features).__name__}; accepted are a mapping "
                "from names or ids to values, or a list of names or ids."
            )
        if isinstance(labels, str) or not isinstance(labels, Iterable):
            labels = [labels]
        x = self._feature_names.of_items(features, where)
        values = list(features.values()) if isinstance(features, Mapping) else [1.0] * len(x)
        y = self._label_names.of_items(labels, where)
        for kind, ids in (("feature", x), ("label", y)):
            if len(set(ids)) < len(ids):
                raise InputError(f"{where} has a {kind} twice. Give each one once.")
            if max(ids, default=0) >= MAX_IDS:
                raise InputError(f"{where} has the {kind} id {max(ids)}; accepted are ids below {MAX_IDS}.")
        try:
            numbers = np.array(values, np.float32)
        except (TypeError, ValueError):
            raise InputError(f"{where} has values that are no numbers: {values!r:.80}.") from None
        if not np.isfinite(numbers).all():
            raise InputError(
                f"{where} has a value that is NaN, infinite or beyond float32. Drop or replace it."
            )
        self._features.append(x)
        self._values += numbers.tolist()
        self._labels.append(y)
        self.n_items += len(x) + len(y)

    def take(self) -> Iterator[tuple[Csr, Csr, bool]]:
        """Yield the rows since the last time as one block, if there are any."""
        if self._features:
            values = np.array(self._values, np.float32)
            x = _of_lists(self._features, values, self._feature_names)
            y = _of_lists(self._labels, None, self._label_names)
            self._start()
            yield x, y, True


def _of_lists(rows: list[list[int]], values: NDArray[np.float32] | None, names: Names) -> Csr:
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    ids = np.array([i for row in rows for i in row], np.int64)
    width = len(names.ids) if names.are_used else int(ids.max(initial=-1)) + 1
    return _sorted(indptr, ids, values, width)


def _sorted(
    indptr: NDArray[np.int64], ids: NDArray[np.int64], values: NDArray[np.float32] | None, width: int
) -> Csr:
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    order = np.lexsort((ids, row))
    data = None if values is None else values[order]
    return Csr(np.ascontiguousarray(indptr, np.int64), ids[order].astype(np.int32), data, width)
