"""The lists of candidates for approximate prediction."""

from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hashslide import _core
from hashslide._checks import check_int
from hashslide._locks import training, writing
from hashslide.csr import Csr
from hashslide.settings.limits import MAX_IDS

from ._base import BaseNetwork


@dataclass(frozen=True)
class CandidateSettings:
    """How much of the candidate lists approximate prediction reads for an example.

    Parameters
    ----------
    feature_labels : int >= 0
        Labels with the largest sums over the lists of the example's features.
    cell_labels : int >= 0
        First labels of the list of each cell.
    probes : int >= 0
        Cells.
    """

    feature_labels: int
    cell_labels: int
    probes: int

    def __post_init__(self) -> None:
        for field in fields(self):
            check_int(field.name, getattr(self, field.name), 0, MAX_IDS)


class CandidatesMixin(BaseNetwork):
    """The methods of `Network` that make its lists of candidates and say how much of them is read."""

    @training
    def learn_candidates(self, x: Csr, y: Csr, n_threads: int = 1, fresh: bool = True) -> None:
        """Make the lists of approximate prediction from training data; training does not update them.

        Parameters
        ----------
        x, y : Csr
            Features and labels of the examples.
        n_threads : int
            Changes the speed, never the result.
        fresh : bool
            False: add the examples to the counts of the lists that there are. The cells keep their centres.

        Raises
        ------
        KeyboardInterrupt
            From Ctrl-C; the lists are those that there were before.
        """
        self.set_candidates(self.make_candidates(x, y, n_threads, fresh))

    @training
    def make_candidates(
        self,
        x: Csr,
        y: Csr,
        n_threads: int = 1,
        fresh: bool = True,
        rows: NDArray[np.int64] | None = None,
    ) -> _core.Candidates | None:
        """Return the lists that `learn_candidates` would make; other threads may read meanwhile.

        Parameters
        ----------
        x, y, n_threads, fresh
            As there.
        rows : int64 array, optional
            The examples to use; by default all.
        """
        if not (x.n_rows if rows is None else len(rows)):
            return _core.Candidates() if fresh else None
        return self._core.learn_candidates(
            *(x.indptr, x.indices, x.values, y.indptr, y.indices), *(fresh, n_threads, rows)
        )

    @writing
    def set_candidates(self, candidates: _core.Candidates | None) -> None:
        """Use the lists of `make_candidates`, or those that there are. A second time changes nothing."""
        if candidates is not None:
            self._core.set_candidates(candidates)

    @property
    def has_candidates(self) -> bool:
        """Whether `learn_candidates` has made lists."""
        return self._core.has_candidates

    @property
    def candidate_settings(self) -> CandidateSettings:
        """How much of the lists approximate prediction reads."""
        return CandidateSettings(*self._core.candidate_settings)

    @candidate_settings.setter
    def candidate_settings(self, settings: CandidateSettings) -> None:
        self._core.candidate_settings = astuple(settings)
