"""The layout in which the newer XMC sets are published: features and labels in files of their own."""

import gzip

import numpy as np
import pytest

from hashslide import data
from hashslide.data import RepairWarning
from hashslide.errors import DataFileError, InputError

FEATURES = "3 4\n1:0.5 3:2\n\n0:-1\n"
LABELS = "3 3\n0:1 2:1.00000\n\n1:1\n"
X, Y = [[0, 0.5, 0, 2], [0, 0, 0, 0], [-1, 0, 0, 0]], [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.fixture(params=["", ".gz"], ids=["plain", "gzip"])
def pair(tmp_path, request):
    for name, text in (("trn_X_Xf.txt", FEATURES), ("trn_X_Y.txt", LABELS)):
        content = gzip.compress(text.encode()) if request.param else text.encode()
        (tmp_path / f"{name}{request.param}").write_bytes(content)
    return tmp_path / f"trn_X_Xf.txt{request.param}"


def test_the_labels_are_found_by_their_published_name(pair):
    x, y = data.load(pair)
    assert x.toarray().tolist() == X and y.toarray().tolist() == Y
    assert x.dtype == y.dtype == np.float32 and x.has_canonical_format and y.has_canonical_format


def test_the_labels_can_be_named(pair):
    labels = pair.with_name("other.txt")
    labels.write_text("3 9\n8:1\n7:1\n6:1\n")
    assert data.load(pair, labels_file=labels)[1].indices.tolist() == [8, 7, 6]
    pair.rename(pair.with_name("f.txt"))
    assert data.load_xmc(pair.with_name("f.txt"), labels)[1].shape == (3, 9)


@pytest.mark.parametrize("name", ["tst_X_Xf.txt", "tst_X_Xf.txt.gz"])
def test_round_trip(tmp_path, pubmed_small, name):
    data.save(tmp_path / name, pubmed_small.X_test, pubmed_small.Y_test)
    assert (tmp_path / name.replace("Xf", "Y")).is_file()
    x, y = data.load(tmp_path / name)
    assert x.shape == pubmed_small.X_test.shape and (x != pubmed_small.X_test).nnz == 0
    assert y.shape == pubmed_small.Y_test.shape and (y != pubmed_small.Y_test).nnz == 0


def test_what_is_written_has_no_space_at_the_beginning_of_a_line(tmp_path):
    data.save(tmp_path / "trn_X_Xf.txt", np.array(X), np.array(Y))
    assert (tmp_path / "trn_X_Xf.txt").read_text() == FEATURES
    assert (tmp_path / "trn_X_Y.txt").read_text() == LABELS.replace("1.00000", "1")


REFUSED = {
    "one-matrix": ("f.txt", FEATURES, None, "if this is the matrix of features alone, name .*labels_file"),
    "three-counts": ("f.txt", "3 4 5\n", LABELS, "the first line must be two counts, 'rows columns'"),
    "rows": ("f.txt", FEATURES, "2 3\n0:1\n1:1\n", "3 rows of features, but 2 rows of labels in"),
    "label-range": ("l.txt", FEATURES, "3 3\n0:1\n3:1\n\n", "line 3: label id in '3:1' is out of range"),
    "label-zero": ("l.txt", FEATURES, "3 3\n0:1\n1:0\n\n", "line 3: label id 1 is stored with the value 0"),
    "label-order": ("l.txt", FEATURES, "3 3\n1:1 0:1\n\n\n", "label id 0 follows a larger one"),
    "no-value": ("l.txt", FEATURES, "3 3\n1\n\n\n", "line 2: .*'1'"),
    "more-rows": ("f.txt", FEATURES + "1:1\n", LABELS, "promises 3 rows, but more follow"),
    "fewer-rows": ("f.txt", "4 4\n0:1\n\n\n", LABELS, "promises 4 rows, but the file ends after 3"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    place, features, labels, message = REFUSED[case]
    (tmp_path / "f.txt").write_text(features)
    if labels is not None:
        (tmp_path / "l.txt").write_text(labels)
    with pytest.raises(DataFileError, match=message) as error:
        data.load(tmp_path / "f.txt", **({} if labels is None else {"labels_file": tmp_path / "l.txt"}))
    assert str(error.value).startswith(str(tmp_path / place))


def test_repairs_are_named_after_labels(tmp_path):
    (tmp_path / "f.txt").write_text(FEATURES)
    (tmp_path / "l.txt").write_text("3 3\n2:1 0:1 0:1\n1:0\n1:1\n")
    with pytest.warns(RepairWarning) as warned:
        _, y = data.load_xmc(tmp_path / "f.txt", tmp_path / "l.txt", lenient=True)
    assert y.toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    message = str(warned[0].message)
    for part in ("labels out of order", "repeated labels", "value 0 (dropped) in 1 line, first line 3"):
        assert part in message


def test_conversion_does_not_destroy_its_own_labels(pair):
    with pytest.raises(InputError, match="are one file, which would be lost"):
        data.convert(pair, pair.with_name(pair.name.replace("Xf", "Y")))


def test_pairs(tmp_path):
    (tmp_path / "filter_labels_test.txt").write_text("0 2\n2\t1\r\n0 2\n\n")
    pairs = data.load_pairs(tmp_path / "filter_labels_test.txt", (3, 3))
    assert pairs.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 2\n3 1\n", "line 2: example 3 is out of range; accepted is 0 to 2"),
        ("0 3\n", "line 1: label 3 is out of range"),
        ("0 1 2\n", "line 1: '0 1 2' is not a pair of integers"),
        ("-1 2\n", "is not a pair"),
        ("٣ 2\n", "is not a pair"),
    ],
)
def test_pairs_refused(tmp_path, text, message):
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(DataFileError, match=message):
        data.load_pairs(tmp_path / "pairs.txt", (3, 3))
