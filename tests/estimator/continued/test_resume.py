"""A fit that goes on from a checkpoint gives the model of the undisturbed fit, bit for bit."""

import numpy as np
import pytest
from estimator_helpers import assert_equal_models

from hashslide import SGD, Dense, Hashed, Linear, SlideClassifier
from hashslide.callbacks import Callback, Checkpoint, EarlyStopping
from hashslide.callbacks.checkpoint import checkpoint_files, checkpoint_name
from hashslide.data import Pack
from hashslide.errors import InputError, ModelFileError

SETTINGS = {
    "default": {},
    "momentum": {"optimizer": SGD(momentum=0.9), "schedule": Linear(warmup=0.2)},
    "hashed": {"hash": "simhash", "active": "per_example", "optimizer": "adam"},
    "dense over hashed": {
        "hidden": [Dense(16), Hashed(200, 40), Dense(12, dropout=0.2)],
        "optimizer": "adam",
    },
    "label weights": {"label_weight": "propensity", "approximate": True},
}


def model(**settings):
    return SlideClassifier(**{"hidden": 16, "epochs": 4, "random_state": 3} | settings)


def at(folder, epoch, batch=0):
    return folder / checkpoint_name(epoch, batch)


class Killed(Exception):
    """Stands for the end of a process, of which only the files stay."""


class Kill(Callback):
    def __init__(self, epoch, batch):
        self.place = epoch, batch

    def on_batch_end(self, estimator, context):
        if (context.epoch, context.batch) == self.place:
            raise Killed


def file_of(fitted, path):
    fitted.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
@pytest.mark.parametrize("packed", [False, True], ids=["in memory", "pack"])
def test_a_fit_that_is_killed_again_and_again_gives_the_file_of_the_undisturbed_one(
    small, tmp_path, settings, packed
):
    data = (Pack.build([small], tmp_path / "pack"),) if packed else small
    whole = model(n_jobs=1, batch_size=50, **settings).fit(*data)
    states = tmp_path / "states"
    for n_jobs, kill in ((2, Kill(0, 5)), (1, Kill(1, 3)), (2, Kill(1, 7)), (1, Kill(3, 2))):
        callbacks = [Checkpoint(states, "100 examples"), kill]
        with pytest.raises(Killed):
            again = model(n_jobs=n_jobs, batch_size=50, callbacks=callbacks, **settings)
            again.fit(*data, resume_from=states)
    last = model(n_jobs=2, batch_size=50, callbacks=[Checkpoint(states, "1 epoch")], **settings)
    last.fit(*data, resume_from=states)
    assert file_of(last, tmp_path / "a") == file_of(whole, tmp_path / "b")
    assert [r["loss"] for r in last.history_] == [r["loss"] for r in whole.history_]
    assert all(r["seconds"] > 0 for r in last.history_) and last.n_iter_ == 4
    finished = model(n_jobs=1, batch_size=50, **settings).fit(*data, resume_from=at(states, 4))
    assert file_of(finished, tmp_path / "c") == file_of(whole, tmp_path / "b")


def test_a_broken_checkpoint_is_skipped(small, tmp_path):
    whole = model(callbacks=[Checkpoint(tmp_path, 1, keep=None)]).fit(*small)
    last, before = checkpoint_files(tmp_path)[:2]
    last.write_bytes(last.read_bytes()[:-100])
    damaged = bytearray(before.read_bytes())
    damaged[-1000] ^= 1
    before.write_bytes(damaged)
    with (
        pytest.warns(UserWarning, match=r"A checkpoint is skipped: .*0004.* is truncated"),
        pytest.warns(UserWarning, match=r"A checkpoint is skipped: .*0003.* has the checksum"),
    ):
        assert_equal_models(model().fit(*small, resume_from=tmp_path), whole)
    for path in checkpoint_files(tmp_path):
        path.write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="skipped"),
        pytest.raises(InputError, match=r"no checkpoint in .* can be"),
    ):
        model().fit(*small, resume_from=tmp_path)


def test_only_the_folder_of_a_callback_may_be_empty(small, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there is no checkpoint in the folder"):
        model().fit(*small, resume_from=tmp_path / "empty")
    for folder in (tmp_path / "empty", tmp_path / "missing"):
        assert model(callbacks=[Checkpoint(folder)]).fit(*small, resume_from=folder).n_iter_ == 4


def test_an_object_may_be_resumed(small, tmp_path):
    whole = model(callbacks=[Checkpoint(tmp_path, 1, keep=None)]).fit(*small)
    again = SlideClassifier.load(at(tmp_path, 3))
    assert_equal_models(model().fit(*small, resume_from=again), whole)
    assert again.n_iter_ == 3  # is not changed


@pytest.mark.parametrize("eval_part", [True, False])
def test_early_stopping_goes_on_too(pubmed_small, tmp_path, eval_part):
    d = pubmed_small
    settings = {"epochs": 8, "early_stopping": EarlyStopping(patience=2), "learning_rate": 0.3}
    given = {"eval_set": (d.X_test, d.Y_test)} if eval_part else {}
    whole = model(callbacks=[Checkpoint(tmp_path, "100 examples", keep=None)], batch_size=50, **settings)
    whole.fit(d.X_train[:400], d.Y_train[:400], **given)
    best = max(range(whole.n_iter_), key=lambda i: whole.history_[i]["val_nDCG@5"]) + 1
    assert whole.best_epoch_ == best
    for path in checkpoint_files(tmp_path):
        resumed = model(batch_size=50, **settings)
        resumed.fit(d.X_train[:400], d.Y_train[:400], resume_from=path, **given)
        assert_equal_models(resumed, whole)
        assert resumed.best_epoch_ == best and resumed.n_iter_ == whole.n_iter_
    resumed.save(tmp_path / "m")
    assert SlideClassifier.load(tmp_path / "m").best_epoch_ == best
    assert not hasattr(model().fit(d.X_train[:400], d.Y_train[:400]), "best_epoch_")


def test_weights_of_the_best_epoch_are_kept(small, tmp_path):
    X, Y = small
    settings = {"epochs": 6, "early_stopping": EarlyStopping("learning_rate", patience=9)}  # falls: 1 is best
    whole = model(callbacks=[Checkpoint(tmp_path, 1, keep=None)], **settings).fit(X, Y, eval_set=(X, Y))
    assert_equal_models(model(**settings).fit(X, Y, eval_set=(X, Y), resume_from=at(tmp_path, 3)), whole)
    SlideClassifier.load(at(tmp_path, 3)).save(tmp_path / "without")
    with pytest.warns(UserWarning, match="best epoch before the checkpoint was 1"):
        resumed = model(**settings).fit(X, Y, eval_set=(X, Y), resume_from=tmp_path / "without")
    assert resumed.n_iter_ == 6


@pytest.fixture
def checkpoint(small, tmp_path):
    model(callbacks=[Checkpoint(tmp_path, 1, keep=None)]).fit(*small)
    return at(tmp_path, 2)


def test_other_settings_are_refused(small, checkpoint):
    for name, value in {"epochs": 5, "hidden": 8, "learning_rate": 0.2, "negatives": 10}.items():
        with pytest.raises(InputError, match=f"resume_from was trained with {name}="):
            model(**{name: value}).fit(*small, resume_from=checkpoint)


def test_another_seed_is_refused(small, checkpoint):
    with pytest.raises(InputError, match="was not trained with random_state=4"):
        model(random_state=4).fit(*small, resume_from=checkpoint)
    assert_equal_models(model(random_state=None).fit(*small, resume_from=checkpoint), model().fit(*small))


def test_another_pack_is_refused(small, tmp_path):
    packs = [Pack.build([small], tmp_path / f"{seed}.pack", seed=seed) for seed in (0, 1)]
    model(callbacks=[Checkpoint(tmp_path / "states", 1, keep=None)]).fit(packs[0])
    for other in ((packs[1],), small):
        with pytest.raises(InputError, match="not on the same pack"):
            model().fit(*other, resume_from=at(tmp_path / "states", 2))


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
    whole = model(callbacks=[Checkpoint(tmp_path, 1, keep=None)]).fit(X, Y, classes=names)
    assert_equal_models(model().fit(X, Y, classes=names, resume_from=at(tmp_path, 2)), whole)
    for other in (None, names[::-1]):
        with pytest.raises(InputError, match="trained on other data: the labels' names"):
            model().fit(X, Y, classes=other, resume_from=at(tmp_path, 2))


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

    class Stop(Callback):
        def on_batch_end(self, estimator, context):
            if (context.epoch, context.batch) == (2, 1):
                raise KeyboardInterrupt

    broken = model(callbacks=[Stop()])
    with pytest.raises(KeyboardInterrupt):
        broken.fit(X, Y)
    assert_equal_models(model().fit(X, Y, resume_from=broken), whole)
    np.testing.assert_array_equal(broken.predict_topk(X, 1)[0].shape, (400, 1))
