"""Signs of Gaussian projections, by a product of matrices."""

import numpy as np
import torch
from torch import Tensor

from hashslide.reference.rng import CounterRng
from hashslide.torch.hashing.elementary import Elementary, ElementaryFamily
from hashslide.torch.hashing.inputs import check_vectors

__all__ = ["SimHash"]


def __dir__() -> list[str]:
    return __all__


class SimHash(ElementaryFamily):
    """The sides of random hyperplanes (Charikar 2002): two vectors at the angle t agree with chance 1 - t/pi.

    Parameters
    ----------
    width : int
        Coordinates of a vector.
    size : int
        Number of vectors that the tables are to hold.
    tables, hashes : int
        L tables of K signs.
    seed : int
        Seed of the functions.
    """

    direction_bits: Tensor

    def __init__(self, width: int, size: int, *, tables: int = 50, hashes: int = 9, seed: int = 0) -> None:
        super().__init__(width, size, tables=tables, hashes=hashes, bits=1, stream="simhash", seed=seed)
        self.draw()

    def draw_hashes(self, rng: CounterRng) -> None:
        """Draw normal directions (Box & Muller 1958)."""
        i = 2 * np.arange(self.n_hashes * self.width, dtype=np.uint64)
        radius = np.sqrt(-2 * np.log(1 - rng.uniform(i).astype(np.float64)))
        angle = 2 * np.pi * rng.uniform(i + np.uint64(1)).astype(np.float64)
        drawn = (radius * np.cos(angle)).astype(np.float32).reshape(self.n_hashes, self.width)
        self._keep("direction_bits", torch.from_numpy(drawn.view(np.int32)))  # .half() leaves integers alone

    @property
    def directions(self) -> Tensor:
        """(n_hashes, width) float32, whatever dtype the module was moved to."""
        return self.direction_bits.view(torch.float32)

    def elementary(self, x: Tensor) -> Elementary:
        """Return the signs, the other signs, and the distances from the hyperplanes."""
        projections = x @ self.directions.T
        values = (projections > 0).long()
        return Elementary(values, 1 - values, projections.abs())

    def signs(self, x: Tensor) -> Tensor:
        """Return whether each projection is positive, (n, n_hashes) bool: the bits for `Codes`."""
        blocks = self._blocks(check_vectors("x", x, self.width))
        return torch.cat([block @ self.directions.T > 0 for block in blocks])
