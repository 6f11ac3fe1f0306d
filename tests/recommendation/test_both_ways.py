"""Training both ways: when "auto" does it, what reversed examples are, and what they gain on real data."""

import numpy as np
import pytest
from scipy import sparse

from hashslide import SlideClassifier, metrics
from hashslide.callbacks import Callback, Checkpoint
from hashslide.callbacks.checkpoint import checkpoint_name
from hashslide.csr import as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.recommendation import both_ways, with_reversed
from hashslide.targets import LabelNames
from hashslide.training import TrainingData


def halves(Y, seed=0):
    """One half of the labels of each row as features of a row of length 1, the other half as labels."""
    Y = sparse.csr_matrix(Y)
    Y = Y[np.flatnonzero(np.diff(Y.indptr) > 1)]
    Y.sum_duplicates()
    coin = np.random.default_rng(seed).random(Y.nnz)
    rank = np.zeros(Y.nnz, int)
    for first, last in zip(Y.indptr, Y.indptr[1:], strict=False):
        rank[first:last] = coin[first:last].argsort().argsort() < (last - first) // 2
    given, wanted = Y.copy(), Y.copy()
    for part, is_kept in ((given, rank == 1), (wanted, rank == 0)):
        part.data = is_kept.astype(np.float32)
        part.eliminate_zeros()
    lengths = np.sqrt(np.diff(given.indptr))
    return sparse.csr_matrix(sparse.diags(1 / lengths) @ given, dtype=np.float32), wanted


def data_of(X, Y, rows=None, weight=None):
    x, y = as_csr(X), as_pattern(Y)
    rows = np.arange(x.n_rows) if rows is None else np.asarray(rows)
    return TrainingData(x=x, y=y, rows=rows, sample_weight=weight)


def reverse(wanted, data, multilabel=True):
    """As an indicator is reversed, whose column j is the same item as feature j."""
    return both_ways(wanted, data, LabelNames(data.y.n_columns), None, multilabel)


def by_place(data):
    return LabelNames(data.y.n_columns).of_features(data.x.n_columns, None)


@pytest.fixture(scope="module")
def items(pubmed):
    return halves(pubmed.Y_train[:6000])


def test_a_reversed_example_exchanges_features_and_labels():
    X = np.array([[3, 4, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0], [0, 0, 0, 5.0], [1, 0, 0, 0]], np.float32)
    Y = np.array([[0, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
    weight = np.array([1, 2, 3, 4, 5], np.float32)
    data = data_of(X, Y, rows=[0, 1, 2, 3], weight=weight)
    found = with_reversed(data, by_place(data))
    # Row 2 has no features, row 3 only one that is no label, and row 4 is not used: they have no copy.
    x, y = found.x.to_scipy().toarray(), found.y.to_scipy().toarray()
    np.testing.assert_array_equal(x[:5], X)
    np.testing.assert_array_equal(y[:5], Y)
    np.testing.assert_allclose(x[5:], [[0, 0, 5, 0], [np.sqrt(2), np.sqrt(2), 0, 0]], rtol=1e-6)
    np.testing.assert_array_equal(y[5:], [[1, 1, 0], [0, 0, 1]])
    assert found.rows.tolist() == [0, 1, 2, 3, 5, 6] and found.is_both_ways
    np.testing.assert_array_equal(found.sample_weight, [1, 2, 3, 4, 5, 1, 2])


@pytest.mark.parametrize("columns", [(700, 300), (300, 700)])
def test_numbers_that_one_side_lacks_are_left_out(columns):
    rng = np.random.default_rng(0)
    X, Y = (sparse.random(200, n, 0.02, "csr", np.float32, random_state=rng) for n in columns)
    Y.data[:] = 1
    data = data_of(X, Y)
    found = with_reversed(data, by_place(data))
    assert (found.x.n_columns, found.y.n_columns) == columns
    x, y = (part.to_scipy()[200:] for part in (found.x, found.y))
    whole = (np.diff(X[:, :300].indptr) > 0) & (np.diff(Y[:, :300].indptr) > 0)
    np.testing.assert_array_equal((x != 0)[:, :300].toarray(), (Y != 0)[whole][:, :300].toarray())
    np.testing.assert_array_equal((y != 0)[:, :300].toarray(), (X != 0)[whole][:, :300].toarray())
    assert not x[:, 300:].nnz and not y[:, 300:].nnz


def test_auto_finds_halves_of_the_same_baskets(items):
    data, setting = reverse("auto", data_of(*items))
    assert setting.value is True and data.is_both_ways and len(data.rows) == 2 * items[0].shape[0]
    assert "the same items" in setting.reason and "0 times both in one example" in setting.reason
    X, Y = items
    hidden = sparse.csr_matrix((np.zeros(Y.nnz, np.float32), Y.indices, Y.indptr), Y.shape)  # stored zeros
    assert reverse("auto", data_of(X + hidden, Y))[1] == setting


def test_auto_leaves_everything_else_alone(items, pubmed):
    X, Y = items
    shuffled = sparse.csr_matrix(Y[:, np.random.default_rng(1).permutation(Y.shape[1])])
    both = sparse.csr_matrix(X + X[:, ::-1])
    cases = {
        "words and headings": (pubmed.X_train[:6000], pubmed.Y_train[:6000], True),
        "other numbers": (X, shuffled, True),
        "items that are both": (sparse.csr_matrix(both + 0.1 * Y), Y, True),
        "one class": (X, Y, False),
        "few examples": (X[:20], Y[:20], True),
        "none": (X[:0], Y[:0], True),
        "a few items that avoid each other": (
            np.tile(np.eye(4), (99, 1)),
            np.tile(1 - np.eye(4), (99, 1)),
            True,
        ),
    }
    for name, (x, y, multilabel) in cases.items():
        data = data_of(x, y)
        found, setting = reverse("auto", data, multilabel)
        assert setting.value is False and found is data, name
    assert reverse(False, data_of(X, Y))[1].value is False


def test_it_gains_on_halves_of_real_label_sets(items, pubmed):
    X_test, Y_test = halves(pubmed.Y_test[:2000], seed=1)
    found = {}
    for wanted in (False, "auto"):
        model = SlideClassifier(hidden=64, both_ways=wanted, ranker=False, random_state=0, n_jobs=2)
        model.fit(*items)
        labels, _ = model.predict_topk(X_test, 5, exclude="input")
        found[wanted] = metrics.precision_at_k(Y_test, labels, 5)
        assert model.settings_["both_ways"].value is bool(wanted)
    assert found["auto"] > found[False] + 0.01


def test_items_are_matched_by_name(items):
    """Labels are numbered in the order of their names, features in the order of their columns."""
    pandas = pytest.importorskip("pandas")
    X, Y = items
    often = np.argsort(-np.asarray(Y.sum(axis=0)).ravel(), kind="stable")[:300]
    X, Y = X[:, often], Y[:, often]
    kept = np.flatnonzero((np.diff(X.indptr) > 0) & (np.diff(Y.indptr) > 0))
    X, Y = X[kept], Y[kept]
    names = [f"item {i * 37 % 300:03}" for i in range(300)]
    lists = [[names[j] for j in row.indices] for row in Y]
    frame = pandas.DataFrame(X.toarray(), columns=names)
    settings = dict(hidden=8, epochs=1, random_state=0, n_jobs=2)
    named = SlideClassifier(**settings).fit(frame, lists)
    assert named.settings_["both_ways"].value is True
    others = [[int(names[j][5:]) for j in row.indices] for row in Y]
    numbers = SlideClassifier(**settings).fit(X, others)
    assert numbers.settings_["both_ways"].value is False  # these numbers are not those of the columns
    columns = SlideClassifier(**settings).fit(X, [row.indices.tolist() for row in Y])
    assert columns.settings_["both_ways"].value is True


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "b", "a"], "needs examples with several labels"),
        ([["a"], ["b"], ["a", "b"]], "which feature is which label"),
    ],
    ids=["one class", "names on one side"],
)
def test_what_cannot_be_reversed_is_refused(y, message):
    model = SlideClassifier(both_ways=True)
    with pytest.raises(InputError, match=rf"both_ways=True .*{message}"):
        model.fit(np.eye(3), y)
    assert not hasattr(model, "network_")


class Stop(Callback):
    def on_epoch_end(self, estimator, context):
        if estimator.n_iter_ == 2:
            raise KeyboardInterrupt


def test_interrupted_and_resumed_trainings_give_the_same_model(items, tmp_path):
    def model(**settings):
        return SlideClassifier(hidden=16, epochs=3, random_state=0, n_jobs=2, **settings)

    whole = model(callbacks=[Checkpoint(tmp_path, 1, keep=None)]).fit(*items)
    interrupted = model(callbacks=[Stop()])
    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(*items)
    interrupted.partial_fit(*items)
    resumed = model().fit(*items, resume_from=tmp_path / checkpoint_name(1, 0))
    expected = whole.network_.snapshot()
    for other in (interrupted, resumed):
        for name, array in other.network_.snapshot().items():
            np.testing.assert_array_equal(array, expected[name], err_msg=name)
        assert other.settings_["both_ways"].value is True
