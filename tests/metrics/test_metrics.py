"""Metrics against values computed by hand, a plain reference in loops, and scikit-learn."""

from math import log, log2

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_matrix, csr_array, csr_matrix
from sklearn.metrics import ndcg_score, top_k_accuracy_score

from hashslide import metrics
from hashslide.errors import InputError

# Three examples and five labels; the third example has no label.
Y = csr_matrix(np.array([[1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]]))
TOPK = np.array([[2, 1, 0], [4, 3, 0], [0, 1, 2]])
P = np.array([0.5, 1.0, 0.25, 0.2, 1.0])  # weights 2, 1, 4, 5, 1
D2, D3 = 1 / log2(3), 1 / 2  # discounts of places 2 and 3; that of place 1 is 1

BY_HAND = [
    (metrics.precision_at_k, 1, (1 + 0 + 0) / 3),
    (metrics.precision_at_k, 2, (1 / 2 + 1 / 2 + 0) / 3),
    (metrics.precision_at_k, 3, (2 / 3 + 1 / 3 + 0) / 3),
    (metrics.recall_at_k, 1, (1 / 2 + 0 + 0) / 3),
    (metrics.recall_at_k, 3, (2 / 2 + 1 / 1 + 0) / 3),
    (metrics.ndcg_at_k, 1, (1 + 0 + 0) / 3),
    (metrics.ndcg_at_k, 2, (1 / (1 + D2) + D2 / 1 + 0) / 3),
    (metrics.ndcg_at_k, 3, ((1 + D3) / (1 + D2) + D2 / 1 + 0) / 3),
    (metrics.coverage_at_k, 1, 1 / 3),
    (metrics.coverage_at_k, 2, 2 / 3),
    (metrics.coverage_at_k, 3, 3 / 3),
]
SCORED_BY_HAND = [
    (metrics.psp_at_k, 1, 4 / (4 + 5)),
    (metrics.psp_at_k, 2, (4 + 5) / (4 + 2 + 5)),
    (metrics.psp_at_k, 3, (4 + 2 + 5) / (4 + 2 + 5)),
    (metrics.psndcg_at_k, 1, 4 / (4 + 5)),
    (metrics.psndcg_at_k, 2, (4 / (1 + D2) + 5 * D2) / ((4 + 2 * D2) / (1 + D2) + 5)),
    (metrics.psndcg_at_k, 3, ((4 + 2 * D3) / (1 + D2) + 5 * D2) / ((4 + 2 * D2) / (1 + D2) + 5)),
]
PLAIN = [metrics.precision_at_k, metrics.recall_at_k, metrics.ndcg_at_k, metrics.coverage_at_k]
SCORED = [metrics.psp_at_k, metrics.psndcg_at_k]


@pytest.mark.parametrize(("metric", "k", "expected"), BY_HAND)
def test_values_by_hand(metric, k, expected):
    value = metric(Y, TOPK, k)
    assert isinstance(value, float) and value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("metric", "k", "expected"), SCORED_BY_HAND)
def test_propensity_scored_values_by_hand(metric, k, expected):
    value = metric(Y, TOPK, k, P)
    assert isinstance(value, float) and value == pytest.approx(expected, rel=1e-12)


def test_summary_is_every_metric_by_its_name():
    result = metrics.summary(Y, TOPK, (1, 3), P)
    names = {
        "P": "precision",
        "R": "recall",
        "nDCG": "ndcg",
        "coverage": "coverage",
        "PSP": "psp",
        "PSnDCG": "psndcg",
    }
    expected = {}
    for short, long in names.items():
        metric = getattr(metrics, f"{long}_at_k")
        more = (P,) if metric in SCORED else ()
        expected |= {f"{short}@{k}": metric(Y, TOPK, k, *more) for k in (1, 3)}
    assert result == expected
    assert list(metrics.summary(Y, TOPK, [2])) == ["P@2", "R@2", "nDCG@2", "coverage@2"]
    assert metrics.summary(Y, TOPK, []) == {}


def naive(y: np.ndarray, topk: np.ndarray, k: int, p: np.ndarray) -> dict[str, float]:
    """The definitions in loops."""
    n = len(y)
    totals = dict.fromkeys(("P", "R", "nDCG", "PSP", "best PSP", "PSnDCG", "best PSnDCG"), 0.0)
    found = set()
    for relevant, ids in (
        (set(np.flatnonzero(row)), ids[:k].tolist()) for row, ids in zip(y, topk, strict=True)
    ):
        ideal = sum(1 / log2(i + 2) for i in range(min(k, len(relevant))))
        hits = [(i, label) for i, label in enumerate(ids) if label in relevant]
        found |= {label for _, label in hits}
        totals["P"] += len(hits) / k
        totals["PSP"] += sum(1 / p[label] for _, label in hits)
        best = sorted((1 / p[label] for label in relevant), reverse=True)[:k]
        totals["best PSP"] += sum(best)
        if relevant:
            totals["R"] += len(hits) / len(relevant)
            totals["nDCG"] += sum(1 / log2(i + 2) for i, _ in hits) / ideal
            totals["PSnDCG"] += sum(1 / p[label] / log2(i + 2) for i, label in hits) / ideal
            totals["best PSnDCG"] += sum(w / log2(i + 2) for i, w in enumerate(best)) / ideal
    return {
        **{name: totals[name] / n for name in ("P", "R", "nDCG")},
        "coverage": len(found) / max((y.sum(axis=0) > 0).sum(), 1),
        "PSP": totals["PSP"] / totals["best PSP"],
        "PSnDCG": totals["PSnDCG"] / totals["best PSnDCG"],
    }


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_definitions_in_loops(seed):
    rng = np.random.default_rng(seed)
    n, n_labels, columns = rng.integers(1, 30), rng.integers(2, 25), 8
    y = rng.random((n, n_labels)) < 0.3
    y[0, 0] = True
    topk = np.argsort(rng.random((n, n_labels)), axis=1)[:, :columns]
    topk[rng.random(topk.shape) < 0.2] = -1
    p = rng.uniform(0.05, 1, n_labels)
    for k in {1, min(3, n_labels), min(columns, n_labels), n_labels + 5 if n_labels <= columns else 2}:
        expected = naive(y, topk, k, p)
        assert metrics.summary(csr_matrix(y), topk, [k], p) == pytest.approx(
            {f"{name}@{k}": value for name, value in expected.items()}, rel=1e-12
        )


@pytest.mark.parametrize("k", [1, 3, 5, 40])
def test_ndcg_agrees_with_scikit_learn(k):
    rng = np.random.default_rng(0)
    y, scores = (rng.random((60, 40)) < 0.05).astype(int), rng.random((60, 40))
    assert (y.sum(axis=1) == 0).any()
    ours = metrics.ndcg_at_k(csr_matrix(y), metrics.top_k_labels(scores, k), k)
    assert ours == pytest.approx(ndcg_score(y, scores, k=k), rel=1e-12)


@pytest.mark.parametrize("k", [1, 3])
def test_recall_of_one_label_an_example_is_scikit_learns_top_k_accuracy(k):
    rng = np.random.default_rng(1)
    classes, scores = rng.integers(0, 10, 80), rng.random((80, 10))
    y = csr_matrix((np.ones(80), (np.arange(80), classes)), shape=(80, 10))
    ours = metrics.recall_at_k(y, metrics.top_k_labels(scores, k), k)
    assert ours == pytest.approx(top_k_accuracy_score(classes, scores, k=k, labels=np.arange(10)), rel=1e-12)


def test_perfect_predictions_on_real_data(pubmed_small):
    labels = pubmed_small.Y_test
    p = metrics.propensity(np.bincount(pubmed_small.Y_train.indices, minlength=labels.shape[1]), 1500)
    best = metrics.top_k_labels(labels @ csr_matrix(np.diag(1 / p)), 5)
    values = metrics.summary(labels, best, (1, 3, 5), p)
    assert all(
        values[f"{name}@{k}"] == pytest.approx(1) for name in ("PSP", "PSnDCG", "nDCG") for k in (1, 3, 5)
    )
    assert values["P@1"] == 1 > values["P@5"] > 0.9


@pytest.mark.parametrize("kind", [csr_array, csc_matrix, coo_array, np.asarray])
def test_any_matrix_will_do(kind):
    y = kind(Y.toarray())
    assert metrics.summary(y, TOPK.tolist(), (1, 3), P) == metrics.summary(Y, TOPK, (1, 3), P)


def test_stored_zeros_unsorted_and_repeated_ids_of_Y():
    y = csr_matrix((np.float32([1, 0, 1, 1]), [2, 1, 0, 3], [0, 3, 4, 4]), shape=(3, 5))
    assert metrics.summary(y, TOPK, (1, 3), P) == metrics.summary(Y, TOPK, (1, 3), P)
    assert y.nnz == 4 and y.indices.tolist() == [2, 1, 0, 3]
    twice = csr_matrix((np.float32([1, 1]), [2, 2], [0, 2]), shape=(1, 5))
    assert metrics.recall_at_k(twice, [[2]], 1) == 1


@pytest.mark.parametrize("kind", [np.int32, np.uint16, np.int64])
def test_any_integers_will_do(kind):
    assert metrics.precision_at_k(Y, TOPK.astype(kind), 3) == pytest.approx(1 / 3)


@pytest.mark.parametrize("metric", PLAIN + SCORED)
def test_padding_counts_as_wrong(metric):
    more = (P,) if metric in SCORED else ()
    padded = np.array([[2, -1, -1], [-1, 3, -1], [-1, -1, -1]])
    wrong = np.array([[2, 1, 3], [0, 3, 1], [0, 1, 2]])
    assert metric(Y, padded, 3, *more) == metric(Y, wrong, 3, *more) > 0
    assert metric(Y, np.full((3, 3), -1), 3, *more) == 0


def test_k_beyond_the_labels():
    every = np.tile(np.arange(5), (3, 1))
    assert metrics.precision_at_k(Y, every, 10) == pytest.approx(3 / 30)
    assert metrics.recall_at_k(Y, every, 10) == pytest.approx(2 / 3)
    assert metrics.ndcg_at_k(Y, every, 10**9) == metrics.ndcg_at_k(Y, every, 5)
    assert metrics.psp_at_k(Y, every, 10**9, P) == pytest.approx(1)
    assert metrics.coverage_at_k(Y, every, 10) == 1


def test_columns_beyond_k_do_not_matter():
    assert metrics.precision_at_k(Y, TOPK, 1) == metrics.precision_at_k(Y, TOPK[:, :1], 1)


def test_without_any_label_every_metric_is_zero():
    values = metrics.summary(csr_matrix((3, 5)), TOPK, (1, 3), P)
    assert set(values.values()) == {0.0}


def test_ids_beyond_32_bit_products():
    y = csr_matrix((np.ones(2), ([0, 99_999], [0, 2_000_000_000])), shape=(100_000, 2_000_000_001))
    topk = np.full((100_000, 1), 2_000_000_000)
    assert metrics.precision_at_k(y, topk, 1) == pytest.approx(1e-5)


def test_propensity_by_hand():
    c = (log(1000) - 1) * 2.5**0.55
    expected = [1 / (1 + c * (count + 1.5) ** -0.55) for count in (0, 1, 1000)]
    np.testing.assert_allclose(metrics.propensity([0, 1, 1000], 1000), expected, rtol=1e-12)
    amazon = 1 / (1 + (log(50) - 1) * 3.6**0.6 * (7 + 2.6) ** -0.6)
    np.testing.assert_allclose(metrics.propensity([7], 50, a=0.6, b=2.6), [amazon], rtol=1e-12)


def test_propensity_grows_with_the_count_and_is_a_probability(pubmed_small):
    counts = np.bincount(pubmed_small.Y_train.indices)
    p = metrics.propensity(counts, 1500)
    assert (p > 0).all() and (p <= 1).all()
    assert (np.diff(p[np.argsort(counts)]) >= 0).all() and p.min() < p.max()
    assert metrics.propensity([0, 1, 2], 2).tolist() == [1, 1, 1]
    assert metrics.propensity([], 0).shape == (0,)


def test_top_k_of_equal_scores_is_the_smaller_id():
    scores = np.array([[1, 3, 3, 1], [0, 0, 0, 0]])
    assert metrics.top_k_labels(scores, 3).tolist() == [[1, 2, 0], [0, 1, 2]]
    shuffled = csr_matrix((np.array([1.0, 3, 1, 3]), [3, 2, 0, 1], [0, 4, 4]), shape=(2, 4))
    assert metrics.top_k_labels(shuffled, 3).tolist() == [[1, 2, 0], [-1, -1, -1]]


def test_top_k_beyond_the_scores_is_padded():
    assert metrics.top_k_labels(np.array([[1.0, -np.inf]]), 4).tolist() == [[0, 1, -1, -1]]
    assert metrics.top_k_labels(csr_matrix([[0, -2.0, 5]]), 4).tolist() == [[2, 1, -1, -1]]


def test_top_k_of_sparse_scores_is_that_of_dense_ones():
    rng = np.random.default_rng(2)
    scores = rng.integers(1, 5, (30, 20)).astype(float)
    np.testing.assert_array_equal(metrics.top_k_labels(scores, 7), metrics.top_k_labels(csr_array(scores), 7))


BAD_RANKINGS = {
    "k-zero": (Y, TOPK, 0, "k is 0. Give a whole number from 1"),
    "k-real": (Y, TOPK, 1.0, "k is 1.0. Give a whole number"),
    "k-bool": (Y, TOPK, True, "k is True"),
    "columns": (Y, TOPK, 4, "k is 4, but topk has 3 columns. Predict the 4 best labels"),
    "rows": (Y, TOPK[:2], 1, "Y has 3 rows and topk has 2"),
    "no-rows": (Y[:0], TOPK[:0], 1, "Y and topk have no rows"),
    "vector": (
        Y,
        TOPK[0],
        1,
        r"topk has shape \(3,\) of int64; it must hold labels, best first, shape \(examples, >= k\)",
    ),
    "scores": (Y, TOPK / 2, 1, "topk holds labels like 1.0, but the columns of Y have numbers only"),
    "id-large": (Y, [[0], [5], [1]], 1, r"topk\[1, 0\] is 5; ids go from 0 to 4, -1 is padding"),
    "id-negative": (Y, [[0, 1], [0, -2], [1, 0]], 2, r"topk\[1, 1\] is -2"),
    "twice": (
        Y,
        [[0, 1, 2], [3, 1, 3], [0, 1, 2]],
        3,
        "topk holds label 3 twice in row 1. Predict each label once",
    ),
    "y-list": (
        [[1, 0]],
        [[0]],
        1,
        "an indicator of two labels or a list of the labels 0 and 1. Pass numpy.a",
    ),
    "y-none": (None, TOPK, 1, "Y is None. Pass the relevant labels"),
    "y-text": (np.array([["a", "b"]]), [[0]], 1, "Y holds text that is no number"),
    "y-nan": (csr_matrix([[np.nan, 1]]), [[0]], 1, "Y contains NaN at row 0, column 0"),
    "pair": (Y, (TOPK, TOPK / 2), 1, "topk is the pair .labels, scores. of predict_topk. Pass its first"),
    "ragged": (Y, [[0, 1], [0], [1, 2]], 1, "topk is not rectangular .* Fill its short rows"),
}


@pytest.mark.parametrize("case", BAD_RANKINGS)
def test_bad_rankings(case):
    y, topk, k, message = BAD_RANKINGS[case]
    for metric in PLAIN:
        with pytest.raises(InputError, match=message):
            metric(y, topk, k)
    for metric in SCORED:
        with pytest.raises(InputError, match=message):
            metric(y, topk, k, P)
    with pytest.raises(InputError, match=message):
        metrics.summary(y, topk, [k])


@pytest.mark.parametrize(
    ("propensity", "found"),
    [
        (P[:4], r"shape \(4,\), values 0.2 to 1.0"),
        (P * 0, r"shape \(5,\), values 0.0 to 0.0"),
        (P * 2, r"shape \(5,\), values 0.4 to 2.0"),
        (P * np.nan, r"shape \(5,\), values nan to nan"),
        ([], r"shape \(0,\)"),
    ],
)
def test_bad_propensities(propensity, found):
    for metric in SCORED:
        with pytest.raises(
            InputError, match=f"propensity must hold 5 numbers above 0 and up to 1, but has {found}"
        ):
            metric(Y, TOPK, 1, propensity)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([3], 2), r"label_counts must hold one count from 0 to n = 2 .* values 3.0 to 3.0"),
        (([-1], 2), "values -1.0 to -1.0"),
        (([np.nan], 2), "values nan to nan"),
        (([[1], [1]], 2), r"shape \(2, 1\)"),
        (([1, 2], 2.5), "n is 2.5; accepted is an integer from 0"),
        (([1, 2], 2**99), "n is 633825300114114700748351602688; accepted is an integer from 0"),
        (([1, 2],), "label_counts is a list. If it holds counts, pass n"),
        ((csr_matrix([[3, 1]]),), "label_counts holds counts, but n is missing. Pass n"),
        ((["a"], 3), "label_counts holds text that is no number"),
        (([1], 2, 0), r"a is 0; accepted is a number in \(0, inf\)"),
        (([1], 2, 0.5, -1), "b is -1"),
        (([1], 2, "x"), "a is 'x'"),
    ],
)
def test_bad_counts(arguments, message):
    with pytest.raises(InputError, match=message):
        metrics.propensity(*arguments)


def test_propensities_that_are_no_numbers():
    with pytest.raises(InputError, match="propensity holds text that is no number"):
        metrics.psp_at_k(Y, TOPK, 1, ["a"] * 5)


def test_bad_scores():
    with pytest.raises(InputError, match="scores hold NaN"):
        metrics.top_k_labels(np.array([[np.nan]]), 1)
    with pytest.raises(InputError, match="scores hold NaN"):
        metrics.top_k_labels(csr_matrix([[np.nan]]), 1)
    with pytest.raises(InputError, match="scores is list; it must be a matrix"):
        metrics.top_k_labels([[1.0]], 1)
    with pytest.raises(InputError, match="k is 0"):
        metrics.top_k_labels(np.ones((1, 1)), 0)
    with pytest.raises(InputError, match=r"k is 9223372036854775808. .* from 1 to 2147483647"):
        metrics.top_k_labels(np.ones((1, 1)), 2**63)


def test_the_module_shows_what_is_public():
    assert [name for name in dir(metrics) if not name.startswith("_")] == sorted(metrics.__all__)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_mean_of_what_each_example_adds_is_the_metric(k):
    whole = metrics.summary(Y, TOPK, [k], P)
    for name in ("P", "R", "nDCG", "PSP", "PSnDCG"):
        each = metrics.per_example(f"{name}@{k}", Y, TOPK, propensity=P)
        assert each.shape == (3,) and each[2] == 0
        assert each.mean() == pytest.approx(whole[f"{name}@{k}"], rel=1e-12)
    assert metrics.per_example("PSP@1", csr_matrix((2, 5)), TOPK[:2], propensity=P).tolist() == [0, 0]


def test_what_each_example_adds_needs_a_mean():
    with pytest.raises(InputError, match="name is 'coverage@5'; accepted are P@k, R@k, nDCG@k, PSP@k"):
        metrics.per_example("coverage@5", Y, TOPK)
    with pytest.raises(InputError, match="PSP@3 needs propensity"):
        metrics.per_example("PSP@3", Y, TOPK)
