"""Facts about data sets, and divisions."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from hashslide.data import describe, train_validation_split
from hashslide.errors import InputError


def test_facts_of_a_small_set():
    X = csr_matrix(np.array([[0.6, 0.8, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, -1, 0, 0]], np.float32))
    Y = csr_matrix((np.float32([1, 1, 1, 0]), [0, 1, 0, 2], [0, 2, 3, 4, 4]), shape=(4, 4))
    facts = describe(X, Y)
    assert facts.pop("bytes") > 0
    assert facts.pop("value_min") == -1 and facts.pop("value_max") == 1
    assert facts == {
        "examples": 4,
        "features": 4,
        "labels": 4,
        "feature_values": 4,
        "label_assignments": 3,
        "features_per_example": {"mean": 1.0, "median": 1.0, "min": 0, "max": 2},
        "labels_per_example": {"mean": 0.75, "median": 0.5, "min": 0, "max": 2},
        "examples_per_label": {"mean": 1.5, "median": 1.5, "min": 1, "max": 2},
        "examples_without_features": 1,
        "examples_without_labels": 2,
        "features_unused": 2,
        "labels_unused": 2,
        "labels_once": 1,
        "labels_once_share": 0.5,
        "unit_length": True,
    }
    assert Y.nnz == 4


def test_facts_of_real_data(pubmed):
    facts = describe(pubmed.X_train, pubmed.Y_train)
    assert facts["examples"] == 27268 and facts["label_assignments"] == 262380
    assert facts["labels_per_example"]["mean"] == pytest.approx(9.622, abs=1e-3)
    assert facts["unit_length"]
    assert not describe(pubmed.X_train * 2, pubmed.Y_train)["unit_length"]
    assert json.loads(json.dumps(facts)) == facts


def test_facts_of_nothing():
    facts = describe(csr_matrix((0, 3)), csr_matrix((0, 2)))
    assert facts["examples"] == 0 and facts["labels_unused"] == 2 and facts["labels_once_share"] == 0
    assert facts["value_min"] is None and not facts["unit_length"]
    assert facts["labels_per_example"] == {"mean": 0.0, "median": 0.0, "min": 0, "max": 0}
    json.dumps(facts)


def test_division_is_a_partition_in_order(pubmed_small):
    X, Y = pubmed_small.X_train, pubmed_small.Y_train
    x, x_held, y, y_held = train_validation_split(X, Y, 0.2, random_state=0)
    assert x.shape == (1200, X.shape[1]) and x_held.shape == (300, X.shape[1])
    assert y.shape == (1200, Y.shape[1]) and y_held.shape == (300, Y.shape[1])
    key = np.arange(1, 1501, dtype=np.float32)[:, np.newaxis]
    a, a_held, b, b_held = train_validation_split(csr_array(key), csr_array(key), 0.2, random_state=0)
    np.testing.assert_array_equal(a.toarray(), b.toarray())
    np.testing.assert_array_equal(a_held.toarray(), b_held.toarray())
    assert (np.diff(a.toarray()[:, 0]) > 0).all() and (np.diff(a_held.toarray()[:, 0]) > 0).all()
    assert sorted([*a.toarray()[:, 0], *a_held.toarray()[:, 0]]) == key[:, 0].tolist()
    rows = a_held.toarray()[:, 0].astype(int) - 1
    assert (X[rows] != x_held).nnz == 0 and (Y[rows] != y_held).nnz == 0


def test_division_depends_on_the_seed_only():
    X = csr_matrix(np.arange(1, 51)[:, np.newaxis])
    held = [
        train_validation_split(X, X, 0.3, random_state=s)[1].toarray().ravel().tolist() for s in (1, 1, 2)
    ]
    assert held[0] == held[1] != held[2]


@pytest.mark.parametrize(("fraction", "held"), [(0.001, 1), (0.999, 4), (0.4, 2)])
def test_both_parts_get_an_example(fraction, held):
    parts = train_validation_split(np.ones((5, 1)), np.ones((5, 1)), fraction)
    assert [m.shape[0] for m in parts] == [5 - held, held, 5 - held, held]


def test_refused():
    one, two = np.ones((1, 1)), np.ones((2, 1))
    with pytest.raises(InputError, match="X has 1 rows and Y has 2"):
        describe(one, two)
    with pytest.raises(InputError, match="X has 2 rows and Y has 1"):
        train_validation_split(two, one)
    with pytest.raises(InputError, match=r"X has 1 rows. A division needs two"):
        train_validation_split(one, one)
    for fraction in (0, 1, -0.1, 1.5, float("nan"), "x"):
        with pytest.raises(InputError, match=f"fraction is {fraction!r}; accepted is a number in"):
            train_validation_split(two, two, fraction)
    with pytest.raises(InputError, match="random_state is 'x'"):
        train_validation_split(two, two, random_state="x")
    with pytest.raises(InputError, match="Y is list, not a two-dimensional matrix"):
        describe(one, [[1]])
