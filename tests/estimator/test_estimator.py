"""Fitting: what goes in, and what comes out the same."""

import numpy as np
import pytest
from estimator_helpers import assert_equal_models, fast, state
from scipy import sparse

from hashslide import Dense, EarlyStopping, Negatives, metrics
from hashslide.estimator import SlideClassifier


def test_defaults_learn_real_text(text):
    d = text[0]
    topk = SlideClassifier(random_state=1).fit(d.X_train, d.Y_train).predict_topk(d.X_test)[0]
    most_frequent = np.argsort(-np.asarray(d.Y_train.sum(axis=0)).ravel())[:5]
    constant = np.tile(most_frequent, (d.X_test.shape[0], 1))
    for k in (1, 3, 5):
        gain = metrics.precision_at_k(d.Y_test, topk, k) - metrics.precision_at_k(d.Y_test, constant, k)
        assert gain > 0.06


def test_defaults_reach_their_accuracy_on_the_whole_builtin_set(pubmed):
    model = SlideClassifier(random_state=0).fit(pubmed.X_train, pubmed.Y_train)
    topk = model.predict_topk(pubmed.X_test, 5)[0]
    reached = [metrics.precision_at_k(pubmed.Y_test, topk, k) for k in (1, 3, 5)]
    assert (np.array(reached) >= [0.86, 0.70, 0.59]).all(), reached


def test_the_threads_do_not_change_the_model_of_the_defaults(pubmed_small):
    X, Y = pubmed_small.X_train, pubmed_small.Y_train
    one, two = (SlideClassifier(n_jobs=n_jobs, epochs=2, random_state=0).fit(X, Y) for n_jobs in (1, 2))
    assert_equal_models(one, two)


def test_the_threads_do_not_change_the_model(small):
    one = fast(n_jobs=1).fit(*small)
    for n_jobs in (2, 3, None):
        assert_equal_models(one, fast(n_jobs=n_jobs).fit(*small))


def test_the_random_state_decides_the_model(small):
    assert_equal_models(fast().fit(*small), fast().fit(*small))
    other = fast(random_state=1).fit(*small)
    assert not np.array_equal(state(other)["input.weight"], state(fast().fit(*small))["input.weight"])
    generator = np.random.RandomState(3)
    first, second = (fast(random_state=generator).fit(*small) for _ in range(2))
    assert not np.array_equal(state(first)["input.weight"], state(second)["input.weight"])


def test_all_forms_of_the_same_data_give_the_same_model(small):
    X, Y = small
    expected = fast().fit(X, Y)
    names = [[f"{label:05d}" for label in Y[i].indices] for i in range(Y.shape[0])]
    forms = [(X.tocsc(), Y.tocoo()), (X.toarray(), Y.toarray()), (sparse.csr_array(X), sparse.csc_array(Y))]
    for form in forms:
        assert_equal_models(expected, fast().fit(*form))
    lists = fast().fit(X, names, classes=[f"{label:05d}" for label in range(Y.shape[1])])
    assert_equal_models(expected, lists)


def test_fit_changes_none_of_its_arguments(small):
    X, Y = (matrix.copy() for matrix in small)
    weight = np.linspace(0, 2, X.shape[0])
    fast().fit(X, Y, sample_weight=weight, eval_set=(X, Y))
    for changed, original in zip((X, Y), small, strict=True):
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(changed, part), getattr(original, part))
    np.testing.assert_array_equal(weight, np.linspace(0, 2, X.shape[0]))


def test_examples_of_weight_zero_are_left_out(small):
    X, Y = small
    weight = np.ones(400)
    weight[::3] = 0
    kept = np.flatnonzero(weight)
    weighted, without = fast().fit(X, Y, sample_weight=weight), fast().fit(X[kept], Y[kept])
    assert_equal_models(weighted, without)


def test_sample_weights_matter(small):
    X, Y = small
    rare = np.flatnonzero(np.asarray(Y.sum(axis=0)).ravel() == 1)[0]
    row = Y[:, [rare]].nonzero()[0][0]
    weight = np.ones(400)
    weight[row] = 50
    plain, heavy = fast(epochs=20).fit(X, Y), fast(epochs=20).fit(X, Y, sample_weight=weight)
    assert heavy.decision_function(X[row])[0, rare] > plain.decision_function(X[row])[0, rare] + 1


def test_label_weights_favour_rare_labels(small):
    X, Y = small
    counts = np.asarray(Y.sum(axis=0)).ravel()
    plain, propensity = fast().fit(X, Y), fast(label_weight="propensity").fit(X, Y)
    given = fast(label_weight=1 / metrics.propensity(counts, 400)).fit(X, Y)
    assert_equal_models(propensity, given)

    def mean_count(model):
        return counts[model.predict_topk(X, 5)[0]].mean()

    assert mean_count(propensity) < mean_count(plain)


@pytest.mark.parametrize(
    ("setting", "other", "reached"),
    [
        ({"negatives": Negatives(popular=20)}, {}, lambda config: config.negatives.popular == 20),
        ({"hidden": Dense(8, length=4.0)}, {"hidden": 8}, lambda config: config.hidden[0].length == 4.0),
    ],
)
def test_every_setting_of_the_network_reaches_it(setting, other, reached, small):
    model = fast(**setting).fit(*small)
    assert reached(model.network_.config)
    plain = fast(**other).fit(*small)
    assert not np.array_equal(state(model)["output.weight"], state(plain)["output.weight"])


def test_eval_set_adds_metrics_and_changes_nothing_else(text, small):
    d = text[0]
    model = fast().fit(*small, eval_set=(d.X_test, d.Y_test))
    assert_equal_models(model, fast().fit(*small))
    topk = model.predict_topk(d.X_test, 5)[0]
    assert model.history_[-1]["val_P@5"] == metrics.precision_at_k(d.Y_test, topk, 5)


def test_labels_of_the_eval_set_may_be_unknown():
    X = np.eye(4)
    model = fast(epochs=50).fit(X[:2], ["a", "b"], eval_set=(X, ["a", "b", "c", "c"]))
    assert model.history_[-1]["val_P@1"] == 0.5


def test_early_stopping_holds_out_a_part(small):
    X, Y = small
    model = fast(early_stopping=EarlyStopping(patience=1), validation_fraction=0.25, epochs=50).fit(X, Y)
    values = [record["val_nDCG@5"] for record in model.history_]
    assert model.n_iter_ < 50 and np.argmax(values) == len(values) - 2
    assert state(model)["progress"].tolist() == [(len(values) - 1) * 6, 300]
    single = fast(early_stopping=True, epochs=50).fit(X, np.arange(400) % 3)
    assert "val_P@1" in single.history_[0]


def test_early_stopping_uses_the_eval_set(small, text):
    d = text[0]
    model = fast(early_stopping=True, epochs=4).fit(*small, eval_set=(d.X_test, d.Y_test))
    assert state(model)["progress"][1] == 400
