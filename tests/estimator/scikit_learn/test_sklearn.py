"""SlideClassifier among scikit-learn's tools."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits, load_iris, load_wine, make_multilabel_classification
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from hashslide import DWTA, SGD, Dense, EarlyStopping, Linear, Negatives, SlideClassifier, Vanilla
from hashslide.estimator.parameters import PARAMETERS

BATCHES = (
    "examples are drawn in batches, so a repeated example and one of twice the weight take part in "
    "different steps; "
    "and float32 sums depend on their order (the same exception as scikit-learn's own SGDClassifier)"
)
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": BATCHES,
    "check_sample_weight_equivalence_on_sparse_data": BATCHES,
}
MODELS = [
    SlideClassifier(),
    SlideClassifier(Dense(256, "relu"), optimizer="adam", loss="bce", early_stopping=True),
]


@pytest.fixture(autouse=True)
def array_api(monkeypatch):
    """Let scikit-learn's check of array API inputs run instead of being skipped."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks(
    MODELS, expected_failed_checks=lambda estimator: EXPECTED_FAILURES, xfail_strict=True
)
def test_the_contract_of_estimators(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("load", "accuracy"), [(load_iris, 0.95), (load_wine, 0.94), (load_digits, 0.9)])
def test_defaults_suit_tiny_data(load, accuracy):
    X, y = load(return_X_y=True)
    model = make_pipeline(StandardScaler(), SlideClassifier(random_state=0))
    assert cross_val_score(model, X, y, cv=3).mean() > accuracy


@pytest.mark.parametrize(("load", "accuracy"), [(load_iris, 0.93), (load_digits, 0.88)])
def test_columns_of_like_scale_need_no_scaler(load, accuracy):
    X, y = load(return_X_y=True)
    assert cross_val_score(SlideClassifier(random_state=0), X, y, cv=3).mean() > accuracy


def test_defaults_suit_tiny_multilabel_data():
    X, Y = make_multilabel_classification(300, n_features=20, n_classes=6, random_state=0)
    model = SlideClassifier(random_state=0).fit(X[:200], Y[:200])
    assert model.score(X[200:], Y[200:]) > Y[200:].mean(axis=0).max() + 0.1


def test_grid_search_over_a_text_pipeline():
    texts = ["red apple", "green apple", "red rose", "green leaf"] * 6
    topics = ["fruit", "fruit", "flower", "plant"] * 6
    pipeline = make_pipeline(TfidfVectorizer(), SlideClassifier(random_state=0, n_jobs=1))
    grid = {"slideclassifier__hidden": [4, 8], "slideclassifier__learning_rate": [1e-9, "auto"]}
    search = GridSearchCV(pipeline, grid, cv=3)
    search.fit(texts, topics)
    assert search.best_score_ == 1 and search.best_params_["slideclassifier__learning_rate"] == "auto"
    scores = search.cv_results_["mean_test_score"].reshape(2, 2)
    assert (scores[:, 0] < 0.6).all(), "without training, the most frequent class is all that is known"
    assert search.predict(["a red rose"]).tolist() == ["flower"]


def test_a_grid_over_composed_settings():
    X, y = load_iris(return_X_y=True)
    grid = {
        "hash": [None, "simhash", DWTA(tables=20)],
        "optimizer": ["adagrad", SGD(momentum=0.9)],
        "early_stopping": [False, EarlyStopping(patience=3)],
    }
    search = GridSearchCV(SlideClassifier(8, epochs=2, random_state=0), grid, cv=2, error_score="raise")
    search.fit(X, y)
    assert len(search.cv_results_["params"]) == 12
    assert search.best_estimator_.get_params().keys() == SlideClassifier().get_params().keys()


def test_composed_settings_are_shown_short_and_cloned_by_value():
    model = SlideClassifier(
        hash=DWTA(tables=20), sampler=Vanilla(budget=9), schedule=Linear(warmup=0.1), negatives=Negatives()
    )
    shown = " ".join(repr(model).split())
    assert shown == (
        "SlideClassifier(hash=DWTA(tables=20), negatives=Negatives(), sampler=Vanilla(budget=9), "
        "schedule=Linear(warmup=0.1))"
    )
    assert clone(model).get_params() == model.get_params()


def test_there_are_25_parameters_and_none_twice():
    parameters = inspect.signature(SlideClassifier).parameters
    assert parameters.keys() == PARAMETERS.keys() and len(parameters) == 25


def test_clone_and_parameters():
    model = SlideClassifier(64, epochs=3, label_weight=np.ones(3), random_state=5)
    twin = clone(model)
    assert is_classifier(model) and twin.hidden == 64 and twin.epochs == 3
    assert twin.set_params(hidden=32).get_params()["hidden"] == 32
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        twin.set_params(depth=2)


def test_pickled_models_predict_the_same_and_train_on():
    X, y = load_iris(return_X_y=True)
    model = SlideClassifier(hidden=8, epochs=5, random_state=0).fit(X, y)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    for m in (model, twin):
        m.partial_fit(X, y)
    np.testing.assert_array_equal(twin.decision_function(X), model.decision_function(X))


def test_data_frames_are_checked_by_name():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = SlideClassifier(hidden=8, epochs=5, random_state=0).fit(X, y)
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    model.predict(X)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X.iloc[:, ::-1])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(X.to_numpy())
    model.predict(sparse.csr_matrix(X.to_numpy()))
    model.fit(X.to_numpy(), y)
    assert not hasattr(model, "feature_names_in_")


def test_new_named_features_follow_the_old_ones():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = SlideClassifier(hidden=8, random_state=0).partial_fit(X.iloc[:, :2], y)
    model.partial_fit(X, y)
    assert model.n_features_in_ == 4 and model.feature_names_in_.tolist() == X.columns.tolist()
    more = pd.concat([pd.DataFrame({"new": np.ones(len(X))}), X], axis=1)
    with pytest.raises(ValueError, match="X has 5 named features that do not begin with the model's 4"):
        model.partial_fit(more, y)
    assert model.n_features_in_ == 4


def test_classes_of_a_data_frame_of_labels():
    X, Y = make_multilabel_classification(60, n_features=8, n_classes=3, random_state=0)
    frame = pd.DataFrame(Y, columns=["a", "b", "c"])
    model = SlideClassifier(hidden=8, random_state=0).fit(X, frame)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert set(model.predict_topk(X, 1)[0].ravel()) <= {"a", "b", "c"}
    assert model.predict(X).shape == (60, 3)
