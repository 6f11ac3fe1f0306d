"""The estimators of sampled gradient descent among scikit-learn's tools."""

import pickle

from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from hashslide.estimate import LSHSampledSGDClassifier, LSHSampledSGDRegressor

BATCHES = (
    "examples are drawn in batches, so a repeated example and one of twice the weight take part in "
    "different steps (the same exception as scikit-learn's own SGDClassifier)"
)
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": BATCHES,
    "check_sample_weight_equivalence_on_sparse_data": BATCHES,
}
MODELS = [
    LSHSampledSGDRegressor(max_iter=50),
    LSHSampledSGDClassifier(max_iter=50),
    LSHSampledSGDRegressor(sampling="gradient_norm", max_iter=50),
    LSHSampledSGDClassifier(sampling="uniform", max_iter=50),
]


@parametrize_with_checks(
    MODELS, expected_failed_checks=lambda estimator: EXPECTED_FAILURES, xfail_strict=True
)
def test_the_contract_of_estimators(estimator, check):
    check(estimator)


def test_sampling_is_one_word_of_a_grid():
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LSHSampledSGDClassifier(max_iter=20, random_state=0))
    grid = {"lshsampledsgdclassifier__sampling": ["lsh", "gradient_norm", "uniform"]}
    search = GridSearchCV(model, grid, cv=3, error_score="raise").fit(X, y)
    assert search.cv_results_["mean_test_score"].min() > 0.96


def test_a_pickled_model_predicts_the_same_and_trains_on():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = LSHSampledSGDClassifier(max_iter=3, tol=None, random_state=0).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.predict_proba(X) == model.predict_proba(X)).all()
    assert (twin.partial_fit(X, y).coef_ == model.partial_fit(X, y).coef_).all()
    assert clone(model).get_params() == model.get_params()
