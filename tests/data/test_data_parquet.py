"""Parquet and Arrow files with list columns of ids or names."""

import datetime
import sys

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from hashslide.data import RepairWarning, load_parquet, save_parquet, table_names
from hashslide.errors import DataFileError, InputError

IDS = {"labels": [[0, 2], [], [1]], "features": [[1], [0, 3], []], "values": [[0.5], [1.0, 2.0], []]}
X_IDS = [[0, 0.5, 0, 0], [1, 0, 0, 2], [0, 0, 0, 0]]
Y_IDS = [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.fixture(params=["parquet", "arrow"])
def write(tmp_path, request):
    def write(columns: dict, types: dict | None = None, **options):
        arrays = {name: pa.array(rows, type=(types or {}).get(name)) for name, rows in columns.items()}
        table = pa.table(arrays)
        path = tmp_path / f"data.{request.param}"
        if request.param == "parquet":
            pq.write_table(table, path, **options)
        else:
            pyarrow.feather.write_feather(table, str(path), compression="uncompressed")
        return path

    return write


def assert_ids(X, Y):
    assert X.toarray().tolist() == X_IDS and Y.toarray().tolist() == Y_IDS
    assert X.dtype == Y.dtype == np.float32 and X.has_canonical_format and Y.has_canonical_format


def test_ids(write):
    assert_ids(*load_parquet(write(IDS)))


LIST_TYPES = {
    "large": {"features": pa.large_list(pa.int64()), "values": pa.large_list(pa.float64())},
    "unsigned": {"features": pa.list_(pa.uint64()), "labels": pa.list_(pa.uint8())},
    "whole-numbers": {"values": pa.list_(pa.int16())},
    "single": {"values": pa.list_(pa.float32())},
}


@pytest.mark.parametrize("types", LIST_TYPES)
def test_types_of_lists(write, types):
    columns = IDS | ({"values": [[2], [1, 2], []]} if types == "whole-numbers" else {})
    X, _ = load_parquet(write(columns, LIST_TYPES[types]))
    assert X.indices.tolist() == [1, 0, 3]
    assert X.data.tolist() == [columns["values"][0][0], 1, 2]


def test_lists_of_fixed_size(write):
    kind = pa.list_(pa.int32(), 2)
    X, _ = load_parquet(
        write({"labels": [[0], [1]], "features": [[0, 2], [1, 2]]}, {"features": kind}), values=None
    )
    assert X.toarray().tolist() == [[1, 0, 1], [0, 1, 1]]


def test_other_names_of_columns_and_values_of_one(write):
    path = write({"words": [[1, 2]], "tags": [[0]], "rest": ["x"]})
    X, Y = load_parquet(path, features="words", values=None, labels="tags")
    assert X.toarray().tolist() == [[0, 1, 1]] and Y.toarray().tolist() == [[1]]


def test_widths(write):
    assert [m.shape for m in load_parquet(write(IDS), n_features=9, n_labels=7)] == [(3, 9), (3, 7)]


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_round_trip_keeps_widths(tmp_path, pubmed_small, suffix):
    path = tmp_path / f"data.{suffix}"
    save_parquet(path, pubmed_small.X_test, pubmed_small.Y_test)
    X, Y = load_parquet(path)
    assert X.shape == pubmed_small.X_test.shape and (pubmed_small.X_test != X).nnz == 0
    assert Y.shape == pubmed_small.Y_test.shape and (pubmed_small.Y_test != Y).nnz == 0
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_many_row_groups(tmp_path, pubmed_small):
    whole, parts = tmp_path / "whole.parquet", tmp_path / "parts.parquet"
    save_parquet(whole, pubmed_small.X_test, pubmed_small.Y_test)
    pq.write_table(pq.read_table(whole), parts, row_group_size=7)
    X, Y = load_parquet(parts)
    assert (pubmed_small.X_test != X).nnz == 0 and (pubmed_small.Y_test != Y).nnz == 0


NAMES = {
    "labels": [["b", "a"], [], ["c"]],
    "features": [["y"], ["z", "x"], []],
    "values": [[1.0], [2.0, 3.0], []],
}


@pytest.mark.parametrize("item", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_names(write, item):
    path = write(NAMES, {"labels": pa.list_(item)})
    labels, features = table_names(path, "labels"), table_names(path, "features")
    assert labels.tolist() == ["a", "b", "c"] and features.tolist() == ["x", "y", "z"]
    X, Y = load_parquet(path, feature_names=features, label_names=labels)
    assert X.toarray().tolist() == [[0, 1, 0], [3, 0, 2], [0, 0, 0]]
    assert Y.toarray().tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_names_that_are_not_given(write):
    path = write(NAMES)
    options = {"feature_names": ["x", "z"], "label_names": ["b", "a", "c", "unused"]}
    with pytest.raises(
        DataFileError, match=r"row 0: feature name 'y' is not in feature_names. Remedy: add it"
    ):
        load_parquet(path, **options)
    with pytest.warns(
        RepairWarning, match=r"names that are not in the given list \(dropped\) in 1 row, first row 0"
    ):
        X, Y = load_parquet(path, lenient=True, **options)
    assert X.toarray().tolist() == [[0, 0], [3, 2], [0, 0]]
    assert Y.toarray().tolist() == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]


REFUSED = {
    "no-column": (
        IDS,
        {"labels": "tags"},
        "no column 'tags'; there are: labels, features, values. Remedy: name",
    ),
    "no-lists": (
        IDS | {"features": [0, 1, 2]},
        {},
        r"column 'features' holds int64, not lists. Remedy: give features=\['features'\] if each column is",
    ),
    "truth-values": (IDS | {"labels": [[True], [], []]}, {}, "column 'labels' holds list<.*bool"),
    "dates": (
        IDS | {"labels": [[datetime.date(2020, 1, 1)], [], []]},
        {},
        "column 'labels' holds list<.*date",
    ),
    "real-ids": (IDS | {"labels": [[0.5], [], []]}, {}, "row 0: label id 0.5 is not an integer"),
    "text-values": (IDS | {"values": [["a"], ["b", "c"], []]}, {}, "the column of values holds list<"),
    "names-not-given": (
        NAMES,
        {},
        r"column 'labels' holds names. Remedy: give label_names; table_names",
    ),
    "names-for-ids": (
        IDS,
        {"label_names": ["a"]},
        "column 'labels' holds ids. Remedy: leave out label_names",
    ),
    "id-large": (
        IDS,
        {"n_features": 3},
        "row 1: feature id 3 is out of range; accepted is 0 to 2. .*larger n_features",
    ),
    "id-negative": (IDS | {"labels": [[0], [], [-1]]}, {}, "row 2: label id -1 is out of range"),
    "id-beyond-32-bit": (
        IDS | {"labels": [[2**40], [], []]},
        {},
        "row 0: label id 1099511627776 is out of range",
    ),
    "lengths": (
        IDS | {"values": [[0.5], [1.0], []]},
        {},
        "row 1: 2 ids but 1 values. Remedy: give each id one value",
    ),
    "unsorted": (IDS | {"features": [[1], [3, 0], []]}, {}, "row 1: feature id 0 follows a larger one"),
    "repeated": (IDS | {"labels": [[0, 0], [], []]}, {}, "row 0: label id 0 is repeated"),
    "repeated-name": (
        NAMES | {"labels": [["a"], ["b"], ["c", "a", "c"]]},
        {"feature_names": ["x", "y", "z"], "label_names": ["a", "b", "c"]},
        "row 2: label id 2 is repeated",
    ),
    "nan": (
        IDS | {"values": [[0.5], [1.0, np.nan], []]},
        {},
        "row 1: a feature value is NaN, infinite or beyond",
    ),
    "beyond-float32": (
        IDS | {"values": [[0.5], [1.0, 1e39], []]},
        {},
        "row 1: a feature value is NaN, infinite",
    ),
    "null-list": (
        IDS | {"labels": [[0], None, []]},
        {},
        "row 1: column 'labels' is null. Remedy: write an empty",
    ),
    "null-id": (IDS | {"labels": [[0], [], [1, None]]}, {}, "row 2: a null in the list of labels"),
    "null-value": (
        IDS | {"values": [[0.5], [1.0, None], []]},
        {},
        "row 1: a null in the list of features or values",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(write, case):
    columns, options, message = REFUSED[case]
    path = write(columns)
    with pytest.raises(DataFileError, match=message) as error:
        load_parquet(path, **options)
    assert str(error.value).startswith(str(path)) and "Remedy: " in str(error.value)


def test_rows_are_counted_over_batches(tmp_path):
    rows = [[0]] * 70000
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"labels": [*rows, [-1]], "features": [*rows, [0]]}), path, row_group_size=1000)
    with pytest.raises(DataFileError, match="row 70000: label id -1"):
        load_parquet(path, values=None)


def test_lenient(write):
    columns = {"labels": [[1, 0, 1], None], "features": [[2, 0], [1, 1]], "values": [[1.0, 2.0], [3.0, 4.0]]}
    path = write(columns)
    with pytest.warns(RepairWarning) as warned:
        X, Y = load_parquet(path, lenient=True)
    assert str(warned[0].message) == (
        f"{path}: repaired features out of order (sorted) in 1 row, first row 0; "
        "repeated features (values summed) in 1 row, first row 1; "
        "lists that are null (read as empty) in 1 row, first row 1; "
        "labels out of order (sorted) in 1 row, first row 0; "
        "repeated labels (kept once) in 1 row, first row 0."
    )
    assert warned[0].filename == __file__
    assert X.toarray().tolist() == [[2, 0, 1], [0, 7, 0]] and Y.toarray().tolist() == [[1, 1], [0, 0]]


@pytest.mark.parametrize("content", [b"PAR1 and no more", b"ARROW1\0\0 and no more"])
def test_other_content_is_refused(tmp_path, content):
    path = tmp_path / "data.parquet"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match="neither a Parquet nor an Arrow file"):
        load_parquet(path)


@pytest.mark.parametrize("note", [b"no json", b'{"n_features": -1}', b"3"])
def test_a_damaged_note_of_the_widths_is_refused(tmp_path, note):
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table(IDS).replace_schema_metadata({b"hashslide": note}), path)
    with pytest.raises(DataFileError, match="the note of the matrices' widths is"):
        load_parquet(path)


def test_damaged_arrow_offsets_are_refused(tmp_path):
    path = tmp_path / "data.arrow"
    save_parquet(path, np.eye(3), np.eye(3))
    whole = path.read_bytes()
    offsets = np.arange(4, dtype=np.int64).tobytes()
    assert offsets in whole
    path.write_bytes(whole.replace(offsets, np.int64([0, 1, 2**40, 3]).tobytes()))
    with pytest.raises(DataFileError, match="the data is damaged"):
        load_parquet(path)


def test_arguments(write):
    path = write(IDS)
    with pytest.raises(InputError, match="n_labels is -1"):
        load_parquet(path, n_labels=-1)
    with pytest.raises(InputError, match="label_names holds a name twice"):
        load_parquet(path, label_names=["a", "a"])
    with pytest.raises(DataFileError, match=r"column 'features' holds list<.*a list of names"):
        table_names(path, "features")
    with pytest.raises(FileNotFoundError):
        load_parquet(path.with_name("none.parquet"))


def test_without_pyarrow_the_message_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for call in (
        lambda: load_parquet(tmp_path / "a.parquet"),
        lambda: table_names(tmp_path / "a.parquet", "labels"),
        lambda: save_parquet(tmp_path / "a.parquet", np.eye(1), np.eye(1)),
    ):
        with pytest.raises(
            InputError, match=r"need pyarrow, which is missing. Run: pip install 'hashslide\[arrow\]'"
        ):
            call()
