"""Tables: every way in which Arrow stores a column, columns that are a feature each, CSV, names."""

import decimal
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from hashslide import data
from hashslide.data import RepairWarning
from hashslide.errors import DataFileError, InputError


def write(path, columns: dict) -> str:
    pa.feather.write_feather(pa.table(columns), str(path), compression="uncompressed")
    return path


LISTS = {
    "list": pa.list_,
    "large": pa.large_list,
    "fixed": lambda item: pa.list_(item, 2),
    "view": pa.list_view,
    "large-view": pa.large_list_view,
}
IDS = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
    *(pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 0), pa.decimal256(40, 0)),
]
NAMES = [
    *(pa.string(), pa.large_string(), pa.string_view()),
    *(pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(1)),
]


def ids_of(item: pa.DataType, rows: list) -> list:
    kind = decimal.Decimal if pa.types.is_decimal(item) else float if pa.types.is_floating(item) else int
    return [list(map(kind, row)) for row in rows]


@pytest.mark.parametrize("item", IDS, ids=str)
@pytest.mark.parametrize("kind", LISTS)
def test_ids_of_every_type(tmp_path, kind, item):
    column = pa.array(ids_of(item, [[0, 2], [1, 2]]), LISTS[kind](item))
    path = write(tmp_path / "a.arrow", {"features": column, "labels": column, "values": column})
    X, Y = data.load(path)
    assert X.toarray().tolist() == [[0, 0, 2], [0, 1, 2]] and Y.toarray().tolist() == [[1, 0, 1], [0, 1, 1]]


@pytest.mark.parametrize("item", NAMES, ids=str)
@pytest.mark.parametrize("kind", LISTS)
def test_names_of_every_type(tmp_path, kind, item):
    column = pa.array([[b"a", b"c"], [b"b", b"c"]], LISTS[kind](item))
    path = write(tmp_path / "a.arrow", {"features": column, "labels": column})
    assert data.table_names(path, "labels").tolist() == ["a", "b", "c"]
    X, Y = data.load(path, values=None, feature_names=["c", "b", "a"], label_names=["a", "b", "c"])
    assert X.toarray().tolist() == [[1, 0, 1], [1, 1, 0]] and Y.toarray().tolist() == [[1, 0, 1], [0, 1, 1]]


class Tagged(pa.ExtensionType):
    """A type of somebody else's."""

    def __init__(self, storage):
        super().__init__(storage, "hashslide.tests.tagged")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        return cls(storage)


def wrapped(column: pa.Array) -> dict[str, pa.Array]:
    """The same lists in other clothes."""
    items = pa.array(column.flatten().to_pylist()).dictionary_encode()
    return {
        "extension-of-lists": pa.ExtensionArray.from_storage(Tagged(column.type), column),
        "dictionary-of-items": pa.ListArray.from_arrays(column.offsets, items),
        "dictionary-of-lists": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), column),
    }


@pytest.mark.parametrize("kind", ["extension-of-lists", "dictionary-of-items", "dictionary-of-lists"])
def test_wrapped_types(tmp_path, kind):
    column = wrapped(pa.array([[0, 2], [], [1]]))[kind]
    if kind == "dictionary-of-lists":  # files do not take it: the reader's own steps
        from hashslide.data.tables.arrow_types import split_lists

        items, lengths = split_lists(column, None)
        assert items.to_pylist() == [0, 2, 1] and lengths.tolist() == [2, 0, 1]
        return
    path = write(tmp_path / "a.arrow", {"features": column, "labels": column})
    X, Y = data.load(path, values=None)
    assert X.toarray().tolist() == Y.toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


EMPTY = {
    "null-items": pa.array([[], [], []], pa.list_(pa.null())),
    "large-null-items": pa.array([[], [], []], pa.large_list(pa.null())),
    "no-items": pa.array([[], [], []], pa.list_(pa.int64())),
    "no-names": pa.array([[], [], []], pa.list_(pa.string())),
}


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
@pytest.mark.parametrize("case", EMPTY)
def test_lists_without_items(tmp_path, case, suffix):
    columns = {"features": [[0], [1], [2]], "values": [[1.0], [2.0], [3.0]], "labels": EMPTY[case]}
    path = tmp_path / f"a.{suffix}"
    pq.write_table(pa.table(columns), path) if suffix == "parquet" else write(path, columns)
    names = {"label_names": ["a", "b"]} if case == "no-names" else {}
    X, Y = data.load(path, **names)
    assert X.shape == (3, 3) and Y.shape == (3, 2 if names else 0) and Y.nnz == 0
    if not names:
        assert data.load(path, n_labels=7)[1].shape == (3, 7)
    names = {"feature_names": []} if names else {}
    X, Y = data.load(path, features="labels", labels="features", values=None, **names)
    assert X.nnz == 0 and Y.shape == (3, 3)


def test_columns_that_are_null_everywhere(tmp_path):
    path = write(tmp_path / "a.arrow", {"features": [[0]], "labels": pa.nulls(1)})
    with pytest.raises(DataFileError, match="row 0: column 'labels' is null"):
        data.load(path, values=None)
    with pytest.warns(RepairWarning, match="lists that are null"):
        assert data.load(path, values=None, lenient=True)[1].shape == (1, 0)


@pytest.mark.parametrize("values", [[[True], [False, True]], [[1], [0, 1]]], ids=["truth-values", "integers"])
def test_values_of_other_types(tmp_path, values):
    path = write(tmp_path / "a.arrow", {"features": [[0], [0, 1]], "labels": [[0], []], "values": values})
    assert data.load(path)[0].toarray().tolist() == [[1, 0], [0, 1]]


def test_one_label_in_each_row(tmp_path):
    path = write(tmp_path / "a.arrow", {"features": [[0], [1]], "labels": [3, 1], "tag": ["x;y", "z"]})
    assert data.load(path, values=None)[1].indices.tolist() == [3, 1]
    named = data.load_named(path, values=None, labels="tag")
    assert named.label_names.tolist() == ["x;y", "z"] and named.feature_names is None
    named = data.load_named(path, values=None, labels="tag", separator=";")
    assert named.label_names.tolist() == ["x", "y", "z"]
    assert named.Y.toarray().tolist() == [[1, 1, 0], [0, 0, 1]]


PLANTS = "height,width,flowers,tags,note\n1.5,2,true,rose;tree,x\n0,-1e-3,false,,y\n3,0,1,tree,z\n"
X_PLANTS, Y_PLANTS = [[1.5, 2], [0, np.float32(-1e-3)], [3, 0]], [[1, 1], [0, 0], [0, 1]]
TAGS = {"labels": "tags", "separator": ";"}


@pytest.fixture
def plants(tmp_path):
    path = tmp_path / "plants.csv"
    path.write_text(PLANTS)
    return path


def test_a_feature_for_each_column(plants):
    columns = ["height", "width"]
    X, Y = data.load(plants, features=columns, label_names=["rose", "tree"], **TAGS)
    assert X.toarray().tolist() == X_PLANTS and Y.toarray().tolist() == Y_PLANTS
    named = data.load_named(plants, features=columns, **TAGS)
    assert named.feature_names.tolist() == columns and named.label_names.tolist() == ["rose", "tree"]
    assert (named.X != X).nnz == 0 and (named.Y != Y).nnz == 0


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_columns_of_numbers_in_other_tables(tmp_path, suffix):
    columns = {"a": pa.array([1, 0], pa.int8()), "b": pa.array([0.5, 2], pa.float16()), "c": [True, False]}
    path = tmp_path / f"a.{suffix}"
    table = columns | {"labels": [[0], [1]]}
    pq.write_table(pa.table(table), path) if suffix == "parquet" else write(path, table)
    X, Y = data.load(path, features="*")
    assert X.toarray().tolist() == [[1, 0.5, 1], [0, 2, 0]] and Y.shape == (2, 2)


@pytest.mark.parametrize(
    ("name", "delimiter", "options"),
    [
        ("a.tsv", "\t", {}),
        ("a.tsv.gz", "\t", {}),
        ("a.csv.gz", ",", {}),
        ("a.csv", ";", {"delimiter": ";", "separator": "|"}),
    ],
)
def test_delimiters(tmp_path, name, delimiter, options):
    text = PLANTS.replace(";", "|") if delimiter == ";" else PLANTS
    raw = text.replace(",", delimiter).encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    X, Y = data.load(
        tmp_path / name, features=["height", "width"], label_names=["rose", "tree"], **(TAGS | options)
    )
    assert X.toarray().tolist() == X_PLANTS and Y.toarray().tolist() == Y_PLANTS


def test_quotes_and_lists_in_csv(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('labels,features,values\n"a,b|""c""\n",0|2,0.5|1e3\nNA,,\n')
    named = data.load_named(path, separator="|")
    assert named.label_names.tolist() == ["a,b", '"c"', "NA"]
    assert named.feature_names.tolist() == ["0", "2"]
    X, _ = data.load(path, separator="|", label_names=named.label_names)
    assert X.toarray().tolist() == [[0.5, 0, 1000], [0, 0, 0]]


def test_a_csv_file_without_rows(tmp_path):
    (tmp_path / "a.csv").write_text("labels,features\n")
    X, Y = data.load(tmp_path / "a.csv", values=None, n_features=4)
    assert X.shape == (0, 4) and Y.shape == (0, 0)


def test_missing_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,labels\n1,0\n,1\nNA,1\n")
    with pytest.raises(DataFileError, match=r"row 1: column 'a' has no number. Remedy: fill in"):
        data.load(path, features=["a"])
    with pytest.warns(RepairWarning, match=r"missing numbers \(taken as 0\) in 2 rows, first row 1"):
        X, _ = data.load(path, features=["a"], lenient=True)
    assert X.toarray().tolist() == [[1], [0], [0]]


REFUSED = {
    "no-column": (PLANTS, {}, r"no column 'features'; there are: height, .*features='\*': each other column"),
    "two-columns": ("a,a,labels\n1,2,0\n", {"features": ["a"]}, "two columns 'a'"),
    "text-as-features": (PLANTS, {"features": ["note"], "labels": "tags"}, "invalid value 'x'.*only numbers"),
    "ragged": ("a,labels\n1\n", {"features": ["a"]}, "Expected 2 columns, got 1"),
    "names-without-list": (
        PLANTS,
        {"features": ["width"], "labels": "tags"},
        r"'rose;tree' in column 'tags' is no label id. .*label_names; table_names\(path, 'tags'\).*separator",
    ),
    "nan": ("a,labels\ninf,0\n", {"features": ["a"]}, "row 0: a feature value is NaN, infinite"),
    "empty": ("", {}, "the file is empty"),
    "bytes": (b"a,labels\n1,\xff\n", {"features": ["a"]}, "invalid UTF8"),
    "quote": ('"a,labels\n1,2\n', {"features": ["a"]}, "line 1: .*name the columns in the first line"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path, case):
    text, options, message = REFUSED[case]
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataFileError, match=message) as error:
        data.load(path, **options)
    assert "Remedy: " in str(error.value)


def test_text_as_features_in_parquet_says_that_it_comes_later(tmp_path):
    pq.write_table(pa.table({"title": ["a b"], "labels": [[0]]}), tmp_path / "a.parquet")
    with pytest.raises(DataFileError, match=r"'title' holds string.*read texts with load_texts"):
        data.load(tmp_path / "a.parquet", features=["title"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": []}, r"features is \[\]"),
        ({"labels": 3}, "labels is 3. Give the name of a column"),
        ({"separator": ""}, "separator is ''. Give the text"),
        ({"delimiter": "ab"}, "delimiter is 'ab'. Give one character"),
        ({"features": ["width"], "n_features": 3}, "Leave out feature_names and n_features"),
    ],
)
def test_arguments(plants, options, message):
    with pytest.raises(InputError, match=message):
        data.load(plants, **({"labels": "tags", "features": ["width"]} | options))


def test_names_are_collected_over_batches(tmp_path, monkeypatch):
    """More rows than a batch of a Parquet file has."""
    from hashslide.data.tables import parquet

    monkeypatch.setattr(parquet, "_ROWS_PER_BATCH", 7)
    rows = [[f"n{i % 13}", f"m{i % 5}"] for i in range(50)]
    pq.write_table(pa.table({"features": rows, "labels": rows}), tmp_path / "a.parquet")
    named = data.load_named(tmp_path / "a.parquet", values=None)
    assert sorted(named.label_names) == data.table_names(tmp_path / "a.parquet", "labels").tolist()
    found = [sorted(named.label_names[named.Y[i].indices]) for i in range(50)]
    assert found == [sorted(row) for row in rows]
