"""What the comparison with other libraries does itself: tasks, parts, baselines, exclusion."""

import gzip
import sys
from importlib import import_module

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks.common.matrices import load_matrices, load_xmc, text_path
from benchmarks.rivals import table
from benchmarks.rivals.methods import METHODS, Options, Traits, load_method, predict_allowed, without_input
from benchmarks.sets import halves

OPTIONS = Options(exclude_input=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of a small labelled set; some examples have one label or none."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for part, n in (("train", 200), ("test", 40)):
        with gzip.open(folder / f"{part}.txt.gz", "wt") as file:
            file.write(f"{n} 30 20\n")
            for _ in range(n):
                labels = np.unique(rng.integers(20, size=rng.integers(6)))
                features = np.unique(rng.integers(30, size=4))
                file.write(",".join(map(str, labels)) + " " + " ".join(f"{i}:0.5" for i in features) + "\n")
    return folder


@pytest.fixture(scope="module")
def task(data, tmp_path_factory):
    """The recommendation task of that set."""
    target = tmp_path_factory.mktemp("task")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["halves", str(data), str(target)])
        halves.main()
    return target


def test_halves_are_the_labels_of_their_example(data, task):
    X, Y = load_xmc(task / "train.txt.gz")
    _, labels = load_xmc(data / "train.txt.gz")
    several = labels[np.diff(labels.indptr) > 1]
    given = (X != 0).astype(np.float32)
    assert X.shape == Y.shape == several.shape
    assert ((given + Y) != several).nnz == 0
    assert given.multiply(Y).nnz == 0
    counts = np.diff(several.indptr)
    np.testing.assert_array_equal(np.diff(X.indptr), counts // 2)
    np.testing.assert_allclose(np.sqrt(X.multiply(X).sum(axis=1)).A1, 1, atol=1e-3)


def test_the_split_is_the_same_everywhere():
    assert halves.halved("train0", range(6)) == ([0, 2, 5], [1, 3, 4])
    assert halves.halved("train0", [5, 4, 3, 2, 1, 0]) == halves.halved("train0", range(6))
    assert halves.halved("test0", range(6)) != halves.halved("train0", range(6))


@pytest.fixture(scope="module")
def items(task):
    """What was given and wanted in training, and what is given in the test."""
    return load_xmc(task / "train.txt.gz"), load_xmc(task / "test.txt.gz")[0]


def test_without_input_keeps_the_first_that_are_not_given():
    X = csr_matrix(np.array([[1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 0, 1]]))
    topk = np.array([[0, 4, 2, 1, 3], [3, 1, 0, 2, 4], [0, 1, 2, 4, -1]])
    np.testing.assert_array_equal(without_input(topk, X, 2), [[4, 1], [3, 1], [-1, -1]])


@pytest.mark.parametrize("name", ["hashslide", "ease", "item-knn"])
def test_methods_predict_no_given_item(items, name):
    train, X = items
    method = load_method(name)
    topk = predict_allowed(method, method.fit(train, OPTIONS), X, 5, OPTIONS)
    assert topk.shape == (X.shape[0], 5)
    assert not [row for row, labels in enumerate(topk) if np.isin(X[row].indices, labels).any()]


def test_others_predict_no_given_item_either(items):
    train, X = items
    method = load_method("ease")
    model = method.fit(train, OPTIONS)
    plain = type("Plain", (), {"EXCLUDES_INPUT": False, "predict_topk": staticmethod(every_item)})
    topk = predict_allowed(plain, model, X, 5, OPTIONS)
    assert not [row for row, labels in enumerate(topk) if np.isin(X[row].indices, labels).any()]
    assert (predict_allowed(plain, model, X, 5, Options()) == np.arange(5)).all()


def every_item(model, X, k, options):
    """Predict the first `k` items for every row."""
    return np.tile(np.arange(k), (X.shape[0], 1))


def dense_interactions(train):
    X, Y = train
    return ((X != 0) + (Y != 0)).toarray().astype(float)


def test_ease_solves_the_regressions(items):
    train, _ = items
    ease = load_method("ease")
    B = dense_interactions(train)
    model = ease.fit(train, OPTIONS)
    np.testing.assert_array_equal(model.items, np.flatnonzero(B.any(axis=0)))
    B = B[:, model.items]
    for j in range(B.shape[1]):
        others = np.delete(np.arange(B.shape[1]), j)
        gram = B[:, others].T @ B[:, others] + ease.PENALTY * np.eye(len(others))
        weights = np.linalg.solve(gram, B[:, others].T @ B[:, j])
        np.testing.assert_allclose(model.matrix[others, j], weights, atol=1e-4)
    assert not np.diag(model.matrix).any()


def test_item_knn_keeps_the_nearest_by_cosine(items, monkeypatch):
    train, _ = items
    knn = load_method("item-knn")
    B = dense_interactions(train)
    lengths = np.linalg.norm(B, axis=0)
    cosine = B.T @ B / np.outer(lengths, lengths)
    np.fill_diagonal(cosine, 0)
    np.testing.assert_allclose(knn.fit(train, OPTIONS).toarray(), cosine, atol=1e-6)
    monkeypatch.setattr(knn, "NEIGHBOURS", 3)
    monkeypatch.setattr(knn, "ITEMS", 7)
    kept = knn.fit(train, OPTIONS).toarray()
    assert ((kept > 0).sum(axis=1) <= 3).all()
    np.testing.assert_allclose(kept.sum(axis=1), np.sort(cosine, axis=1)[:, -3:].sum(axis=1), atol=1e-6)


def test_methods_are_left_out_where_they_make_no_sense(items):
    (X, Y), _ = items
    traits = Traits.of(X, Y)
    assert traits.are_items
    assert traits.n_seen == len(np.union1d(X.indices, Y.indices))
    assert not METHODS["ease"].reason_against(traits)
    assert "20,001" in METHODS["ease"].reason_against(Traits(True, 20_001))
    assert METHODS["als"].reason_against(Traits(False, 5))
    assert not METHODS["pecos"].reason_against(Traits(False, 10**7))


@pytest.mark.parametrize("rows", [None, 50])
def test_a_validation_part_comes_from_the_training_rows(data, tmp_path, rows):
    prepare = import_module("benchmarks.rivals.__main__").prepare
    prepare(data, tmp_path / "v", rows, validation=True)
    X, Y = load_xmc(data / "train.txt.gz")
    parts = {split: load_matrices(tmp_path / "v", split) for split in ("train", "test")}
    assert parts["test"][0].shape[0] == 20
    assert parts["train"][0].shape[0] == (rows or 180)
    row_ids = {as_bytes(X[i], Y[i]): i for i in range(X.shape[0])}
    train, test = (
        {row_ids[as_bytes(x, y)] for x, y in zip(*parts[split], strict=True)} for split in ("train", "test")
    )
    assert not train & test
    text = load_xmc(text_path(tmp_path / "v"))
    assert all((a != b).nnz == 0 for a, b in zip(text, parts["train"], strict=True))


def as_bytes(*rows):
    """Return what identifies an example."""
    return b"|".join(row.indices.tobytes() for row in rows)


def test_the_test_part_is_the_file_otherwise(data, tmp_path):
    prepare = import_module("benchmarks.rivals.__main__").prepare
    prepare(data, tmp_path / "t", 50, validation=False)
    expected = load_xmc(data / "test.txt.gz")
    found = load_matrices(tmp_path / "t", "test")
    assert all((a != b).nnz == 0 for a, b in zip(found, expected, strict=True))


def test_the_table_holds_medians_and_failures():
    keys = (*table.FIGURES, "train_s", "predict_s", "train_mb", "peak_mb")
    runs = [dict.fromkeys(keys, value) for value in (0.1, 0.2, 0.9)]
    results = {"set": {"hashslide": runs, "pecos": [{"error": "no"}], "als": []}}
    lines = table.markdown(results).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| set | hashslide | .200 |")
    assert "PECOS XR-Linear | failed" in lines[3]
