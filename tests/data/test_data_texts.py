"""Tables of texts: every format gives the same, faults are named, lenient reading leaves them out."""

import gzip
import json

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from hashslide import data
from hashslide.errors import DataFileError, InputError

TITLES = ["red shoes", 'a 5" nail, long', "靴 und\nZeile", ""]
BODIES = ["for running", "", "émoji 👟", "only a body"]
TAGS = [["shoes", "sport"], ["tools"], ["shoes"], ["10"]]


def cell(text: str, delimiter: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in f'{delimiter}"\n') else text


def as_delimited(delimiter: str) -> str:
    rows = [["id", "title", "body", "tags"]]
    rows += [
        [str(i), t, b, ";".join(y)] for i, (t, b, y) in enumerate(zip(TITLES, BODIES, TAGS, strict=True))
    ]
    return "".join(delimiter.join(cell(c, delimiter) for c in row) + "\r\n" for row in rows)


def written(folder, suffix: str):
    """The table in a file of the given suffix."""
    path = folder / f"products{suffix}"
    columns = {"title": TITLES, "body": BODIES, "tags": TAGS}
    if suffix == ".parquet":
        table = pa.table(columns)
        table = table.set_column(0, "title", table["title"].dictionary_encode())
        pq.write_table(table, path)
    elif suffix == ".feather":
        pyarrow.feather.write_feather(pa.table(columns), path, compression="uncompressed")
    elif suffix.startswith((".csv", ".tsv")):
        text = as_delimited("\t" if suffix.startswith(".tsv") else ",").encode()
        path.write_bytes(gzip.compress(text) if suffix.endswith(".gz") else text)
    else:
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        rows[3]["tags"] = 10
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        path.write_bytes(gzip.compress(text) if suffix.endswith(".gz") else text)
    return path


@pytest.mark.parametrize(
    "suffix", [".csv", ".csv.gz", ".tsv", ".jsonl", ".ndjson.gz", ".json", ".parquet", ".feather"]
)
def test_all_formats_read_the_same(tmp_path, suffix):
    path = written(tmp_path, suffix)
    separator = ";" if suffix.startswith((".csv", ".tsv")) else None
    table = data.load_texts(path, text=["body", "title"], labels="tags", separator=separator)
    assert table.documents == {"body": BODIES, "title": TITLES}
    assert list(table.documents) == ["body", "title"]
    assert table.labels == TAGS
    assert data.load_texts(path, text="title") == ({"title": TITLES}, None)


def test_fasttext(tmp_path):
    path = tmp_path / "train.ft"
    path.write_text(
        "__label__shoes __label__sport red  shoes\nwords first __label__tools\n__label__a __label__a\n\n\n"
    )
    table = data.load_texts(path, labels="__label__")
    assert table.documents == {"text": ["red shoes", "words first", ""]}
    assert table.labels == [["shoes", "sport"], ["tools"], ["a"]]
    other = tmp_path / "other.txt"
    other.write_text("#a one\n#b two\n")
    table = data.load_texts(other, text="line", labels="#", format="fasttext")
    assert table == ({"line": ["one", "two"]}, [["a"], ["b"]])
    assert data.load_texts(path) == ({"text": ["red shoes", "words first", ""]}, None)


def test_labels_of_one_text_and_of_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("t,y\none, a | b ||a\ntwo,7\n")
    assert data.load_texts(path, text="t", labels="y", separator="|").labels == [["a", "b"], ["7"]]
    assert data.load_texts(path, text="t", labels="y").labels == [["a | b ||a"], ["7"]]
    pq.write_table(pa.table({"t": ["one", "two"], "y": [[3, 3], [5]]}), tmp_path / "a.parquet")
    assert data.load_texts(tmp_path / "a.parquet", text="t", labels="y").labels == [["3"], ["5"]]


def test_long_cells_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "a.csv"
    long = "word " * 100_000
    path.write_text(f"t,y\n{long},a\n", encoding="utf-8-sig")
    assert data.load_texts(path, text="t", labels="y") == ({"t": [long]}, [["a"]])


GOOD = "t\ty\none\ta\n"
FAULTS = {  # suffix, content with one good row, what the message says, whether lenient reading goes on
    "fields": (".tsv", GOOD + "two\tb\tc\n", r"line 3: 3 fields, but the first line names 2 columns", True),
    "blank": (".tsv", GOOD + "\ntwo\tb\n", r"line 3: the line is empty, but more follow", True),
    "quotes": (".tsv", GOOD + '"two" more\tb\n', r"line 3: broken quoting", True),
    "swallowed": (".tsv", GOOD + '"two\tb\nthree\tc\n', r"line 3: a quoted cell begins in this row", False),
    "no-label": (".tsv", GOOD + "two\t\n", r"line 3: there is no label in column 'y'", True),
    "utf8": (".tsv", GOOD.encode() + b"tw\xff\tb\n", r"line 3: what stands in line 3 is not UTF-8", True),
    "missing": (".tsv", "t\tz\none\ta\n", r"no column 'y'; there are: t, z\. Remedy: name the col", False),
    "twice": (".tsv", "t\ty\ty\none\ta\tb\n", r"two columns 'y'", False),
    "delimiter": (".csv", GOOD, r"no column 't'.*what stands between two cells, ',' here", False),
    "nothing": (".csv", "", r"the file is empty", False),
    "no-rows": (".csv", "t,y\n", r"there are no rows", False),
    "array": (".jsonl", '[{"t": "one", "y": "a"},\n', r"line 1: not JSON.*not one array", False),
    "no-json": (".jsonl", '{"t": "one", "y": "a"}\n{"t": \n', r"line 2: not JSON", True),
    "no-object": (".jsonl", '{"t": "one", "y": "a"}\n[1]\n', r"line 2: a JSON list, not an object", True),
    "key": (".jsonl", '{"title": "one", "y": "a"}\n', r"no column 't'; there are: title, y", False),
    "number": (".jsonl", '{"t": "one", "y": "a"}\n{"t": 3, "y": "a"}\n', r"line 2: column 't' holds 3", True),
    "label": (".jsonl", '{"t": "one", "y": "a"}\n{"t": "", "y": [1.5]}\n', r"line 2: .*'y' holds 1\.5", True),
    "null-label": (".jsonl", '{"t": "one", "y": "a"}\n{"t": "", "y": [null]}\n', r"'y' holds None", True),
    "json-utf8": (".jsonl", b'{"t": "one", "y": "a"}\n{"t": "\xff"}\n', r"line 2: byte 7 .* not UTF-8", True),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults(tmp_path, case):
    suffix, content, message, is_left_out = FAULTS[case]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataFileError, match=message) as raised:
        data.load_texts(path, text="t", labels="y")
    assert "Remedy: " in str(raised.value)
    if not is_left_out:
        with pytest.raises(DataFileError):
            data.load_texts(path, text="t", labels="y", lenient=True)
        return
    assert "lenient=True" in str(raised.value)
    with pytest.warns(data.RepairWarning, match=r"row skipped\) in 1 line, first line"):
        table = data.load_texts(path, text="t", labels="y", lenient=True)
    assert table.documents["t"][0] == "one" and table.labels[0] == ["a"]
    assert len(table.labels) == (2 if case == "blank" else 1)


def test_null_texts_are_empty_only_where_that_is_allowed(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"t": "one", "b": "x", "y": "a"}\n{"t": null, "y": "b"}\n')
    with pytest.raises(DataFileError, match=r"line 2: column 't' is null\. Remedy: write '' where"):
        data.load_texts(path, text=["t", "b"], labels="y")
    with pytest.warns(data.RepairWarning, match=r"null or missing \(read as empty\) in 1 line, first line 2"):
        table = data.load_texts(path, text=["t", "b"], labels="y", lenient=True)
    assert table == ({"t": ["one", ""], "b": ["x", ""]}, [["a"], ["b"]])


def test_columns_of_parquet_that_hold_something_else(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"t": [1.5], "l": [["a"]], "y": [0.5], "b": [b"\xff"]}), path)
    for text, labels, message in (
        ("t", None, "column 't' holds double"),
        ("l", None, "column 'l' holds list"),
        ("l", "x", "no column 'x'; there are: t, l, y, b"),
        ("b", None, "row 0: column 'b' holds b'.xff', which is no text"),
    ):
        with pytest.raises(DataFileError, match=message):
            data.load_texts(path, text=text, labels=labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "text is None"),
        ({"text": []}, r"text is \[\]"),
        ({"text": ["t", "t"]}, "several different"),
        ({"text": "t", "labels": ""}, "labels is ''"),
        ({"text": "t", "labels": "y", "separator": ""}, "separator is ''"),
        ({"text": "t", "format": "xml"}, "texts are read from csv, jsonl, parquet, fasttext"),
        ({"text": "t", "format": "jsonl", "delimiter": ";"}, "jsonl has no option delimiter"),
        ({"text": ["t", "u"], "format": "fasttext"}, "one text in each line"),
        ({"text": "t", "delimiter": "ab"}, "delimiter is 'ab'"),
    ],
)
def test_arguments(tmp_path, options, message):
    path = tmp_path / "a.csv"
    path.write_text("t,y\none,a\n")
    with pytest.raises(InputError, match=message):
        data.load_texts(path, **options)


def test_unknown_suffix(tmp_path):
    with pytest.raises(InputError, match=r"no table of texts. Known are \.csv\[\.gz\]"):
        data.load_texts(tmp_path / "a.txt", text="t")
