"""What a fitted classifier answers."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from hashslide._checks import check_bool, check_int, is_auto
from hashslide._interface import wording
from hashslide._locks import reading
from hashslide._validation import check_same_rows, check_sample_weight
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.estimator._predicting import Predictor, check_dense
from hashslide.estimator.features import check_features, check_known_features
from hashslide.network import effective_threads
from hashslide.ranking import Explanation, RankerReport, explain
from hashslide.targets import excluded_labels

__all__ = ["Predictions"]


def __dir__() -> list[str]:
    return __all__


class Predictions(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The methods of `SlideClassifier` that read the model; X, where it is not said, is as in `fit`."""

    @reading
    def predict_topk(
        self,
        X: Any,
        k: int = 5,
        probabilities: bool = False,
        approximate: bool | str = "auto",
        exclude: Any = None,
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return the k best labels of each example and their scores.

        The only prediction whose memory does not grow with the number of labels.

        Parameters
        ----------
        X : sparse matrix, array-like or data frame of shape (n, n_features)
            A row without any feature gets the labels that are most likely beforehand.
        k : int, default 5
            At most the number of labels; a larger k gives all of them.
        probabilities : bool, default False
            Return probabilities instead of scores: of each label by itself (multi-label), or of one of all.
            The latter need all scores, so that nothing is gained by `approximate`.
        approximate : {"auto", True, False}
            Score only some hundred candidates for each example; see `tune_approximate`. The logits of the
            labels found are right, but a better one may be missed. Exact where `approximate_` says so.
            "auto": if the model has lists of candidates, and the scores do not need all labels anyway.
            `scores_candidates` tells which it is.
        exclude : "input", or labels in any form of y in `fit`, optional
            Labels that each example must not get, such as items that a user has already. "input": the labels
            that are features of the example. They are matched by name, where both have names or the labels
            are integers, the numbers of X's columns; otherwise label i is feature i, if there are as many of
            both. Labels that the model does not have are ignored.

        Returns
        -------
        labels : array of shape (n, min(k, n_labels))
            Names from `classes_`, best first; equal scores in the order of `classes_`. Where `exclude` leaves
            an example fewer labels, None follows them, or -1 if the labels have no names.
        scores : float32 array of the same shape
            Negative infinity, or the probability 0, where no label is left.

        Raises
        ------
        InputError
            Also if `approximate` is True and there are no lists: see `build_approximate`; or if features and
            labels are not the same things, and `exclude` is "input".
        """
        check_int("k", k, 1, 2**31)
        check_bool("probabilities", probabilities)
        raw, predictor = self._features(X), self._predictor()
        x = self._standard(raw)
        if is_auto(approximate) and probabilities and predictor.needs_all_labels:
            approximate = False
        only_candidates = self.scores_candidates(approximate)
        ids, scores = predictor.topk(x, k, probabilities, only_candidates, self._excluded(raw, exclude))
        return self._labels.decode(ids), scores

    def scores_candidates(self, approximate: bool | str = "auto") -> bool:
        """Tell whether `predict_topk` scores only candidates, with this value of its parameter.

        Parameters
        ----------
        approximate : {"auto", True, False}

        Raises
        ------
        InputError
            `approximate` is True and there are no lists.
        """
        check_is_fitted(self)
        if is_auto(approximate):
            return self.network_.has_candidates and self.approximate_.uses_candidates
        if not check_bool("approximate", approximate):
            return False
        self._check_approximate()
        return self.approximate_.uses_candidates

    @reading
    def explain(self, X: Any, labels: Any = None, k: int = 5) -> list[list[Explanation]]:
        """Return what the scores of some labels are made of, for a few examples.

        Parameters
        ----------
        X : sparse matrix, array-like or data frame of shape (n, n_features)
        labels : sequence of label names, optional
            By default the k best of each example.
        k : int, default 5

        Returns
        -------
        list of n lists of `hashslide.ranking.Explanation`
            Of the labels in the given order, or best first. Features have the names of the data frame that
            the model was trained on, or else their column numbers.

        Raises
        ------
        InputError
            A label is not one of the model's.
        """
        check_int("k", k, 1, 2**31)
        x, predictor = self.network_features(X), self._predictor()
        if labels is None:
            ids = predictor.topk(x, k, False)[0]
        else:
            ids = np.tile(self._labels.find(labels), (x.n_rows, 1))
        names = getattr(self, "feature_names_in_", None)
        calibration = predictor.slope, predictor.intercept
        return explain(
            self.network_, x, ids, self._labels.decode(ids), names, predictor.n_threads, *calibration
        )

    def network_features(self, X: Any) -> Csr:
        """Return features as `network_` has learned them: dense ones are standardized.

        See docs/guides/own_data.md.

        Parameters
        ----------
        X : sparse matrix, array-like or data frame of shape (n, n_features)

        Returns
        -------
        Csr of float32, shape (n, n_features)
        """
        return self._standard(self._features(X))

    @reading
    def label_ids(self, labels: Any) -> NDArray[np.int64]:
        """Return the places of labels in `classes_`.

        Parameters
        ----------
        labels : sequence of label names

        Raises
        ------
        InputError
            A label is not one of the model's.
        """
        check_is_fitted(self)
        return self._labels.find(labels)

    @reading
    def label_matrix(self, y: Any, classes: ArrayLike | None = None) -> sparse.csr_matrix:
        """Return targets as a 0/1 matrix with a column for each of `classes_`; other labels are left out.

        Parameters
        ----------
        y, classes
            As in `partial_fit`.

        Returns
        -------
        csr_matrix of float32, shape (n, n_labels)
        """
        check_is_fitted(self)
        return self._labels.encode(self._labels.parse(y), classes, drop_unknown=True).to_scipy()

    @reading
    def excluded_labels(self, X: Any, exclude: Any = "input") -> sparse.csr_matrix:
        """Return what ``predict_topk(X, exclude=...)`` leaves out, for the metrics' own `exclude`.

        Parameters
        ----------
        X, exclude
            As there.

        Returns
        -------
        csr_matrix of float32, shape (n, n_labels)
            1 for each label that an example must not get.
        """
        x = self._features(X)
        left_out = self._excluded(x, exclude)
        empty = sparse.csr_matrix((x.n_rows, self._labels.n), dtype=np.float32)
        return empty if left_out is None else left_out.to_scipy()

    @reading
    def decision_function(self, X: Any) -> NDArray[np.float32]:
        """Return the scores of all labels: the logits, calibrated where a ranker was weighed (`ranker_`).

        Returns
        -------
        float32 array of shape (n, n_labels); for two classes of shape (n,): positive for ``classes_[1]``

        Raises
        ------
        InputError
            The result would take more than 2 GiB: use `predict_topk`.
        """
        return self._predictor().decision_function(self.network_features(X))

    @reading
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of every label, shape (n, n_labels).

        Multi-label: of each label by itself. Single-label: the rows sum to 1.

        Raises
        ------
        InputError
            The result would take more than 2 GiB: use ``predict_topk(X, k, probabilities=True)``.
        """
        return self._predictor().predict_proba(self.network_features(X))

    @reading
    def predict(self, X: Any) -> NDArray[Any] | sparse.csr_matrix:
        """Return the most likely class of each example, or the labels with a probability above 1/2.

        Returns
        -------
        array of shape (n,)
            Classes, if the model was trained on a vector of classes.
        CSR matrix of int64 and shape (n, n_labels)
            0/1 indicator, if it was trained on a sparse indicator or on label lists.
        array of shape (n, n_labels)
            0/1 indicator in the dtype of y, if that was dense. Raises `InputError` above 2 GiB.
        """
        x, predictor = self.network_features(X), self._predictor()
        if not self.multilabel_:
            return self._labels.decode(predictor.topk(x, 1, False)[0][:, 0])
        if self._dense_dtype is None:
            return predictor.likely_labels(x)
        check_dense(x.n_rows, self._labels.n, 8, "predict")
        return predictor.likely_labels(x).toarray().astype(self._dense_dtype)

    @reading
    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the share of examples whose best label is right: accuracy, or P@1 for multi-label targets.

        Parameters
        ----------
        X, y : as in `fit`
            Labels that the model does not have count as not predicted.
        sample_weight : array-like of shape (n,), optional
        """
        x, target = self.network_features(X), self._labels.parse(y)
        check_same_rows(x.n_rows, target.n_rows)
        weight = check_sample_weight(sample_weight, x.n_rows)
        Y = self._labels.encode(target, drop_unknown=True).to_scipy(np.float64)
        hits = Y[np.arange(x.n_rows), self._predictor().topk(x, 1, False)[0][:, 0]]
        weight = (
            None if weight is None else np.asarray(sample_weight, np.float64)
        )  # as exact as accuracy_score
        return float(np.average(np.asarray(hits).ravel(), weights=weight))

    def _features(self, X: Any) -> Csr:
        check_is_fitted(self)
        x = check_features(self, X)
        check_known_features(self, X, x)
        return x

    def _standard(self, x: Csr) -> Csr:
        """Return features as the network has learned them."""
        return x if self.standardization_ is None else self.standardization_.apply(x)

    def _excluded(self, x: Csr, exclude: Any) -> Csr | None:
        names = getattr(self, "feature_names_in_", None)
        in_columns = self.multilabel_ and not self._labels.from_lists
        return excluded_labels(exclude, x, names, self._labels, in_columns)

    def _check_approximate(self) -> None:
        if not self.network_.has_candidates:
            raise InputError(
                "approximate prediction needs lists, and this model has none. "
                + wording(
                    "Call build_approximate(X, y) with training data, or fit with approximate=True.",
                    "Train it with --approximate yes.",
                )
            )

    def _predictor(self) -> Predictor:
        check_is_fitted(self)
        report = getattr(self, "ranker_", None) or RankerReport.fixed()
        threads = effective_threads(self.n_jobs)
        calibration = report.slope, report.intercept
        return Predictor(self.network_, self.multilabel_, threads, *calibration, self._hidden_labels)
