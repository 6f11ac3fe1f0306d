"""Predictions of a fitted classifier, block by block where only a part of the logits is kept."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit, logsumexp

from hashslide._validation import blocks
from hashslide.csr import Csr, as_pattern
from hashslide.errors import InputError
from hashslide.network import Network

DENSE_LIMIT_BYTES = 2**31  # largest (examples x labels) array that is returned
_BLOCK_BYTES = 2**26  # of logits at a time, where they are computed only to be reduced


@dataclass(frozen=True)
class Predictor:
    """A network with what turns its logits into scores z, and these into probabilities.

    Multi-label with "bce": sigmoid(z) of each label. "softmax": exp(z) / sum exp(z). Single-label with "bce":
    the sigmoids divided by their sum.

    Attributes
    ----------
    network : Network
    multilabel : bool
    n_threads : int
    slope, intercept : float
        Of the calibration (`hashslide.ranking`): ``z = slope * logit + intercept``, in float32 everywhere.
    hidden : int64 array
        Labels that no example gets, ascending: their score is -infinity.
    """

    network: Network
    multilabel: bool
    n_threads: int
    slope: float = 1.0
    intercept: float = 0.0
    hidden: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return self.network.config.n_labels

    @property
    def needs_all_labels(self) -> bool:
        """Whether the probability of one label depends on the scores of all."""
        return not self.multilabel or self._is_softmax

    @property
    def _is_softmax(self) -> bool:
        return self.network.config.loss == "softmax"

    def topk(
        self,
        x: Csr,
        k: int,
        probabilities: bool,
        approximate: bool = False,
        exclude: Csr | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids and scores of the k best labels that are not excluded, or of all if there are fewer."""
        k = min(k, self.n_labels)
        ids, scores = self._best(x, k, approximate, exclude)
        scores = self._calibrated(scores)
        if probabilities:
            scores = self._probabilities(scores, self._normaliser(x)).astype(np.float32)
        return ids, scores

    def _best(
        self, x: Csr, k: int, approximate: bool, exclude: Csr | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids and logits of the k best labels that are neither excluded nor hidden."""
        if not len(self.hidden):
            return self.network.predict_topk(x, k, self.n_threads, approximate, exclude)
        ids, logits = np.empty((x.n_rows, k), np.int64), np.empty((x.n_rows, k), np.float32)
        for first, last in blocks(x.n_rows, max(1, _BLOCK_BYTES // (16 * len(self.hidden)))):
            own = None if exclude is None else exclude.block(first, last)
            left_out = self._with_hidden(own, last - first)
            ids[first:last], logits[first:last] = self.network.predict_topk(
                x.block(first, last), k, self.n_threads, approximate, left_out
            )
        return ids, logits

    def _with_hidden(self, exclude: Csr | None, n_rows: int) -> Csr:
        """Return the excluded labels of some rows and the hidden ones. O(rows * hidden labels)."""
        n_hidden = len(self.hidden)
        hidden = Csr(
            np.arange(n_rows + 1) * n_hidden,
            np.tile(self.hidden.astype(np.int32), n_rows),
            None,
            self.n_labels,
        )
        return hidden if exclude is None else as_pattern(hidden.to_scipy() + exclude.to_scipy())

    def decision_function(self, x: Csr) -> NDArray[np.float32]:
        """Return all scores, or their difference for two classes."""
        check_dense(x.n_rows, self.n_labels, 4, "decision_function")
        scores = self._scores(x)
        is_binary = not self.multilabel and self.n_labels == 2
        return scores[:, 1] - scores[:, 0] if is_binary else scores

    def predict_proba(self, x: Csr) -> NDArray[np.float64]:
        """Return all probabilities."""
        check_dense(x.n_rows, self.n_labels, 8, "predict_proba")
        scores = self._scores(x)
        if self._is_softmax and self.n_labels == 2:
            positive = expit((scores[:, 1] - scores[:, 0]).astype(np.float64))
            return np.column_stack([1 - positive, positive])
        return self._probabilities(scores, self._log_mass(scores) if self.needs_all_labels else None)

    def likely_labels(self, x: Csr) -> sparse.csr_matrix:
        """Return the 0/1 indicator of the labels with a probability above 1/2."""
        indptr, columns = [np.zeros(1, np.int64)], [np.empty(0, np.int32)]
        for first, last in blocks(x.n_rows, self._rows_per_block()):
            scores = self._scores(x.block(first, last))
            if self._is_softmax:
                row, column = np.nonzero(scores > self._log_mass(scores) - np.log(2))
            else:
                row, column = np.nonzero(scores > 0)
            indptr.append(np.bincount(row, minlength=last - first))
            columns.append(column.astype(np.int32))
        indices = np.concatenate(columns)
        pointers = np.cumsum(np.concatenate(indptr))
        ones = np.ones(len(indices), np.int64)
        return sparse.csr_matrix((ones, indices, pointers), shape=(x.n_rows, self.n_labels))

    def _rows_per_block(self) -> int:
        return max(1, _BLOCK_BYTES // (4 * self.n_labels))

    def _normaliser(self, x: Csr) -> NDArray[np.float64] | None:
        """Return `_log_mass` of all rows where it matters, without keeping the scores."""
        if not self.needs_all_labels:
            return None
        parts: list[NDArray[np.float64]] = [np.empty((0, 1))]
        for first, last in blocks(x.n_rows, self._rows_per_block()):
            parts.append(self._log_mass(self._scores(x.block(first, last))))
        return np.concatenate(parts)

    def _scores(self, x: Csr) -> NDArray[np.float32]:
        """Return the scores of all labels."""
        scores = self._calibrated(self.network.logits(x, self.n_threads))
        scores[:, self.hidden] = -np.inf
        return scores

    def _calibrated(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn logits into scores, in place."""
        if (self.slope, self.intercept) != (1, 0):
            logits *= np.float32(self.slope)
            logits += np.float32(self.intercept)
        return logits

    def _mass(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log of what each label has before all are divided by their sum."""
        z = scores.astype(np.float64)
        return z if self._is_softmax else -np.logaddexp(0, -z)

    def _log_mass(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log of what the probabilities of each row are divided by, shape (n, 1)."""
        return logsumexp(self._mass(scores), axis=1, keepdims=True)

    def _probabilities(
        self, scores: NDArray[np.float32], normaliser: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        if normaliser is None:
            return expit(scores.astype(np.float64))
        return np.exp(self._mass(scores) - normaliser)


def check_dense(n_rows: int, n_labels: int, itemsize: int, method: str) -> None:
    """Refuse a dense (examples x labels) array beyond the limit."""
    size = n_rows * n_labels * itemsize
    if size > DENSE_LIMIT_BYTES:
        raise InputError(
            f"{method} would return {n_rows} x {n_labels} numbers ({size / 2**30:.1f} GiB); "
            "accepted are up to "
            f"{DENSE_LIMIT_BYTES / 2**30:g} GiB. Use predict_topk(X, k), or pass fewer rows at a time."
        )
