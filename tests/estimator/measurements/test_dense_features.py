"""Dense features: standardized, learned by a nonlinear layer, and the same wherever they come from."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import assert_equal_models
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from hashslide import Hashed, SlideClassifier, model_file
from hashslide.callbacks import Checkpoint
from hashslide.callbacks.checkpoint import checkpoint_files
from hashslide.cli.actions.evaluate import measure
from hashslide.csr import as_csr
from hashslide.data import Pack
from hashslide.errors import InputError, ModelFileError


def test_few_texts_of_few_words_are_texts():
    rng = np.random.default_rng(0)
    words = np.array(["red", "green", "blue", "big", "small", "fast", "slow", "apple", "pear", "car"])
    texts = [" ".join(rng.choice(words, 3, replace=False)) for _ in range(300)]
    X = TfidfVectorizer().fit_transform(texts)
    assert X.nnz > 0.2 * np.prod(X.shape)
    model = SlideClassifier(16, random_state=0).fit(X, [text.split() for text in texts])
    assert model.standardization_ is None
    assert model.settings_["hidden"].value[0].activation == "identity"
    signed = X.multiply(
        np.where(np.arange(X.shape[1]) % 2, 1, -1)
    ).tocsr()  # an embedding may have length 1 too
    assert SlideClassifier(16, random_state=0).fit(signed, np.arange(300) % 3).standardization_ is not None


def test_a_layer_that_hashes_features_gets_them_as_they_are(digits):
    model = SlideClassifier(Hashed(64, 16), epochs=1, random_state=0).fit(*digits[:2])
    assert model.standardization_ is None and model.network_features(digits[2]).nnz == np.count_nonzero(
        digits[2]
    )


def test_features_of_words_stay_as_they_are(pubmed_small):
    d = pubmed_small
    model = SlideClassifier(16, epochs=1, random_state=0).fit(d.X_train, d.Y_train)
    assert model.standardization_ is None
    assert model.settings_["hidden"].value[0].activation == "identity"
    assert model.network_features(d.X_test).nnz == d.X_test.nnz


@pytest.mark.parametrize("load", [load_digits, load_wine, load_breast_cancer])
def test_as_good_as_logistic_regression_on_standardized_features(load):
    X, y = load(return_X_y=True)
    is_train = np.random.default_rng(0).random(len(y)) < 0.7
    model = SlideClassifier(random_state=0).fit(X[is_train], y[is_train])
    Z = (X - X[is_train].mean(axis=0)) / np.maximum(X[is_train].std(axis=0), 1e-9)
    rival = LogisticRegression(max_iter=1000).fit(Z[is_train], y[is_train])
    assert model.score(X[~is_train], y[~is_train]) >= rival.score(Z[~is_train], y[~is_train]) - 0.01


def test_units_do_not_matter():
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    is_train, unit, offset = (
        rng.random(len(y)) < 0.7,
        10.0 ** rng.uniform(-4, 4, 64),
        rng.uniform(-10, 10, 64),
    )
    Z = (X + offset) * unit
    model = SlideClassifier(random_state=0).fit(Z[is_train], y[is_train])
    assert model.score(Z[~is_train], y[~is_train]) > 0.95


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    is_train = np.arange(len(y)) % 3 > 0
    return X[is_train], y[is_train], X[~is_train], y[~is_train]


@pytest.fixture(scope="module")
def model(digits):
    return SlideClassifier(32, random_state=0).fit(*digits[:2])


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, pd.DataFrame, np.ndarray.tolist])
def test_the_form_of_the_data_does_not_matter(digits, model, form):
    X, y, X_test, _ = digits
    other = SlideClassifier(32, random_state=0).fit(form(X), y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of scikit-learn: names of columns
        assert_array_equal(other.decision_function(form(X_test)), model.decision_function(X_test))


def test_one_row_is_predicted_as_in_a_batch(digits, model):
    X = digits[2]
    labels, scores = model.predict_topk(X, 3)
    for i in range(0, len(X), 50):
        one = model.predict_topk(X[i : i + 1], 3)
        assert_array_equal(one[0][0], labels[i])
        assert_array_equal(one[1][0], scores[i])


def test_files_and_pickles_keep_it(digits, model, tmp_path):
    X = digits[2]
    model.save(tmp_path / "m")
    for other in (
        SlideClassifier.load(tmp_path / "m"),
        SlideClassifier.load(tmp_path / "m", mmap=False),
        pickle.loads(pickle.dumps(model)),
    ):
        assert_array_equal(other.decision_function(X), model.decision_function(X))
        other.partial_fit(*digits[:2])
        assert other.score(X, digits[3]) > 0.9


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("centre", lambda a: a.astype(np.float64), "is not float32 of the length of"),
        ("columns", lambda a: a.astype(np.int64), "is not int32 of the length of"),
        ("columns", lambda a: a[:, None], "is not int32 of the length of"),
        ("unit", lambda a: a[:5], "is not float32 of the length of"),
        ("columns", lambda a: a[::-1].copy(), "does not name some of its 64 features"),
        ("columns", lambda a: a + 64, "does not name some of its 64 features"),
        ("columns", lambda a: a - 1, "does not name some of its 64 features"),
        ("factor", lambda a: a * np.nan, "features.factor"),
        ("centre", None, "centre"),
    ],
)
def test_damaged_files_are_refused(model, tmp_path, name, change, found):
    model.save(tmp_path / "m")
    arrays, metadata = model_file.load_model(tmp_path / "m")
    array = arrays.pop(f"features.{name}")
    if change is not None:
        arrays[f"features.{name}"] = change(array)
    model_file.save_model(tmp_path / "n", arrays, metadata)
    with pytest.raises(ModelFileError, match=found):
        SlideClassifier.load(tmp_path / "n")


def test_every_answer_is_of_standardized_features(digits, model):
    X, y = digits[2:]
    scores = model.decision_function(X)
    assert_array_equal(model.predict(X), model.classes_[scores.argmax(axis=1)])
    assert_array_equal(model.predict_topk(X, 1)[0][:, 0], model.predict(X))
    assert_array_equal(model.predict_proba(X).argmax(axis=1), scores.argmax(axis=1))
    assert model.score(X, y) == np.mean(model.predict(X) == y) > 0.94
    assert_allclose(model.network_.logits(model.network_features(X)).argmax(axis=1), scores.argmax(axis=1))
    Y = sparse.csr_matrix((np.ones(len(y)), y, np.arange(len(y) + 1)), shape=scores.shape)
    assert measure(model, sparse.csr_matrix(X), Y, [1])["P@1"] == pytest.approx(model.score(X, y))
    explained = model.explain(X[:3], k=1)
    assert [row[0].label for row in explained] == model.predict(X[:3]).tolist()
    assert_allclose([row[0].score for row in explained], scores[:3].max(axis=1), rtol=1e-4)


def test_examples_that_judge_are_standardized_too(digits):
    X, y, X_test, y_test = digits
    model = SlideClassifier(32, epochs=3, ranker=False, random_state=0).fit(X, y, eval_set=(X_test, y_test))
    assert model.history_[-1]["val_P@1"] == pytest.approx(model.score(X_test, y_test))
    stopped = SlideClassifier(32, early_stopping=True, random_state=0).fit(X, y)
    assert stopped.score(X_test, y_test) > 0.93


def test_a_training_goes_on_from_a_checkpoint(digits, tmp_path):
    X, y = digits[:2]
    settings = {"hidden": 16, "epochs": 4, "random_state": 0}
    whole = SlideClassifier(**settings, callbacks=[Checkpoint(tmp_path, every=1, keep=9)]).fit(X, y)
    resumed = SlideClassifier(**settings).fit(X, y, resume_from=checkpoint_files(tmp_path)[-2])
    assert_equal_models(resumed, whole)
    with pytest.raises(InputError, match="trained on other data"):
        SlideClassifier(**settings).fit(X * 2 + 1, y, resume_from=checkpoint_files(tmp_path)[-2])


def test_a_pack_is_learned_like_data_in_memory(digits, model, tmp_path):
    X, y, X_test, y_test = digits
    Y, Y_test = np.eye(10)[y], np.eye(10)[y_test]
    pack = Pack.build([(X[i : i + 100], Y[i : i + 100]) for i in range(0, len(y), 100)], tmp_path / "p")
    packed = SlideClassifier(32, random_state=0).fit(pack)
    assert_allclose(packed.standardization_.factor, model.standardization_.factor, rtol=1e-5)
    assert abs(packed.score(X_test, Y_test) - model.score(X_test, y_test)) < 0.015


def test_partial_fit_standardizes_by_its_first_examples(digits):
    X, y, X_test, y_test = digits
    model = SlideClassifier(32, random_state=0)
    for _ in range(6):
        for i in range(0, len(y), 300):
            model.partial_fit(X[i : i + 300], y[i : i + 300], classes=np.arange(10))
    first = SlideClassifier(32, epochs=1, random_state=0).fit(X[:300], y[:300]).standardization_
    assert_array_equal(model.standardization_.factor, first.factor)
    assert model.score(X_test, y_test) > 0.9


def test_features_that_come_later_stay_as_they_are(digits):
    X, y = digits[:2]
    model = SlideClassifier(32, random_state=0).fit(X, y)
    wider = np.hstack([X, np.full((len(X), 2), 3, np.float32)])
    model.partial_fit(wider, y)
    seen = model.network_features(wider).to_scipy().toarray()
    assert (seen[:, 64:] == 3).all()
    assert_array_equal(seen[:, :64], model.standardization_.apply(as_csr(X)).to_scipy().toarray())


def test_numbers_beside_words_drown_nothing(pubmed_small, tmp_path):
    d, rng = pubmed_small, np.random.default_rng(0)

    def beside(X):
        n = X.shape[0]
        numbers = np.c_[rng.integers(1990, 2020, n), rng.lognormal(10, 3, n), rng.normal(0, 100, n)]
        return sparse.hstack([X, sparse.csr_matrix(numbers.astype(np.float32))], format="csr")

    X, X_test = beside(d.X_train), beside(d.X_test)
    model = SlideClassifier(32, random_state=0).fit(X, d.Y_train)
    n_words = d.X_train.shape[1]
    assert_array_equal(model.standardization_.columns, n_words + np.arange(3))
    assert model.settings_["hidden"].value[0].activation == "identity"
    words = SlideClassifier(32, random_state=0).fit(d.X_train, d.Y_train)
    assert model.score(X_test, d.Y_test) > words.score(d.X_test, d.Y_test) - 0.05
    labels, scores = model.predict_topk(X_test, 3)
    for i in range(0, 300, 60):
        one = model.predict_topk(X_test[i], 3)
        assert_array_equal(one[0][0], labels[i])
        assert_array_equal(one[1][0], scores[i])
    model.save(tmp_path / "m")
    other = SlideClassifier.load(tmp_path / "m")
    assert_array_equal(other.predict_topk(X_test, 3)[1], scores)
    other.partial_fit(X, d.Y_train)
    assert other.score(X_test, d.Y_test) > 0.6


def test_kept_examples_are_learned_again_as_they_were(digits):
    X, y, X_test, y_test = digits
    model = SlideClassifier(32, random_state=0).fit(X[:900], y[:900], reservoir=500)
    model.partial_fit(X[900:], y[900:])
    assert model.score(X_test, y_test) > 0.93


def test_what_an_example_has_already_is_told_by_its_own_values():
    rng = np.random.default_rng(0)
    X = rng.random((200, 6)) * (rng.random((200, 6)) < 0.6)
    Y = (rng.random((200, 6)) < 0.3).astype(np.int64)
    model = SlideClassifier(8, epochs=1, both_ways=False, random_state=0).fit(X, Y)
    assert model.standardization_ is not None
    labels, scores = model.predict_topk(X, 6, exclude="input")
    left = np.where(np.isfinite(scores), labels, -1)
    for row, found in zip(X, left, strict=True):
        assert set(found[found >= 0]) == set(np.flatnonzero(row == 0))
