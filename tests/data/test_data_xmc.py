"""The XMC text format: what is read, what is refused with which words, what is repaired, what is written."""

import gzip
import os

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix

from hashslide._core import XmcParser
from hashslide.data import RepairWarning, load_xmc, save_xmc
from hashslide.errors import DataFileError, InputError

GOOD = "4 6 5\n0,3 1:0.5 4:-2\n 0:1e-3\n2\n \n"


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes, name: str = "data.txt"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def assert_good(X, Y):
    expected_x = np.zeros((4, 6), np.float32)
    expected_x[0, 1], expected_x[0, 4], expected_x[1, 0] = 0.5, -2, 1e-3
    expected_y = np.zeros((4, 5), np.float32)
    expected_y[0, [0, 3]] = expected_y[2, 2] = 1
    np.testing.assert_array_equal(X.toarray(), expected_x)
    np.testing.assert_array_equal(Y.toarray(), expected_y)


def test_values_types_and_shapes(write):
    X, Y = load_xmc(write(GOOD))
    assert_good(X, Y)
    assert isinstance(X, csr_matrix) and isinstance(Y, csr_matrix)
    assert X.dtype == Y.dtype == np.float32
    assert X.indices.dtype == Y.indices.dtype == np.int32
    assert X.has_canonical_format and Y.has_canonical_format


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD + "\n\n\r\n",
        GOOD.replace(" 4:-2", "\t  4:-2 "),
        GOOD.replace("4 6 5", " 4\t6  5 "),
        GOOD.removesuffix("\n"),
        GOOD.replace("0.5", "5e-1").replace("-2", "-2.000"),
    ],
    ids=[
        "windows-line-ends",
        "blank-end",
        "tabs-and-spaces",
        "header-spaces",
        "no-last-line-feed",
        "numbers",
    ],
)
def test_harmless_variants_are_read(write, text):
    assert_good(*load_xmc(write(text)))


@pytest.mark.parametrize("name", ["data.txt.gz", "data.txt"])
def test_gzip_is_recognised_by_content(write, name):
    assert_good(*load_xmc(write(gzip.compress(GOOD.encode()), name)))


def test_gzip_with_several_members(write):
    half = len(GOOD) // 2
    parts = gzip.compress(GOOD[:half].encode()) + gzip.compress(GOOD[half:].encode())
    assert_good(*load_xmc(write(parts)))


@pytest.mark.parametrize("size", range(1, len(GOOD) + 1))
def test_result_does_not_depend_on_the_pieces(size):
    parser = XmcParser()
    for begin in range(0, len(GOOD), size):
        parser.feed(GOOD[begin : begin + size].encode())
    parser.finish()
    x_indptr, x_indices, x_data, y_indptr, y_indices = parser.take()
    assert x_indptr.tolist() == [0, 2, 3, 3, 3]
    assert x_indices.tolist() == [1, 4, 0]
    np.testing.assert_array_equal(x_data, np.array([0.5, -2, 1e-3], np.float32))
    assert y_indptr.tolist() == [0, 2, 2, 3, 3]
    assert y_indices.tolist() == [0, 3, 2]
    assert (x_indptr.dtype, x_indices.dtype, x_data.dtype) == (np.int64, np.int32, np.float32)


def test_arrays_outlive_the_parser():
    parser = XmcParser()
    parser.feed(b"1 2 1\n0 0:1 1:2\n")
    parser.finish()
    data = parser.take()[2]
    del parser
    data += 1
    assert data.tolist() == [2, 3]


def test_header_without_examples(write):
    X, Y = load_xmc(write("0 3 2\n"))
    assert X.shape == (0, 3) and Y.shape == (0, 2)


def test_stored_zeros_are_kept(write):
    X, _ = load_xmc(write("1 3 1\n0 0:0 2:1\n"))
    assert X.nnz == 2


@pytest.mark.parametrize("text", ["1e-40", "-3.4e38", "1e-60", "0.1", "123456789", "1e0", ".5", "5."])
def test_values_round_to_the_nearest_float32(write, text):
    X, _ = load_xmc(write(f"1 1 1\n0 0:{text}\n"))
    assert X.data[0] == np.float32(float(text))


# text, line that the message names, parts of the message; lenient does not help here
REFUSED = {
    "empty": ("", None, "the file is empty"),
    "header-missing": ("0,1 2:0.5\n", 1, "three counts, 'examples features labels', but is '0,1 2:0.5'"),
    "header-short": ("4 6\n", 1, "three counts"),
    "header-long": ("4 6 5 1\n", 1, "three counts"),
    "header-negative": ("4 -6 5\n", 1, "three counts"),
    "header-word": ("4 6 5x\n", 1, "three counts"),
    "header-never-ends": ("7" * 1000, 1, "three counts"),
    "header-huge": ("1 99999999999 1\n", 1, "gives 99999999999 as a number of ids; at most 2147483647"),
    "header-beyond-64-bit": ("99999999999999999999 1 1\n", 1, "three counts"),
    "other-format": ("PAR1 \x15\x04\n", 1, "but is 'PAR1 \\x15\\x04'"),
    "blank-line": ("2 6 5\n0 1:1\n\n1 1:1\n", 3, "the line is empty, but more follow"),
    "space-lost": ("1 6 5\n1:0.5 2:1\n", 2, "begins with the feature '1:0.5'. Remedy: begin the line"),
    "label-word": ("1 6 5\na,1 1:1\n", 2, "'a,1' is not a list of label ids"),
    "label-real": ("1 6 5\n1.5 1:1\n", 2, "'1.5' is not a list of label ids"),
    "label-comma": ("1 6 5\n1,,2 1:1\n", 2, "is not a list of label ids"),
    "label-comma-space": ("1 6 5\n1, 2 1:1\n", 2, "is not a list of label ids"),
    "label-value": ("1 6 5\n1,2:3 1:1\n", 2, "'2:3' is not a list of label ids"),
    "label-large": (
        "1 6 5\n5 1:1\n",
        2,
        "label id in '5' is out of range; accepted is 0 to 4. Remedy: the header",
    ),
    "label-without-labels": ("1 6 0\n0 1:1\n", 2, "label id in '0' is out of range; accepted is none"),
    "label-negative": ("1 6 5\n-1 1:1\n", 2, "accepted is 0 to 4"),
    "label-beyond-64-bit": ("1 6 5\n99999999999999999999 1:1\n", 2, "accepted is 0 to 4"),
    "feature-large": ("1 6 5\n0 6:1\n", 2, "feature id in '6:1' is out of range; accepted is 0 to 5"),
    "feature-negative": ("1 6 5\n0 -1:1\n", 2, "accepted is 0 to 5"),
    "feature-beyond-64-bit": ("1 6 5\n0 99999999999999999999:1\n", 2, "accepted is 0 to 5"),
    "feature-word": ("1 6 5\n0 x:1\n", 2, "'x:1' is not a feature 'id:value'"),
    "feature-bare": ("1 6 5\n0 1 2:1\n", 2, "'1' is not a feature"),
    "feature-space": ("1 6 5\n0 1 :2\n", 2, "is not a feature"),
    "value-word": ("1 6 5\n0 1:x\n", 2, "the value in '1:x' is not a number"),
    "value-sticks": ("1 6 5\n0 1:2,3:4\n", 2, "the value in '1:2,3:4' is not a number"),
    "value-comma": ("1 6 5\n0 1:0,5\n", 2, "is not a number"),
    "value-hex": ("1 6 5\n0 1:0x10\n", 2, "is not a number"),
    "value-nan": ("1 6 5\n0 1:nan\n", 2, "the value in '1:nan' is NaN, infinite or beyond"),
    "value-inf": ("1 6 5\n0 1:-inf\n", 2, "is NaN, infinite or beyond"),
    "value-beyond-float32": ("1 6 5\n0 1:1e39\n", 2, "is NaN, infinite or beyond the range of float32"),
    "value-beyond-double": ("1 6 5\n0 1:1e999\n", 2, "is NaN, infinite or beyond the range of float32"),
    "comment": ("1 6 5\n0 1:1 # no\n", 2, "'#' is not a feature"),
    "line-cut-in-id": (
        "1 6 5\n0 1:1 2\n",
        2,
        "the line breaks off after '2'. Remedy: check that the file was",
    ),
    "line-cut-at-colon": ("1 6 5\n0 1:\n", 2, "the line breaks off after '1:'"),
    "line-cut-in-labels": ("1 6 5\n0,\n", 2, "the line breaks off"),
    "file-cut-in-line": ("3 6 5\n0 1:1\n0 1:0.2", 3, "ends inside a line after 2 of the 3 rows"),
    "not-ascii": ("1 6 5\n0 ü:1\n", 2, "'ü:1' is not a feature"),
    "nul": ("1 6 5\n0 1:1\0\n", 2, "is not a number"),
}


@pytest.mark.parametrize("lenient", [False, True], ids=["strict", "lenient"])
@pytest.mark.parametrize("case", REFUSED)
def test_refused(write, case, lenient):
    text, line, expected = REFUSED[case]
    path = write(text)
    with pytest.raises(DataFileError) as error:
        load_xmc(path, lenient=lenient)
    message = str(error.value)
    assert message.startswith(f"{path}, line {line}: " if line else f"{path}: ")
    assert expected in message and "Remedy: " in message


# text, line of the strict error, strict message, lenient warning, repaired ids and values of X, ids of Y
REPAIRED = {
    "unsorted-labels": (
        "1 3 3\n2,0 1:1\n",
        2,
        "label id 0 follows a larger one",
        "labels out of order (sorted) in 1 line, first line 2",
        ([1], [1]),
        [0, 2],
    ),
    "repeated-label": (
        "1 3 3\n1,1,2 1:1\n",
        2,
        "label id 1 is repeated",
        "repeated labels (kept once) in 1 line, first line 2",
        ([1], [1]),
        [1, 2],
    ),
    "unsorted-features": (
        "1 3 3\n0 2:1 0:3\n",
        2,
        "feature id 0 follows a larger one",
        "features out of order (sorted) in 1 line, first line 2",
        ([0, 2], [3, 1]),
        [0],
    ),
    "repeated-feature": (
        "1 3 3\n0 1:1 1:0.5 2:4\n",
        2,
        "feature id 1 is repeated",
        "repeated features (values summed) in 1 line, first line 2",
        ([1, 2], [1.5, 4]),
        [0],
    ),
    "too-few-rows": (
        "7 3 3\n0 1:1\n",
        2,
        "the header promises 7 rows, but the file ends after 1",
        "a wrong number of rows in the header (number taken from the rows) in 1 line, first line 1",
        ([1], [1]),
        [0],
    ),
    "too-many-rows": (
        "0 3 3\n0 1:1\n",
        2,
        "the header promises 0 rows, but more follow",
        "a wrong number of rows in the header",
        ([1], [1]),
        [0],
    ),
}


@pytest.mark.parametrize("case", REPAIRED)
def test_strict_refuses_what_lenient_repairs(write, case):
    text, line, refusal, warning, (features, values), labels = REPAIRED[case]
    path = write(text)
    with pytest.raises(DataFileError) as error:
        load_xmc(path)
    assert str(error.value).startswith(f"{path}, line {line}: {refusal}. Remedy: ")
    assert "read the file with lenient=True" in str(error.value)
    with pytest.warns(RepairWarning) as warned:
        X, Y = load_xmc(path, lenient=True)
    assert len(warned) == 1 and warning in str(warned[0].message)
    assert warned[0].filename == __file__
    assert X.shape == (1, 3) and Y.shape == (1, 3)
    assert X.indices.tolist() == features and X.data.tolist() == values
    assert Y.indices.tolist() == labels and Y.data.tolist() == [1] * len(labels)


def test_repairs_of_a_file_are_reported_together(write):
    path = write("3 4 4\n1,0 3:1 0:1\n2,1,2 3:1 0:1 3:1\n0 1:1\n")
    with pytest.warns(RepairWarning) as warned:
        X, Y = load_xmc(path, lenient=True)
    assert str(warned[0].message) == (
        f"{path}: repaired labels out of order (sorted) in 2 lines, first line 2; "
        "repeated labels (kept once) in 1 line, first line 3; "
        "features out of order (sorted) in 2 lines, first line 2; "
        "repeated features (values summed) in 1 line, first line 3."
    )
    assert X.toarray().tolist() == [[1, 0, 0, 1], [1, 0, 0, 2], [0, 1, 0, 0]]
    assert Y.toarray().tolist() == [[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0]]


def test_lenient_says_nothing_about_a_clean_file(write):
    assert_good(*load_xmc(write(GOOD), lenient=True))


def test_lenient_refuses_a_sum_beyond_float32(write):
    with pytest.raises(DataFileError, match="line 2: values of a repeated feature add up to more"):
        load_xmc(write("1 2 1\n0 1:3e38 1:3e38\n"), lenient=True)


def test_truncated_gzip(write):
    body = "".join(f"0 {i % 7}:0.{i}\n" for i in range(20000))
    whole = gzip.compress(f"20000 7 1\n{body}".encode())
    with pytest.raises(DataFileError, match=r"damaged or cut off \(.*Remedy: download"):
        load_xmc(write(whole[: len(whole) // 2]))


def test_damaged_gzip(write):
    whole = bytearray(gzip.compress(GOOD.encode()))
    whole[-6] ^= 0xFF  # in the checksum
    with pytest.raises(DataFileError, match="damaged or cut off"):
        load_xmc(write(bytes(whole)))


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_xmc(tmp_path / "none.txt")


@pytest.mark.parametrize("name", ["copy.txt", "copy.txt.gz"])
def test_round_trip_of_real_data(tmp_path, pubmed_small, name):
    path = tmp_path / name
    save_xmc(path, pubmed_small.X_train, pubmed_small.Y_train)
    X, Y = load_xmc(path)
    for got, expected in ((X, pubmed_small.X_train), (Y, pubmed_small.Y_train)):
        assert got.shape == expected.shape
        np.testing.assert_array_equal(got.indptr, expected.indptr)
        np.testing.assert_array_equal(got.indices, expected.indices)
        np.testing.assert_array_equal(got.data, expected.data)
    assert os.listdir(tmp_path) == [name]


def test_written_text(tmp_path):
    X = csr_matrix(np.array([[0, 0.5], [3, 0], [0, 0], [0, 0]]))
    Y = csr_array(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    save_xmc(tmp_path / "a.txt", X, Y)
    assert (tmp_path / "a.txt").read_bytes() == b"4 2 3\n0,2 1:0.5\n 0:3\n1\n \n"


def test_every_float32_is_written_so_that_it_reads_back_equal(tmp_path):
    bits = np.random.default_rng(0).integers(0, 2**32, 20000, dtype=np.uint32)
    values = bits.view(np.float32)
    values = np.concatenate([values[np.isfinite(values)], np.float32([0, -0.0, 1e-45, 3.4028235e38])])
    X = csr_matrix((values, np.zeros(len(values), int), np.arange(len(values) + 1)), shape=(len(values), 1))
    save_xmc(tmp_path / "a.txt", X, csr_matrix((len(values), 1)))
    np.testing.assert_array_equal(
        load_xmc(tmp_path / "a.txt")[0].data.view(np.uint32), values.view(np.uint32)
    )


def test_saving_sorts_and_drops_zero_labels_without_touching_the_arguments(tmp_path):
    X = csr_matrix((np.float32([1, 2, 4]), [1, 0, 1], [0, 3]), shape=(1, 2))
    Y = csr_matrix((np.float32([1, 0]), [1, 0], [0, 2]), shape=(1, 2))
    save_xmc(tmp_path / "a.txt", X, Y)
    assert (tmp_path / "a.txt").read_text() == "1 2 2\n1 0:2 1:5\n"
    assert X.indices.tolist() == [1, 0, 1] and Y.indices.tolist() == [1, 0] and Y.data.tolist() == [1, 0]


BAD_PAIRS = {
    "rows": (np.ones((2, 2)), np.ones((3, 2)), "X has 2 rows and Y has 3"),
    "nan": (
        np.array([[1, 0], [np.nan, 1]]),
        np.ones((2, 2)),
        "X contains NaN at row 1, column 0",
    ),
    "large": (np.array([[1e39]]), np.ones((1, 1)), "X contains 1e.39, a value too large for dtype.'float32'"),
    "vector": (np.ones(3), np.ones((3, 1)), "X is ndarray, not a two-dimensional matrix"),
    "list": (np.ones((1, 1)), [[1]], "Y is list, not a two-dimensional matrix"),
    "wide": (csr_matrix((1, 2**31)), np.ones((1, 1)), "X has 2147483648 columns; at most 2147483647"),
}


@pytest.mark.parametrize("case", BAD_PAIRS)
def test_saving_refuses_bad_matrices_and_leaves_the_old_file(tmp_path, case):
    X, Y, message = BAD_PAIRS[case]
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(InputError, match=message):
        save_xmc(path, X, Y)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_a_failure_while_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        save_xmc(path, np.ones((1, 1)), np.ones((1, 1)))
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]
