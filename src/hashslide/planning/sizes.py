"""How many bytes a network of any size has."""

import math
from collections.abc import Callable
from typing import NamedTuple

from hashslide.network import ArrayInfo, Network
from hashslide.settings import NetworkConfig

__all__ = ["Sizes"]


def __dir__() -> list[str]:
    return __all__


FEW, MANY = 1_000, 2_000


class _Line(NamedTuple):
    constant: float
    of_feature: float
    of_label: float

    def at(self, n_features: int, n_labels: int) -> int:
        return round(self.constant + self.of_feature * n_features + self.of_label * n_labels)


class Sizes:
    """Bytes of a network: a constant, and so many for each feature and each label.

    They are measured on three small networks, so that they are exact, hash tables aside.

    Parameters
    ----------
    config : callable
        Returns the settings of a network for numbers of features and labels.
    """

    def __init__(self, config: Callable[[int, int], NetworkConfig]) -> None:
        shapes = ((FEW, FEW), (MANY, FEW), (FEW, MANY))
        schemas = [list(Network(config(*shape)).schema().values()) for shape in shapes]
        self._model = _line([_bytes(arrays) for arrays in schemas])
        kept = [[array for array in arrays if array.role != "optimizer"] for arrays in schemas]
        self._weights = _line([_bytes(arrays) for arrays in kept])

    def model(self, n_features: int, n_labels: int) -> int:
        """Return the bytes with the optimiser's state."""
        return self._model.at(n_features, n_labels)

    def weights(self, n_features: int, n_labels: int) -> int:
        """Return the bytes without it."""
        return self._weights.at(n_features, n_labels)


def _bytes(arrays: list[ArrayInfo]) -> int:
    return sum(math.prod(array.shape) * array.dtype.itemsize for array in arrays)


def _line(sizes: list[int]) -> _Line:
    base, with_features, with_labels = sizes
    of_feature, of_label = ((size - base) / (MANY - FEW) for size in (with_features, with_labels))
    return _Line(base - FEW * (of_feature + of_label), of_feature, of_label)
