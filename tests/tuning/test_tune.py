"""`SlideClassifier.tune` on real data."""

import re

import numpy as np
import pytest
from estimator_helpers import assert_equal_models
from sklearn.base import clone

from hashslide import Negatives, SlideClassifier, metrics
from hashslide.errors import InputError
from hashslide.estimator.parameters import PARAMETERS
from hashslide.tuning import Judge, budget

# A network that every change of the hidden layer, the rate or the epochs would improve, if they were free.
POOR = {"hidden": 16, "learning_rate": 0.01, "ranker": False, "random_state": 0}


@pytest.fixture(scope="module")
def tuned(pubmed_small):
    """A tuned model whose given parameters leave the epochs to tuning, which needs more of them."""
    d = pubmed_small
    model = SlideClassifier(**POOR)
    return model.tune(d.X_train, d.Y_train, classes=d.label_names, trials=12)


def test_tuning_leaves_a_trained_model_with_the_chosen_parameters(tuned, pubmed_small):
    d = pubmed_small
    report = tuned.tuning_
    assert report.parameters and report.gain > report.standard_error > 0
    assert {name: tuned.get_params()[name] for name in report.parameters} == dict(report.parameters)
    again = clone(tuned).fit(d.X_train, d.Y_train, classes=d.label_names)
    assert_equal_models(tuned, again)
    assert tuned.classes_[5] == d.label_names[5]
    given = SlideClassifier(**POOR).fit(d.X_train, d.Y_train, classes=d.label_names)
    score = metrics.scorer("nDCG@5")
    assert score(tuned, d.X_test, d.Y_test) > score(given, d.X_test, d.Y_test)


def test_the_settings_say_what_tuning_chose_and_why(tuned, tmp_path):
    for name, value in tuned.tuning_.parameters.items():
        setting = tuned.settings_[name]
        assert setting.value in (value, (value,)) or setting.value == PARAMETERS[name].check(name, value)
        assert re.fullmatch(r"tuning gained \+0\.\d{4} ± 0\.\d{4} nDCG@5 by it", setting.reason)
    tuned.save(tmp_path / "m")
    loaded = SlideClassifier.load(tmp_path / "m")
    assert loaded.settings_ == tuned.settings_
    assert not hasattr(loaded, "tuning_")


def test_given_parameters_stay(tuned):
    free = PARAMETERS.keys() - POOR.keys()
    for trial in tuned.tuning_.trials:
        assert trial.parameters.keys() <= free
    assert tuned.get_params()["hidden"] == 16 and tuned.get_params()["learning_rate"] == POOR["learning_rate"]


def test_the_same_trials_give_the_same_bits(small):
    models = [
        SlideClassifier(n_jobs=jobs, random_state=1).tune(*small, trials=9, monitor="P@3") for jobs in (1, 3)
    ]
    assert_equal_models(*models)
    first, second = (
        [(t.parameters, t.share, t.score, t.gain, t.outcome) for t in m.tuning_.trials] for m in models
    )
    np.testing.assert_equal(first, second)
    assert len(first) > 4 and models[0].tuning_.monitor == "P@3"


def test_one_trial_is_the_fit_of_what_was_given(small):
    tuned = SlideClassifier(hidden=8, random_state=0).tune(*small, trials=1)
    assert_equal_models(tuned, SlideClassifier(hidden=8, random_state=0).fit(*small))
    assert tuned.tuning_.parameters == {} and len(tuned.tuning_.trials) == 1


def test_too_little_time_gives_what_was_given_and_says_so(small, monkeypatch, capsys):
    ticks = iter(range(10**9))
    monkeypatch.setattr(budget, "now", lambda: next(ticks))
    model = SlideClassifier(hidden=8, random_state=0, verbose=1).tune(*small, seconds=4)
    assert_equal_models(model, SlideClassifier(hidden=8, random_state=0).fit(*small))
    assert model.tuning_.conclusion.startswith("Nothing was searched: 4 seconds are too short")
    assert model.tuning_.conclusion in capsys.readouterr().err


def test_examples_to_judge_by_may_be_given(pubmed_small, monkeypatch):
    d = pubmed_small
    seen = []
    own = Judge.scores
    monkeypatch.setattr(Judge, "scores", lambda self, model: seen.append(model) or own(self, model))
    model = SlideClassifier(hidden=8, epochs=2, random_state=0)
    model.tune(d.X_train, d.Y_train, eval_set=(d.X_test, d.Y_test), trials=5)
    assert model.tuning_.rows == d.X_test.shape[0] and "val_nDCG@5" in model.history_[-1]
    assert len(seen) > 1
    assert all(m.network_.n_examples_seen == d.X_train.shape[0] for m in seen)
    topk = seen[0].predict_topk(d.X_test, 5)[0]
    assert model.tuning_.trials[0].score == pytest.approx(metrics.ndcg_at_k(d.Y_test, topk, 5))


def test_examples_that_judge_are_not_trained_on(small, monkeypatch):
    seen = []
    own = Judge.scores
    monkeypatch.setattr(Judge, "scores", lambda self, model: seen.append((self, model)) or own(self, model))
    SlideClassifier(hidden=8, epochs=2, random_state=0).tune(*small, trials=5)
    assert len(seen) > 1
    for judge, model in seen:
        assert judge.x.n_rows == 80 and model.network_.n_examples_seen == 320
        judged = np.bincount(judge.y.indices, minlength=judge.y.n_columns)
        np.testing.assert_array_equal(
            judged + model.network_.label_counts, np.asarray(small[1].sum(axis=0)).ravel()
        )


def test_slices_and_seeds_of_the_trials(small, monkeypatch):
    monkeypatch.setattr("hashslide.estimator.classifier.slices", lambda n_rows: [0.25, 1.0])
    seen = []
    own = Judge.scores
    monkeypatch.setattr(Judge, "scores", lambda self, model: seen.append(model) or own(self, model))
    poor = SlideClassifier(hidden=8, learning_rate=0.003, random_state=7)
    trials = poor.tune(*small, trials=20).tuning_.trials
    assert {trial.share for trial in trials} == {0.25, 1.0} and {trial.repeat for trial in trials} == {0, 1}
    for trial, model in zip(trials, seen, strict=True):
        assert model.network_.n_examples_seen == 320 * trial.share
        assert (model.random_state == 7) == (trial.repeat == 0)
        assert model.batch_size == trial.parameters.get("batch_size", 25)  # that of all rows


def test_one_class_for_each_example(small):
    X, Y = small
    y = np.array(["abcde"[i % 5] for i in np.asarray(Y.argmax(axis=1)).ravel()])
    model = SlideClassifier(hidden=8, random_state=0).tune(X, y, trials=6)
    assert model.tuning_.monitor == "P@1" and model.classes_.tolist() == list("abcde")
    assert set(model.predict(X)) <= set("abcde")
    assert not any("example_power" in trial.parameters for trial in model.tuning_.trials)


def test_weights_of_examples_and_label_lists(small):
    X, Y = small
    lists = [[f"l{i}" for i in row.indices] for row in Y]
    weight = np.ones(len(lists))
    weight[::4] = 0
    model = SlideClassifier(hidden=8, epochs=2, random_state=0).tune(X, lists, weight, trials=3)
    again = clone(model).fit(X, lists, weight)
    assert_equal_models(model, again)
    assert model.tuning_.rows == 60  # a fifth of those that count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seconds": 0}, r"seconds is 0; accepted is a number in \(0, inf\)"),
        ({"trials": 0}, "trials is 0; accepted is an integer from 1"),
        ({"monitor": "accuracy"}, "monitor is 'accuracy'; accepted are P@k, R@k, nDCG@k, PSP@k, PSnDCG@k"),
        ({"monitor": "coverage@5"}, "monitor is 'coverage@5'; accepted are"),
        ({"progress": 3}, "progress is 3; accepted are None and a function"),
        ({"eval_set": 3}, "eval_set is a int; accepted is one pair"),
    ],
)
def test_bad_arguments_change_nothing(arguments, message, small):
    model = SlideClassifier(hidden=8, epochs=1, random_state=0).fit(*small)
    before, parameters = model.network_, model.get_params()
    with pytest.raises(InputError, match=message):
        model.tune(*small, **arguments)
    assert model.network_ is before and model.get_params() == parameters


def test_too_few_examples_are_refused(small):
    X, Y = small
    with pytest.raises(InputError, match=r"only 20 rows are left .*; 40 are needed\. Give 200"):
        SlideClassifier(hidden=8).tune(X[:100], Y[:100], trials=2)


@pytest.mark.parametrize("at", [1, 2, 4])
def test_an_interruption_of_the_search_changes_nothing(at, small, monkeypatch):
    model = SlideClassifier(hidden=8, epochs=1, random_state=0).fit(*small)
    before, parameters, settings = model.network_, model.get_params(), model.settings_
    calls, own = [], Judge.scores

    def scores(self, trained):
        calls.append(trained)
        if len(calls) == at:
            raise KeyboardInterrupt
        return own(self, trained)

    monkeypatch.setattr(Judge, "scores", scores)
    with pytest.raises(KeyboardInterrupt):
        model.tune(*small, trials=9)
    assert model.network_ is before and model.get_params() == parameters and model.settings_ is settings
    assert not hasattr(model, "tuning_")
    model.predict_topk(small[0][:3])


def test_the_last_training_is_a_fit_with_the_users_callbacks(small):
    from hashslide.callbacks import History

    history = History()
    model = SlideClassifier(hidden=8, epochs=2, callbacks=[history], random_state=0).tune(*small, trials=3)
    assert len(history.records) == model.n_iter_ == 2
    assert model.get_params()["callbacks"] == [history]


def test_others_predict_while_it_searches(small, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    model = SlideClassifier(hidden=8, epochs=1, random_state=0).fit(*small)
    expected = model.predict_topk(small[0][:5])[0].tolist()
    found, own = [], Judge.scores

    def scores(self, trained):
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(model.predict_topk, small[0][:5]).result(60)[0].tolist())
        return own(self, trained)

    monkeypatch.setattr(Judge, "scores", scores)
    model.tune(*small, trials=5)
    assert found == [expected] * len(found) and len(found) > 1


def test_a_new_fit_forgets_the_search(small):
    model = SlideClassifier(hidden=8, epochs=1, random_state=0).tune(*small, trials=1)
    assert repr(model.tuning_).endswith(model.tuning_.conclusion)
    model.fit(*small)
    assert not hasattr(model, "tuning_")


def test_a_metric_of_rare_labels_tries_weights_for_them(small):
    model = SlideClassifier(hidden=8, random_state=0).tune(*small, trials=4, monitor="PSP@5")
    assert model.tuning_.trials[1].parameters == {"label_weight": "propensity"}
    assert model.settings_["label_weight"].value == model.label_weight
    other = SlideClassifier(hidden=8, random_state=0).tune(*small, trials=9)
    assert not any("label_weight" in trial.parameters for trial in other.tuning_.trials)


def test_composed_settings_at_other_than_the_default_stay(small):
    given = {"negatives": Negatives(uniform=50), "epochs": 3, "loss": "bce", "hash": "simhash"}
    model = SlideClassifier(random_state=0, **given).tune(*small, trials=8)
    assert {name: model.get_params()[name] for name in given} == given
    assert len({tuple(t.parameters) for t in model.tuning_.trials}) > 1
