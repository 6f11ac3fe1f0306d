"""Files of names."""

import gzip

import numpy as np
import pytest

from hashslide.data import RepairWarning, load_names, save_names
from hashslide.errors import DataFileError, InputError


@pytest.fixture
def write(tmp_path):
    def write(content: bytes):
        path = tmp_path / "names.txt"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("content", [b"a b\n\xc3\xbc\n", b"a b\r\n\xc3\xbc\r\n\r\n", b"a b\n\xc3\xbc"])
def test_load(write, content):
    for path in (write(content), write(gzip.compress(content))):
        names = load_names(path)
        assert names.dtype == object and names.tolist() == ["a b", "ü"]
        assert names[np.array([[1, 0]])].tolist() == [["ü", "a b"]]


def test_only_a_line_feed_ends_a_name(write):
    assert load_names(write("a\x0bb\u2028c\n".encode())).tolist() == ["a\x0bb\u2028c"]


def test_names_of_several_ids_are_numbered_where_that_is_wanted(write):
    path = write(b"boots\nshoes\nboots\nsocks\nboots\nshoes\n")
    with pytest.warns(RepairWarning, match=r"5 of 6 names stand for several ids; .*, as in 'boots \[0\]'"):
        names = load_names(path, 6, number_repeated=True)
    expected = ["boots [0]", "shoes [1]", "boots [2]", "socks", "boots [4]", "shoes [5]"]
    assert names.tolist() == expected and len(set(names)) == 6
    save_names(path, names)
    assert load_names(path, 6, number_repeated=True).tolist() == expected  # nothing is repeated any more
    path = write(b"a\na [2]\na\n")
    taken = r"line 3: 'a \[2\]' also stands in line 2. Remedy: give every id a name of its own"
    with pytest.warns(RepairWarning), pytest.raises(DataFileError, match=taken):
        load_names(path, number_repeated=True)
    with pytest.raises(InputError, match="number_repeated is 1; accepted are True and False"):
        load_names(path, number_repeated=1)


@pytest.mark.parametrize("name", ["names.txt", "names.txt.gz"])
def test_round_trip(tmp_path, pubmed, name):
    save_names(tmp_path / name, pubmed.label_names)
    assert load_names(tmp_path / name, count=11336).tolist() == pubmed.label_names.tolist()


REFUSED = {
    "repeated": (
        b"a\nb\na\n",
        {},
        "line 3: 'a' also stands in line 1. Remedy: give every id a name of its own, or read the file with "
        "number_repeated=True",
    ),
    "blank": (b"a\n\nb\n", {}, "line 2: the line is empty. Remedy: write one name per line"),
    "count": (b"a\nb\n", {"count": 3}, "2 names for 3 ids"),
    "latin-1": (b"a\n\xfc\n", {}, "byte 2: not UTF-8 text. Remedy: convert the file"),
    "gzip-cut": (gzip.compress(b"a\n" * 50)[:-9], {}, "the compressed data is damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(write, case):
    content, options, message = REFUSED[case]
    path = write(content)
    with pytest.raises(DataFileError, match=message) as error:
        load_names(path, **options)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", ""], "Name 1 is ''"),
        (["a\nb"], r"Name 0 is 'a\\nb'. A name is a line of text"),
        (["a\r"], "Name 0 is"),
        (["a", "b", "a"], "Name 2 is 'a' again"),
        (["a", None], "Name 1 is None of type NoneType. A name is text or an integer"),
        ([b"a"], "Name 0 is b'a' of type bytes"),
        ([float("nan")], "Name 0 is nan of type float"),
    ],
)
def test_saving_refuses_names_that_would_not_read_back(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        save_names(tmp_path / "names.txt", names)
    assert not list(tmp_path.iterdir())
