"""Predictions without the labels that each example must not get, against plain twins."""

import pickle

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import fast
from scipy import sparse

from hashslide import SlideClassifier, metrics
from hashslide.csr import as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.network import CandidateSettings, Network
from hashslide.reference import approximate as reference
from hashslide.settings import NetworkConfig

N_LABELS = 5000  # more than a range of blocks and a chunk of the screen
ROWS = 150  # more than a block of examples


@pytest.fixture(scope="module")
def items():
    """Baskets, a network whose features and labels are the same items; what to exclude, none to all."""
    rng = np.random.default_rng(0)
    x = sparse.random(ROWS, N_LABELS, 0.004, "csr", np.float32, random_state=1)
    network = Network(NetworkConfig(n_features=N_LABELS, n_labels=N_LABELS, hidden=8))
    y = sparse.random(ROWS, N_LABELS, 0.004, "csr", np.float32, random_state=2)
    network.set_label_prior(np.asarray((y > 0).sum(axis=0)).ravel(), ROWS)
    state = network.snapshot()
    for name in ("output.weight", "output.bias"):
        state[name] = rng.normal(size=state[name].shape).astype(np.float32)
    state["output.weight"][3000:3010] = state["output.weight"][10]  # equal scores
    state["output.bias"][3000:3010] = state["output.bias"][10]
    network.restore(state)
    network.learn_candidates(as_csr(x), as_pattern(y))
    shares = np.linspace(0, 1, ROWS) ** 2
    excluded = rng.random((ROWS, N_LABELS)) < shares[:, None]
    excluded[0], excluded[-1] = False, True
    excluded[-2] = np.arange(N_LABELS) > 2
    return x, network, sparse.csr_matrix(excluded)


def plain_topk(logits, excluded, k):
    """Sort all logits of the allowed labels."""
    labels, scores = np.full((len(logits), k), -1), np.full((len(logits), k), -np.inf, np.float32)
    for i, row in enumerate(logits):
        allowed = np.flatnonzero(~excluded[i])
        best = allowed[np.lexsort((allowed, -row[allowed]))][:k]
        labels[i, : len(best)], scores[i, : len(best)] = best, row[best]
    return labels, scores


@pytest.mark.parametrize("k", [1, 7, 600])
@pytest.mark.parametrize("few", [False, True], ids=["many rows", "one row"])
def test_exact_prediction_is_that_of_sorted_logits(k, few, items):
    x, network, excluded = items
    expected = plain_topk(network.logits(x), excluded.toarray(), k)
    for n_threads in (1, 3):
        if few:  # the first one is scored in full, the others are screened
            parts = [network.predict_topk(x[i], k, n_threads, exclude=excluded[i]) for i in range(ROWS)]
            found = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
        else:
            found = network.predict_topk(x, k, n_threads, exclude=excluded)
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


def test_no_exclusion_is_an_empty_one(items):
    x, network, excluded = items
    empty = sparse.csr_matrix(excluded.shape, dtype=bool)
    for approximate in (False, True):
        plain = network.predict_topk(x, 9, 1, approximate)
        for a, b in zip(plain, network.predict_topk(x, 9, 1, approximate, empty), strict=True):
            np.testing.assert_array_equal(a, b)


def lists_of(state, name):
    ranges, labels, counts = (state[f"candidates.{name}.{part}"] for part in ("ranges", "labels", "counts"))
    return [(labels[a:b], counts[a:b]) for a, b in ranges]


@pytest.mark.parametrize("settings", [(16, 20, 1), (64, 0, 1), (0, 40, 3), (5, 7, 2)])
def test_approximate_prediction_is_that_of_the_reference(settings, items):
    x, network, excluded = items
    k, s, read = 4, network.state(), CandidateSettings(*settings)
    features, cell_lists = lists_of(s, "features"), lists_of(s, "cells")
    hidden, logits = network.hidden(x), network.logits(x)
    cells = reference.nearest_cells(hidden, s["candidates.cells.centres"], s["candidates.cells.offsets"])
    labels, scores = network.predict_topk(x, k, 2, read, excluded)
    again = network.predict_topk(x, k, 1, read, excluded)
    np.testing.assert_array_equal(labels, again[0])
    exact, agree, rows = plain_topk(logits, excluded.toarray(), k)[0], 0, range(100)
    for i in rows:
        forbidden = excluded[i].indices
        assert not np.isin(labels[i], forbidden).any()
        row = slice(x.indptr[i], x.indptr[i + 1])
        named = reference.feature_candidates(
            x.indices[row],
            x.data[row],
            features,
            s["candidates.features.examples"],
            settings[0],
            N_LABELS,
            forbidden,
        )
        near = [
            reference.cell_candidates(cell_lists[c][0], settings[1], forbidden)
            for c in cells[i, : settings[2]]
        ]
        candidates = np.unique(np.concatenate([named, *near]).astype(np.int64))
        for c in cells[i]:  # while there are too few: whole cells, the nearest first
            if len(candidates) >= k:
                break
            candidates = np.union1d(
                candidates, reference.cell_candidates(cell_lists[c][0], N_LABELS, forbidden)
            )
        best = reference.topk(candidates, logits[i], k) if len(candidates) >= k else exact[i]
        agree += np.array_equal(labels[i], best)
        np.testing.assert_array_equal(scores[i], logits[i, labels[i]])
    assert agree >= len(rows) - 2  # sums of equal size may round differently


def test_rows_without_enough_candidates_are_exact(items):
    x, network, excluded = items
    expected = plain_topk(network.logits(x), excluded.toarray(), 300)
    labels, scores = network.predict_topk(x, 300, 2, CandidateSettings(1, 1, 1), excluded)
    short = range(ROWS - 20, ROWS)
    np.testing.assert_array_equal(labels[short], expected[0][short])
    np.testing.assert_array_equal(scores[short], expected[1][short])
    assert (labels[-1] == -1).all() and (scores[-1] == -np.inf).all()
    assert labels[-2, 2] >= 0 and labels[-2, 3] == -1


def test_scores_that_are_infinite_are_not_taken_for_excluded_ones(items):
    x, network, _ = items
    state = network.snapshot()
    state["output.bias"][:] = -np.inf
    state["output.bias"][5] = 0
    twin = Network.from_state(network.config, state)
    exclude = sparse.csr_matrix(([True], ([0], [7])), shape=(1, N_LABELS))
    for _ in range(2):
        assert twin.predict_topk(x[0], 9, exclude=exclude)[0][0].tolist() == [5, 0, 1, 2, 3, 4, 6, 8, 9]


@pytest.mark.parametrize(
    "exclude", [sparse.csr_matrix((ROWS, 3)), sparse.csr_matrix((3, N_LABELS)), np.zeros((ROWS, 1))]
)
def test_exclusions_of_another_shape_are_refused(exclude, items):
    x, network, _ = items
    with pytest.raises(InputError, match=r"exclude has the shape .* accepted is \(150, 5000\)"):
        network.predict_topk(x, 5, exclude=exclude)


# The classifier


@pytest.fixture(scope="module")
def baskets():
    """Known and wanted items of 300 baskets of 40 items, where some items are never wanted."""
    rng = np.random.default_rng(3)
    known = sparse.csr_matrix(rng.random((300, 40)) < 0.2, dtype=np.float32)
    wanted = sparse.csr_matrix((rng.random((300, 40)) < 0.1) & (np.arange(40) % 9 > 0), dtype=np.float32)
    return known, wanted


def names_of(n=40):
    return np.array([f"item {i:02}" for i in range(n)])[np.random.default_rng(4).permutation(n)]


def lists_of_names(y, names):
    return [names[y[i].indices].tolist() for i in range(y.shape[0])]


def assert_no_known_item(topk, known, names=None):
    for i, row in enumerate(topk[0]):
        owned = known[i].indices if names is None else names[known[i].indices]
        assert not set(row.tolist()) & set(owned.tolist())


@pytest.mark.parametrize("approximate", [False, True])
def test_items_of_the_input_by_column(approximate, baskets):
    known, wanted = baskets
    model = fast(approximate=True).fit(known, wanted)
    model.build_approximate(known, wanted)
    topk = model.predict_topk(known, 10, exclude="input", approximate=approximate)
    assert_no_known_item(topk, known)
    same = model.predict_topk(known, 10, exclude=known, approximate=approximate)
    np.testing.assert_array_equal(topk[0], same[0])
    np.testing.assert_array_equal(topk[1], same[1])
    np.testing.assert_array_equal(model.excluded_labels(known).toarray(), known.toarray() > 0)


def test_items_of_the_input_by_name(baskets):
    known, wanted = baskets
    names = names_of()
    frame = pd.DataFrame.sparse.from_spmatrix(known, columns=names)
    model = fast().fit(frame, lists_of_names(wanted, names))
    assert len(model.classes_) < 40
    topk = model.predict_topk(frame, 10, exclude="input")
    assert_no_known_item(topk, known, names)
    lists = [[n for n in row if n in set(model.classes_)] for row in lists_of_names(known, names)]
    same = model.predict_topk(frame, 10, exclude=lists)
    np.testing.assert_array_equal(topk[0], same[0])
    np.testing.assert_array_equal(
        model.predict_topk(frame, 10, exclude=model.excluded_labels(frame))[0], topk[0]
    )


def test_items_of_the_input_by_number(baskets):
    """Integer labels are the numbers of the columns of X, although they are not the labels' own ids."""
    known, wanted = baskets
    model = fast().fit(known, [wanted[i].indices.tolist() for i in range(300)])
    assert len(model.classes_) < 40
    topk = model.predict_topk(known, 10, exclude="input")
    assert topk[0].dtype.kind == "i"
    assert_no_known_item(topk, known)


def test_a_stored_zero_is_no_item(baskets):
    known, wanted = baskets
    model = fast().fit(known, wanted)
    zeros = known.copy()
    zeros.data[:] = 0
    np.testing.assert_array_equal(
        model.predict_topk(zeros, 10, exclude="input")[0], model.predict_topk(zeros, 10)[0]
    )


def test_where_no_label_is_left(baskets):
    known, wanted = baskets
    names = names_of()
    everything = sparse.csr_matrix(np.ones((2, 40)))
    everything[1, 7] = 0
    everything.eliminate_zeros()
    unnamed = fast().fit(known, wanted)
    named = fast().fit(known, wanted, classes=names)
    numbered = fast().fit(known, wanted, classes=np.arange(40) - 1)
    for model, missing, label in ((unnamed, -1, 7), (named, None, names[7]), (numbered, None, 6)):
        for probabilities, nothing in ((False, -np.inf), (True, 0)):
            labels, scores = model.predict_topk(known[:2], 3, probabilities, exclude=everything)
            assert labels.tolist() == [[missing] * 3, [label, missing, missing]]
            assert (scores[0] == nothing).all() and np.isfinite(scores[1, 0]) and scores[1, 1] == nothing
        classes = None if model is unnamed else model.classes_
        truth = sparse.csr_matrix(np.arange(40) == 7).astype(int)
        truth = sparse.vstack([truth, truth], format="csr")
        assert metrics.recall_at_k(truth, labels, 3, classes=classes) == 0.5


def test_one_class_of_many_can_be_excluded(baskets):
    known, _ = baskets
    model = fast(loss="softmax").fit(known, np.array(["a", "b", "c"] * 100))
    best = model.predict_topk(known, 2)[0]
    second = model.predict_topk(known, 1, exclude=best[:, 0])[0]
    np.testing.assert_array_equal(second[:, 0], best[:, 1])
    lists = model.predict_topk(known, 1, exclude=[[row[0], "unknown"] for row in best.tolist()])[0]
    np.testing.assert_array_equal(lists, second)


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        ("inputs", "exclude is 'inputs'; accepted are 'input'"),
        ("input", "41 features and the 40 labels.*matched neither by name nor by column"),
        (sparse.csr_matrix((300, 3)), "exclude, which is read as y is.*3 columns but the model has 40"),
        (sparse.csr_matrix((2, 40)), "X and exclude have inconsistent numbers of samples: 300 and 2"),
        (2 * sparse.identity(300, format="csr")[:, :40], "an indicator holds only 0 and 1"),
        ([["a"]] * 300, "its labels have no names"),
        (7, "Unknown label type"),
    ],
)
def test_what_cannot_be_excluded_is_refused(exclude, message, baskets):
    known, wanted = baskets
    wider = sparse.hstack([known, known[:, :1]], format="csr")
    model = fast().fit(wider, wanted)
    with pytest.raises(InputError, match=message):
        model.predict_topk(wider, 5, exclude=exclude)


def test_features_and_labels_that_are_different_things_are_refused(baskets):
    known, wanted = baskets
    frame = pd.DataFrame(known.toarray(), columns=[f"word {i}" for i in range(40)])
    model = fast().fit(frame, lists_of_names(wanted, names_of()))
    with pytest.raises(InputError, match="no feature bears the name of a label: features are like 'word 0'"):
        model.predict_topk(frame, 5, exclude="input")
    sorted_names = fast().fit(known[:, :35], lists_of_names(wanted, names_of()))
    assert len(sorted_names.classes_) == 35
    with pytest.raises(InputError, match="the 35 labels, which have names, can be matched neither"):
        sorted_names.predict_topk(known[:, :35], 5, exclude="input")
    given = fast().fit(known, wanted, classes=names_of())  # in the order of the columns
    assert_no_known_item(given.predict_topk(known, 9, exclude="input"), known, names_of())


def test_exclusion_survives_a_file_and_a_pickle(baskets, tmp_path):
    known, wanted = baskets
    model = fast().fit(known, wanted)
    model.save(tmp_path / "m")
    expected = model.predict_topk(known, 10, exclude="input")[0]
    for other in (SlideClassifier.load(tmp_path / "m"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_topk(known, 10, exclude="input")[0], expected)
