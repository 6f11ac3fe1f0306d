"""partial_fit: new labels, new features, interrupted fits."""

import _thread
import threading
import time

import numpy as np
import pytest
from estimator_helpers import fast, state
from scipy import sparse

from hashslide.callbacks import Callback
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.auto import LEARNING_RATE


def test_partial_fit_learns_labels_never_seen_before():
    X = np.eye(12)
    model = fast(random_state=0).partial_fit(X[:6], [["a"], ["b"], ["c"]] * 2)
    for _ in range(60):
        model.partial_fit(X[6:], [["z"], ["b", "y"], ["x"]] * 2)
    assert model.classes_.tolist() == ["a", "b", "c", "x", "y", "z"]
    assert model.predict_topk(X[[6, 8]], 1)[0].ravel().tolist() == ["z", "x"]
    assert set(model.predict_topk(X[[7]], 2)[0].ravel()) == {"b", "y"}


def test_old_predictions_stay_until_the_first_update(text):
    d, _ = text
    model = fast(epochs=5).fit(d.X_train, d.Y_train)
    before = model.predict_topk(d.X_test, 5)
    seen = []

    class Look(Callback):
        def on_epoch_begin(self, estimator, context):
            seen.append(estimator.predict_topk(d.X_test, 5))

    model.set_params(callbacks=[Look()])
    more = sparse.hstack([d.Y_train[:50], sparse.csr_matrix(np.ones((50, 3)))], "csr")
    model.partial_fit(d.X_train[:50], more)
    for old, new in zip(before, seen[0], strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(model.classes_) == d.Y_train.shape[1] + 3


def test_partial_fit_takes_new_features():
    X = np.eye(8)
    model = fast().partial_fit(X[:4, :4], ["a", "b", "a", "b"])
    for _ in range(60):
        model.partial_fit(X, ["a", "b", "a", "b", "b", "a", "b", "a"])
    assert model.n_features_in_ == 8 and model.score(X, list("ababbaba")) == 1


def test_classes_may_be_announced():
    model = fast().partial_fit(np.eye(2), ["b", "a"], classes=["a", "b", "c"])
    assert model.classes_.tolist() == ["a", "b", "c"]
    model.partial_fit(np.eye(2), ["b", "d"], classes=["a", "b", "c", "d", "e"])
    assert model.classes_.tolist() == ["a", "b", "c", "d", "e"]


def test_partial_fit_counts_what_it_has_seen(small):
    X, Y = small
    model = fast().partial_fit(X[:100], Y[:100]).partial_fit(X[100:250], Y[100:250])
    assert state(model)["progress"].tolist() == [5, 250]
    np.testing.assert_array_equal(state(model)["label_counts"], np.asarray(Y[:250].sum(axis=0)).ravel())
    assert [record["epoch"] for record in model.history_] == [1, 2] and model.n_iter_ == 2
    assert {record["learning_rate"] for record in model.history_} == {LEARNING_RATE["adagrad"]}


def test_partial_fit_refuses_what_does_not_match(small):
    X, Y = small
    model = fast().fit(X, Y)
    before = state(model)
    cases = [
        (X[:, :5], Y, "X has 5 features, but SlideClassifier is expecting 9157 features as input"),
        (X, Y[:, :5], "y has 5 columns but the model has 3654 labels"),
        (X, ["a"] * 400, "y has one class for each example, but the model was trained on several labels"),
        (X[:5], Y, "X and Y have inconsistent numbers of samples: 5 and 400"),
    ]
    for x, y, message in cases:
        with pytest.raises(InputError, match=message):
            model.partial_fit(x, y)
    for name, array in state(model).items():
        np.testing.assert_array_equal(array, before[name])
    assert model.n_iter_ == 3


def test_propensities_follow_the_growing_counts(small):
    X, Y = small
    model = fast(label_weight="propensity").fit(X[:200], Y[:200]).partial_fit(X, Y)
    twin = fast().fit(X[:200], Y[:200])
    assert not np.array_equal(state(twin.partial_fit(X, Y))["output.weight"], state(model)["output.weight"])
    counts = np.asarray(Y[:200].sum(axis=0) + Y.sum(axis=0)).ravel()
    np.testing.assert_array_equal(state(model)["label_counts"], counts)


def test_label_weights_must_grow_with_the_labels():
    model = fast(label_weight=[1, 2]).fit(np.eye(2), ["a", "b"])
    with pytest.raises(InputError, match=r"label_weight has shape \(2,\); accepted is \(3,\)"):
        model.partial_fit(np.eye(2), ["a", "c"])
    assert model.classes_.tolist() == ["a", "b"] and model.network_.config.n_labels == 2


def test_ctrl_c_ends_a_fit_promptly_with_a_usable_model(text, tmp_path):
    d = text[0]
    model = SlideClassifier(hidden=256, epochs=10_000, random_state=0)

    def interrupt():
        while not getattr(model, "history_", None):
            time.sleep(0.005)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(d.X_train, d.Y_train)
    assert 1 <= model.n_iter_ < 100
    assert model.score(d.X_test, d.Y_test) > 0.3
    model.save(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model")
    assert loaded.n_iter_ == model.n_iter_
    rate = model.history_[-1]["learning_rate"]
    loaded.partial_fit(d.X_train, d.Y_train)
    assert loaded.history_[-1]["learning_rate"] < rate, "the schedule should go on"


def test_other_data_do_not_continue_an_interrupted_fit(small):
    class Interrupt(Callback):
        def on_epoch_end(self, estimator, context):
            raise KeyboardInterrupt

    X, Y = small
    model = fast(callbacks=[Interrupt()], epochs=10)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    model.set_params(callbacks=None).partial_fit(X[:300], Y[:300])
    assert model.history_[-1]["learning_rate"] == LEARNING_RATE["adagrad"]
    assert model.partial_fit(X, Y).history_[-1]["learning_rate"] == LEARNING_RATE["adagrad"]
