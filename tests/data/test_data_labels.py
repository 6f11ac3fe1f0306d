"""Label lists and indicator matrices are two forms of one thing."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hashslide.data import label_lists, label_matrix
from hashslide.errors import InputError

DENSE = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]])
NAMES = ["cat", "ant", "bee"]


@pytest.mark.parametrize(
    "form", [sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix, np.asarray, pd.DataFrame]
)
def test_a_matrix_as_lists(form):
    assert label_lists(form(DENSE)) == [[1, 2], [], [0]]
    assert label_lists(form(DENSE), NAMES) == [["ant", "bee"], [], ["cat"]]


def test_a_frame_has_names():
    assert label_lists(pd.DataFrame(DENSE, columns=NAMES)) == [["ant", "bee"], [], ["cat"]]


def test_lists_as_a_matrix_and_back():
    lists = [["ant", "bee"], [], ["cat"]]
    Y, classes = label_matrix(lists)
    assert sparse.issparse(Y) and Y.dtype == np.float32 and classes.tolist() == ["ant", "bee", "cat"]
    assert label_lists(Y, classes) == lists
    Y, classes = label_matrix(list(map(set, lists)), NAMES)
    assert Y.toarray().tolist() == DENSE.tolist() and classes.tolist() == NAMES
    Y, classes = label_matrix(["b", "a"])
    assert Y.toarray().tolist() == [[0, 1], [1, 0]] and classes.tolist() == ["a", "b"]


def test_real_labels_and_back(pubmed_small):
    lists = label_lists(pubmed_small.Y_test, pubmed_small.label_names)
    assert (label_matrix(lists, pubmed_small.label_names)[0] != pubmed_small.Y_test).nnz == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: label_lists(DENSE, ["a"]), "names holds 1 names, but Y has 3 columns"),
        (lambda: label_lists(DENSE, ["a", "a", "b"]), "'a' more than once"),
        (lambda: label_lists([1, 2]), "Expected 2D array"),
        (lambda: label_matrix([["a"], ["d"]], NAMES), "the label 'a', which is not among"),
        (lambda: label_matrix([["a", "a"]]), "twice in row 0"),
        (
            lambda: label_matrix([[0, 1], [1, 0]]),
            "an indicator of two labels or a list of the labels 0 and 1",
        ),
        (lambda: label_matrix([[], []]), "y holds no label at all"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
