"""One value that dwarfs the features is said; ordinary data, in any unit, are not."""

import re
import warnings

import pytest

from hashslide import SlideClassifier


def test_a_value_that_dwarfs_all_others_is_named(small, monkeypatch):
    monkeypatch.setattr("hashslide.estimator.features.learning._MOST_EXAMPLES", 100)  # not this one
    X, Y = small
    X = X.copy()
    value = X.data[X.indptr[17] + 2] = 3e4
    column = X.indices[X.indptr[17] + 2]
    message = re.escape(f"the value {value:g} in row 17, column {column}, which dwarfs all")
    with pytest.warns(UserWarning, match=message):
        SlideClassifier(hidden=8, epochs=1).fit(X, Y)


@pytest.mark.parametrize("unit", [1e-6, 1, 1e6])
def test_no_unit_of_ordinary_data_is_an_outlier(small, unit):
    X, Y = small
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SlideClassifier(hidden=8, epochs=1).fit(X * unit, Y)


def test_of_a_few_examples_one_may_outweigh_the_others(small):
    X, Y = small[0][:50].copy(), small[1][:50]
    X.data[0] = 1e6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SlideClassifier(hidden=8, epochs=1).fit(X, Y)


@pytest.mark.parametrize("value", [3e4, -1e20])
@pytest.mark.parametrize("place", [2, 5])
def test_a_feature_that_is_made_smaller_dwarfs_nothing(small, value, place):
    X, Y = small
    X = X.copy()
    X.data[X.indptr[17] + place] = value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SlideClassifier(hidden=8, epochs=1).fit(X, Y)
    assert model.standardization_.columns.tolist() == [X.indices[X.indptr[17] + place]]
