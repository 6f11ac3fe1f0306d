"""Names of features or labels that get ids in the order in which a stream shows them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide.errors import InputError

__all__ = ["Names"]


def __dir__() -> list[str]:
    return __all__


class Names:
    """The names so far, or none at all where the data hold ids.

    Attributes
    ----------
    kind : {"feature", "label"}
    ids : dict from str to int
    are_used : bool or None
        None: nothing has been seen yet.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.ids: dict[str, int] = {}
        self.are_used: bool | None = None

    def note(self, are_used: bool, where: str) -> None:
        """Take note that a source has names, or ids; all must have the same.

        Raises
        ------
        InputError
            They have not.
        """
        if self.are_used is None:
            self.are_used = are_used
        if self.are_used != are_used:
            found = ("ids", "names") if are_used else ("names", "ids")
            raise InputError(
                f"{where} has {found[1]} of {self.kind}s, but what came before has {found[0]}. "
                "Give all of them one form."
            )

    def of_items(self, items: Iterable[Any], where: str) -> list[int]:
        """Return the ids of names, or ids themselves."""
        found = []
        for item in items:
            if isinstance(item, str):
                self.note(True, where)
                found.append(self.ids.setdefault(item, len(self.ids)))
            elif isinstance(item, int | np.integer) and not isinstance(item, bool) and item >= 0:
                self.note(False, where)
                found.append(int(item))
            else:
                raise InputError(
                    f"{where} has the {self.kind} {item!r}; accepted are names (str), or ids from 0 (int)."
                )
        return found

    def array(self) -> NDArray[np.object_]:
        """Return the names by id."""
        return np.array(list(self.ids), dtype=object)
