"""The estimators reach the exact solutions, always with the same bits, and refuse what they cannot use."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sgd_cases import SAMPLINGS, breast_cancer, diabetes
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import scale

from hashslide import data
from hashslide.errors import InputError
from hashslide.estimate import LSHSampledSGDClassifier, LSHSampledSGDRegressor

LONG = {"max_iter": 2000, "tol": None, "random_state": 0, "alpha": 0.01}


def objective(model, X, y, alpha: float) -> float:
    """Return the mean logistic loss with the penalty; y of -1 and 1."""
    margins = y * model.decision_function(X)
    return float(np.logaddexp(0, -margins).mean() + alpha / 2 * (model.coef_**2).sum())


def excess(model, X, y) -> float:
    """Return by how much of it a regression's objective is above that of the exact solution."""
    exact = Ridge(alpha=0.01 * len(X)).fit(X.astype(np.float64), y)
    found, least = (
        np.square(m.predict(X) - y).mean() + 0.01 * np.square(m.coef_).sum() for m in (model, exact)
    )
    return found / least - 1


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_the_regression_reaches_ridge(sampling, form):
    X, y = diabetes()
    y = 100 * y.astype(np.float64) + 3000
    model = LSHSampledSGDRegressor(sampling=sampling, eta0=0.1, **LONG).fit(form(X), y)
    assert 0 < excess(model, X, y) < 0.003
    without = LSHSampledSGDRegressor(sampling=sampling, eta0=0.1, fit_intercept=False, **LONG).fit(form(X), y)
    assert without.intercept_ == 0 and excess(without, X, y) > 1


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_the_classifier_reaches_logistic_regression(sampling, form):
    X, y = breast_cancer()
    exact = LogisticRegression(C=1 / (0.01 * len(X)), tol=1e-8).fit(X.astype(np.float64), y)
    model = LSHSampledSGDClassifier(sampling=sampling, batch_size=64, **LONG).fit(form(X), y)
    least = objective(exact, X, y, 0.01)
    assert least < objective(model, X, y, 0.01) < 1.002 * least
    assert np.abs(model.predict_proba(form(X)) - exact.predict_proba(X)).max() < 0.05


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling"])
def test_other_schedules_learn(learning_rate):
    X, y = diabetes()
    model = LSHSampledSGDRegressor(learning_rate=learning_rate, eta0=0.005, **LONG).fit(X, y)
    assert 0 < excess(model, X, y) < 0.03


def test_unequal_weights_are_those_of_logistic_regression():
    X, y = breast_cancer()
    weight = np.random.default_rng(0).exponential(size=len(X))
    exact = LogisticRegression(C=1 / (0.01 * weight.sum()), class_weight={-1.0: 3.0, 1.0: 1.0}, tol=1e-8)
    factor = np.where(y < 0, 3.0, 1.0)
    exact.C = 1 / (0.01 * (weight * factor).sum())
    exact.fit(X.astype(np.float64), y, sample_weight=weight)
    for sampling in SAMPLINGS:
        model = LSHSampledSGDClassifier(sampling=sampling, class_weight={-1.0: 3.0, 1.0: 1.0}, **LONG)
        model.fit(X, y, sample_weight=weight)
        assert np.abs(model.predict_proba(X) - exact.predict_proba(X)).max() < 0.06, sampling


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads(sampling):
    X, y = load_iris(return_X_y=True)
    for form in (np.asarray, sparse.csr_matrix):
        settings = {"sampling": sampling, "max_iter": 5, "tol": None, "random_state": 7}
        models = [LSHSampledSGDClassifier(n_jobs=n, **settings).fit(form(scale(X)), y) for n in (1, 2, 3)]
        two = [
            LSHSampledSGDClassifier(n_jobs=n, **settings).fit(form(scale(X)), y == 1, np.arange(1, 151))
            for n in (1, 4)
        ]
        for group in (models, two):
            assert all((m.coef_ == group[0].coef_).all() for m in group)
            assert all((m.intercept_ == group[0].intercept_).all() for m in group)
            assert all(m.loss_curve_ == group[0].loss_curve_ for m in group)
        other = LSHSampledSGDClassifier(**settings | {"random_state": 8}).fit(form(scale(X)), y)
        assert (other.coef_ != models[0].coef_).any()


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_rare_labels_of_sparse_texts(sampling):
    X, y = rare_label()
    model = LSHSampledSGDClassifier(sampling=sampling, alpha=0, max_iter=10, tol=None, random_state=0)
    model.fit(X, y)
    assert model.classes_.tolist() == [False, True]
    frequency = y.mean()
    entropy = -frequency * np.log(frequency) - (1 - frequency) * np.log(1 - frequency)
    assert np.logaddexp(0, -np.where(y, 1, -1) * model.decision_function(X)).mean() < 0.2 * entropy
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]


def rare_label():
    """Return texts, and which of them have the label that comes nearest to 3 %."""
    mesh = data.builtin("pubmed-mesh")
    X, Y = mesh.X_train[:4000], mesh.Y_train[:4000].tocsc()
    label = int(np.abs(np.diff(Y.indptr) - 0.03 * X.shape[0]).argmin())
    return X, Y[:, [label]].toarray().ravel() > 0


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_loss_curve_is_the_objective(sampling):
    X, y = breast_cancer()
    settings = {"sampling": sampling, "alpha": 0.1, "eta0": 1e-4, "tol": None, "random_state": 0}
    model = LSHSampledSGDClassifier(max_iter=30, **settings).fit(X, y)
    at_the_end = objective(model, X, y, 0.1)
    assert np.mean(model.loss_curve_[-10:]) == pytest.approx(at_the_end, rel=0.02)


def test_training_ends_when_nothing_is_gained():
    X, y = breast_cancer()
    model = LSHSampledSGDClassifier(tol=1e-2, n_iter_no_change=3, random_state=0).fit(X, y)
    assert 4 <= model.n_iter_ == len(model.loss_curve_) < 100


def test_epochs_one_by_one_are_a_training():
    X, y = diabetes()
    model = LSHSampledSGDRegressor(sampling="uniform", random_state=0, alpha=0.01)
    for _ in range(200):
        model.partial_fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 200
    assert 0 < excess(model, X, y) < 0.01
    X, y = load_iris(return_X_y=True)
    classifier = LSHSampledSGDClassifier(random_state=0)
    for first in (0, 50, 100) * 30:
        classifier.partial_fit(scale(X)[first : first + 50], y[first : first + 50], classes=[0, 1, 2])
    assert classifier.score(scale(X), y) > 0.8


def test_names_of_columns_and_classes_are_kept():
    X, y = load_iris(return_X_y=True, as_frame=True)
    named = pd.Categorical.from_codes(y, ["setosa", "versicolor", "virginica"]).astype(str)
    model = LSHSampledSGDClassifier(random_state=0).fit(X, named)
    assert model.feature_names_in_.tolist() == list(X.columns)
    assert set(model.predict(X)) <= set(model.classes_) == set(named)
    with pytest.raises(InputError, match="feature names"):
        model.predict(X.rename(columns=str.upper))


BAD_PARAMETERS = [
    ({"sampling": "lhs"}, "sampling is 'lhs'; accepted are 'lsh', 'gradient_norm', 'uniform'"),
    ({"alpha": -1}, "alpha is -1"),
    ({"batch_size": 0}, "batch_size is 0"),
    ({"learning_rate": "optimal"}, "learning_rate is 'optimal'"),
    ({"eta0": 0}, "eta0 is 0"),
    ({"power_t": 2}, "power_t is 2"),
    ({"hash": "dwta"}, "hash is 'dwta'"),
    ({"tables": 0}, "tables is 0"),
    ({"hashes": 17}, "hashes is 17; accepted is an integer from 1 to 16"),
    ({"uniform_share": 0}, r"uniform_share is 0; accepted is a number in \(0, 1\]"),
    ({"max_iter": 1.5}, "max_iter is 1.5"),
    ({"tol": -1}, "tol is -1"),
    ({"n_iter_no_change": 0}, "n_iter_no_change is 0"),
    ({"fit_intercept": "yes"}, "fit_intercept is 'yes'"),
    ({"n_jobs": 0}, "n_jobs"),
    ({"random_state": "seven"}, "random_state is 'seven'"),
]


@pytest.mark.parametrize(
    ("parameters", "message"), BAD_PARAMETERS, ids=lambda p: next(iter(p)) if isinstance(p, dict) else ""
)
def test_bad_parameters_are_refused_and_the_old_model_stays(parameters, message):
    X, y = breast_cancer()
    for model in (LSHSampledSGDClassifier(max_iter=1), LSHSampledSGDRegressor(max_iter=1)):
        before = model.fit(X, y).coef_
        with pytest.raises(InputError, match=message):
            model.set_params(**parameters).fit(X, y)
        assert model.coef_ is before


def test_bad_data_are_refused():
    X, y = breast_cancer()
    broken = X.copy()
    broken[3, 2] = np.nan
    damaged = sparse.csr_matrix(X)
    damaged.indices[5] = 1000
    for model in (LSHSampledSGDClassifier(), LSHSampledSGDRegressor()):
        for bad, message in ((broken, "NaN"), (damaged, "indices|column"), (X[:, :0], "0 feature")):
            with pytest.raises(InputError, match=message):
                model.fit(bad, y)
        with pytest.raises(InputError, match="inconsistent"):
            model.fit(X, y[:-1])
        with pytest.raises(InputError, match="negative"):
            model.fit(X, y, sample_weight=-np.ones(len(X)))
        with pytest.raises(InputError, match="expecting 30 features"):
            model.fit(X, y).predict(X[:, :7])
    with pytest.raises(InputError, match="y has one class"):
        LSHSampledSGDClassifier().fit(X, np.ones(len(X)))
    with pytest.raises(InputError, match="y contains NaN or infinity at 0"):
        LSHSampledSGDRegressor().fit(X, np.full(len(X), np.inf))
    with pytest.raises(InputError, match="class_weight"):
        LSHSampledSGDClassifier(class_weight="even").fit(X, y)


def test_classes_of_partial_fit_are_fixed():
    X, y = breast_cancer()
    with pytest.raises(InputError, match="classes must be passed on the first call"):
        LSHSampledSGDClassifier().partial_fit(X, y)
    model = LSHSampledSGDClassifier().partial_fit(X, y, classes=[-1, 1])
    with pytest.raises(InputError, match="none of the classes"):
        model.partial_fit(X, y + 5)
    with pytest.raises(InputError, match="not the same as on the last call"):
        model.partial_fit(X, y, classes=[-1, 1, 2])


def test_a_training_that_diverges_says_so_and_changes_nothing():
    X, y = diabetes()
    model = LSHSampledSGDRegressor(max_iter=3).fit(X, y)
    before = model.coef_
    with pytest.raises(InputError, match=r"diverged in epoch .* Take a smaller eta0"):
        model.set_params(learning_rate="constant", eta0=100.0, max_iter=50).fit(X, y)
    assert model.coef_ is before
