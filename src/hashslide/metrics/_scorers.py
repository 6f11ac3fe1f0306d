"""The metrics as scorers of scikit-learn's model selection."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide.errors import InputError

from ._at_k import PLAIN, SCORED, measure
from ._names import parse_name
from ._propensities import propensity as propensity_of
from ._ranking import ranked
from ._topk import top_k_labels


@dataclass(frozen=True, eq=False)
class Scorer:
    """A metric of a fitted classifier, called as ``scorer(estimator, X, y)``; `scorer` makes one.

    Parameters
    ----------
    metric : str
        "P", "R", "nDCG", "coverage", "PSP" or "PSnDCG".
    k : int
    propensity : array of shape (labels,), optional
        Of "PSP" and "PSnDCG"; by default that of the label counts of the estimator's own training.
    a, b : float
        Constants of that default; see `hashslide.metrics.propensity`.
    """

    metric: str
    k: int
    _: KW_ONLY
    propensity: ArrayLike | None = None
    a: float = 0.55
    b: float = 1.5

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Return the metric of the estimator's predictions for X, where the relevant labels are y."""
        estimator, X = _last_step(estimator, X)
        classes = estimator.classes_
        ranking = ranked(y, _predict(estimator, X, self.k), self.k, classes, is_cut=False)
        is_scored = self.metric in SCORED
        return measure(
            self.metric, ranking, self._propensity(estimator, ranking.y.n_columns) if is_scored else None
        )

    def _propensity(self, estimator: Any, n_labels: int) -> NDArray[np.float64]:
        """Return the propensity of every label; one that the training did not have counts as seen never."""
        if self.propensity is not None:
            return np.asarray(self.propensity)
        network = getattr(estimator, "network_", None)
        if network is None:
            raise InputError(
                f"{type(estimator).__name__} keeps no label counts. Pass propensity= to the scorer, as "
                "metrics.propensity(Y_train) gives it."
            )
        counts = np.zeros(n_labels, np.int64)
        counts[: len(network.label_counts)] = network.label_counts
        return propensity_of(counts, network.n_examples_seen, self.a, self.b)


def scorer(name: str, *, propensity: ArrayLike | None = None, a: float = 0.55, b: float = 1.5) -> Scorer:
    """Return a metric as a scorer for ``cross_val_score``, ``GridSearchCV`` and the like.

    It scores a `hashslide.SlideClassifier`, also behind a pipeline or inside of a search, and any classifier
    that has a ``decision_function`` or ``predict_proba`` of all labels. The targets may have every form that
    the classifier takes. ``cross_val_score`` itself refuses sparse targets: give it
    ``hashslide.data.label_lists(Y)`` and a splitter as `cv`.

    Parameters
    ----------
    name : str
        "P@k", "R@k", "nDCG@k", "coverage@k", "PSP@k" or "PSnDCG@k", with a number for k.
    propensity : array of shape (labels,), optional
        Of PSP and PSnDCG. By default each estimator's own training labels are counted, as they should be in
        cross-validation.
    a, b : float
        Constants of that default; see `hashslide.metrics.propensity`.

    Returns
    -------
    Scorer

    Raises
    ------
    InputError
        There is no such metric.

    Examples
    --------
    >>> from sklearn.model_selection import KFold, cross_val_score
    >>> from hashslide import SlideClassifier, metrics
    >>> from hashslide.data import builtin, label_lists
    >>> d = builtin("pubmed-mesh")
    >>> model, y = SlideClassifier(epochs=1, random_state=0), label_lists(d.Y_test, d.label_names)
    >>> cross_val_score(model, d.X_test, y, scoring=metrics.scorer("P@5"), cv=KFold(2)).shape
    (2,)
    """
    metric, k = parse_name("name", name, [*PLAIN, *SCORED])
    return Scorer(metric, k, propensity=propensity, a=a, b=b)


def _last_step(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return the classifier inside of searches and pipelines, and what reaches it of X."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            if len(estimator) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator[-1]
        else:
            return estimator, X


def _predict(estimator: Any, X: Any, k: int) -> NDArray[Any]:
    """Return the names of the best labels."""
    if hasattr(estimator, "predict_topk"):
        return estimator.predict_topk(X, k)[0]
    for method in ("decision_function", "predict_proba"):
        if hasattr(estimator, method):
            scores = np.asarray(getattr(estimator, method)(X))
            if scores.ndim == 1:  # of two classes: positive for the second
                scores = np.column_stack([-scores, scores])
            return np.asarray(estimator.classes_)[top_k_labels(scores, min(k, scores.shape[1]))]
    raise InputError(
        f"{type(estimator).__name__} has neither predict_topk nor decision_function nor predict_proba, one "
        "of which "
        "the scorer needs."
    )
