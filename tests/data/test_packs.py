"""Packs hold what their sources hold, in a random order and in bounded memory; what is damaged is refused."""

import io
import itertools
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from scipy import sparse

from hashslide import SlideClassifier, data, model_file
from hashslide.data import Pack
from hashslide.data.formats import read_blocks
from hashslide.data.pack.order import PackedExamples
from hashslide.errors import DataFileError, InputError

N, D, L = 3000, 200, 50


@pytest.fixture(scope="module")
def examples():
    rng = np.random.default_rng(0)
    X = sparse.random(
        N, D - 1, 0.05, "csr", np.float32, random_state=0, data_rvs=lambda n: rng.integers(1, 99, n)
    )
    Y = sparse.random(N, L, 0.04, "csr", np.float32, random_state=1, data_rvs=np.ones)
    numbers = sparse.csr_matrix(np.arange(1, N + 1, dtype=np.float32)[:, None])
    return sparse.hstack([X, numbers], "csr"), Y


def in_order(pack):
    """X and Y of a pack in the order of their source, by the numbers of the rows."""
    x, y = pack.x.to_scipy(), pack.y.to_scipy()
    order = np.argsort(np.asarray(x[:, D - 1].todense()).ravel(), kind="stable")
    return x[order], y[order]


def assert_same(pack, examples):
    for found, expected in zip(in_order(pack), examples, strict=True):
        assert found.shape == expected.shape and abs(found - expected).nnz == 0
    assert pack.label_counts.tolist() == np.asarray(examples[1].sum(axis=0)).ravel().tolist()
    assert np.isclose(pack.sum_of_squares, (examples[0].data.astype(float) ** 2).sum())
    pack.verify()


@pytest.fixture(params=["txt", "svm.gz", "npz", "parquet", "arrow"])
def source(request, examples, tmp_path):
    path = tmp_path / f"examples.{request.param}"
    data.save(path, *examples)
    return path, {"n_features": D, "n_labels": L} if "svm" in request.param else {}


@pytest.mark.parametrize("memory", ["2GB", "1MB"])
def test_a_pack_holds_what_a_file_holds(source, examples, tmp_path, memory):
    path, options = source
    pack = Pack.build(path, tmp_path / "a.pack", memory, **options)
    assert_same(pack, examples)
    numbers = pack.x.to_scipy()[:, D - 1].toarray().ravel()
    assert abs(np.corrcoef(numbers, np.arange(N))[0, 1]) < 0.1
    again = Pack.build(path, tmp_path / "b.pack", memory, **options)
    assert again.key == pack.key and (tmp_path / "a.pack").read_bytes() == (tmp_path / "b.pack").read_bytes()
    assert sorted(os.listdir(tmp_path)) == sorted(["a.pack", "b.pack", path.name])


def test_blocks_of_a_file_are_those_of_the_whole(source, examples, monkeypatch):
    path, options = source
    monkeypatch.setattr("hashslide.data.tables.parquet._ROWS_READ", 100)
    monkeypatch.setattr("hashslide.data.sources._PIECE", 10_000)
    blocks = list(read_blocks(path, 2000, **options))
    assert len(blocks) > 5
    assert blocks[-1].X.shape[1] == D and blocks[-1].Y.shape[1] == L
    wide = [(sparse.csr_matrix((b.X.data, b.X.indices, b.X.indptr), (b.X.shape[0], D)), b.Y) for b in blocks]
    assert abs(sparse.vstack([x for x, _ in wide]) - examples[0]).nnz == 0
    assert sum(y.nnz for _, y in wide) == examples[1].nnz


def test_a_fault_far_inside_is_named_by_its_row(tmp_path):
    path = tmp_path / "rows.npz"
    X = sparse.csr_matrix((np.ones(900, np.float32), np.zeros(900), np.arange(901)), shape=(900, 2))
    X.data[700] = np.nan
    ones = sparse.csr_matrix(np.ones((900, 1), np.float32))
    sparse.save_npz(path, X)
    sparse.save_npz(tmp_path / "y.npz", ones)
    with pytest.raises(DataFileError, match="row 700: a feature value is NaN"):
        list(read_blocks(path, 100, labels_file=tmp_path / "y.npz"))


def test_matrices_in_two_files_stay_together(tmp_path, examples):
    path = tmp_path / "trn_X_Xf.txt"
    data.save_xmc(path, *examples)
    assert (tmp_path / "trn_X_Y.txt").exists()
    assert_same(Pack.build(path, tmp_path / "a.pack", "1MB"), examples)


def test_names_mean_the_same_in_every_file(tmp_path):
    rows = [(["a", "b"], ["x"]), (["c", "a"], ["y", "x"]), (["d"], ["z"]), (["b", "d"], ["y"])]
    for i in range(2):
        features, labels = zip(*rows[2 * i : 2 * i + 2], strict=True)
        table = pa.table({"features": list(features), "labels": list(labels)})
        pyarrow.parquet.write_table(table, tmp_path / f"{i}.parquet")
    paths = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
    pack = Pack.build(paths, tmp_path / "a.pack", values=None)
    found = {
        (frozenset(pack.feature_names[x.indices]), frozenset(pack.label_names[y.indices]))
        for x, y in zip(pack.x.to_scipy(), pack.y.to_scipy(), strict=True)
    }
    assert found == {(frozenset(f), frozenset(w)) for f, w in rows}
    data.save(tmp_path / "ids.parquet", np.eye(2), np.eye(2))
    with pytest.raises(InputError, match=r"ids\.parquet has ids of features, but what came before has names"):
        Pack.build([paths[0], tmp_path / "ids.parquet"], tmp_path / "b.pack", values=None)
    assert not (tmp_path / "b.pack").exists()


def test_rows_and_blocks_from_python(tmp_path, examples):
    rows = [({"red": 2.0, "hot": 1.0}, ["pepper"]), (["red"], ["pepper", "apple"]), ({"sour": 3}, [])]
    pack = Pack.build(iter(rows), tmp_path / "rows.pack")
    assert pack.feature_names.tolist() == ["red", "hot", "sour"] and pack.n_labels == 2
    assert sorted(pack.x.to_scipy().sum(axis=1).ravel().tolist()[0]) == [1, 3, 3]
    by_id = Pack.build((({3: 1.5}, [2]) for _ in range(10)), tmp_path / "ids.pack")
    assert (by_id.n_features, by_id.n_labels, by_id.label_names) == (4, 3, None)
    X, Y = examples
    cut = ((X[i : i + 700], Y[i : i + 700]) for i in range(0, N, 700))
    assert_same(Pack.build(cut, tmp_path / "blocks.pack", "1MB"), examples)
    classes = Pack.build([(np.eye(2), ["a", "b"]), (np.eye(2), ["b", "c"])], tmp_path / "classes.pack")
    assert classes.label_names.tolist() == ["a", "b", "c"] and not classes.multilabel
    assert SlideClassifier(4, epochs=1).fit(classes).predict(np.eye(2)).shape == (2,)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([({"a": 1}, ["x"]), ({1: 1}, ["x"])], "item 1 of sources has ids of features, but what came before"),
        ([({"a": float("nan")}, ["x"])], "item 0 of sources has a value that is NaN"),
        ([({"a": "b"}, ["x"])], "values that are no numbers"),
        ([(["a", "a"], ["x"])], "has a feature twice"),
        ([({-1: 1.0}, [0])], "has the feature -1; accepted are names"),
        ([(["a"], ["x"], 1)], "item 0 of sources is no pair"),
        ([("text", ["x"])], "has features of the type str"),
        ([], "the sources hold no example"),
        (3, "sources is a int"),
    ],
)
def test_what_is_no_example_is_refused(tmp_path, sources, message):
    with pytest.raises(InputError, match=message):
        Pack.build(sources, tmp_path / "a.pack")
    assert os.listdir(tmp_path) == []


def test_an_iterator_that_fails_leaves_nothing(tmp_path, examples):
    def failing():
        for i in itertools.count():
            if i == 30:
                raise ZeroDivisionError
            yield examples

    with pytest.raises(ZeroDivisionError):
        Pack.build(failing(), tmp_path / "a.pack", "1MB")
    assert os.listdir(tmp_path) == []


@pytest.fixture
def pack(tmp_path, examples):
    return Pack.build([examples], tmp_path / "a.pack", window="1MB")


def test_what_is_damaged_is_refused(pack, tmp_path):
    whole = pack.path.read_bytes()
    pack.path.write_bytes(whole[:-10])
    with pytest.raises(DataFileError, match=r"not a usable pack.*truncated.*pack the data again"):
        Pack.open(pack.path)
    damaged = bytearray(whole)
    damaged[-50] ^= 1
    pack.path.write_bytes(damaged)
    with pytest.raises(DataFileError, match=r"has the checksum .*pack the data again"):
        SlideClassifier(4).fit(Pack.open(pack.path))
    model_file.save_model(tmp_path / "other", {}, {"kind": "SlideClassifier"})
    with pytest.raises(DataFileError, match="it holds a SlideClassifier, not a pack"):
        Pack.open(tmp_path / "other")
    with pytest.raises(DataFileError, match="cannot read"):
        Pack.open(tmp_path / "missing")


def test_headers_that_lie_are_refused(pack, tmp_path):
    arrays, facts = model_file.load_model(pack.path)
    for change, message in (
        ({"pack_version": 2}, "pack version is 2"),
        ({"n_rows": N + 1}, "do not fit its 3,001 examples"),
        ({"n_labels": -1}, "gives n_labels as -1"),
        ({"n_labels": L + 1}, "it counts 50 labels of 51"),
        ({"origins": [{"path": 1}]}, "header is not that of a pack"),
    ):
        model_file.save_model(tmp_path / "b", arrays, facts | change)
        with pytest.raises(DataFileError, match=message):
            Pack.open(tmp_path / "b")
    del arrays["x.values"]
    model_file.save_model(tmp_path / "b", arrays, facts)
    with pytest.raises(DataFileError, match=r"lacks the array 'x\.values'"):
        Pack.open(tmp_path / "b")


def test_a_source_that_has_changed_is_told(tmp_path, examples, recwarn):
    path = tmp_path / "a.svm"
    data.save(path, *examples)
    Pack.build(path, tmp_path / "a.pack")
    os.utime(path)  # the same content
    Pack.open(tmp_path / "a.pack")
    assert not recwarn.list
    data.save(path, examples[0][:-1], examples[1][:-1])
    with pytest.warns(UserWarning, match=r"was made from .*a\.svm, which has changed since"):
        Pack.open(tmp_path / "a.pack")


def test_an_epoch_has_every_example_once_in_an_order_of_its_own(pack, monkeypatch):
    monkeypatch.setattr(Pack, "block_rows", 64)
    part = PackedExamples(pack, N - 100)
    monkeypatch.setattr("hashslide.data.pack.order.BLOCK_BYTES", 200_000)  # 5 blocks in a window

    def rows(epoch, first=0):
        return [batch.rows.tolist() for batch in part.batches(epoch, 32, 1, first)]

    whole = rows(0)
    assert sorted(itertools.chain(*whole)) == list(range(N - 100)) and len(whole) == part.n_batches(32)
    assert whole != rows(1) and whole == rows(0)
    for first in (1, 7, 40, len(whole) - 1, len(whole)):
        assert rows(0, first) == whole[first:]
    kept, held_out = part.held_out(50, 0)
    assert kept.n_rows == N - 150 and held_out.x.n_rows == held_out.y.n_rows == 50
    counts = np.asarray(pack.y.to_scipy()[: N - 150].sum(axis=0)).ravel()
    assert kept.label_counts().tolist() == counts.tolist()


def test_what_a_fit_cannot_do_with_a_pack_is_said(pack, examples):
    for settings, arguments, message in (
        ({"both_ways": True}, {}, "both_ways=True needs X and y in memory"),
        ({}, {"y": examples[1]}, "y is given beside a pack"),
        ({}, {"sample_weight": np.ones(N)}, "sample_weight is given beside a pack"),
        ({}, {"classes": ["a"]}, "classes holds 1 names, but the pack has 50 labels"),
    ):
        with pytest.raises(InputError, match=message):
            SlideClassifier(4, epochs=1, **settings).fit(pack, **arguments)


def test_stages_learn_from_what_fits_the_window(pack):
    model = SlideClassifier(4, epochs=1, ranker=True, approximate=True, random_state=0)
    assert "learned from" not in str(model.fit(pack).settings_["ranker"])
    pack.window_bytes = 256 * 500
    part = "(learned from 500 of 3,000 examples, which fit the window of the pack)"
    assert str(model.fit(pack).settings_["ranker"]).endswith(f"because it was given {part}")
    unsure = SlideClassifier(4, epochs=1, random_state=0).fit(pack).settings_["ranker"]
    assert str(unsure) == f"False, because 500 examples are too few to measure what it gains {part}"
    stopped = SlideClassifier(4, epochs=2, early_stopping=True, random_state=0).fit(pack)
    assert "val_nDCG@5" in stopped.history_[0]


def test_a_stream_is_trained_on_block_by_block(pack, examples):
    stream, calls = SlideClassifier(4, random_state=0), SlideClassifier(4, random_state=0)
    stream.partial_fit(pack.blocks(1000))
    for X, y in pack.blocks(1000):
        calls.partial_fit(X, y)
    assert stream.n_iter_ == 3
    np.testing.assert_array_equal(*(m.decision_function(examples[0][:9]) for m in (stream, calls)))
    with pytest.raises(InputError, match="block 0 of the stream is a int"):
        stream.partial_fit(iter([3]))


def test_label_sorted_data_are_learned_as_well(pubmed_small, tmp_path):
    d = pubmed_small
    order = np.argsort([row.indices.min(initial=10**9) for row in d.Y_train], kind="stable")
    pack = Pack.build([(d.X_train[order], d.Y_train[order])], tmp_path / "a.pack", "1MB", window="1MB")
    scores = []
    for arguments in ((d.X_train, d.Y_train), (pack,)):
        models = [SlideClassifier(32, random_state=s, n_jobs=1).fit(*arguments) for s in range(3)]
        scores.append(np.mean([model.score(d.X_test, d.Y_test) for model in models]))
    assert abs(scores[0] - scores[1]) < 0.02


MEMORY = """
import sys, numpy as np
from pathlib import Path
from hashslide import SlideClassifier
from hashslide.csr import Csr
from hashslide.data import Pack
def anonymous():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("RssAnon")) * 1024
def blocks():
    global peak
    for k in range(80):
        peak = max(peak, anonymous())
        ids = np.sort(np.random.default_rng(k).integers(0, 1000, (10_000, 8)) + np.arange(8) * 1000, axis=1)
        x = Csr(np.arange(0, 80_001, 8), ids.astype(np.int32).ravel(), np.ones(80_000, np.float32), 8000)
        yield x, Csr(np.arange(10_001), (ids[:, 0] % 500).astype(np.int32), None, 500)
path, peak = sys.argv[1], 0
class Watch:
    def setup(self, *_): pass
    on_epoch_begin = on_epoch_end = teardown = setup
    def on_batch_end(self, *_):
        global peak
        peak = max(peak, anonymous())
settings = {"batch_size": 4000, "ranker": False, "n_jobs": 1, "random_state": 0}
small = SlideClassifier(8, epochs=1, callbacks=[Watch()], **settings)
small.fit(Pack.build(list(blocks())[:2], path + ".small", "4MB", window="4MB"))
before, peak = anonymous(), 0
pack = Pack.build(blocks(), path, "4MB", window="4MB")
print(max(peak, anonymous()) - before)
peak = 0
small.fit(pack)
print(max(peak, anonymous()) - before, Path(path).stat().st_size)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_pack(tmp_path):
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "a.pack")]
    # Freed memory goes back to the system at once; malloc would keep up to a few windows, as chance has it.
    returning = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=returning)
    building, training, size = map(int, io.StringIO(done.stdout).read().split())
    assert size > 60e6 and building < 4e6 and training < 6e6
