"""The labels of a model: names to ids, ids back to names, and room for new ones."""

import contextlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide._frames import plain
from hashslide._validation import blocks
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.settings.limits import MAX_IDS

from .forms import Target, as_array, check_class_items, parse_target

__all__ = ["LabelNames", "check_classes"]


def __dir__() -> list[str]:
    return __all__


_BLOCK = 1 << 20  # items between two chances to interrupt


@dataclass(frozen=True)
class LabelNames:
    """The labels of a model: label id i is called ``names[i]``, or i itself if it has no names.

    Attributes
    ----------
    n : int
        Number of labels.
    names : array of shape (n,), or None
    from_lists : bool
        Whether they were learned from label lists: nested lists are then always such.

    Notes
    -----
    The dictionary from names to ids is made at the first look-up and handed on when labels are added, so that
    a call costs what its own labels cost. It only ever gains names: an older object leaves out the ids from
    its own n on.
    """

    n: int
    names: NDArray[Any] | None = None
    from_lists: bool = False
    _lookup: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the dictionary out of copies: another thread may be filling it."""
        return self.__dict__ | {"_lookup": {}}

    @classmethod
    def learn(cls, target: Target, classes: ArrayLike | None = None) -> "LabelNames":
        """Return the labels of a target, sorted, or in the order of `classes` where given."""
        n_columns = target.n_columns
        if n_columns is not None and not 0 < n_columns <= MAX_IDS:
            raise InputError(f"y has {n_columns} columns; accepted are 1 to {MAX_IDS} labels.")
        names = target.columns if classes is None else classes
        names = None if names is None else check_classes(names)
        if n_columns is not None:
            if names is not None and len(names) != n_columns:
                raise InputError(
                    f"classes holds {len(names)} names but y has {n_columns} columns. Give one for each."
                )
            return cls(n_columns, names)
        if names is None:
            if len(target.items) == 0:
                raise InputError("y holds no label at all: at least one label or class is needed.")
            names = _distinct(target.items)
        return cls(len(names), names, target.is_lists)

    def parse(self, Y: Any) -> Target:
        """Recognise the form of a target for a model that has learned these labels."""
        return parse_target(Y, lists=self.from_lists)

    def find(self, labels: Iterable[Any]) -> NDArray[np.int64]:
        """Return the ids of labels of these names, shape (number of labels,).

        Raises
        ------
        InputError
            One is not a label of the model.
        """
        wanted = list(labels)
        ids = np.array([self._find(label) for label in wanted], np.int64)
        if (ids < 0).any():
            raise InputError(
                f"labels holds {wanted[int(np.argmin(ids))]!r}, which the model does not have. "
                "Pass names from classes_."
            )
        return ids

    def _find(self, label: Any) -> int:
        if self.names is None:
            return int(label) if isinstance(label, int | np.integer) and 0 <= label < self.n else -1
        name = label.item() if isinstance(label, np.generic) else label
        return self._id(name) if isinstance(name, Hashable) else -1

    def grown(self, target: Target, classes: ArrayLike | None = None) -> "LabelNames":
        """Return these labels followed by the new ones among the target's and `classes`.

        Raises
        ------
        InputError
            The target cannot be matched to these labels (ids against names, an indicator of another width).
        """
        named = classes if classes is not None else target.columns
        if self.names is None:
            return self._grown_ids(target, named)
        if target.n_columns is not None and named is None:
            if target.n_columns != self.n:
                raise InputError(
                    f"y has {target.n_columns} columns, the model {self.n} named labels. "
                    "Name y's by classes=."
                )
            return self
        seen = [] if named is None else [check_classes(named)]
        if target.n_columns is None:
            seen.append(target.items)
        elif len(seen[0]) != target.n_columns:
            raise InputError(
                f"classes holds {len(seen[0])} names but y has {target.n_columns} columns. Give one for each."
            )
        candidates = {name for names in seen for name in names.tolist()}
        new = sorted((name for name in candidates if self._id(name) < 0), key=_type_and_value)
        if not new:
            return self
        old = self.names[:1].tolist()[0]
        for name in new:
            if _kind(name) is not _kind(old):
                raise InputError(
                    f"y or classes holds the label {name!r}, but the model's labels are like {old!r}. "
                    "Use one type."
                )
        names = _appended(self.names, new)
        has_another_heir = len(self._lookup) != self.n
        lookup = {} if has_another_heir else self._lookup
        lookup.update(zip(new, range(self.n, len(names)), strict=True) if lookup else ())
        return LabelNames(len(names), names, self.from_lists, lookup)

    def _grown_ids(self, target: Target, named: ArrayLike | None) -> "LabelNames":
        if target.n_columns is None or named is not None:
            raise InputError(
                "The model was trained on an indicator without names; pass an indicator here, "
                "without classes."
            )
        if target.n_columns < self.n:
            raise InputError(
                f"y has {target.n_columns} columns but the model has {self.n} labels. Add empty columns to y."
            )
        return LabelNames(target.n_columns)

    def encode(self, target: Target, classes: ArrayLike | None = None, *, drop_unknown: bool = False) -> Csr:
        """Return the target as a pattern (examples x labels).

        Parameters
        ----------
        target : Target
        classes : array-like, optional
            Names of the columns of an indicator.
        drop_unknown : bool
            Leave out labels that the model does not have, instead of refusing them.

        Raises
        ------
        InputError
            A label is unknown or occurs twice in a row, or an indicator has the wrong width.
        """
        columns = check_classes(classes) if classes is not None else target.columns
        if target.n_columns is None:
            ids = self.look_up(target.items)
        elif columns is None or self.names is None:
            if target.n_columns != self.n:
                raise InputError(
                    f"y has {target.n_columns} columns but the model has {self.n} labels. Give one for each."
                )
            return Csr(target.indptr, target.items, None, self.n)
        elif np.array_equal(columns, self.names):
            return Csr(target.indptr, target.items, None, self.n)
        else:
            ids = self.look_up(columns)[target.items]
        indptr = target.indptr
        if (ids < 0).any():
            if not drop_unknown:
                at = int(np.flatnonzero(ids < 0)[0])
                names = target.items if target.n_columns is None or columns is None else columns[target.items]
                label = names[at : at + 1].tolist()[0]
                raise InputError(
                    f"y holds the label {label!r}, which is not among the model's {self.n} classes."
                )
            known = np.concatenate([[0], np.cumsum(ids >= 0)])
            ids, indptr = ids[ids >= 0], known[indptr]
        return _sorted_pattern(indptr, ids, self)

    def look_up(self, names: NDArray[Any]) -> NDArray[np.int32]:
        """Return the ids of names, -1 where unknown."""
        if self.names is None:
            raise InputError(
                "The model was trained on an indicator; its labels have no names. Pass an indicator here."
            )
        return np.fromiter(map(self._id, names.tolist()), np.int32, len(names))

    def of_features(self, n_features: int, feature_names: NDArray[Any] | None) -> NDArray[np.int64]:
        """Return the label that is the same thing as each feature, -1 where there is none.

        That is the label of its name, or of its number where only labels have names that are numbers, or the
        label in its place where nothing else is known.
        """
        has_numbers = self.names is not None and self.names.dtype.kind in "iu"
        if self.names is None or (feature_names is None and not has_numbers):
            places = np.arange(n_features)
            return np.where(places < self.n, places, -1)
        found = np.full(n_features, -1, np.int64)
        if feature_names is not None:
            found[: len(feature_names)] = self.look_up(feature_names)
            return found
        numbers = self.names[: self.n]
        is_feature = (numbers >= 0) & (numbers < n_features)
        found[numbers[is_feature]] = np.flatnonzero(is_feature)
        return found

    def _id(self, name: Any) -> int:
        """Return the id of a name, -1 where unknown."""
        if not self._lookup:
            assert self.names is not None
            self._lookup.update(zip(self.names.tolist(), range(self.n), strict=True))
        found = self._lookup.get(name, -1)
        return found if found < self.n else -1

    def decode(self, ids: NDArray[np.int64]) -> NDArray[Any]:
        """Return the names of label ids; the ids themselves if the labels have no names.

        In the place of -1, where no label is left, stands None in an array of objects.
        """
        if self.names is None:
            return ids
        names, is_missing = self.names[ids], ids < 0
        if is_missing.any():
            names = names.astype(object)
            names[is_missing] = None
        return names

    def array(self) -> NDArray[Any]:
        """Return the name of every label, in the order of the ids."""
        return np.arange(self.n) if self.names is None else self.names


def _type_and_value(name: Any) -> tuple[Any, ...]:
    return isinstance(name, str), name


def _kind(name: Any) -> type:
    return next((kind for kind in (str, bool) if isinstance(name, kind)), float)


def _appended(names: NDArray[Any], new: list[Any]) -> NDArray[Any]:
    """Return the names and new ones of their kind; numbers in a type that holds all of them exactly."""
    if names.dtype.kind not in "iuf":
        return np.concatenate([names, np.array(new)])
    types = (np.float64,) if names.dtype.kind == "f" else (names.dtype, np.int64, np.uint64)
    for dtype in types:
        with contextlib.suppress(OverflowError):
            joined = np.concatenate([names.astype(dtype), np.array(new, dtype)])
            if np.array_equal(joined[: len(names)], names) and joined[len(names) :].tolist() == new:
                return joined
    raise InputError(
        f"no number type of 64 bits holds the model's labels and the new ones, {new[0]} to {new[-1]}. "
        "Use strings."
    )


def check_classes(classes: ArrayLike) -> NDArray[Any]:
    """Return the names of labels as an array; they are unique and of one type."""
    array = as_array(plain(classes, "classes"))
    if array.ndim != 1 or len(array) == 0:
        raise InputError(f"classes has shape {array.shape}; accepted is a non-empty list of label names.")
    array = check_class_items(array)
    unique, counts = np.unique(array, return_counts=True)
    if len(unique) != len(array):
        raise InputError(
            f"classes holds {unique[counts > 1].tolist()[0]!r} more than once. Names must be unique."
        )
    return array


def _distinct(items: NDArray[Any]) -> NDArray[Any]:
    """Return the items sorted and each once. By blocks: no signal is heard while NumPy sorts."""
    if items.dtype.kind == "O":
        names: set[Any] = set()
        for first, last in blocks(len(items), _BLOCK):
            names.update(items[first:last].tolist())
        return np.array(sorted(names), dtype=object)
    return np.unique(np.concatenate([np.unique(items[a:b]) for a, b in blocks(len(items), _BLOCK)]))


def _sorted_pattern(indptr: NDArray[np.int64], ids: NDArray[np.int32], labels: LabelNames) -> Csr:
    row = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    if len(ids) > len(indptr) - 1 or (np.diff(indptr) > 1).any():
        bounds = np.searchsorted(indptr, np.arange(0, len(ids), _BLOCK))
        for items in map(slice, indptr[bounds], [*indptr[bounds[1:]], len(ids)]):
            ids[items] = ids[items][np.lexsort((ids[items], row[items]))]
        twice = np.flatnonzero((ids[1:] == ids[:-1]) & (row[1:] == row[:-1]))
        if len(twice):
            at = twice[0]
            name = labels.decode(ids[at : at + 1].astype(np.int64)).tolist()[0]
            raise InputError(f"y holds the label {name!r} twice in row {row[at]}. Give each label once.")
    return Csr(np.ascontiguousarray(indptr, np.int64), ids, None, labels.n)
