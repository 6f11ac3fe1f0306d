"""Texts in, names out; models of texts in files."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from hashslide import SlideClassifier, SlideTextClassifier, TextFeatures, model_file
from hashslide.callbacks import Callback, Checkpoint
from hashslide.data import label_lists
from hashslide.errors import InputError, ModelFileError


@pytest.fixture(scope="module")
def texts(pubmed):
    """Real words and the names of real labels: training and test documents."""
    rng = np.random.default_rng(0)

    def words(X):
        return [" ".join(rng.permutation(pubmed.feature_names[row.indices])) for row in X]

    parts = []
    for X, Y, n in ((pubmed.X_train, pubmed.Y_train, 3000), (pubmed.X_test, pubmed.Y_test, 300)):
        parts += [words(X[:n]), label_lists(Y[:n], pubmed.label_names)]
    return parts


@pytest.fixture(scope="module")
def trained(texts):
    """A model of them that keeps examples."""
    return SlideTextClassifier(SlideClassifier(hidden=64, random_state=0), keep_examples=3).fit(*texts[:2])


def test_it_learns_from_text_what_it_learns_from_features(texts, trained):
    train, y, test, y_test = texts
    features = TextFeatures(1, None)
    X = features.fit_transform(train)
    plain = SlideClassifier(hidden=64, random_state=0).fit(X, y)
    wanted = plain.score(features.transform(test), y_test)
    assert wanted > 0.7
    assert trained.score(test, y_test) > wanted - 0.02
    same = SlideTextClassifier(clone(plain), TextFeatures(1, None)).fit(train, y)
    for a, b in zip(same.predict_topk(test, 3), plain.predict_topk(features.transform(test), 3), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_saved_model_answers_the_same(trained, texts, tmp_path):
    trained.save(tmp_path / "m")
    for mmap in (True, False):
        loaded = SlideTextClassifier.load(tmp_path / "m", mmap=mmap, verify=True)
        for a, b in zip(loaded.predict_topk(texts[2]), trained.predict_topk(texts[2]), strict=True):
            np.testing.assert_array_equal(a, b)
        assert loaded.explain(texts[2][:2]) == trained.explain(texts[2][:2])
        some = trained.classes_[:20]
        assert loaded.examples_of(some) == trained.examples_of(some)
        assert loaded.features_.get_params() == trained.features_.get_params()
    assert (loaded.features_.get_feature_names_out() == trained.features_.get_feature_names_out()).all()
    plain, X = SlideClassifier.load(tmp_path / "m"), trained.features_.transform(texts[2])
    np.testing.assert_array_equal(plain.predict_topk(X)[1], trained.predict_topk(texts[2])[1])
    twin = pickle.loads(pickle.dumps(trained))
    np.testing.assert_array_equal(twin.predict_topk(texts[2])[1], trained.predict_topk(texts[2])[1])


@pytest.mark.parametrize("parameters", [{}, {"hashed": 512, "characters": (2, 3)}, {"idf": False}], ids=str)
def test_reloaded_features_are_equal_for_any_text(texts, tmp_path_factory, parameters):
    path = tmp_path_factory.mktemp("m") / "m"
    model = SlideTextClassifier(SlideClassifier(hidden=4, epochs=1), TextFeatures(**parameters))
    model.fit(texts[0][:200], texts[1][:200]).save(path)
    loaded = SlideTextClassifier.load(path)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.text(st.characters(), max_size=60), min_size=1, max_size=4))
    def check(documents):
        a, b = model.features_.transform(documents), loaded.features_.transform(documents)
        for name in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))

    check()


def test_explanations_name_the_words(trained, texts):
    told = trained.explain(texts[2][:20], k=2)
    named = [feature for row in told for label in row for feature, _ in label.features]
    assert named and all(isinstance(name, str) for name in named)
    for text, row in zip(texts[2], told, strict=False):
        words = set(text.split())
        for label in row:
            for feature, _ in label.features:
                assert feature.startswith('"') or set(feature.split()) <= words


def test_hashed_words_are_named_by_the_text(texts):
    features = TextFeatures(hashed=2**18, characters=None)
    model = SlideTextClassifier(SlideClassifier(hidden=32, random_state=0), features).fit(*texts[:2])
    told = model.explain(texts[2][:20], k=1)
    named = [
        (feature, text)
        for text, (label,) in zip(texts[2], told, strict=False)
        for feature, _ in label.features
    ]
    assert named and all(set(feature.split()) <= set(text.split()) for feature, text in named)


def test_examples_are_the_first_texts_of_a_label(trained, texts):
    labels = trained.classes_[::50]
    for label, kept in zip(labels, trained.examples_of(labels), strict=True):
        own = [text for text, names in zip(*texts[:2], strict=True) if label in names]
        assert len(kept) == min(3, len(own)) and kept == [
            t if len(t) <= 200 else t[:199] + "…" for t in own[:3]
        ]
    with pytest.raises(InputError, match="nobody"):
        trained.examples_of(["nobody"])


def test_partial_fit_learns_new_labels_and_keeps_their_examples(texts):
    train, y = texts[:2]
    model = SlideTextClassifier(SlideClassifier(hidden=32, random_state=0), keep_examples=2)
    model.fit(train[:1500], y[:1500])
    before = model.examples_of(model.classes_[:5])
    new = [f"{text} quixotic" for text in train[:12]]
    model.partial_fit(new, [[*names, "a new label"] for names in y[:12]])
    assert "a new label" in model.classes_
    assert model.examples_of(["a new label"])[0][0].startswith(new[0][:150])
    assert model.examples_of(model.classes_[:5]) == before
    labels, _ = model.predict_topk([new[0]], 10)
    assert "a new label" in labels


def test_the_first_partial_fit_learns_the_words(texts):
    model = SlideTextClassifier(SlideClassifier(hidden=16, random_state=0))
    model.partial_fit(texts[0][:500], texts[1][:500])
    n = model.features_.n_features_
    model.partial_fit(texts[0][500:700], texts[1][500:700])
    assert model.features_.n_features_ == n == model.classifier_.n_features_in_


def test_data_frames_and_one_class_of_each(texts):
    table = pd.DataFrame({"title": texts[0][:600], "body": texts[0][600:1200]})
    y = [names[0] for names in texts[1][:600]]
    model = SlideTextClassifier(SlideClassifier(hidden=16, random_state=0)).fit(table, y)
    assert model.predict(table).shape == (600,) and model.score(table, y) > 0.3
    probabilities = model.predict_topk(table[:5], 3, probabilities=True)[1]
    assert (probabilities >= 0).all() and (probabilities <= 1).all()
    assert model.predict_proba(table[:2]).shape == model.decision_function(table[:2]).shape


def test_tuning_and_evaluation_take_texts(texts):
    model = SlideTextClassifier(SlideClassifier(hidden=8, epochs=1, random_state=0))
    model.tune(texts[0][:600], texts[1][:600], trials=1, eval_set=(texts[2], texts[3]))
    assert model.classifier_.tuning_.trials
    model.fit(texts[0][:600], texts[1][:600], eval_set=(texts[2], texts[3]))
    assert "val_P@1" in model.classifier_.history_[0]
    with pytest.raises(InputError, match="accepted is one pair"):
        model.fit(texts[0][:10], texts[1][:10], eval_set=3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"classifier": 3}, "classifier is a int"),
        ({"features": "words"}, "features is a str"),
        ({"keep_examples": -1}, "keep_examples is -1"),
    ],
)
def test_parameters_that_cannot_be(parameters, message):
    with pytest.raises(InputError, match=message):
        SlideTextClassifier(**parameters).fit(["a"], ["b"])


def test_a_failed_fit_leaves_the_model_as_it_was(trained, texts):
    before = trained.predict_topk(texts[2])[1]
    with pytest.raises(InputError):
        trained.fit(["a", "b"], [["x"]])
    np.testing.assert_array_equal(trained.predict_topk(texts[2])[1], before)


@pytest.mark.parametrize(
    "method", ["predict", "predict_topk", "predict_proba", "decision_function", "explain"]
)
def test_an_untrained_model_says_so(method):
    with pytest.raises(NotFittedError):
        getattr(SlideTextClassifier(), method)(["a"])


def test_a_model_without_recipe_is_no_text_model(texts, tmp_path):
    SlideClassifier(hidden=4, epochs=1).fit(np.eye(3), [0, 1, 2]).save(tmp_path / "m")
    with pytest.raises(ModelFileError, match="holds no recipe that turns texts into features"):
        SlideTextClassifier.load(tmp_path / "m")


def recipe(**changes):
    return lambda arrays, metadata: metadata["text"].update(changes)


def setting(**changes):
    return lambda arrays, metadata: metadata["text"]["settings"].update(changes)


def array(name, change):
    def damage(arrays, metadata):
        arrays[name] = change(arrays[name])

    return damage


def without(name):
    return lambda arrays, metadata: arrays.pop(name)


DAMAGES = {
    "version": (recipe(version=2), "the version of its text recipe is 2"),
    "no columns": (recipe(columns=3), "its text columns are 3"),
    "setting": (setting(words=-3), "words is -3"),
    "unknown setting": (setting(stem=True), "stem"),
    "features": (recipe(n_features=5), "n_features|text.hashes"),
    "characters": (setting(characters=[9, 2]), "the longest n-gram"),
    "hashes": (array("text.hashes", lambda a: a[:-1]), "the array 'text.hashes'"),
    "hashes' type": (array("text.hashes", lambda a: a.astype(np.int64)), "the array 'text.hashes' is int64"),
    "no slots": (without("text.slots"), "it lacks the array 'text.slots'"),
    "full table": (array("text.slots", np.zeros_like), "is no table of"),
    "wild slot": (array("text.slots", lambda a: np.where(a < 0, a, 2**30)), "is no table of"),
    "odd table": (array("text.slots", lambda a: a[:-1]), "is no table of"),
    "weights": (array("text.weights", lambda a: a * np.nan), "numbers that are no weights"),
    "no names": (without("text.terms.utf8"), "text.terms.utf8"),
    "names": (array("text.terms.offsets", lambda a: a[::-1].copy()), "do not rise from 0"),
    "fewer names": (recipe(n_documents=0), "the number of documents is 0"),
    "examples": (array("text.examples.begin", lambda a: a[::-1].copy()), "do not rise"),
    "no examples": (without("text.examples.utf8"), "text.examples.utf8"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_recipe_is_refused(trained, tmp_path, damage, message):
    trained.save(tmp_path / "m")
    arrays, metadata = model_file.load_model(tmp_path / "m", mmap=False)
    damage(arrays, metadata)
    model_file.save_model(tmp_path / "damaged", arrays, metadata)
    with pytest.raises(ModelFileError, match=message):
        SlideTextClassifier.load(tmp_path / "damaged")


def test_an_interrupted_training_goes_on_to_the_same_model(texts, tmp_path):
    class Stop(Callback):
        def on_epoch_end(self, estimator, context):
            if context.epoch == 0:
                raise KeyboardInterrupt

    def model(*callbacks):
        return SlideTextClassifier(SlideClassifier(hidden=16, random_state=0, callbacks=list(callbacks)))

    some = texts[0][:800], texts[1][:800]
    undisturbed = model().fit(*some)
    with pytest.raises(KeyboardInterrupt):
        model(Checkpoint(tmp_path, "1 epoch"), Stop()).fit(*some)
    resumed = model().fit(*some, resume_from=tmp_path)
    for a, b in zip(resumed.predict_topk(texts[2]), undisturbed.predict_topk(texts[2]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_labels_of_texts_come_and_go(texts, tmp_path):
    model = SlideTextClassifier(SlideClassifier(hidden=32, random_state=0), keep_examples=2)
    model.fit(texts[0][:1500], texts[1][:1500], reservoir=200)
    gone, hidden = model.classes_[3], model.classes_[5]
    others = model.classes_[[0, 1, 9]]
    kept = model.examples_of(others)
    model.add_labels(["zymurgy"], ["zymurgy of beer and wine in rats"])
    assert model.examples_of(["zymurgy"]) == [[]]
    model.hide_labels([hidden]).forget_labels([gone])
    model.partial_fit(texts[0][1500:1600], texts[1][1500:1600], replay=1.0)
    model.save(tmp_path / "m")
    loaded = SlideTextClassifier.load(tmp_path / "m")
    for found in (model, loaded):
        assert gone not in found.classes_ and "zymurgy" in found.classes_
        assert found.hidden_labels_.tolist() == [hidden] and len(found.drift_.records) == 1
        labels, _ = found.predict_topk(texts[2], 10)
        assert not np.isin(labels, [gone, hidden]).any()
        assert found.examples_of(others)[0][: len(kept[0])] == kept[0]
    assert loaded.unhide_labels().hidden_labels_.size == 0


def test_what_is_no_label_name_is_named(trained, texts):
    for ask in (trained.examples_of, lambda names: trained.explain(texts[2][:1], names)):
        with pytest.raises(InputError, match="which the model does not have"):
            ask([["a list"]])
