"""Files of names."""

import gzip

import numpy as np
import pytest

from hashslide.data import load_names, save_names
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


@pytest.mark.parametrize("name", ["names.txt", "names.txt.gz"])
def test_round_trip(tmp_path, pubmed, name):
    save_names(tmp_path / name, pubmed.label_names)
    assert load_names(tmp_path / name, count=11336).tolist() == pubmed.label_names.tolist()


REFUSED = {
    "repeated": (
        b"a\nb\na\n",
        {},
        "line 3: 'a' also stands in line 1. Remedy: give every id a name of its own",
    ),
    "blank": (b"a\n\nb\n", {}, "line 2: the line is empty. Remedy: write one name a line"),
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
    ],
)
def test_saving_refuses_names_that_would_not_read_back(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        save_names(tmp_path / "names.txt", names)
    assert not list(tmp_path.iterdir())
