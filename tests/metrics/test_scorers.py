"""The metrics as scikit-learn scorers."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from hashslide import SlideClassifier, metrics
from hashslide.errors import InputError

X, DENSE = make_multilabel_classification(120, n_features=12, n_classes=5, random_state=0)
DENSE[-1] = [1, 0, 0, 0, 0]
Y = sparse.csr_matrix(DENSE)
LISTS = [[f"l{j}" for j in np.flatnonzero(row)] for row in DENSE]
MODEL = SlideClassifier(hidden=8, epochs=3, random_state=0)
FOLDS = KFold(3)
NAMES = ["P@1", "P@3", "R@3", "nDCG@5", "coverage@2", "PSP@1", "PSP@3", "PSnDCG@5"]


def by_hand(name: str, train, test, targets) -> float:
    model = clone(MODEL).fit(X[train], targets[train])
    metric, k = name.split("@")
    topk = model.predict_topk(X[test], int(k))[0]
    p = metrics.propensity(targets[train]) if metric.startswith("PS") else None
    return metrics.summary(targets[test], topk, [int(k)], p)[name]


def scores_of_folds(name: str, targets) -> list[float]:
    """Return the scores of a search over nothing, which takes sparse targets."""
    search = GridSearchCV(MODEL, {}, scoring=metrics.scorer(name), cv=FOLDS, refit=False).fit(X, targets)
    return [search.cv_results_[f"split{i}_test_score"][0] for i in range(3)]


@pytest.mark.parametrize("name", NAMES)
def test_folds_are_scored_as_by_hand(name):
    expected = [by_hand(name, train, test, Y) for train, test in FOLDS.split(X)]
    np.testing.assert_allclose(scores_of_folds(name, Y), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["P@3", "nDCG@5", "PSP@3"])
@pytest.mark.parametrize("targets", [DENSE, LISTS, list(map(set, LISTS))], ids=["dense", "lists", "sets"])
def test_every_form_of_target_scores_alike(name, targets):
    scores = cross_val_score(MODEL, X, targets, scoring=metrics.scorer(name), cv=FOLDS)
    np.testing.assert_allclose(scores, scores_of_folds(name, Y), rtol=1e-12)


def test_a_label_that_a_fold_lacks_counts_as_missed():
    lists = [[*row, "rare"] if i == 0 else row for i, row in enumerate(LISTS)]
    model = clone(MODEL).fit(X[40:], lists[40:])
    topk = model.predict_topk(X[:40], 3)[0]
    counts = [*model.network_.label_counts, 0]
    p = metrics.propensity(counts, 80)
    expected = metrics.psp_at_k(lists[:40], topk, 3, p, classes=[*model.classes_, "rare"])
    assert metrics.scorer("PSP@3")(model, X[:40], lists[:40]) == expected
    recall = metrics.scorer("R@9")
    assert (
        recall(model, X[:40], lists[:40])
        < recall(model, X[:40], LISTS[:40])
        == np.mean(DENSE[:40].any(axis=1))
    )


@pytest.mark.parametrize("targets", [Y, LISTS], ids=["sparse", "lists"])
def test_grid_search_by_metrics(targets):
    scoring = {name: metrics.scorer(name) for name in ("P@1", "PSP@3")}
    grid = {"slideclassifier__epochs": [1, 8]}
    search = GridSearchCV(
        make_pipeline(MaxAbsScaler(), MODEL), grid, scoring=scoring, refit="P@1", cv=KFold(2)
    )
    search.fit(X, targets)
    best = max(search.cv_results_["mean_test_P@1"])
    assert search.best_score_ == best > 0.3
    assert metrics.scorer("P@1")(search, X, targets) == metrics.scorer("P@1")(
        search.best_estimator_, X, targets
    )


def test_scores_of_a_search_are_those_of_a_loop():
    folds = cross_validate(MODEL, X, LISTS, scoring={"P@1": metrics.scorer("P@1")}, cv=FOLDS)
    assert folds["test_P@1"].tolist() == cross_val_score(MODEL, X, LISTS, cv=FOLDS).tolist()


def test_classes_as_targets():
    y = np.array(["a", "b", "c"])[DENSE[:, :3].argmax(axis=1)]
    model = clone(MODEL).fit(X, y)
    assert metrics.scorer("P@1")(model, X, y) == model.score(X, y)
    assert metrics.scorer("R@3")(model, X, y) == 1


def test_other_classifiers_are_scored_alike():
    y = DENSE[:, 0]
    for model in (LogisticRegression(), RidgeClassifier(), CalibratedClassifierCV(RidgeClassifier(), cv=2)):
        assert metrics.scorer("P@1")(model.fit(X, y), X, y) == model.score(X, y)
    rest = OneVsRestClassifier(LogisticRegression()).fit(X, DENSE)
    expected = metrics.precision_at_k(DENSE, metrics.top_k_labels(rest.decision_function(X), 3), 3)
    assert metrics.scorer("P@3")(rest, X, DENSE) == expected
    p = metrics.propensity(Y)
    assert 0 < metrics.scorer("PSP@3", propensity=p)(rest, X, DENSE) <= 1
    with pytest.raises(InputError, match="OneVsRestClassifier keeps no label counts"):
        metrics.scorer("PSP@3")(rest, X, DENSE)


def test_constants_of_propensities():
    model = clone(MODEL).fit(X, Y)
    topk = model.predict_topk(X, 3)[0]
    expected = metrics.psp_at_k(Y, topk, 3, metrics.propensity(Y, a=0.6, b=2.6))
    assert (
        metrics.scorer("PSP@3", a=0.6, b=2.6)(model, X, Y) == expected != metrics.scorer("PSP@3")(model, X, Y)
    )


def test_scorers_survive_processes():
    model, score = clone(MODEL).fit(X, Y), metrics.scorer("nDCG@3")
    assert pickle.loads(pickle.dumps(score))(model, X, Y) == score(model, X, Y)
    assert "nDCG" in repr(score)


@pytest.mark.parametrize("name", ["P", "P@", "P@0", "p@1", "P@-1", "P@1.5", "MAP@3", "P@1 ", 5, None])
def test_unknown_metrics(name):
    with pytest.raises(
        InputError, match=r"name is .*; accepted are P@k, R@k, nDCG@k, coverage@k, PSP@k, PSnDCG@k"
    ):
        metrics.scorer(name)


def test_what_gives_no_scores_is_refused():
    class Silent:
        classes_ = np.arange(5)

    with pytest.raises(
        InputError, match="Silent has neither predict_topk nor decision_function nor predict_p"
    ):
        metrics.scorer("P@1")(Silent(), X, Y)
