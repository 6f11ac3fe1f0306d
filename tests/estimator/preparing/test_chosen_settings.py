"""`settings_`: what every setting became, and why."""

import copy
import pickle
import re

import numpy as np
import pytest
from estimator_helpers import fast
from scipy import sparse

from hashslide import DWTA, Dense, Negatives, Setting, SlideClassifier, model_file
from hashslide.data import Pack
from hashslide.errors import ModelFileError
from hashslide.estimator import approximate
from hashslide.estimator.parameters import PARAMETERS, left_at_default
from hashslide.settings import Constant
from hashslide.settings.constraints import allow_auto

MAY_BE_AUTO = {name for name, constraint in PARAMETERS.items() if constraint == allow_auto(constraint)}
OTHERS = {"hidden", "optimizer", "schedule", "active", "update", "hash", "label_weight"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"active": "per_example", "hash": "dwta"},
        {"hidden": (8, 4)},
        {"epochs": 5, "hidden": Dense(8, "tanh"), "negatives": Negatives(uniform=9), "ranker": True},
    ],
)
def test_every_setting_has_a_value_and_a_reason(given, small):
    model = SlideClassifier(random_state=0, **given).fit(*small)
    assert model.settings_.keys() == MAY_BE_AUTO | OTHERS
    for name, setting in model.settings_.items():
        assert setting.value != "auto" and "auto" not in repr(setting.value), name
        assert setting.reason and "training has not come" not in setting.reason
        if name in MAY_BE_AUTO and name not in given:
            assert setting.reason not in ("it is the default", "it was given"), name
        elif name not in ("hidden", "negatives", "optimizer", "ranker"):
            assert setting.reason == ("it was given" if name in given else "it is the default"), name
    config = model.network_.config
    for name in ("hidden", "loss", "optimizer", "input_dropout", "negatives", "hash", "sampler"):
        assert model.settings_[name].value == getattr(config, name)


@pytest.mark.parametrize("from_pack", [False, True])
def test_one_label_in_each_row_means_softmax_as_a_vector_of_classes_does(from_pack, tmp_path):
    def loss(y):
        pack = Pack.build(iter([(x, y)]), tmp_path / "p", overwrite=True) if from_pack else None
        model = fast(epochs=1).fit(pack) if from_pack else fast(epochs=1).fit(x, y)
        assert model.multilabel_ and model.predict(x).shape == y.shape
        return model.settings_["loss"]

    x = sparse.random(60, 30, 0.3, "csr", np.float32, random_state=0)
    one = sparse.csr_matrix(np.eye(5, dtype=np.float32)[np.arange(60) % 5])
    assert loss(one) == Setting("softmax", "every example has one label")
    for row, label, value in ((3, 3, 0), (3, 4, 1)):  # no label, and two
        other = one.tolil()
        other[row, label] = value
        assert loss(other.tocsr()) == Setting("bce", "an example may have several labels")
    stream = fast().partial_fit(x, one)
    assert stream.settings_["loss"].value == "bce", "what comes later may have more labels"


def test_the_first_accumulator_is_kept_in_files(pubmed, tmp_path):
    x, y = pubmed.X_train[:10_500], pubmed.Y_train[:10_500]
    model = fast(epochs=1, ranker=False, hidden=4).fit(x, y)
    mean = y.nnz / y.shape[0]
    assert re.search(
        f"initial_accumulator is .*an example has {mean:.1f} labels", model.settings_["optimizer"].reason
    )
    model.save(tmp_path / "model")
    again = SlideClassifier.load(tmp_path / "model")
    assert again.network_.config.optimizer == model.network_.config.optimizer
    assert again.network_.config.optimizer.initial_accumulator == pytest.approx(0.004 * mean**2, rel=0.02)
    assert again.optimizer == "adagrad", "the parameter is as it was given"


def test_the_settings_given_back_train_the_same_model(small):
    model = SlideClassifier(random_state=0, hidden=8, hash="dwta").fit(*small)
    given = {name: setting.value for name, setting in model.settings_.items()}
    again = SlideClassifier(random_state=0, **given).fit(*small)
    np.testing.assert_array_equal(
        again.network_.state()["output.weight"], model.network_.state()["output.weight"]
    )
    reasons = [s.reason for n, s in again.settings_.items() if n not in ("ranker", "approximate")]
    assert set(reasons) <= {"it was given", "it is the default"}


def test_reasons_tell_the_figures(small, pubmed, monkeypatch):
    few = SlideClassifier(hidden=8, random_state=0).fit(*small)
    assert few.settings_["batch_size"] == Setting(25, "400 examples are to make 16 steps per epoch")
    assert few.settings_["epochs"].reason == "an epoch has 16 steps, and about 250 are needed"
    assert re.fullmatch(r"it raises .* on 39\d held-out examples", few.settings_["ranker"].reason)
    fewest = SlideClassifier(hidden=8, random_state=0).fit(*(part[:99] for part in small))
    assert fewest.settings_["ranker"] == Setting(False, "99 examples are too few to measure what it gains")
    more = fast(epochs=1, ranker="auto").fit(pubmed.X_train[:3750], pubmed.Y_train[:3750])
    figures = re.fullmatch(
        r"it raises nDCG@5 from (0\.\d{3}) to (0\.\d{3}) on 150 held-out examples",
        more.settings_["ranker"].reason,
    )
    assert more.settings_["ranker"].value is True and figures[1] < figures[2]
    assert more.settings_["approximate"] == Setting(
        False, "candidates would cost more than half of scoring all 11,336 labels"
    )
    monkeypatch.setattr(approximate, "NEURON_COST", 1.0)
    monkeypatch.setattr(approximate, "ENTRY_COST", 0.1)
    cheap = fast(epochs=1, ranker=False).fit(pubmed.X_train[:2500], pubmed.Y_train[:2500])
    assert re.search(r"candidates cost \d+% of scoring all 11,336", cheap.settings_["approximate"].reason)
    off = fast(ranker=False, approximate=False).fit(*small)
    assert {off.settings_[name] for name in ("ranker", "approximate")} == {Setting(False, "it was given")}


def test_weights_of_labels_are_named_not_listed(small, tmp_path):
    assert fast(label_weight="propensity").fit(*small).settings_["label_weight"].value == "propensity"
    model = fast(label_weight=np.ones(small[1].shape[1])).fit(*small)
    assert "label_weight" not in model.settings_
    model.save(tmp_path / "m")
    assert SlideClassifier.load(tmp_path / "m").settings_ == model.settings_


def test_a_saved_model_keeps_its_settings(small, tmp_path):
    model = fast(hash=DWTA(tables=3)).fit(*small)
    model.save(tmp_path / "m")
    for other in (SlideClassifier.load(tmp_path / "m"), pickle.loads(pickle.dumps(model)), copy.copy(model)):
        assert other.settings_ == model.settings_
    assert model.settings_["hash"] == Setting(DWTA(tables=3), "it was given")


@pytest.mark.parametrize(
    "record",
    [
        {"setting": "colour", "value": 1, "because": "x"},
        {"setting": "epochs", "value": 0, "because": "x"},
        {"setting": "epochs", "value": 3, "because": None},
        {"setting": "hidden", "value": {"Layer": 3}, "because": "x"},
        {"value": 3},
        "epochs",
    ],
)
def test_settings_in_a_file_are_checked(record, small, tmp_path):
    fast().fit(*small).save(tmp_path / "m")
    arrays, metadata = model_file.load_model(tmp_path / "m", mmap=False)
    metadata["training"]["settings"] = [record]
    own = {"format", "format_version", "library_version", "string_tables", "checksums"}
    model_file.save_model(tmp_path / "m", arrays, {n: v for n, v in metadata.items() if n not in own})
    with pytest.raises(ModelFileError, match="is not a whole SlideClassifier"):
        SlideClassifier.load(tmp_path / "m")


def test_calls_of_partial_fit_are_epochs(small):
    model = fast().partial_fit(*small)
    assert model.settings_["epochs"] == Setting(1, "each call of partial_fit is an epoch")
    assert model.settings_["schedule"].value == Constant()
    assert model.settings_["ranker"] == Setting(False, "partial_fit learns none; fit does")
    before = model.settings_
    assert model.partial_fit(*small).settings_ == before
    fitted = fast().fit(*small)
    before = fitted.settings_
    assert fitted.partial_fit(*small).settings_ == before


def test_the_settings_cannot_be_changed_and_show_as_lines(small):
    settings = fast().fit(*small).settings_
    with pytest.raises(TypeError):
        settings["epochs"] = Setting(1, "x")
    lines = repr(settings).splitlines()
    assert len(lines) == len(settings)
    assert "epochs: 3, because it was given" in lines
    assert "loss: bce, because an example may have several labels" in lines


def test_progress_says_what_was_chosen(small, capsys):
    fast(ranker="auto", verbose=1).fit(*(part[:99] for part in small))
    text = capsys.readouterr().err
    assert text.index("learning_rate: 0.1, because it is what Adagrad needs") < text.index("epoch 1/3")
    assert text.index("ranker: False, because 99 examples are too few") > text.index("epoch 3/3")
    model = fast(verbose=1).partial_fit(*small)
    assert "because" not in capsys.readouterr().err and "epochs" in model.settings_


def test_what_is_left_at_its_default_is_known():
    assert left_at_default(SlideClassifier()) == set(PARAMETERS)
    changed = {"hidden": Dense(256), "epochs": 4, "label_weight": np.ones(3), "early_stopping": True}
    assert left_at_default(SlideClassifier(**changed)) == PARAMETERS.keys() - changed.keys()
