"""Logistic regression whose examples are drawn where their gradients are large."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_is_fitted, column_or_1d

from hashslide._frames import plain
from hashslide._validation import check_same_rows, check_sample_weight
from hashslide.errors import InputError
from hashslide.estimate._linear_input import check_matrix, products
from hashslide.estimate._linear_training import LinearState
from hashslide.estimate._sampled_sgd import SampledSGD

__all__ = ["LSHSampledSGDClassifier"]


def __dir__() -> list[str]:
    return __all__


class LSHSampledSGDClassifier(ClassifierMixin, SampledSGD):  # type: ignore[misc]  # scikit-learn has no types
    """Logistic regression by stochastic gradient descent on examples of large gradients.

    Minimises the mean of the logistic loss plus ``alpha / 2`` times the squared length of the coefficients;
    of several classes, for each against all others. With ``sampling="lsh"`` the examples lie in hash tables
    once, as vectors y (x, 1), and minus the coefficients are looked up in them: an example that is on the
    wrong side is in the bucket with a higher chance [1]_. With "gradient_norm" each example is drawn in
    proportion to the length that its gradient had when it was last drawn. Either way an example counts by
    the inverse of its chance, which is known, so that the gradient's expectation is that of all examples,
    whatever the tables are like (docs/estimates/sampled_sgd.md).

    Parameters
    ----------
    sampling : {"lsh", "gradient_norm", "uniform"}, default "lsh"
        Where examples come from. "uniform": passes over all, each in a new random order.
    alpha : float >= 0, default 1e-4
        L2 penalty. `C` of `sklearn.linear_model.LogisticRegression` is ``1 / (n * alpha)``.
    fit_intercept : bool, default True
    max_iter : int, default 1000
        Most epochs. An epoch has as many steps as it takes to draw n examples.
    tol : float >= 0 or None, default 1e-3
        `fit` ends when the objective has not become smaller by so much in `n_iter_no_change` epochs in a
        row. None: after `max_iter`.
    n_iter_no_change : int, default 5
    batch_size : int, default 32
        Examples of a step.
    learning_rate : {"adagrad", "constant", "invscaling"}, default "adagrad"
        "adagrad": `eta0` over the root of the sum of a coordinate's squared gradients. "invscaling":
        ``eta0 / t ** power_t`` in step t.
    eta0 : float > 0, default 0.3
    power_t : float in [0, 1], default 0.5
    hash : {"simhash", "sparse_simhash", "fast_simhash"}, default "simhash"
        How directions are hashed (docs/how/hash_families.md).
    tables : int, default 50
        Hash tables; 6 bytes an example and table.
    hashes : int from 1 to 16, default 4
        Bits of a code: more of them make smaller buckets, which differ more from uniform draws.
    uniform_share : float in (0, 1], default 0.5
        Share of the draws of a batch that are uniform, rounded to whole draws, at least one. No example
        counts more than its inverse.
    class_weight : dict, "balanced" or None, default None
        Weight of each class; "balanced": n / (classes * examples of the class).
    n_jobs : int or None, default None
        Threads that hash; of several classes, classes that are trained at once. None: all CPUs that the
        process may use. The result is the same for any number.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
    coef_ : float64 array of shape (1, n_features) or (n_classes, n_features)
    intercept_ : float64 array of shape (1,) or (n_classes,)
    loss_curve_ : list of float
        The objective of each epoch, estimated without bias from the examples that were drawn, each with the
        coefficients of its step; of several classes, the mean over those that were still trained.
    n_iter_ : int
        Epochs trained; of several classes, the most.
    n_features_in_ : int
    feature_names_in_ : array of str
        Only if X was a data frame with string column names.

    References
    ----------
    .. [1] Chen, Xu & Shrivastava, "Fast and accurate stochastic gradient estimation", NeurIPS 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> from hashslide.estimate import LSHSampledSGDClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> LSHSampledSGDClassifier(random_state=0).fit(scale(X), y).score(scale(X), y) > 0.97
    True
    """

    _loss = "logistic"
    _states: list[LinearState]
    loss_curve_: list[float]

    def __init__(
        self,
        *,
        sampling: str = "lsh",
        alpha: float = 1e-4,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        n_iter_no_change: int = 5,
        batch_size: int = 32,
        learning_rate: str = "adagrad",
        eta0: float = 0.3,
        power_t: float = 0.5,
        hash: str = "simhash",
        tables: int = 50,
        hashes: int = 4,
        uniform_share: float = 0.5,
        class_weight: dict[Any, float] | str | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            sampling=sampling,
            alpha=alpha,
            fit_intercept=fit_intercept,
            max_iter=max_iter,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
            batch_size=batch_size,
            learning_rate=learning_rate,
            eta0=eta0,
            power_t=power_t,
            hash=hash,
            tables=tables,
            hashes=hashes,
            uniform_share=uniform_share,
            n_jobs=n_jobs,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train a new model.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, n_features)
            Finite numbers. Float32 arrays and CSR matrices with sorted int32 indices are used in place.
            Columns should be of about the same size.
        y : array-like of shape (n,)
            Classes, two or more.
        sample_weight : array-like of shape (n,), optional
            0 or more; only the ratios matter.

        Returns
        -------
        self

        Raises
        ------
        InputError
            Data or a parameter are not acceptable, or the training diverges.
        """
        x = check_matrix(self, X, reset=True)
        labels = _check_labels(y, x.shape[0])
        classes = np.unique(labels)
        if len(classes) < 2:
            raise InputError(
                f"y has one class, {classes[0]!r}; {type(self).__name__} needs two or more. "
                "Add examples of another class."
            )
        importance = self._importance(labels, sample_weight)
        states = [LinearState.new(x.shape[1])] * _n_models(classes)
        trained, curves = self._train(x, _signs(labels, classes), importance, states)
        self.classes_ = classes
        self._take(trained)
        self.loss_curve_ = _mean_curve(curves)
        self.n_iter_ = len(self.loss_curve_)
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train one epoch on some examples, from where the last training ended.

        Parameters
        ----------
        X, y, sample_weight
            As of `fit`. The tables are made of these examples alone.
        classes : array-like
            All classes; needed in the first call.
        """
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise InputError("classes must be passed on the first call to partial_fit.")
        known = np.unique(np.asarray(classes)) if classes is not None else self.classes_
        if len(known) < 2:
            raise InputError(f"classes has {len(known)} value; accepted are two or more.")
        if not first and not np.array_equal(known, self.classes_):
            raise InputError(
                f"classes={classes!r} is not the same as on the last call to partial_fit, "
                f"which was {self.classes_!r}."
            )
        x = check_matrix(self, X, reset=first)
        labels = _check_labels(y, x.shape[0])
        if len(strangers := np.setdiff1d(labels, known)):
            raise InputError(f"y holds {strangers[0]!r}, which is none of the classes {known!r}.")
        importance = self._importance(labels, sample_weight)
        states = [LinearState.new(x.shape[1])] * _n_models(known) if first else self._states
        trained, curves = self._train(x, _signs(labels, known), importance, states, one_epoch=True)
        self.classes_ = known
        self._take(trained)
        self.loss_curve_ = [*([] if first else self.loss_curve_), *_mean_curve(curves)]
        self.n_iter_ = len(self.loss_curve_)
        return self

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return the log odds, (n,) of the second of two classes, else (n, n_classes).

        Of several classes they are those of each against all others.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, n_features)
        """
        check_is_fitted(self)
        scores = products(check_matrix(self, X, reset=False), self.coef_) + self.intercept_
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each row, shape (n,)."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(np.int64) if scores.ndim == 1 else scores.argmax(axis=1)
        predicted: NDArray[Any] = self.classes_[best]
        return predicted

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, shape (n, n_classes); several are scaled to the sum 1."""
        scores = self.decision_function(X)
        chances = 0.5 * (1 + np.tanh(0.5 * scores))
        if chances.ndim == 1:
            return np.stack([1 - chances, chances], axis=1)
        sums = chances.sum(axis=1, keepdims=True)
        even = np.full_like(chances, 1 / chances.shape[1])
        return np.divide(chances, sums, out=even, where=sums > 0)

    def _take(self, states: list[LinearState]) -> None:
        """Become the model of these states."""
        self._states = states
        weights = np.stack([state.weights for state in states]).astype(np.float64)
        self.coef_, self.intercept_ = weights[:, :-1], weights[:, -1]

    def _importance(
        self, labels: NDArray[Any], sample_weight: ArrayLike | None
    ) -> NDArray[np.float32] | None:
        """Return the weight of each example by itself and by its class; None if all are equal."""
        own = check_sample_weight(sample_weight, len(labels))
        if self.class_weight is None:
            return own
        try:
            of_class = compute_sample_weight(self.class_weight, labels)
        except (ValueError, TypeError) as error:
            raise InputError(f"class_weight is {self.class_weight!r}: {error}") from None
        return check_sample_weight(of_class if own is None else of_class * own, len(labels))


def _check_labels(y: Any, n_rows: int) -> NDArray[Any]:
    """Return the class of each example, shape (n_rows,)."""
    if y is None:
        raise InputError("a classifier requires y to be passed, but the target y is None.")
    try:
        labels = column_or_1d(plain(y, "y"), warn=True)
        if labels.dtype.kind == "f":
            assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from None
    check_same_rows(n_rows, len(labels), "X and y")
    return labels


def _n_models(classes: NDArray[Any]) -> int:
    return 1 if len(classes) == 2 else len(classes)


def _signs(labels: NDArray[Any], classes: NDArray[Any]) -> list[NDArray[np.float32]]:
    """Return the targets of each model: 1 for its class, -1 for all others."""
    positive = classes[1:] if len(classes) == 2 else classes
    return [np.where(labels == c, 1, -1).astype(np.float32) for c in positive]


def _mean_curve(curves: list[list[float]]) -> list[float]:
    """Return the mean of those curves that have an epoch, for each epoch."""
    longest = max(map(len, curves))
    return [float(np.mean([c[e] for c in curves if len(c) > e])) for e in range(longest)]
