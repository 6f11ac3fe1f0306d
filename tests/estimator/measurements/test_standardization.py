"""Measurements become what the formula says, beside words and without; words stay as they are."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from hashslide.csr import as_csr
from hashslide.estimator.features import learning
from hashslide.estimator.features.standardizing import LARGEST
from hashslide.training import TrainingData


def examples(X):
    return TrainingData(x=as_csr(X), y=as_csr(np.ones((X.shape[0], 1))), rows=np.arange(X.shape[0]))


def learned(X):
    return learning.learned(examples(X))


def dense(standardization, X):
    return standardization.apply(as_csr(X)).to_scipy().toarray()


def tails(x):
    """Return origin and unit as the module's text defines them."""
    low, q1, middle, q3, high = np.quantile(x, [0.1, 0.25, 0.5, 0.75, 0.9])
    skew = (low + high - 2 * middle) / (high - low)
    if abs(skew) > 0.3:
        return (low, q1 - low) if skew > 0 else (high, high - q3)
    return middle, np.median(np.abs(x - middle))


def twin(X):
    """Return the standardized columns of a table."""
    Z = np.zeros(X.shape)
    for j, column in enumerate(X.T.astype(np.float64)):
        is_used = np.ones(len(column), bool)
        if np.count_nonzero(column) < len(column) / 2:
            is_used = column != 0
        x, is_centred = column[is_used], is_used.all()
        if not len(x) or (is_centred and np.ptp(x) == 0):
            continue
        mean = x.mean() if is_centred else 0
        if ((x - mean) ** 4).mean() > 20 * ((x - mean) ** 2).mean() ** 2:
            origin, unit = tails(x) if is_centred else (0, np.median(np.abs(x)))
            x = np.arcsinh((x - origin) / unit)
            mean = x.mean() if is_centred else 0
        Z[is_used, j] = (x - mean) / np.sqrt(((x - mean) ** 2).mean())
    return Z


@pytest.fixture(scope="module")
def table():
    """Columns of many kinds, without words."""
    rng = np.random.default_rng(0)
    X = np.zeros((500, 12), np.float32)
    X[:, 0] = rng.normal(1000, 3, 500)  # far from 0
    X[:, 1] = rng.normal(0, 1e-6, 500)
    X[:, 2] = rng.poisson(0.2, 500) * 50  # mostly 0
    X[:, 3] = 7.5
    X[:, 5] = rng.exponential(1e5, 500)
    X[:, 6] = np.where(rng.random(500) < 0.5, -3, 2)
    X[:, 7] = rng.random(500) < 0.7
    X[:, 8] = np.exp(rng.normal(0, 3, 500))  # heavy tails: one, the other, both, and of few values
    X[:, 9] = -np.exp(rng.normal(0, 3, 500))
    X[:, 10] = rng.standard_cauchy(500)
    X[:, 11] = np.where(rng.random(500) < 0.3, rng.standard_cauchy(500), 0)
    return X


def test_each_feature_becomes_what_the_formula_says(table):
    found = learned(table)
    assert_array_equal(np.flatnonzero(found.unit), np.searchsorted(found.columns, [8, 9, 10, 11]))
    Z = dense(found, table)
    assert_allclose(Z, twin(table), atol=2e-3)
    assert_allclose(Z[:, [0, 1, 5, 6, 7, 8, 9, 10]].mean(axis=0), 0, atol=1e-3)
    assert_allclose(Z[:, [0, 1, 5, 6, 7, 8, 9, 10]].std(axis=0), 1, atol=1e-3)
    assert np.abs(Z[:, 8:]).max() < 10


def test_blocks_of_rows_change_nothing(table, monkeypatch):
    found, x = learned(table), as_csr(table)
    before = found.apply(x)
    monkeypatch.setattr("hashslide.estimator.features.standardizing._VALUES_PER_BLOCK", 64)
    after = found.apply(x)
    for name in ("indptr", "indices", "data"):
        assert_array_equal(getattr(after, name), getattr(before, name))


def test_the_data_grow_to_twice_their_size_at_most():
    rng = np.random.default_rng(1)
    X = np.where(rng.random((300, 200)) < np.linspace(0.02, 0.9, 200), rng.normal(5, 1, (300, 200)), 0)
    x = as_csr(X)
    assert x.nnz < learned(X).apply(x).nnz <= 2 * x.nnz


def test_examples_that_are_left_out_have_no_say(table):
    x = as_csr(np.vstack([table, np.full((100, 12), 1e6, np.float32)]))
    y = as_csr(np.ones((600, 1)))
    some = learning.learned(TrainingData(x=x, y=y, rows=np.arange(500)))
    assert_array_equal(some.factor, learned(table).factor)


@pytest.mark.parametrize(("limit", "value"), [("_MOST_EXAMPLES", 2000), ("_MOST_VALUES", 18_000)])
def test_a_part_of_many_examples_tells_enough(table, monkeypatch, limit, value):
    rows = np.random.default_rng(0).integers(0, 500, 5000)
    whole = learned(table[rows])
    monkeypatch.setattr(learning, limit, value)
    part = learned(table[rows])
    assert (part.factor != whole.factor).any()
    assert_allclose(dense(part, table), dense(whole, table), atol=0.2)


def test_a_value_far_away_stays_a_number(table):
    Z = dense(learned(table), np.full((1, 12), 3e38, np.float32))
    assert np.isfinite(Z).all() and Z.max() == LARGEST


def test_few_examples_and_columns_of_one_size_stay_as_they_are(table):
    assert learned(table[: learning.FEWEST_EXAMPLES - 1]) is None
    pattern = np.random.default_rng(0).random((500, 8)) < 0.3
    assert learned(pattern.astype(np.float32)) is None


def test_features_that_come_later_take_no_memory_of_their_own(table):
    found = learned(table)
    places = np.arange(0, 500, 10), 10_000 * np.arange(50) + 7
    wider = sparse.csr_matrix((np.ones(50, np.float32), places), shape=(500, 10**7))
    tracemalloc.start()
    x = found.apply(as_csr(sparse.hstack([sparse.csr_matrix(table), wider], format="csr")))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert x.nnz == found.apply(as_csr(table)).nnz + wider.nnz
    assert peak < 1e6  # one row of all features would take 40e6


@pytest.fixture(scope="module")
def words():
    """Weights of about 10 of 2,000 words in each of 600 rows, one of them in most."""
    rng = np.random.default_rng(3)
    W = sparse.random(600, 2000, 0.005, "csr", np.float32, random_state=3)
    W.data = rng.uniform(0.1, 0.5, W.nnz).astype(np.float32)
    W = W.tolil()
    W[:, 7] = np.where(rng.random((600, 1)) < 0.9, 0.2, 0)
    return W.tocsr()


def beside(W, *columns):
    return sparse.hstack(
        [W, *(sparse.csr_matrix(np.c_[c].astype(np.float32)) for c in columns)], format="csr"
    )


def test_words_alone_are_left_alone(words, pubmed_small):
    assert learned(words) is None
    assert learned(pubmed_small.X_train) is None
    assert learned(words * 1e5) is None  # in any unit


def test_what_drowns_the_words_of_its_rows_becomes_as_large_as_one(words):
    rng = np.random.default_rng(0)
    columns = [
        rng.integers(1990, 2020, 600),
        rng.normal(0, 1e-3, 600),  # has negative values
        rng.lognormal(10, 2, 600),
        rng.integers(0, 2, 600) * 0.3,  # is no larger than a word
        np.where(rng.random(600) < 0.2, rng.integers(1, 9, 600), 0),  # mostly 0
    ]
    X = beside(words, *columns)
    found = learned(X)
    assert_array_equal(found.columns, [2000, 2001, 2002, 2004])
    Z = dense(found, X)
    assert_array_equal(Z[:, :2000], words.toarray())
    assert_array_equal(Z[:, 2003], X.toarray()[:, 2003])
    n_values = words.nnz + np.count_nonzero(columns[3]) + 3 * 600 + np.count_nonzero(columns[4])
    size = np.sqrt((np.square(words.data).sum() + np.square(columns[3]).sum()) / n_values)
    assert_allclose(Z[:, 2000:2003].std(axis=0), size, rtol=1e-3)
    assert_allclose(Z[:, 2000:2003].mean(axis=0), 0, atol=1e-4)
    last = Z[:, 2004]
    assert_array_equal(last != 0, columns[4] != 0)
    assert_allclose(np.sqrt(np.square(last[last != 0]).mean()), size, rtol=1e-3)
    assert_allclose(
        Z[:, 2000:],
        size * twin(X.toarray()[:, 2000:])[:, :] * [1, 1, 1, 0, 1] + Z[:, 2000:] * [0, 0, 0, 1, 0],
        atol=1e-3,
    )


def test_a_rare_large_word_is_a_word_and_a_slip_is_not(words):
    once = np.zeros(600)
    once[5] = 5
    assert learned(beside(words, once)) is None
    once[5] = 1e6
    assert_array_equal(learned(beside(words, once)).columns, [2000])
