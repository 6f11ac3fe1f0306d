"""Linear regression whose examples are drawn where their gradients are large."""

import math
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from hashslide._checks import check_bool
from hashslide._validation import check_sample_weight
from hashslide.estimate._linear_input import check_matrix, check_numbers, products
from hashslide.estimate._linear_training import LinearState
from hashslide.estimate._sampled_sgd import SampledSGD

__all__ = ["LSHSampledSGDRegressor"]


def __dir__() -> list[str]:
    return __all__


class LSHSampledSGDRegressor(RegressorMixin, SampledSGD):  # type: ignore[misc]  # scikit-learn has no types
    """Ridge regression by stochastic gradient descent on examples of large gradients.

    Minimises the mean of half the squared errors plus ``alpha / 2`` times the squared length of the
    coefficients. With ``sampling="lsh"`` the examples lie in hash tables once, as vectors (x, 1, y), and
    the coefficients are looked up in them: an example with a large error is in the bucket with a higher
    chance [1]_. With "gradient_norm" each example is drawn in proportion to the length that its gradient
    had when it was last drawn. Either way an example counts by the inverse of its chance, which is known,
    so that the gradient's expectation is that of all examples, whatever the tables are like
    (docs/estimates/sampled_sgd.md).

    Parameters
    ----------
    sampling : {"lsh", "gradient_norm", "uniform"}, default "lsh"
        Where examples come from. "uniform": passes over all, each in a new random order.
    alpha : float >= 0, default 1e-4
        L2 penalty. That of `sklearn.linear_model.Ridge` is n times as large.
    fit_intercept : bool, default True
    max_iter : int, default 1000
        Most epochs. An epoch has as many steps as it takes to draw n examples.
    tol : float >= 0 or None, default 1e-3
        `fit` ends when the objective has not become smaller by so much in `n_iter_no_change` epochs in a
        row; the unit is the variance of y. None: after `max_iter`.
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
    n_jobs : int or None, default None
        Threads that hash. None: all CPUs that the process may use. The result is the same for any number.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    coef_ : float64 array of shape (n_features,)
    intercept_ : float64 array of shape (1,)
    loss_curve_ : list of float
        The objective of each epoch, in units of the variance of y, estimated without bias from the examples
        that were drawn, each with the coefficients of its step.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
    feature_names_in_ : array of str
        Only if X was a data frame with string column names.

    References
    ----------
    .. [1] Chen, Xu & Shrivastava, "Fast and accurate stochastic gradient estimation", NeurIPS 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from hashslide.estimate import LSHSampledSGDRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> round(LSHSampledSGDRegressor(alpha=0, random_state=0).fit(X, y).score(X, y), 1)
    0.5
    """

    _loss = "squared"
    _state: LinearState
    _centre: float  # of y, and its unit
    _scale: float
    loss_curve_: list[float]

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train a new model.

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, n_features)
            Finite numbers. Float32 arrays and CSR matrices with sorted int32 indices are used in place.
            Columns should be of about the same size.
        y : array-like of shape (n,)
            Finite numbers, of any unit: they are standardised for the training.
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
        return self._fit(X, y, sample_weight, continued=False, one_epoch=False)

    def partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train one epoch on some examples, from where the last training ended.

        Parameters are those of `fit`. The tables are made of these examples alone. The unit of y is that of
        the first call.
        """
        return self._fit(X, y, sample_weight, continued=hasattr(self, "coef_"), one_epoch=True)

    def _fit(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, *, continued: bool, one_epoch: bool
    ) -> Self:
        x = check_matrix(self, X, reset=not continued)
        n = x.shape[0]
        numbers = check_numbers(y, n)
        importance = check_sample_weight(sample_weight, n)
        intercept = check_bool("fit_intercept", self.fit_intercept)
        if continued:
            centre, scale, states = self._centre, self._scale, [self._state]
        else:
            centre, scale = _standard(numbers, importance, intercept)
            states = [LinearState.new(x.shape[1])]
        target = ((numbers - centre) / scale).astype(np.float32)
        trained, curves = self._train(x, [target], importance, states, one_epoch=one_epoch)
        self._centre, self._scale, self._state = centre, scale, trained[0]
        weights = trained[0].weights.astype(np.float64) * scale
        self.coef_, self.intercept_ = weights[:-1], np.array([weights[-1] + centre])
        self.loss_curve_ = [*(self.loss_curve_ if continued else []), *curves[0]]
        self.n_iter_ = len(self.loss_curve_)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the prediction of each row, shape (n,).

        Parameters
        ----------
        X : array-like, data frame or sparse matrix of shape (n, n_features)
        """
        check_is_fitted(self)
        return products(check_matrix(self, X, reset=False), self.coef_) + self.intercept_


def _standard(
    numbers: NDArray[np.float64], importance: NDArray[np.float32] | None, centred: bool
) -> tuple[float, float]:
    """Return what is taken from targets, and by what the rest is divided."""
    centre = float(np.average(numbers, weights=importance)) if centred else 0.0
    scale = math.sqrt(float(np.average(np.square(numbers - centre), weights=importance)))
    return centre, scale if scale > 0 else 1.0
