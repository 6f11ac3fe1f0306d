"""Where text comes from and how it is encoded: pipes, devices, byte order marks, line ends, foreign files."""

import codecs
import gzip
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from hashslide import data
from hashslide.errors import DataFileError, InputError

ROWS = 4000
TEXTS = {
    "xmc": f"{ROWS} 10 7\n" + "".join(f"{i % 7} {i % 9}:0.5 9:{i}\n" for i in range(ROWS)),
    "svmlight": "".join(f"{i % 7} {i % 9 + 1}:0.5 10:{i}\n" for i in range(ROWS)),
    "csv": "labels,features,values\n" + "".join(f"{i % 7},{i % 9};9,0.5;{i}\n" for i in range(ROWS)),
}
OPTIONS = {"csv": {"separator": ";"}}
NAMES = ["cat", "élan", "a\u2028b", "c\u0085d", "e\x0bf\x1cg", "h i", "東京", "😀"]


def check(X, Y):
    assert X.shape == (ROWS, 10) and Y.shape == (ROWS, 7)
    assert (Y.indices == np.arange(ROWS) % 7).all() and X[17, 9] == 17 and X[17, 17 % 9] == 0.5


def through_a_pipe(tmp_path, content: bytes, read):
    """Call `read` with the path of a FIFO that delivers the content in small pieces."""
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def send():
        try:
            with open(path, "wb", buffering=0) as file:
                file.write(content[:1])
                file.write(content[1:3])
                for begin in range(3, len(content), 5000):
                    file.write(content[begin : begin + 5000])
        except BrokenPipeError:  # the reader has seen enough
            pass

    sender = threading.Thread(target=send)
    sender.start()
    try:
        return read(path)
    finally:
        sender.join()


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", TEXTS)
def test_a_pipe_is_read_once_and_wholly(tmp_path, form, compressed):
    content = gzip.compress(TEXTS[form].encode()) if compressed else TEXTS[form].encode()
    options = OPTIONS.get(form, {})
    check(*through_a_pipe(tmp_path, content, lambda path: data.load(path, format=form, **options)))


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_names_from_a_pipe(tmp_path, compressed):
    content = "".join(f"name {i}\n" for i in range(5000)).encode()
    content = gzip.compress(content) if compressed else content
    names = through_a_pipe(tmp_path, content, data.load_names)
    assert len(names) == 5000 and names[4999] == "name 4999"


@pytest.mark.parametrize("form", ["npz", "parquet"])
def test_formats_that_need_a_regular_file_refuse_a_pipe(tmp_path, form, pubmed_small):
    data.save(tmp_path / f"a.{form}", pubmed_small.X_test, pubmed_small.Y_test)
    content = (tmp_path / f"a.{form}").read_bytes()
    with pytest.raises(DataFileError, match=r"not a regular file.*Remedy: write it to a file"):
        through_a_pipe(tmp_path, content, lambda path: data.load(path, format=form))


@pytest.mark.parametrize("form", TEXTS)
def test_standard_input_and_process_substitution(form):
    options = "".join(f", {name}={value!r}" for name, value in OPTIONS.get(form, {}).items())
    script = f"from hashslide import data; print(data.load('/dev/stdin', format={form!r}{options})[0].shape)"
    result = subprocess.run([sys.executable, "-c", script], input=TEXTS[form].encode(), capture_output=True)
    assert result.stdout.decode().strip() == f"({ROWS}, 10)", result.stderr.decode()


@pytest.mark.parametrize(
    ("device", "form", "message"),
    [("/dev/null", form, "the file is empty") for form in TEXTS]
    + [("/dev/zero", form, "begins with a NUL byte") for form in TEXTS]
    + [("/dev/null", form, "not a regular file") for form in ("npz", "parquet")],
)
def test_devices(device, form, message):
    with pytest.raises(DataFileError, match=message):
        data.load(device, format=form)


ENCODINGS = {
    "utf-8-mark": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


def encode(text: str, encoding: str) -> bytes:
    return ENCODINGS[encoding] + text.encode(encoding.removesuffix("-mark"))


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("form", [*TEXTS, "names"])
def test_byte_order_marks(tmp_path, form, encoding, compressed):
    content = encode(TEXTS.get(form, "\n".join(NAMES)), encoding)
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(content) if compressed else content)
    if form == "names":
        assert data.load_names(path).tolist() == NAMES
    else:
        check(*data.load(path, format=form, **OPTIONS.get(form, {})))


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"], ids=["crlf", "cr", "lf"])
@pytest.mark.parametrize("form", [*TEXTS, "names"])
def test_line_ends(tmp_path, form, end):
    path = tmp_path / "a"
    path.write_bytes(TEXTS.get(form, "\n".join(NAMES) + "\n").replace("\n", end).encode())
    if form == "names":
        assert data.load_names(path).tolist() == NAMES
    else:
        check(*data.load(path, format=form, **OPTIONS.get(form, {})))


def test_line_separators_of_unicode_stay_in_names(tmp_path):
    for name in ("labels.txt", "labels.txt.gz"):
        data.save_names(tmp_path / name, NAMES)
        assert data.load_names(tmp_path / name, count=len(NAMES)).tolist() == NAMES


BAD_TEXT = {
    "half-a-utf-16-character": (codecs.BOM_UTF16_LE + b"a\0b", "not utf-16-le text"),
    "lone-surrogate-in-utf-16": (codecs.BOM_UTF16_LE + b"a\0\x00\xd8\n\0", "not utf-16-le text"),
    "surrogate-in-utf-8": (b"cat\n\xed\xa0\x80\n", "byte 4: not UTF-8 text"),
    "latin-1": ("élan\n".encode("latin-1"), "byte 0: not UTF-8 text"),
    "utf-16-without-mark": ("cat\ndog\n".encode("utf-16-le"), "UTF-16 text without a byte order mark"),
    "nul": (b"cat\nd\0g\n", "line 2: a NUL byte"),
    "broken-gzip": (gzip.compress(b"cat\n" * 999)[:-9], "damaged or cut off"),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_names_that_are_no_text(tmp_path, case):
    content, message = BAD_TEXT[case]
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(DataFileError, match=rf"a.txt.*{message}.*Remedy"):
        data.load_names(tmp_path / "a.txt")


@pytest.mark.parametrize("form", TEXTS)
def test_utf16_that_breaks_off(tmp_path, form):
    (tmp_path / "a").write_bytes(encode(TEXTS[form], "utf-16-le")[:-1])
    with pytest.raises(DataFileError, match="not utf-16-le text"):
        data.load(tmp_path / "a", format=form, **OPTIONS.get(form, {}))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b\udc80"], "Name 1 is .* half of a surrogate pair"),
        (["\ufeffa"], "Name 0 .* byte order mark"),
        (["a\0"], "no NUL"),
        (["a\rb"], "no line break"),
    ],
)
def test_names_that_would_not_read_back_are_not_written(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        data.save_names(tmp_path / "a.txt", names)
    assert not (tmp_path / "a.txt").exists()


FOREIGN = {
    "git-lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
        "a Git LFS pointer.*git lfs pull",
    ),
    "html": (b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>", "a web page"),
    "old-html": (b"\n <HTML lang='en'>\n<body>Not found</body></HTML>", "a web page"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "a web page"),
}


@pytest.mark.parametrize(
    ("form", "compressed"),
    [(form, compressed) for form in (*TEXTS, "names") for compressed in (False, True)]
    + [("npz", False), ("parquet", False)],
)
@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_content_is_recognised(tmp_path, case, form, compressed):
    content, message = FOREIGN[case]
    (tmp_path / "a").write_bytes(gzip.compress(content) if compressed else content)
    with pytest.raises(DataFileError, match=message):
        if form == "names":
            data.load_names(tmp_path / "a")
        else:
            data.load(tmp_path / "a", format=form)


def test_names_that_look_like_tags_are_names(tmp_path):
    tags = ["<html>", "<p>", "version https", "PAR1", "BZh"]
    data.save_names(tmp_path / "a.txt", tags)
    assert data.load_names(tmp_path / "a.txt").tolist() == tags


@pytest.mark.parametrize("kind", ["npz", "parquet", "arrow"])
@pytest.mark.parametrize("form", [*TEXTS, "names"])
def test_archives_given_as_text(tmp_path, form, kind, pubmed_small):
    path = tmp_path / f"a.{kind}"
    data.save(path, pubmed_small.X_test, pubmed_small.Y_test)
    with pytest.raises(DataFileError, match=r"not text, but a.*Remedy: unpack it, or"):
        data.load_names(path) if form == "names" else data.load(path, format=form)


@pytest.mark.parametrize("name", ["trn.json.gz", "lbl.json", "tst.jsonl"])
def test_raw_text_is_announced_for_later(tmp_path, name):
    with pytest.raises(InputError, match=r"raw text of a data set\. Remedy: read texts with load_texts"):
        data.load(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"uid": "0", "title": "A cat"}\n', "JSON, the raw text"),
        (b"__label__cat __label__pet it sleeps\n", "fastText's format"),
    ],
)
@pytest.mark.parametrize("form", ["xmc", "svmlight"])
def test_raw_text_is_recognised_by_content(tmp_path, form, content, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataFileError, match=f"{message}.*read texts with load_texts"):
        data.load(tmp_path / "a", format=form)


def test_an_option_that_the_format_lacks(tmp_path):
    with pytest.raises(InputError, match=r"the format xmc has no option zero_based. It has labels_file. "):
        data.load(tmp_path / "a.txt", zero_based=True)
    with pytest.raises(InputError, match=r"format is 'cvs'; accepted are xmc, svmlight, npz, parquet, csv"):
        data.load(tmp_path / "a.txt", format="cvs")
