"""The svmlight format: counting from 1 or 0, comments, widths, errors; agreement with scikit-learn."""

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from hashslide.data import RepairWarning, load_svmlight, save_svmlight
from hashslide.errors import DataFileError, InputError


@pytest.fixture
def write(tmp_path):
    def write(text: str):
        path = tmp_path / "data.svm"
        path.write_text(text)
        return path

    return write


def test_ids_of_features_start_at_one_and_of_labels_at_zero(write):
    X, Y = load_svmlight(write("0,2 1:0.5 3:2\n1 2:1\n"))
    assert X.toarray().tolist() == [[0.5, 0, 2], [0, 1, 0]]
    assert Y.toarray().tolist() == [[1, 0, 1], [0, 1, 0]]
    assert X.dtype == Y.dtype == np.float32


def test_zero_based(write):
    X, _ = load_svmlight(write("0 0:1 2:3\n"), zero_based=True)
    assert X.toarray().tolist() == [[1, 0, 3]]


def test_examples_without_labels_with_and_without_leading_space(write):
    X, Y = load_svmlight(write("1:5\n 2:6\n1\n \n"))
    assert X.toarray().tolist() == [[5, 0], [0, 6], [0, 0], [0, 0]]
    assert np.diff(Y.indptr).tolist() == [0, 0, 1, 0]


def test_comments_are_no_examples(write):
    X, Y = load_svmlight(write("# made by hand\n0 1:1 # first, 2:3\n# nothing\n1 2:1#end\n"))
    assert X.toarray().tolist() == [[1, 0], [0, 1]]
    assert Y.toarray().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("blank", [" ", "  ", "\t", " \t "])
@pytest.mark.parametrize("comment", ["# empty", "#", "# 5:1"])
def test_a_blank_before_a_comment_is_an_empty_example(write, blank, comment):
    X, Y = load_svmlight(write(f"0 1:1\n{blank}{comment}\n1 2:1\n"))
    assert X.toarray().tolist() == [[1, 0], [0, 0], [0, 1]]
    assert Y.toarray().tolist() == [[1, 0], [0, 0], [0, 1]]


def test_widths_come_from_the_arguments(write):
    path = write("0 1:1\n")
    assert [m.shape for m in load_svmlight(path, n_features=9, n_labels=4)] == [(1, 9), (1, 4)]
    assert [m.shape for m in load_svmlight(path)] == [(1, 1), (1, 1)]
    assert [m.shape for m in load_svmlight(write("# only words\n"))] == [(0, 0), (0, 0)]


REFUSED = {
    "empty": ("", {}, "data.svm: the file is empty"),
    "zero-in-one-based": (
        "0 0:1\n",
        {},
        r"feature id in '0:1' is out of range.*give zero_based=True if ids start",
    ),
    "beyond-n-features": (
        "0 4:1\n",
        {"n_features": 3},
        "line 1: .* accepted is 1 to 3. Remedy: .*larger n_features",
    ),
    "beyond-n-labels": ("3 1:1\n", {"n_labels": 3}, "accepted is 0 to 2. Remedy: .*larger n_labels"),
    "beyond-32-bit": ("0 2147483648:1\n", {}, "accepted is 1 to 2147483647"),
    "smallest-64-bit": ("0 -9223372036854775808:1\n", {}, "accepted is 1 to 2147483647"),
    "negative-class": ("-1 1:1\n", {}, "label id in '-1' is out of range"),
    "query": ("0 qid:3 1:1\n", {}, "'qid:3' is not a feature 'id:value'"),
    "blank-line": ("0 1:1\n\n0 1:1\n", {}, "line 2: the line is empty, but more follow"),
    "repeated": ("0 1:1 1:1\n", {}, "line 1: feature id 1 is repeated"),
    "unsorted": ("0 2:1 1:1\n", {}, "line 1: feature id 1 follows a larger one"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(write, case):
    text, options, message = REFUSED[case]
    with pytest.raises(DataFileError, match=message):
        load_svmlight(write(text), **options)


@pytest.mark.parametrize("value", [-1, 2.0, "3", True, 2**31])
@pytest.mark.parametrize("name", ["n_features", "n_labels"])
def test_widths_must_be_counts(write, name, value):
    with pytest.raises(InputError, match=f"{name} is {value!r}. Give a number from 0 to 2147483647, or None"):
        load_svmlight(write("0 1:1\n"), **{name: value})


def test_lenient(write):
    path = write("1,0,1 3:1 1:1 3:1\n")
    with pytest.warns(RepairWarning, match="labels out of order .* repeated features"):
        X, Y = load_svmlight(path, lenient=True)
    assert X.toarray().tolist() == [[1, 0, 2]] and Y.toarray().tolist() == [[1, 1]]


@pytest.mark.parametrize("zero_based", [False, True])
def test_scikit_learn_reads_and_writes_the_same(tmp_path, pubmed_small, zero_based):
    X, Y = pubmed_small.X_test, pubmed_small.Y_test
    theirs, ours = tmp_path / "theirs.svm", tmp_path / "ours.svm"
    dump_svmlight_file(X, Y, str(theirs), multilabel=True, zero_based=zero_based, comment="a\nb")
    save_svmlight(ours, X, Y, zero_based=zero_based)

    got_x, got_y = load_svmlight(theirs, zero_based=zero_based, n_features=X.shape[1], n_labels=Y.shape[1])
    assert (got_x != X).nnz == 0 and (got_y != Y).nnz == 0

    got_x, labels = load_svmlight_file(
        str(ours), multilabel=True, zero_based=zero_based, n_features=X.shape[1], dtype=np.float32
    )
    assert (got_x != X).nnz == 0
    assert labels == [tuple(Y.indices[a:b]) for a, b in zip(Y.indptr[:-1], Y.indptr[1:], strict=True)]
