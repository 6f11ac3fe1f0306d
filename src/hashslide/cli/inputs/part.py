"""One data set as a command has read it."""

from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray
from scipy.sparse import csr_matrix

__all__ = ["Part"]


def __dir__() -> list[str]:
    return __all__


class Part(NamedTuple):
    """One data set: its matrices, where they came from, and the names that it holds."""

    path: Path
    X: csr_matrix
    Y: csr_matrix
    feature_names: NDArray[Any] | None = None
    label_names: NDArray[Any] | None = None
