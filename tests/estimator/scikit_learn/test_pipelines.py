"""Recipes: behind a vectoriser, splitting label lists, cross-validation, inside of others' estimators."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MultiLabelBinarizer

from hashslide import SlideClassifier, metrics
from hashslide.data import label_lists, label_matrix

ROWS = 400


@pytest.fixture(scope="module")
def texts(pubmed_small):
    """Abstracts as text, of which the data hold the words only."""
    words = pubmed_small.feature_names
    return [" ".join(words[row.indices]) for row in pubmed_small.X_train[:ROWS]]


@pytest.fixture(scope="module")
def Y(pubmed_small):
    """Their labels as an indicator of the labels that occur."""
    labels = pubmed_small.Y_train[:ROWS]
    return labels[:, np.unique(labels.indices)]


@pytest.fixture(scope="module")
def tags(Y):
    """Their labels as lists of names."""
    return label_lists(Y, [f"tag {j}" for j in range(Y.shape[1])])


def small(**settings) -> SlideClassifier:
    return SlideClassifier(**{"hidden": 32, "epochs": 3, "random_state": 0} | settings)


def test_topk_behind_a_vectoriser(texts, tags):
    pipeline = make_pipeline(TfidfVectorizer(), small()).fit(texts, tags)
    labels, scores = pipeline[-1].predict_topk(pipeline[:-1].transform(texts[:9]), k=4)
    assert labels.shape == scores.shape == (9, 4) and labels[0, 0].startswith("tag ")
    assert metrics.precision_at_k(tags[:9], labels, 1) == pipeline.score(texts[:9], tags[:9]) > 0.5


def test_an_evaluation_set_goes_through_the_steps_in_front(texts, tags):
    steps = make_pipeline(TfidfVectorizer()).fit(texts[:300])
    evaluation = steps.transform(texts[300:]), tags[300:]
    model = small().fit(steps.transform(texts[:300]), tags[:300], eval_set=evaluation)
    whole = Pipeline([("steps", steps), ("model", model)])
    assert model.history_[-1]["val_P@1"] == pytest.approx(whole.score(texts[300:], tags[300:]), abs=1e-12)


def test_a_pipeline_passes_parameters_of_fit(texts, Y):
    names = [f"tag {j}" for j in range(Y.shape[1])]
    pipeline = make_pipeline(TfidfVectorizer(), small())
    pipeline.fit(texts, Y, slideclassifier__classes=names, slideclassifier__sample_weight=np.ones(ROWS))
    assert pipeline.classes_.tolist() == names


@pytest.mark.parametrize("form", ["lists", "sets", "sparse", "dense"])
def test_every_form_of_target_can_be_split(texts, Y, tags, form):
    targets = {"lists": tags, "sets": list(map(set, tags)), "sparse": Y, "dense": Y.toarray().astype(int)}[
        form
    ]
    X = TfidfVectorizer().fit_transform(texts)
    X_train, X_test, y_train, y_test = train_test_split(X, targets, test_size=100, random_state=0)
    model = small().fit(X_train, y_train)
    assert 0.1 < model.score(X_test, y_test) < 1


def test_cross_validation_of_label_lists(texts, tags):
    pipeline, scoring = make_pipeline(TfidfVectorizer(), small()), {"P@3": metrics.scorer("P@3")}
    scores = cross_validate(pipeline, texts, tags, cv=KFold(2), scoring=scoring, return_estimator=True)
    for estimator, score, (_, test) in zip(
        scores["estimator"], scores["test_P@3"], KFold(2).split(texts), strict=True
    ):
        topk = estimator[-1].predict_topk(estimator[:-1].transform([texts[i] for i in test]), 3)[0]
        expected = metrics.precision_at_k([tags[i] for i in test], topk, 3, classes=estimator.classes_)
        assert score == expected > 0.1


def test_scikit_learn_takes_lists_where_it_refuses_sparse_targets(texts, Y):
    X = TfidfVectorizer().fit_transform(texts)
    with pytest.raises(ValueError, match="'y' parameter of cross_val_score must be an array-like"):
        cross_val_score(small(), X, Y, cv=KFold(2))
    scoring = metrics.scorer("nDCG@5")
    from_lists = cross_val_score(small(), X, label_lists(Y), cv=KFold(2), scoring=scoring)
    search = GridSearchCV(small(), {}, cv=KFold(2), scoring=scoring, refit=False).fit(X, Y)
    from_sparse = [search.cv_results_[f"split{i}_test_score"][0] for i in range(2)]
    assert np.abs(from_lists - from_sparse).max() < 0.1, "alike but for labels that a fold lacks"


def test_predictions_of_folds_and_learning_curves(texts, Y, tags):
    X = TfidfVectorizer().fit_transform(texts)
    dense = Y.toarray().astype(int)
    found = cross_val_predict(small(), X, dense, cv=KFold(2))
    assert found.shape == dense.shape and set(np.unique(found)) <= {0, 1}
    scoring, cv = metrics.scorer("nDCG@5"), ShuffleSplit(1, random_state=0)
    curve = learning_curve(
        small(precision="float32"), X, tags, cv=cv, scoring=scoring, train_sizes=[0.2, 1.0]
    )
    assert curve[2].shape == (2, 1) and curve[2][0] <= curve[2][1]


def test_searches_over_sparse_targets(texts, Y):
    pipeline = make_pipeline(TfidfVectorizer(), small(epochs=20))
    grid = {"slideclassifier__learning_rate": [1e-9, "auto"], "tfidfvectorizer__sublinear_tf": [True]}
    for search in (
        GridSearchCV(pipeline, grid, cv=KFold(2), scoring=metrics.scorer("PSP@3")),
        RandomizedSearchCV(pipeline, grid, n_iter=2, cv=2, scoring=metrics.scorer("P@3"), random_state=0),
    ):
        search.fit(texts, Y)
        assert search.best_params_["slideclassifier__learning_rate"] == "auto"
        assert sparse.issparse(search.predict(texts[:2]))


def test_binarised_labels_are_the_same_matrix(tags):
    Y, classes = label_matrix(tags)
    binarizer = MultiLabelBinarizer(sparse_output=True)
    assert (binarizer.fit_transform(tags) != Y).nnz == 0
    assert binarizer.classes_.tolist() == classes.tolist()


X_IRIS, Y_IRIS = load_iris(return_X_y=True)
NAMED_IRIS = np.array(["setosa", "versicolor", "virginica"])[Y_IRIS]
MEMBER = SlideClassifier(8, epochs=20, random_state=0)
MEETINGS = {
    "boosting": AdaBoostClassifier(MEMBER, n_estimators=2, random_state=0),
    "bagging": BaggingClassifier(MEMBER, n_estimators=2, random_state=0),
    "one-vs-rest": OneVsRestClassifier(MEMBER),
    "calibration": CalibratedClassifierCV(MEMBER, cv=2),
    "voting": VotingClassifier(
        [("ours", MEMBER), ("theirs", LogisticRegression(max_iter=500))], voting="soft"
    ),
    "stacking": StackingClassifier([("ours", MEMBER)], LogisticRegression(), cv=2),
}


@pytest.mark.parametrize("targets", [Y_IRIS, NAMED_IRIS], ids=["numbers", "names"])
@pytest.mark.parametrize("meeting", MEETINGS.values(), ids=MEETINGS.keys())
def test_other_estimators_wrap_the_classifier(meeting, targets):
    pipeline = make_pipeline(MaxAbsScaler(), meeting).fit(X_IRIS, targets)
    assert pipeline.score(X_IRIS, targets) > 0.85
    assert metrics.scorer("P@1")(pipeline, X_IRIS, targets) > 0.85
