"""One data set as a command has read it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from hashslide.data import Pack

__all__ = ["Part"]


def __dir__() -> list[str]:
    return __all__


class Part(NamedTuple):
    """One data set: its matrices, where they came from, and the names that it holds; or a pack of it."""

    path: Path
    X: csr_matrix
    Y: csr_matrix
    feature_names: NDArray[Any] | None = None
    label_names: NDArray[Any] | None = None
    pack: "Pack | None" = None

    @classmethod
    def of_pack(cls, pack: "Pack") -> "Part":
        """Return a pack as a part whose examples stay on the disk: its matrices have columns, and no rows."""
        X, Y = (csr_matrix((0, width), dtype=np.float32) for width in (pack.n_features, pack.n_labels))
        return cls(pack.path, X, Y, pack.feature_names, pack.label_names, pack)

    @property
    def n_examples(self) -> int:
        """Number of examples, in memory or on the disk."""
        return self.X.shape[0] if self.pack is None else len(self.pack)
