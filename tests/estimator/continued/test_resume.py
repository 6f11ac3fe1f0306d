"""A fit that goes on from a checkpoint gives the model of the undisturbed fit, bit for bit."""

import numpy as np
import pytest
from estimator_helpers import assert_equal_models

from hashslide import SGD, Linear, SlideClassifier
from hashslide.callbacks import Checkpoint, EarlyStopping
from hashslide.errors import InputError, ModelFileError

SETTINGS = {
    "default": {},
    "momentum": {"optimizer": SGD(momentum=0.9), "schedule": Linear(warmup=0.2)},
    "hashed": {"hash": "simhash", "active": "per_example", "optimizer": "adam"},
    "label weights": {"label_weight": "propensity", "approximate": True},
}


def model(**settings):
    return SlideClassifier(**{"hidden": 16, "epochs": 4, "random_state": 3} | settings)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_resumed_fit_is_the_undisturbed_one(small, tmp_path, settings):
    X, Y = small
    whole = model(callbacks=[Checkpoint(tmp_path / "epoch{epoch}")], n_jobs=1, **settings).fit(X, Y)
    for epoch in (1, 3):
        resumed = model(n_jobs=2, **settings).fit(X, Y, resume_from=tmp_path / f"epoch{epoch}")
        assert_equal_models(resumed, whole)
        assert [r["loss"] for r in resumed.history_] == [r["loss"] for r in whole.history_]
        assert resumed.n_iter_ == 4


def test_a_fit_may_be_resumed_twice(small, tmp_path):
    X, Y = small
    whole = model(callbacks=[Checkpoint(tmp_path / "a{epoch}")]).fit(X, Y)
    model(callbacks=[Checkpoint(tmp_path / "b{epoch}")]).fit(X, Y, resume_from=tmp_path / "a1")
    again = SlideClassifier.load(tmp_path / "b3")
    assert_equal_models(model().fit(X, Y, resume_from=again), whole)
    assert again.n_iter_ == 3  # is not changed


@pytest.mark.parametrize("eval_part", [True, False])
def test_early_stopping_goes_on_too(pubmed_small, tmp_path, eval_part):
    d = pubmed_small
    settings = {"epochs": 8, "early_stopping": EarlyStopping(patience=2), "learning_rate": 0.3}
    given = {"eval_set": (d.X_test, d.Y_test)} if eval_part else {}
    whole = model(callbacks=[Checkpoint(tmp_path / "e{epoch}")], **settings)
    whole.fit(d.X_train[:400], d.Y_train[:400], **given)
    best = max(range(whole.n_iter_), key=lambda i: whole.history_[i]["val_nDCG@5"]) + 1
    assert whole.best_epoch_ == best
    resumed = model(**settings).fit(d.X_train[:400], d.Y_train[:400], resume_from=tmp_path / "e1", **given)
    assert_equal_models(resumed, whole)
    assert resumed.best_epoch_ == best and resumed.n_iter_ == whole.n_iter_
    resumed.save(tmp_path / "m")
    assert SlideClassifier.load(tmp_path / "m").best_epoch_ == best
    assert not hasattr(model().fit(d.X_train[:400], d.Y_train[:400]), "best_epoch_")


def test_weights_of_a_lost_best_epoch_are_missed(small, tmp_path):
    X, Y = small
    settings = {"epochs": 6, "early_stopping": EarlyStopping("learning_rate", patience=9)}  # falls: 1 is best
    model(callbacks=[Checkpoint(tmp_path / "e{epoch}")], **settings).fit(X, Y, eval_set=(X, Y))
    with pytest.warns(UserWarning, match="best epoch before the checkpoint was 1"):
        resumed = model(**settings).fit(X, Y, eval_set=(X, Y), resume_from=tmp_path / "e3")
    assert resumed.n_iter_ == 6


@pytest.fixture
def checkpoint(small, tmp_path):
    model(callbacks=[Checkpoint(tmp_path / "e{epoch}")]).fit(*small)
    return tmp_path / "e2"


def test_other_settings_are_refused(small, checkpoint):
    for name, value in {"epochs": 5, "hidden": 8, "learning_rate": 0.2, "negatives": 10}.items():
        with pytest.raises(InputError, match=f"resume_from was trained with {name}="):
            model(**{name: value}).fit(*small, resume_from=checkpoint)


def test_other_data_are_refused(small, checkpoint):
    X, Y = small
    swapped = Y[:, ::-1].tocsr()
    names = [["a", "b"]] * 400
    for data in ((X[:-1], Y[:-1]), (X * 2, Y), (X, swapped), (X[:, :-1], Y), (X, names)):
        fresh = model()
        with pytest.raises(InputError, match="resume_from was trained on"):
            fresh.fit(*data, resume_from=checkpoint)
        assert not hasattr(fresh, "network_")


def test_the_names_of_labels_are_compared(small, tmp_path):
    X, Y = small
    names = [f"label {i}" for i in range(Y.shape[1])]
    whole = model(callbacks=[Checkpoint(tmp_path / "e{epoch}")]).fit(X, Y, classes=names)
    assert_equal_models(model().fit(X, Y, classes=names, resume_from=tmp_path / "e2"), whole)
    for other in (None, names[::-1]):
        with pytest.raises(InputError, match="trained on other data: the labels' names"):
            model().fit(X, Y, classes=other, resume_from=tmp_path / "e2")


def test_what_cannot_be_resumed_is_refused(small, checkpoint, tmp_path):
    X, Y = small
    model().fit(X, Y).save(tmp_path / "done")
    SlideClassifier.load(checkpoint).save(tmp_path / "small", optimizer_state=False)
    for source, message in (
        (tmp_path / "done", "a training that has ended, after 4 epochs"),
        (tmp_path / "small", "lacks the state of the optimiser"),
        (3, "resume_from is a int"),
        (SlideClassifier(), "resume_from is a SlideClassifier"),
    ):
        with pytest.raises(InputError, match=message):
            model().fit(X, Y, resume_from=source)
    with pytest.raises(ModelFileError):
        model().fit(X, Y, resume_from=tmp_path / "missing")


def test_an_interrupted_fit_may_be_saved_and_resumed(small, tmp_path):
    X, Y = small
    whole = model().fit(X, Y)

    class Stop(Checkpoint):
        def on_epoch_begin(self, estimator, context):
            if context.epoch == 2:
                raise KeyboardInterrupt

    broken = model(callbacks=[Stop(tmp_path / "unused")])
    with pytest.raises(KeyboardInterrupt):
        broken.fit(X, Y)
    assert_equal_models(model().fit(X, Y, resume_from=broken), whole)
    np.testing.assert_array_equal(broken.predict_topk(X, 1)[0].shape, (400, 1))
