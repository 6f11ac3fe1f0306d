"""Approximate prediction: its lists, its queries, its tuning, and what it keeps of exact prediction."""

from dataclasses import replace

import numpy as np
import pytest
from estimator_helpers import assert_equal_models, fast, state
from scipy import sparse

from hashslide import metrics
from hashslide.csr import as_csr
from hashslide.errors import InputError, ModelFileError
from hashslide.estimator import SlideClassifier, approximate
from hashslide.estimator.approximate import default_settings
from hashslide.model_file import load_model, save_model
from hashslide.network import CandidateSettings, Network
from hashslide.precision import to_float32
from hashslide.reference import approximate as reference


@pytest.fixture(scope="module")
def text(pubmed_small):
    """A real problem and a model of it with lists. Do not change them."""
    d = pubmed_small
    model = SlideClassifier(hidden=32, epochs=10, ranker=False, random_state=0, approximate=True, n_jobs=2)
    return d, model.fit(d.X_train, d.Y_train)


@pytest.fixture
def model(text):
    """A copy of the model, to be changed."""
    _, model = text
    network = Network.from_state(model.network_.config, model.network_.snapshot())
    copy = SlideClassifier(**model.get_params())
    copy.__dict__ |= {**model.__dict__, "network_": network, "approximate_": model.approximate_}
    return copy


@pytest.fixture
def cheap_candidates(monkeypatch):
    """Costs at which candidates pay for as few labels as these tests have."""
    for name, value in {"NEURON_COST": 5.0, "CENTRE_COST": 2.0, "ENTRY_COST": 0.1}.items():
        monkeypatch.setattr(approximate, name, value)


def lists_of(state, name):
    ranges, labels, counts = (state[f"candidates.{name}.{part}"] for part in ("ranges", "labels", "counts"))
    return [(labels[a:b], counts[a:b]) for a, b in ranges]


def assert_equal_lists(found, expected):
    assert len(found) == len(expected)
    for group, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_array_equal(mine[0], theirs[0], err_msg=f"labels of {group}")
        np.testing.assert_array_equal(mine[1], theirs[1], err_msg=f"counts of {group}")


def use(model, feature_labels, cell_labels, probes):
    model.network_.candidate_settings = CandidateSettings(feature_labels, cell_labels, probes)
    model.approximate_ = replace(model.approximate_, uses_candidates=True)


def with_stored_zeros(matrix):
    """The same matrix with a stored 0 in the first columns of every row that has no value there."""
    row, column = (i.ravel() for i in np.indices((matrix.shape[0], 40)))
    zeros = sparse.csr_matrix((np.zeros(len(row), matrix.dtype), (row, column)), shape=matrix.shape)
    plain, zeros = matrix.tocoo(), zeros.tocoo()
    parts = ((plain.data, zeros.data), (plain.row, zeros.row), (plain.col, zeros.col))
    data, row, column = (np.concatenate(pair) for pair in parts)
    return sparse.csr_matrix((data, (row, column)), shape=matrix.shape)


def test_stored_zeros_change_nothing(pubmed_small):
    d, models = pubmed_small, []
    X, Y = with_stored_zeros(d.X_train), with_stored_zeros(d.Y_train)
    assert X.nnz > d.X_train.nnz and Y.nnz > d.Y_train.nnz
    for x, y in ((d.X_train, d.Y_train), (X, Y)):
        models.append(fast(approximate=True, ranker=True).fit(x, y).partial_fit(x, y))
    assert_equal_models(*models)


def test_feature_lists_hold_the_most_frequent_labels(text):
    d, model = text
    s = state(model)
    present = d.X_train.astype(bool).astype(np.int64)
    expected = reference.label_lists(present, d.Y_train.astype(np.int64), 64)
    assert max(len(labels) for labels, _ in expected) == 64  # some lists are cut
    assert_equal_lists(lists_of(s, "features"), expected)
    np.testing.assert_array_equal(s["candidates.features.examples"], np.asarray(present.sum(0)).ravel())


def test_cells_hold_the_most_frequent_labels_of_their_examples(text):
    d, model = text
    s = state(model)
    centres, offsets = s["candidates.cells.centres"], s["candidates.cells.offsets"]
    assert centres.shape == (60, 32)  # the root of 3,654 labels
    assert (offsets >= (centres**2).sum(1) / 2 * (1 - 1e-5)).all()  # |c|^2 / 2 and a penalty of large cells
    cells = reference.nearest_cells(model.network_.hidden(d.X_train), centres, offsets)[:, 0]
    n = len(cells)
    members = sparse.csr_matrix((np.ones(n, np.int64), (np.arange(n), cells)), shape=(n, len(centres)))
    logits = centres.astype(np.float64) @ to_float32(s["output.weight"]).T + s["output.bias"]
    found = lists_of(s, "cells")
    expected = reference.label_lists(members, d.Y_train.astype(np.int64), 120, logits)
    for cell, ((labels, counts), (best, best_counts)) in enumerate(zip(found, expected, strict=True)):
        np.testing.assert_array_equal(counts, best_counts, err_msg=str(cell))
        np.testing.assert_allclose(logits[cell, labels], logits[cell, best], rtol=1e-4, atol=1e-4)
    assert max(len(labels) for labels, _ in found) == 120


@pytest.mark.parametrize("settings", [(16, 20, 1), (64, 0, 1), (0, 40, 3), (5, 7, 2)])
def test_query_is_that_of_the_reference(text, model, settings):
    d, _ = text
    use(model, *settings)
    s, x = state(model), d.X_test[:60]
    x.sort_indices()
    features, cell_lists = lists_of(s, "features"), lists_of(s, "cells")
    hidden, logits = model.network_.hidden(x), model.network_.logits(x)
    cells = reference.nearest_cells(hidden, s["candidates.cells.centres"], s["candidates.cells.offsets"])
    labels, scores = model.network_.predict_topk(x, 5, approximate=True)
    agree = 0
    for i in range(60):
        row = slice(x.indptr[i], x.indptr[i + 1])
        examples = s["candidates.features.examples"]
        named = reference.feature_candidates(
            x.indices[row], x.data[row], features, examples, settings[0], model.network_.config.n_labels
        )
        candidates = [named, *(cell_lists[c][0][: settings[1]] for c in cells[i, : settings[2]])]
        best = reference.topk(np.concatenate(candidates).astype(np.int64), logits[i], 5)
        agree += np.array_equal(labels[i], best)
        np.testing.assert_array_equal(scores[i], logits[i, labels[i]])
    assert agree >= 57  # sums that are equal but for rounding may fall on either side of the cut


def test_keeps_99_percent_of_exact_precision_on_real_data(pubmed, cheap_candidates):
    model = SlideClassifier(hidden=64, epochs=2, random_state=0, approximate=True, n_jobs=2)
    model.fit(pubmed.X_train, pubmed.Y_train)
    assert model.approximate_.uses_candidates and model.approximate_.relative_cost < 1
    exact = model.predict_topk(pubmed.X_test, 5)[0]
    for tuned in (False, True):
        if tuned:
            report = model.tune_approximate(pubmed.X_test[:1500], pubmed.Y_test[:1500])
            assert report.uses_candidates and report.relative_cost < 1 and min(report.kept.values()) >= 0.99
        found = model.predict_topk(pubmed.X_test[1500:], 5, approximate=True)[0]
        truth = pubmed.Y_test[1500:]
        for k in (1, 5):
            share = metrics.precision_at_k(truth, found, k) / metrics.precision_at_k(truth, exact[1500:], k)
            assert share >= 0.99


def test_the_same_for_any_number_of_threads(text):
    d, model = text
    again = SlideClassifier(**model.get_params() | {"n_jobs": 1}).fit(d.X_train, d.Y_train)
    assert_equal_models(model, again)
    assert "candidates.cells.labels" in state(again)
    results = [model.network_.predict_topk(d.X_test, 5, n, approximate=True) for n in (1, 3)]
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_row_does_not_depend_on_the_others(text):
    d, model = text
    labels, scores = model.network_.predict_topk(d.X_test, 5, approximate=True)
    for i in range(0, 300, 30):
        one = model.network_.predict_topk(d.X_test[i], 5, approximate=True)
        np.testing.assert_array_equal(one[0][0], labels[i])
        np.testing.assert_array_equal(one[1][0], scores[i])


def test_saved_and_loaded_bit_for_bit(text, tmp_path):
    d, model = text
    model.save(tmp_path / "m")
    for mmap in (True, False):
        loaded = SlideClassifier.load(tmp_path / "m", mmap=mmap)
        assert_equal_models(model, loaded)
        assert loaded.approximate_ == model.approximate_
        for mine, theirs in zip(
            *(m.predict_topk(d.X_test, 5, approximate=True) for m in (model, loaded)), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("candidates.cells.labels", lambda a: a + 100_000, "accepted are ids from 0 to"),
        ("candidates.cells.ranges", lambda a: a[:, ::-1].copy(), "a range that ends before it begins"),
        ("candidates.cells.ranges", lambda a: a + 1, "accepted are places from 0 to"),
        ("candidates.cells.ranges", lambda a: a - 1, "accepted are places from 0 to"),
        ("candidates.cells.ranges", lambda a: a[:-1], "this network needs int64"),
        ("candidates.cells.centres", lambda a: a[:, :3].copy(), "this network needs float32"),
        ("candidates.features.examples", lambda a: a - 10, "accepted are counts from 0 to"),
        ("candidates.features.counts", lambda a: a[:-1], "this network needs float32"),
        ("candidates.settings", lambda a: a - 1000, "accepted are counts from 0 to"),
    ],
)
def test_damaged_lists_are_refused(text, tmp_path, name, change, message):
    _, model = text
    model.save(tmp_path / "m")
    arrays, metadata = load_model(tmp_path / "m", mmap=False)
    arrays["network." + name] = change(arrays["network." + name])
    save_model(tmp_path / "damaged", arrays, metadata)
    with pytest.raises(ModelFileError, match=message):
        SlideClassifier.load(tmp_path / "damaged")


def test_lists_are_optional_in_a_file(text, tmp_path):
    d, model = text
    model.save(tmp_path / "m")
    arrays, metadata = load_model(tmp_path / "m")
    bare = {name: array for name, array in arrays.items() if "candidates" not in name}
    save_model(tmp_path / "bare", bare, metadata | {"approximate": None})
    loaded = SlideClassifier.load(tmp_path / "bare")
    with pytest.raises(InputError, match=r"this model has none. Call build_approximate\(X, y\)"):
        loaded.predict_topk(d.X_test, 5, approximate=True)
    with pytest.raises(InputError, match="this model has none"):
        loaded.tune_approximate(d.X_test)
    with pytest.raises(InputError, match="this network has none"):
        loaded.network_.predict_topk(d.X_test, 5, approximate=True)
    loaded.build_approximate(d.X_train, d.Y_train)
    assert_equal_models(loaded, model)
    assert loaded.approximate_ == model.approximate_


def test_partial_fit_adds_to_the_lists_and_grows_them(model):
    n_features, n_labels = model.network_.config.n_features, model.network_.config.n_labels
    before = state(model)
    x = sparse.csr_matrix(
        ([1.0] * 40, ([*range(20)] * 2, [n_features] * 20 + [3] * 20)), shape=(20, n_features + 1)
    )
    y = sparse.csr_matrix(([1] * 20, (range(20), [n_labels] * 20)), shape=(20, n_labels + 1))
    use(model, 64, 60, 1)
    model.partial_fit(x, y)
    after = state(model)
    labels, counts = lists_of(after, "features")[n_features]
    np.testing.assert_array_equal((labels, counts), ([n_labels], [20]))
    old, new = (lists_of(s, "features")[3] for s in (before, after))
    assert dict(zip(*new, strict=True)) == {**dict(zip(*old, strict=True)), n_labels: 20}
    assert after["candidates.features.examples"][3] == before["candidates.features.examples"][3] + 20
    np.testing.assert_array_equal(after["candidates.cells.centres"], before["candidates.cells.centres"])
    assert (model.network_.predict_topk(x, 3, approximate=True)[0] == n_labels).any(axis=1).all()


def test_one_call_after_the_other_gives_the_lists_of_all_examples():
    """Lists are replaced where they lie, and moved when too much room is unused: 200 calls do both."""
    rng = np.random.default_rng(0)
    x = sparse.random(220, 40, density=0.1, format="csr", dtype=np.float32, random_state=1)
    y = sparse.csr_matrix((rng.random((220, 30)) < 0.1).astype(np.int64))
    model = fast(approximate=True, ranker=False, epochs=1).fit(x[:20], y[:20])
    for i in range(20, 220):
        model.partial_fit(x[i], y[i])
        if i % 50 == 0:
            s = state(model)
            assert len(s["candidates.features.labels"]) == np.diff(s["candidates.features.ranges"]).sum()
    expected = reference.label_lists(x.astype(bool).astype(np.int64), y, 64)
    assert_equal_lists(lists_of(state(model), "features"), expected)


def test_features_without_lists_are_passed_over(model):
    n = model.network_.config.n_features
    model.network_.grow(n + 5, model.network_.config.n_labels)
    x = sparse.csr_matrix(([1.0, 1.0], ([0, 0], [2, n + 4])), shape=(1, n + 5))
    labels, scores = model.network_.predict_topk(x, 3, approximate=True)
    np.testing.assert_allclose(scores[0], model.network_.logits(x)[0, labels[0]], rtol=1e-5)


def test_too_few_candidates_are_made_up_from_further_cells(text, model):
    d, _ = text
    use(model, 0, 3, 1)
    x, s = d.X_test[:20], state(model)
    hidden, logits, lists = model.network_.hidden(x), model.network_.logits(x), lists_of(s, "cells")
    cells = reference.nearest_cells(hidden, s["candidates.cells.centres"], s["candidates.cells.offsets"])
    found = model.network_.predict_topk(x, 200, approximate=True)[0]
    for i in range(20):
        candidates, probed = lists[cells[i, 0]][0][:3], 0
        while len(candidates) < 200:
            candidates, probed = np.union1d(candidates, lists[cells[i, probed]][0]), probed + 1
        least = logits[i, found[i]].min()
        assert set(candidates[logits[i, candidates] > least + 1e-4]) <= set(found[i]) <= set(candidates)


def test_more_labels_than_the_lists_hold_are_predicted_exactly(text, model):
    d, _ = text
    model.network_.learn_candidates(as_csr(d.X_train[:40]), as_csr(d.Y_train[:40]))
    named = len(np.unique(state(model)["candidates.cells.labels"]))
    use(model, 2, 0, 0)
    x = sparse.vstack([d.X_test[:3], sparse.csr_matrix((1, d.X_test.shape[1]), dtype=np.float32)]).tocsr()
    for i in range(4):
        exact, found = (model.predict_topk(x[i], named + 300, approximate=a) for a in (False, True))
        np.testing.assert_array_equal(exact[0], found[0])
        np.testing.assert_array_equal(exact[1], found[1])


def test_an_empty_row_gets_the_labels_of_its_cell(text, model):
    d, _ = text
    use(model, 64, 60, 1)
    x = sparse.csr_matrix((1, d.X_test.shape[1]), dtype=np.float32)
    labels, scores = model.predict_topk(x, 3, approximate=True)
    np.testing.assert_allclose(scores[0], model.network_.logits(x)[0, labels[0]], rtol=1e-4)


@pytest.mark.parametrize("loss", ["bce", "softmax"])
def test_dense_data_use_the_cells_alone(loss):
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((40, 12))
    y = rng.integers(0, 40, 2000)
    x = centres[y] + 0.1 * rng.standard_normal((2000, 12))
    model = fast(hidden=16, epochs=30, loss=loss, approximate=True).fit(x[:1800], y[:1800])
    assert not [name for name in state(model) if name.startswith("candidates.features")]
    use(model, 64, 12, 2)
    exact, found = (model.predict_topk(x[1800:], 1, approximate=a)[0] for a in (False, True))
    assert (exact == found).mean() > 0.95
    probabilities = model.predict_topk(x[1800:], 1, probabilities=True, approximate=True)[1]
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


def test_few_labels_are_predicted_exactly(pubmed_small):
    d = pubmed_small
    assert not fast().fit(d.X_train[:300], d.Y_train[:300]).network_.has_candidates
    few = d.Y_train[:300, :30]
    model = fast(approximate=True).fit(d.X_train[:300], few)
    assert not model.approximate_.uses_candidates and "so few labels" in model.approximate_.reason
    for mine, theirs in zip(
        *(model.predict_topk(d.X_test, 5, approximate=a) for a in (False, True)), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_tuning_takes_the_cheapest_settings_that_are_good_enough(text, model, cheap_candidates):
    d, _ = text
    shares = (0.5, 0.8, 0.95)
    reports = [model.tune_approximate(d.X_test, share=share) for share in shares]
    costs = [report.relative_cost for report in reports]
    assert costs == sorted(costs) and costs[0] < costs[-1] < 1
    for report, share in zip(reports, shares, strict=True):
        assert min(report.kept.values()) >= share and report.measured_on == "exact labels"
        assert report.share == share and report.k == 5 and report.n_examples == 300
    exact, found = (model.predict_topk(d.X_test, 5, approximate=a)[0] for a in (False, True))
    recall = (found[:, :, None] == exact[:, None, :]).any(2).mean()
    assert recall == pytest.approx(reports[-1].kept["recall@5"])


def test_a_share_out_of_reach_falls_back_to_exact(text, model):
    d, _ = text
    model.network_.learn_candidates(*(as_csr(m) for m in (d.X_train[:30], d.Y_train[:30])))
    report = model.tune_approximate(d.X_test, share=1.0)
    assert not report.uses_candidates and "no settings cheaper" in report.reason
    exact, found = (model.predict_topk(d.X_test, 5, approximate=a)[0] for a in (False, True))
    np.testing.assert_array_equal(exact, found)


def test_fit_tunes_on_the_evaluation_set(pubmed_small):
    d = pubmed_small
    settings = {"hidden": 16, "approximate": True}
    model = fast(**settings).fit(d.X_train, d.Y_train, eval_set=(d.X_test, d.Y_test))
    assert model.approximate_.measured_on == "true labels" and set(model.approximate_.kept) == {"P@1", "P@5"}
    assert fast(**settings).fit(d.X_train, d.Y_train).approximate_.kept is None
    assert not fast(approximate=False).fit(d.X_train, d.Y_train).network_.has_candidates


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, d: m.tune_approximate(d.X_test, share=0), "share is 0; accepted is a number in"),
        (lambda m, d: m.tune_approximate(d.X_test, share=1.5), "share is 1.5"),
        (lambda m, d: m.tune_approximate(d.X_test, k=0), "k is 0"),
        (lambda m, d: m.tune_approximate(d.X_test, d.Y_test[:10]), "X and Y"),
        (lambda m, d: m.tune_approximate(d.X_test[:, :9]), "features"),
        (lambda m, d: m.build_approximate(d.X_train, d.Y_train[:10]), "X and Y"),
        (lambda m, d: fast(approximate="yes").fit(d.X_train, d.Y_train), "approximate is 'yes'"),
        (lambda m, d: CandidateSettings(-1, 2, 1), "feature_labels is -1"),
    ],
)
def test_bad_arguments(text, call, message):
    d, model = text
    with pytest.raises(InputError, match=message):
        call(model, d)


def test_default_settings():
    assert default_settings(10_000) == CandidateSettings(64, 100, 1)
    assert default_settings(1) == CandidateSettings(64, 1, 1)
