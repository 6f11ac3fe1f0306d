"""Models that live on: replay, drift, labels that are added, hidden and forgotten, in memory and in files."""

import numpy as np
import pytest
from estimator_helpers import assert_equal_models, fast
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.preprocessing import normalize

from hashslide import SlideClassifier
from hashslide.errors import InputError
from hashslide.precision import to_float32

NAMES = np.array([f"label-{i:04d}-{(i * 7919) % 9973:04d}" for i in range(11336)], dtype=object)


@pytest.fixture(scope="module")
def data(pubmed_small):
    counts = np.asarray(pubmed_small.Y_train.sum(axis=0)).ravel()
    used = np.flatnonzero(counts >= 3)
    return pubmed_small.X_train, pubmed_small.Y_train.tocsr()[:, used], NAMES[used]


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory):
    """A file with all that a model may have: ranker, lists, optimiser, tables, kept examples, drift."""
    X, Y, names = data
    model = SlideClassifier(
        32, epochs=3, approximate=True, ranker=True, hash="dwta", random_state=0, n_jobs=2
    )
    half = X.shape[0] // 2
    model.fit(X[:half], Y[:half], classes=names, reservoir=100).partial_fit(X[half:], Y[half:], classes=names)
    path = tmp_path_factory.mktemp("living") / "m.hashslide"
    model.save(path)
    return path


@pytest.fixture
def model(saved):
    return SlideClassifier.load(saved)


def gone_of(model):
    return model.classes_[5::97].tolist()


def test_kept_examples_do_not_depend_on_threads(data):
    X, Y, _ = data
    models = [fast(n_jobs=n).fit(X, Y, reservoir=50).partial_fit(X[:80], Y[:80]) for n in (1, 2)]
    assert_equal_models(*models)
    assert_array_equal(models[0]._reservoir.tickets, models[1]._reservoir.tickets)


def test_replay_teaches_old_examples_again(data):
    """With labels that come no more, the old ones are remembered better with replay."""
    X, Y, _ = data
    first = np.asarray(Y[:, :40].sum(axis=1)).ravel() > 0
    base = fast(epochs=10, ranker=False).fit(X[first], Y[first], reservoir=200)
    losses = []
    for replay in (0.0, 2.0):
        model = fast(ranker=False).fit(X[first], Y[first], reservoir=200)
        for _ in range(4):
            model.partial_fit(X[~first], Y[~first], replay=replay)
        logits = model.network_.pair_logits(*pairs(X[first], Y[first]))
        losses.append(-logits.mean())
    assert losses[1] < losses[0]
    assert base.n_iter_ == 10


@pytest.mark.parametrize(("size", "is_learned"), [(1000, True), (300, False)])
def test_the_ranker_is_learned_anew_when_all_of_half_as_many_more_examples_are_kept(data, size, is_learned):
    """Only then has it weights for labels that came later, and it is the one that all examples give."""
    X, Y, names = data
    Y = normalize(Y[:, :300], norm="max").astype(np.int64)
    model = fast(ranker=True).fit(X[:300], Y[:300, :200], classes=names[:200], reservoir=size)
    n_old, learned_from = model.network_.config.n_labels, []
    for first in range(300, 600, 75):
        part = slice(first, first + 75)
        model.partial_fit(X[part], Y[part], classes=names[:300])
        learned_from.append(model.ranker_.n_examples)
    first = learned_from[0]
    assert 250 < first <= 300 and learned_from == [first, *[first + 150 * is_learned] * 3]
    lengths = np.diff(model.network_.state()["ranker.begin"])
    assert (lengths[n_old:].sum() > 0) == is_learned


def test_what_the_ranker_knows_already_is_not_described(model, data):
    x, n_labels = pairs(*data[:2])[0], len(model.classes_)
    with pytest.raises(InputError, match="knows some of the labels"):
        model.network_.describe_labels(x.take(np.arange(n_labels) % x.n_rows), 1.0)


def test_examples_are_foreseen_as_often_as_the_labels_allow():
    """Where all labels have to be scored, most of many calls with one example predict none: P@k are NaN."""
    rng, n_labels = np.random.default_rng(0), 40_000
    X = rng.random((400, 20), np.float32)
    y = [[int(i) for i in set(rng.integers(0, n_labels, 3))] for _ in range(400)]
    model = fast(approximate=False, ranker=False, epochs=1).fit(X[:300], y[:300], classes=np.arange(n_labels))
    for i in range(300, 400):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
    examples = [record["examples"] for record in model.drift_.records]
    assert set(examples) == {0, 1} and sum(examples) == pytest.approx(100 * 2**14 / n_labels, abs=1)
    assert all(np.isnan(record["P@1"]) for record in model.drift_.records if not record["examples"])


def pairs(X, Y):
    from hashslide.csr import as_csr, as_pattern

    return as_csr(X), as_pattern(Y)


def test_decay_forgets_old_counts(data):
    X, Y, _ = data
    model = fast().fit(X, Y)
    old = model.network_.label_counts
    model.partial_fit(X[:10], Y[:10], decay=0.5)
    new = np.asarray(Y[:10].sum(axis=0)).ravel()
    assert_array_equal(model.network_.label_counts, old // 2 + new)
    assert model.network_.n_examples_seen < X.shape[0]


def test_drift_is_what_the_model_foresaw(data):
    X, Y, names = data
    known = 300
    model = fast().fit(X[:400], Y[:400, :known], classes=names[:known])
    expected = model.score(X[400:500], [names[row.indices].tolist() for row in Y[400:500]])
    model.partial_fit(X[400:500], Y[400:500], classes=names)
    record = model.drift_.records[-1]
    assert record["P@1"] == pytest.approx(expected) and record["examples"] == 100
    share = Y[400:500, known:].nnz / Y[400:500].nnz
    assert record["unknown_labels"] == pytest.approx(share)


def test_all_of_it_is_in_the_file(saved, model, tmp_path):
    model.hide_labels(gone_of(model))
    model.save(tmp_path / "m")
    again = SlideClassifier.load(tmp_path / "m", verify=True)
    assert_array_equal(again.hidden_labels_, model.hidden_labels_)
    assert again.drift_ == model.drift_
    assert_array_equal(again._reservoir.tickets, model._reservoir.tickets)
    assert (
        again._reservoir.bound == model._reservoir.bound
        and again._reservoir.n_seen == model._reservoir.n_seen
    )
    assert (again._reservoir.x.to_scipy() != model._reservoir.x.to_scipy()).nnz == 0


@pytest.mark.parametrize("approximate", [False, True])
def test_hidden_labels_are_in_no_prediction(model, data, approximate):
    X = data[0][:60]
    gone = np.unique(model.predict_topk(X, 1, approximate=approximate)[0])[:5].tolist()
    before = model.predict_topk(X, 12, approximate=False)
    model.hide_labels(gone)
    labels, _ = model.predict_topk(X, 5, approximate=approximate)
    assert not np.isin(labels, gone).any()
    excluded, _ = model.predict_topk(X, 5, exclude=[["label-0000-0000"]] * 60, approximate=approximate)
    assert not np.isin(excluded, gone).any()
    ids = [list(model.classes_).index(name) for name in gone]
    assert np.isneginf(model.decision_function(X)[:, ids]).all()
    assert not model.predict_proba(X)[:, ids].any() and model.predict(X)[:, ids].nnz == 0
    model.unhide_labels(gone)
    assert_array_equal(model.predict_topk(X, 12, approximate=False)[0], before[0])


def test_probabilities_of_one_class_among_those_that_are_left():
    X = sparse.random(60, 8, 0.5, format="csr", random_state=0, dtype=np.float32)
    y = np.array(["a", "b", "c"])[np.arange(60) % 3]
    model = fast().fit(X, y).hide_labels(["b"])
    proba = model.predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-6)
    assert not proba[:, 1].any() and "b" not in model.predict(X)


def test_forgetting_leaves_the_others_as_they_are(model, data):
    X = data[0][:60]
    gone = gone_of(model)
    others = ~np.isin(model.classes_, gone)
    logits = model.network_.pair_logits(
        *pairs(X, sparse.csr_matrix(np.tile(others, (60, 1)), dtype=np.float32))
    )
    names = model.classes_[others]
    hidden = model.hide_labels(gone).predict_topk(X, 5, approximate=False)
    model.unhide_labels()
    model.forget_labels(gone)
    assert_array_equal(model.classes_, names)
    everything = sparse.csr_matrix(np.ones((60, len(names)), np.float32))
    assert_allclose(model.network_.pair_logits(*pairs(X, everything)), logits, rtol=1e-6)
    assert_array_equal(model.predict_topk(X, 5, approximate=False)[0], hidden[0])
    assert not np.isin(model.predict_topk(X, 5, approximate=True)[0], gone).any()
    assert len(model.explain(X[:1], k=2)[0]) == 2


def test_nothing_of_forgotten_labels_is_left_in_the_file(saved, model, tmp_path):
    gone = gone_of(model)
    ids = np.flatnonzero(np.isin(model.classes_, gone))
    state = model.network_.state()
    rows = [state["output.weight"][i].tobytes() for i in ids]
    begin = state["ranker.begin"]
    rows += [
        state["ranker.margin"][begin[i] : begin[i + 1]].tobytes() for i in ids if begin[i + 1] - begin[i] > 8
    ]
    marks = [name.encode() for name in gone] + rows
    before = saved.read_bytes()
    assert all(mark in before for mark in marks)
    model.forget_labels(gone)
    model.save(tmp_path / "m")
    after = (tmp_path / "m").read_bytes()
    assert not [mark for mark in marks if mark in after]
    assert len(after) < len(before)


def test_a_model_goes_on_after_forgetting(model, data, tmp_path):
    X, Y, names = data
    gone = gone_of(model)
    left = np.flatnonzero(~np.isin(names, gone))
    model.forget_labels(gone)
    model.save(tmp_path / "m")
    again = SlideClassifier.load(tmp_path / "m", verify=True)
    for one in (model, again):
        one.partial_fit(X[:100], Y[:100, left], classes=names[left])
    assert_equal_models(model, again)
    model.partial_fit(X[:100], Y[:100], classes=names)  # forgotten labels may come again, as new ones
    assert set(gone) <= set(model.classes_)


def test_labels_without_names_keep_their_numbers(data):
    X, Y, _ = data
    model = fast().fit(X, Y).forget_labels([0, 7])
    assert model.classes_[:7].tolist() == [1, 2, 3, 4, 5, 6, 8]
    with pytest.raises(InputError, match="Name y's by classes"):
        model.partial_fit(X, Y)


def test_described_labels_are_found(data):
    """A label whose description is one of its examples is predicted for the others of that kind."""
    X, Y, names = data
    model = SlideClassifier(32, epochs=5, approximate=True, ranker=True, random_state=0)
    model._may_judge_in_turn = False  # its margins count as much as the network
    new = np.argsort(-np.asarray(Y.sum(axis=0)).ravel())[10:14]
    old = np.setdiff1d(np.arange(Y.shape[1]), new)
    without = np.asarray(Y[:, new].sum(axis=1)).ravel() == 0
    model.fit(X[without], Y[without][:, old], classes=names[old], reservoir=50)
    means = sparse.vstack([sparse.csr_matrix(X[Y[:, j].toarray().ravel() > 0].mean(axis=0)) for j in new])
    model.add_labels(names[new], normalize(means).astype(np.float32))
    assert_array_equal(model.classes_[len(old) :], np.sort(names[new]))
    for approximate in (False, True):
        topk = model.predict_topk(X, 5, approximate=approximate)[0]
        for j in new:
            has = Y[:, j].toarray().ravel() > 0
            found = (topk == names[j]).any(axis=1)
            assert found[has].mean() > 3 * found[~has].mean() and found[has].any()
    model.partial_fit(X, Y, classes=names)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.hide_labels("a"), "accepted is a list of label names"),
        (lambda m: m.hide_labels([]), "names is empty"),
        (lambda m: m.hide_labels(["a", "a"]), "'a' twice"),
        (lambda m: m.hide_labels(["z"]), "'z', which the model does not have"),
        (lambda m: m.hide_labels(["a", "b"]), "Leave one that can be predicted"),
        (lambda m: m.forget_labels(["a", "b"]), "Leave one that can be predicted"),
        (lambda m: m.hide_labels(["a"]).forget_labels(["b"]), "every label that is not hidden"),
        (lambda m: m.add_labels(["a"], np.ones((1, 8))), "'a', which the model has already"),
        (lambda m: m.add_labels([3], np.ones((1, 8))), "Use one type"),
        (lambda m: m.add_labels(["z"], np.zeros((1, 8))), "no feature for the label 'z'"),
        (lambda m: m.add_labels(["z"], np.ones((2, 8))), "names"),
        (lambda m: m.partial_fit(np.ones((1, 8)), [["a"]], replay=-1), "replay"),
        (lambda m: m.partial_fit(np.ones((1, 8)), [["a"]], decay=1), "decay"),
        (lambda m: m.partial_fit(np.ones((1, 8)), [["a"]], reservoir=9), "the model keeps up to 5"),
    ],
)
def test_what_is_refused_changes_nothing(call, message):
    X = np.eye(8)[np.arange(20) % 8]
    model = fast().fit(X, [["a"], ["b"]] * 10, reservoir=5)
    hidden, before = model.hidden_labels_.tolist(), model.network_.snapshot()
    with pytest.raises(InputError, match=message):
        call(model)
    assert model.classes_.tolist() == ["a", "b"]
    assert set(model.hidden_labels_.tolist()) - set(hidden) <= {"a"}
    for name, array in model.network_.state().items():
        assert_array_equal(to_float32(array), to_float32(before[name]), err_msg=name)
