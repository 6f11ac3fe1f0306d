"""The scale of the features: training sees rows of root mean square length 1, whatever their unit."""

import numpy as np
import pytest
from estimator_helpers import assert_equal_models, fast
from scipy import sparse

from hashslide.csr import as_csr
from hashslide.estimator import SlideClassifier
from hashslide.estimator.preparing import training_data, unit_scale


def root_mean_square_length(X):
    return np.sqrt(X.astype(np.float64).power(2).sum(axis=1).mean())


def scale_of(model):
    return model.network_.config.input_scale


def test_rows_get_the_root_mean_square_length_1(pubmed_small):
    lengths = np.linspace(0, 5, 1500)
    X = sparse.diags(lengths) @ pubmed_small.X_train
    assert root_mean_square_length(X) > 2
    model = fast(epochs=1).fit(X, pubmed_small.Y_train)
    assert scale_of(model) == pytest.approx(1 / root_mean_square_length(X), rel=1e-6)


@pytest.mark.parametrize("settings", [{}, {"ranker": True, "optimizer": "adam"}, {"loss": "softmax"}])
def test_the_unit_of_the_features_does_not_change_the_predictions(settings, small):
    X, Y = small
    settings = {"precision": "float32", **settings}  # bfloat16 rounds other last bits to other numbers
    plain, thousand = fast(**settings).fit(X, Y), fast(**settings).fit(1000 * X, Y)
    assert scale_of(thousand) == pytest.approx(scale_of(plain) / 1000)
    expected = plain.decision_function(X)
    np.testing.assert_allclose(thousand.decision_function(1000 * X), expected, rtol=1e-3, atol=1e-3)
    assert np.abs(thousand.decision_function(X) - expected).max() > 0.1


@pytest.mark.parametrize("factor", [2.0**-100, 2.0**10, 2.0**126])
def test_tiny_and_huge_units_that_float32_can_hold_give_the_same_bits(factor, small):
    X, Y = small
    scaled = X * np.float32(factor)
    plain, other = fast().fit(X, Y), fast().fit(scaled, Y)
    assert scale_of(other) == scale_of(plain) / factor
    assert_equal_models(plain, other)
    for few in (slice(0, 1), slice(0, 300)):
        for a, b in zip(plain.predict_topk(X[few], 7), other.predict_topk(scaled[few], 7), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_largest_numbers_of_float32_can_be_learned():
    largest = np.finfo(np.float32).max
    X = np.full((40, 200), largest)
    X[::2] *= -1
    model = fast(epochs=20).fit(X, [0, 1] * 20)
    assert np.isfinite(model.decision_function(X)).all() and model.score(X, [0, 1] * 20) == 1


def test_values_below_the_normal_numbers_of_float32_are_no_error():
    X = np.full((4, 3), 1e-44)
    model = fast().fit(X, ["a", "b", "b", "b"])
    assert 0 < scale_of(model) < np.inf and np.isfinite(np.float32(scale_of(model)))
    assert model.predict(X).tolist() == ["b"] * 4


def test_features_that_are_all_zero_leave_the_frequencies_to_learn():
    y = ["rare"] + ["frequent"] * 6 + ["common"] * 3
    for X in (np.zeros((10, 4)), sparse.csr_matrix((10, 4))):
        model = SlideClassifier(random_state=0).fit(X, y)
        assert scale_of(model) == 1
        assert model.predict_topk(X[:1], 3)[0].tolist() == [["frequent", "common", "rare"]]


def test_an_outlier_shrinks_the_others_but_stays_finite(small):
    X, Y = small
    X = X.copy()
    X.data[: X.indptr[1]] *= np.float32(1e30)
    model = fast().fit(X, Y)
    assert np.isfinite(model.decision_function(X)).all()
    assert np.isfinite([record["loss"] for record in model.history_]).all()


def test_examples_of_weight_zero_do_not_scale_the_others(small):
    X, Y = small
    heavy = X.copy()
    heavy.data[: heavy.indptr[1]] *= 1000
    weight = np.arange(400) > 0
    assert scale_of(fast().fit(heavy, Y)) < scale_of(fast().fit(X, Y)) / 10
    assert_equal_models(fast().fit(heavy, Y, sample_weight=weight), fast().fit(X[1:], Y[1:]))


def test_the_scale_of_many_rows_is_that_of_the_rows_trained_on(pubmed_small):
    X, Y = as_csr(pubmed_small.X_train), as_csr(pubmed_small.Y_train)
    weight = (np.arange(1500) % 4 > 0).astype(np.float32)
    kept = np.flatnonzero(weight)
    expected = 1 / root_mean_square_length(pubmed_small.X_train[kept])
    data, part = training_data(X, Y, weight), training_data(X.take(kept), Y.take(kept), None)
    assert unit_scale(data) == unit_scale(part) == pytest.approx(expected, rel=1e-6)


def test_the_scale_is_part_of_the_model(small, tmp_path):
    X, Y = small
    model = fast().fit(8 * X[:200], Y[:200])
    scale = scale_of(model)
    model.save(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model")
    assert scale_of(loaded) == scale
    np.testing.assert_array_equal(loaded.decision_function(8 * X), model.decision_function(8 * X))
    assert scale_of(model.partial_fit(X[200:], Y[200:])) == scale
