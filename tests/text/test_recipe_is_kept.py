"""A file of a text model that passes through SlideClassifier: the recipe stays, or the file is refused."""

import numpy as np
import pytest

from hashslide import SlideClassifier, SlideTextClassifier
from hashslide.errors import ModelFileError

TEXTS = [
    "red running shoes",
    "blue suede shoes",
    "red wine, dry",
    "white wine",
    "steel hammer",
    "small saw",
] * 40
LABELS = [["shoes", "red"], ["shoes"], ["drinks", "red"], ["drinks"], ["tools"], ["tools", "saw"]] * 40


@pytest.fixture(scope="module", params=[0, 2], ids=["no examples", "examples"])
def saved(request, tmp_path_factory):
    model = SlideTextClassifier(SlideClassifier(16, random_state=0), keep_examples=request.param)
    path = tmp_path_factory.mktemp("m") / "m"
    model.fit(TEXTS, LABELS, reservoir=20).save(path)
    return path


def more_examples(model, X):
    model.partial_fit(X[:6], LABELS[:6])


def more_labels(model, X):
    model.partial_fit(X[:6], [*LABELS[:5], ["new"]])


CHANGES = {
    "nothing": lambda model, X: None,
    "threads": lambda model, X: model.set_params(n_jobs=1),
    "hide_labels": lambda model, X: model.hide_labels(["saw"]),
    "partial_fit": more_examples,
    "build_approximate": lambda model, X: model.build_approximate(X, LABELS),
}
OTHER_LABELS = {
    "partial_fit": more_labels,
    "add_labels": lambda model, X: model.add_labels(["new"], X[:1]),
    "forget_labels": lambda model, X: model.forget_labels(["saw"]),
}


def features(path):
    return SlideTextClassifier.load(path).features_.transform(TEXTS)


@pytest.mark.parametrize("optimizer_state", [True, False])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_leaves_the_labels_keeps_the_recipe(saved, tmp_path, change, optimizer_state):
    plain, X = SlideClassifier.load(saved), features(saved)
    change(plain, X)
    plain.save(tmp_path / "again", optimizer_state)
    again, before = SlideTextClassifier.load(tmp_path / "again", verify=True), SlideTextClassifier.load(saved)
    np.testing.assert_array_equal(again.predict_topk(TEXTS[:9])[1], plain.predict_topk(X[:9])[1])
    assert again.examples_of(again.classes_) == before.examples_of(before.classes_)
    assert again.get_params()["keep_examples"] == before.keep_examples
    SlideClassifier.load(tmp_path / "again").save(tmp_path / "twice")
    assert (features(tmp_path / "twice") != X).nnz == 0


@pytest.mark.parametrize("change", OTHER_LABELS.values(), ids=OTHER_LABELS)
def test_other_labels_keep_the_recipe_unless_it_has_examples(saved, tmp_path, change):
    plain, X = SlideClassifier.load(saved), features(saved)
    change(plain, X)
    if SlideTextClassifier.load(saved).keep_examples:
        with pytest.raises(ModelFileError, match="whose recipe is for other labels"):
            plain.save(tmp_path / "again")
        assert not (tmp_path / "again").exists()
        return
    plain.save(tmp_path / "again")
    again = SlideTextClassifier.load(tmp_path / "again")
    np.testing.assert_array_equal(again.predict_topk(TEXTS[:9])[0], plain.predict_topk(X[:9])[0])


def test_a_new_training_has_no_recipe(saved, tmp_path):
    plain, X = SlideClassifier.load(saved), features(saved)
    plain.fit(X, LABELS).save(tmp_path / "new")
    with pytest.raises(ModelFileError, match="holds no recipe"):
        SlideTextClassifier.load(tmp_path / "new")


def test_a_text_model_that_is_saved_again_keeps_all(saved, tmp_path):
    model = SlideTextClassifier.load(saved)
    model.table_ = {"labels": "tags", "separator": ";"}
    model.partial_fit(TEXTS[:6], LABELS[:6]).add_labels(["new"], ["new thing"]).forget_labels(["saw"])
    model.save(tmp_path / "again")
    again = SlideTextClassifier.load(tmp_path / "again")
    assert again.table_ == model.table_ and again.keep_examples == model.keep_examples
    assert again.examples_of(again.classes_) == model.examples_of(model.classes_)
    assert again.fit(TEXTS, LABELS).table_ == {}
