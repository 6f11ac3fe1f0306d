"""``hashslide train --resume``: from a file of --save-every to the model of the undisturbed training."""

import shutil

import pytest
from commands import run

from hashslide import SlideClassifier
from hashslide.callbacks import Callback

SETTINGS = ["--epochs", "3", "--hidden", "16", "--hash", "simhash(tables=5)", "--seed", "7", "--quiet"]


class KeepFirst(Callback):
    """Copies what --save-every wrote after the first epoch."""

    source = target = None

    def on_epoch_begin(self, estimator, context):
        if context.epoch == 1 and self.source.exists():
            shutil.copy(self.source, self.target)


@pytest.fixture
def saved(folder, tmp_path, monkeypatch):
    """A finished model and its checkpoint of the first epoch."""
    keep = KeepFirst()
    keep.source, keep.target = tmp_path / "m", tmp_path / "first"
    plain = SlideClassifier.fit

    def fit(self, *args, **kwargs):
        self.set_params(callbacks=[*self.callbacks, keep])
        return plain(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(SlideClassifier, "fit", fit)
        run("train", folder, "-o", tmp_path / "m", "--save-every", 1, *SETTINGS)
    return tmp_path / "m", tmp_path / "first"


def test_the_model_is_that_of_the_undisturbed_training(folder, tmp_path, saved):
    whole, first = (SlideClassifier.load(path) for path in saved)
    assert first.n_iter_ == 1 and whole.n_iter_ == 3
    run("train", folder, "-o", tmp_path / "again", "--resume", saved[1], "--jobs", 1, "--quiet")
    again = SlideClassifier.load(tmp_path / "again")
    assert {n: a.tobytes() for n, a in again.network_.state().items()} == {
        n: a.tobytes() for n, a in whole.network_.state().items()
    }
    assert repr(again) == repr(whole)


def test_the_checkpoint_may_be_the_file_that_is_written(folder, saved):
    first = saved[1]
    run("train", folder, "-o", first, "--resume", first, "--quiet")
    assert SlideClassifier.load(first).n_iter_ == 3


@pytest.mark.parametrize("option", ["--epochs", "--hidden", "--seed", "--patience"])
def test_settings_come_from_the_checkpoint_alone(folder, tmp_path, saved, option):
    result = run("train", folder, "-o", tmp_path / "x", "--resume", saved[1], option, "3", code=2)
    assert f"Leave out {option}" in " ".join(result.output.replace("│", " ").split())


def test_what_cannot_be_resumed(folder, tmp_path, saved):
    done = run("train", folder, "-o", tmp_path / "x", "--resume", saved[0], code=1)
    assert "a training that has ended, after 3 epochs" in done.output
    missing = run("train", folder, "-o", tmp_path / "x", "--resume", tmp_path / "no", code=1)
    assert "Traceback" not in missing.output and not (tmp_path / "x").exists()
