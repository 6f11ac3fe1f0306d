"""The ranker beside the layers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide._locks import training, writing
from hashslide.csr import Csr

from ._base import BaseNetwork


class RankerMixin(BaseNetwork):
    """The methods of `Network` that learn, ask and change its ranker (docs/how/ranker.md)."""

    @property
    def has_ranker(self) -> bool:
        """Whether `set_ranker` has added one."""
        return self._core.has_ranker

    @training
    def make_ranker(
        self,
        x: Csr,
        y: Csr,
        n_threads: int = 1,
        rows: NDArray[np.int64] | None = None,
        sample_weight: NDArray[np.float32] | None = None,
    ) -> _core.Ranker:
        """Return a ranker for `set_ranker`, learned from training data after the layers.

        For each label a sparse linear classifier over the input features: the examples that carry it against
        those for which it is one of the best 20 labels without their carrying it.

        Parameters
        ----------
        x, y : Csr
            Features and labels of the examples.
        n_threads : int
            Changes the speed, never the result.
        rows : int64 array of shape (n,), optional
            The examples to use; by default all.
        sample_weight : float32 array of shape (n,), optional
            Of each example that is used.
        """
        return self._core.learn_ranker(
            *(x.indptr, x.indices, x.values, y.indptr, y.indices), *(sample_weight, n_threads, rows)
        )

    def ranker_parts(
        self, ranker: _core.Ranker, x: Csr, pairs: Csr
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return what a ranker says of the labels that `pairs` holds for each example of x.

        Returns
        -------
        margins, associations : float32 arrays of shape (pairs.nnz,)
            The latter on the log scale of docs/how/ranker.md.
        """
        return self._core.ranker_parts(ranker, x.indptr, x.indices, x.values, pairs.indptr, pairs.indices)

    @writing
    def set_ranker(self, ranker: _core.Ranker, blend: Sequence[float]) -> None:
        """Add what a ranker says to the logits from now on. A second time changes nothing.

        Parameters
        ----------
        ranker : _core.Ranker
            From `make_ranker`.
        blend : nine floats
            How much it counts: `hashslide.ranking.Blend`. Parts that count nothing are not kept.
        """
        self._core.set_ranker(ranker, list(blend))

    @writing
    def drop_ranker(self) -> None:
        """Predict by the layers alone."""
        self._core.drop_ranker()

    @writing
    def update_ranker(
        self, x: Csr, y: Csr, n_threads: int = 1, rows: NDArray[np.int64] | None = None
    ) -> None:
        """Let the ranker's weights learn from further examples; their number stays. Without one: nothing.

        Parameters
        ----------
        x, y : Csr
            Features and labels of the examples.
        n_threads : int
            Changes the speed, never the result.
        rows : int64 array, optional
            The examples to use; by default all.
        """
        self._core.update_ranker(x.indptr, x.indices, x.values, y.indptr, y.indices, n_threads, rows)

    @writing
    def describe_labels(self, x: Csr, gain: float) -> None:
        """Let the ranker add `gain` times the cosine of an example and a row of x to each of the last labels.

        Without a ranker: nothing. O(entries of x) on average.

        Parameters
        ----------
        x : Csr
            A description of each of these labels, of which the ranker knows nothing yet.
        gain : float
        """
        self._core.describe_labels(x.indptr, x.indices, x.values, gain)
