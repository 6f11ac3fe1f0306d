"""A ranker is the same for any number of threads, and fits the network that it was made for only."""

import numpy as np
import pytest
from scipy import sparse

from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.precision import to_float32
from hashslide.ranking import Blend
from hashslide.settings import NetworkConfig


@pytest.fixture(scope="module")
def trained(pubmed_small):
    """A real network with its data."""
    x, y = as_csr(pubmed_small.X_train[:500]), as_pattern(pubmed_small.Y_train[:500])
    network = Network(NetworkConfig(n_features=x.n_columns, n_labels=y.n_columns, hidden=16))
    network.set_label_prior(np.bincount(y.indices, minlength=y.n_columns), x.n_rows)
    for rows in np.arange(500).reshape(-1, 50):
        network.train_batch(x, y, rows, 0.1)
    return network, x, y


def copy_of(network):
    return Network.from_state(network.config, network.snapshot())


ALL = Blend(0.1, 1.0, -0.02, -0.1, 0.02, 0.3, -0.1, 0.5, 0.1)  # every part counts


def ranker_of(network, made, blend=ALL):
    """The arrays of a ranker, set in a copy of the network."""
    network = copy_of(network)
    network.set_ranker(made, blend)
    return {name: a for name, a in network.snapshot().items() if name.startswith("ranker.")}


def matrix_of(kept, name, n_features):
    """Margins or associations, (labels, features)."""
    lists = to_float32(kept[f"ranker.{name}"]), kept["ranker.features"], kept["ranker.begin"]
    matrix = sparse.csr_matrix(lists, shape=(len(lists[2]) - 1, n_features), copy=True)
    matrix.eliminate_zeros()
    return matrix


def assert_equal_arrays(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_threads_change_no_bit(trained, n_threads):
    network, x, y = trained
    one, several = (ranker_of(network, network.make_ranker(x, y, n)) for n in (1, n_threads))
    assert one["ranker.features"].size > 10_000
    assert_equal_arrays(one, several)
    updated = []
    for n in (1, n_threads):
        twin = copy_of(network)
        twin.set_ranker(network.make_ranker(x, y, n), ALL)
        twin.update_ranker(x, y, n)
        updated.append(twin.snapshot())
    assert_equal_arrays(*updated)
    assert not np.array_equal(updated[0]["ranker.margin"], one["ranker.margin"])


def test_some_rows_count_as_if_there_were_no_others(trained):
    network, x, y = trained
    rows = np.random.default_rng(2).permutation(500)[:150].astype(np.int64)
    weight = np.linspace(0.5, 2, 150).astype(np.float32)
    chosen = network.make_ranker(x, y, 2, rows, weight)
    alone = network.make_ranker(x.take(rows), y.take(rows), 2, None, weight)
    assert_equal_arrays(ranker_of(network, chosen), ranker_of(network, alone))
    updated = []
    for data in ((x, y, 1, rows), (x.take(rows), y.take(rows), 1)):
        twin = copy_of(network)
        twin.set_ranker(network.make_ranker(x, y), ALL)
        twin.update_ranker(*data)
        updated.append(twin.snapshot())
    assert_equal_arrays(*updated)


def test_making_a_ranker_changes_nothing_and_no_examples_give_an_empty_one(trained):
    network, x, y = trained
    before = network.snapshot()
    made = network.make_ranker(x, y, rows=np.array([], np.int64))
    assert_equal_arrays(network.snapshot(), before)
    assert ranker_of(network, made)["ranker.features"].size == 0


def test_without_a_ranker_an_update_does_nothing(trained):
    network, x, y = trained
    before = network.snapshot()
    network.update_ranker(x, y)
    assert_equal_arrays(network.snapshot(), before)


def test_results_stand_where_their_pairs_do(trained):
    """Pairs need not begin at the first entry: what is before it belongs to no row."""
    network, x, y = trained
    core, made, skipped = network._core, network.make_ranker(x, y), 7
    starts, labels = y.indptr + skipped, np.append(np.zeros(skipped, np.int32), y.indices)
    arrays = x.indptr, x.indices, x.values, starts, labels
    parts = core.ranker_parts(made, *arrays)
    for found, expected in zip(parts, network.ranker_parts(made, x, y), strict=True):
        np.testing.assert_array_equal(found[skipped:], expected)
    twin = copy_of(network)
    twin.set_ranker(made, ALL)
    np.testing.assert_array_equal(twin._core.pair_logits(*arrays, True, 1)[skipped:], twin.pair_logits(x, y))


def test_a_ranker_is_set_once(trained):
    network, x, y = trained
    twin, made = copy_of(network), network.make_ranker(x, y)
    twin.set_ranker(made, ALL)
    before = twin.snapshot()
    twin.set_ranker(made, Blend(prior=0.3, margin=3.0))
    assert_equal_arrays(twin.snapshot(), before)
    with pytest.raises(InputError, match=r"has been set. Ask for its parts before"):
        network.ranker_parts(made, x, y)


def test_a_margin_of_zero_keeps_the_offsets_alone(trained):
    network, x, y = trained
    twin = copy_of(network)
    twin.set_ranker(network.make_ranker(x, y), Blend(prior=0.1, margin=0.0))
    state = twin.state()
    for name in ("features", "margin", "association"):
        assert state[f"ranker.{name}"].size == 0
    assert twin.has_ranker
    np.testing.assert_array_equal(twin.logits(x), network.logits(x) + state["ranker.offset"])
    assert_equal_arrays(copy_of(twin).snapshot(), twin.snapshot())
    twin.update_ranker(x, y)
    twin.grow(x.n_columns + 3, y.n_columns + 3)
    assert np.isfinite(twin.logits(as_csr(np.ones((1, x.n_columns + 3), np.float32)))).all()


def test_parts_are_what_a_ranker_adds(trained):
    network, x, y = trained
    log_f = np.log((network.label_counts + 0.5) / (network.n_examples_seen + 1))[y.indices]
    for blend in (Blend(margin=1.0), Blend(association=1.0), ALL):
        twin, made = copy_of(network), network.make_ranker(x, y)
        margins, associations = network.ranker_parts(made, x, y)
        kept = matrix_of(ranker_of(network, network.make_ranker(x, y)), "association", x.n_columns)
        is_whole = np.diff(kept.indptr)[y.indices] < 64  # nothing of the label's is cut
        of_others, _ = network.ranker_parts(made, x.take(np.roll(np.arange(x.n_rows), 1)), y)
        assert (margins > of_others).mean() > 0.85 and (of_others < 0).mean() > 0.8
        assert (associations > 0).mean() > 0.9  # of true labels
        assert is_whole.sum() > 1000 and (associations[is_whole] > 0).mean() > 0.98
        twin.set_ranker(made, blend)
        plain = twin.pair_logits(x, y, with_ranker=False)
        np.testing.assert_array_equal(plain, network.pair_logits(x, y))
        expected = (
            plain
            + blend.prior * log_f
            + np.maximum(0, blend.margin + blend.margin_by_log * log_f) * margins
            + np.maximum(0, blend.association + blend.association_by_log * log_f) * associations
        )
        np.testing.assert_allclose(twin.pair_logits(x, y), expected, rtol=1e-5, atol=1e-5)


def test_labels_that_are_not_among_the_best_get_what_is_usual(trained):
    network, x, y = trained
    twin = copy_of(network)
    twin.set_ranker(network.make_ranker(x, y), ALL)
    log_f = np.log((network.label_counts + 0.5) / (network.n_examples_seen + 1))
    usual = np.maximum(0, ALL.margin + ALL.margin_by_log * log_f) * (
        ALL.usual_margin + ALL.usual_margin_by_log * log_f
    ) + np.maximum(0, ALL.association + ALL.association_by_log * log_f) * (
        ALL.usual_association + ALL.usual_association_by_log * log_f
    )
    with_usual = network.logits(x) + ALL.prior * log_f + usual
    behind = np.argsort(-with_usual, axis=1, kind="stable")[:, 60:]
    found = np.take_along_axis(twin.logits(x), behind, axis=1)
    np.testing.assert_allclose(found, np.take_along_axis(with_usual, behind, axis=1), rtol=1e-4, atol=1e-4)


def test_a_label_keeps_its_largest_associations(trained):
    network, x, y = trained
    kept = ranker_of(network, network.make_ranker(x, y))
    associations = matrix_of(kept, "association", x.n_columns)
    lengths = np.diff(associations.indptr)
    assert lengths.max() == 64
    has, own = x.to_scipy() != 0, y.to_scipy()
    for label in np.flatnonzero(lengths == 64)[:20]:
        of_label = associations[label]
        together = np.asarray(has[own[:, [label]].toarray().ravel() != 0].sum(axis=0)).ravel()
        cosine = together / np.sqrt(np.maximum(has.sum(axis=0).A1, 1) * own[:, [label]].sum())
        np.testing.assert_allclose(of_label.data, cosine[of_label.indices], rtol=2**-8)
        dropped = np.delete(cosine, of_label.indices)
        assert dropped.max() <= of_label.data.min() * (1 + 2**-8)


@pytest.mark.parametrize("kind", ["signs", "stored zeros"])
def test_an_association_counts_who_has_a_feature(trained, kind):
    network, x, y = trained
    every_third = np.arange(len(x.data)) % 3 == 0
    if kind == "signs":
        changed = Csr(x.indptr, x.indices, np.where(every_third, -x.data, x.data), x.n_columns)
    else:
        changed = Csr(x.indptr, x.indices, np.where(every_third, 0, x.data), x.n_columns)
        sparse_x = changed.to_scipy().copy()
        sparse_x.eliminate_zeros()
        x = as_csr(sparse_x)
    found, expected = (ranker_of(network, network.make_ranker(e, y)) for e in (changed, x))
    found, expected = (matrix_of(kept, "association", x.n_columns) for kept in (found, expected))
    assert (found != expected).nnz == 0 and found.nnz > 10_000


@pytest.mark.parametrize("grown", [(5, 0), (10**6, 7)])
def test_a_ranker_from_before_the_network_grew_is_refused(trained, grown):
    network, x, y = trained
    made, twin = network.make_ranker(x, y), copy_of(network)
    twin.grow(x.n_columns + grown[0], y.n_columns + grown[1])
    before = twin.snapshot()
    wider = Csr(x.indptr, x.indices, x.data, twin.config.n_features)
    pairs = Csr(y.indptr, y.indices, None, twin.config.n_labels)
    for call in (
        lambda: twin.set_ranker(made, Blend(prior=0.0, margin=1.0)),
        lambda: twin.ranker_parts(made, wider, pairs),
    ):
        with pytest.raises(InputError, match=r"made for other features or labels .* Make it anew"):
            call()
    assert_equal_arrays(twin.snapshot(), before)
    network.ranker_parts(made, x, y)  # is still whole


def test_a_ranker_of_a_network_with_more_labels_is_refused(trained):
    network, x, y = trained
    other = Network(NetworkConfig(n_features=x.n_columns, n_labels=5, hidden=2))
    with pytest.raises(InputError, match="made for other features or labels"):
        other.set_ranker(network.make_ranker(x, y), Blend(prior=0.0, margin=1.0))
    assert not other.has_ranker


def test_arrays_of_other_lengths_are_refused(trained):
    network, x, y = trained
    made = network.make_ranker(x, y)
    with pytest.raises(InputError, match="pairs has not one row for each row of x"):
        network.ranker_parts(made, x, y.block(0, 3))
    with pytest.raises(InputError, match="sample_weight has not one weight for each example"):
        network.make_ranker(x, y, sample_weight=np.ones(3, np.float32))
    for rows in ([500], [-1], [0, 2**40]):
        for call in (network.make_ranker, network.update_ranker):
            with pytest.raises(ValueError, match="names the row"):
                call(x, y, rows=np.array(rows))


@pytest.mark.parametrize(
    ("blend", "kept", "dropped"),
    [(Blend(margin=1.0), "margin", "association"), (Blend(association=1.0), "association", "margin")],
)
def test_what_counts_nothing_is_not_kept(trained, blend, kept, dropped):
    network, x, y = trained
    all_of, some = (ranker_of(network, network.make_ranker(x, y), b) for b in (ALL, blend))
    both, one = (matrix_of(arrays, kept, x.n_columns) for arrays in (all_of, some))
    assert (both != one).nnz == 0 and matrix_of(all_of, dropped, x.n_columns).nnz > 10_000
    assert one.nnz == some["ranker.features"].size < all_of["ranker.features"].size
    assert not some[f"ranker.{dropped}"].any()


@pytest.mark.parametrize("n_own", [0, 1, 3, 30, 200])
def test_long_and_short_examples_get_the_sums_of_their_features(trained, n_own):
    """Features of short examples are searched for in the lists, lists of long ones are read."""
    network, x, y = trained
    rng = np.random.default_rng(n_own)
    made = network.make_ranker(x, y)
    rows = sparse.csr_matrix(
        [
            np.where(np.isin(np.arange(x.n_columns), rng.choice(x.n_columns, n_own)), rng.normal(), 0)
            for _ in range(20)
        ],
        dtype=np.float32,
    )
    every = as_pattern(sparse.csr_matrix(np.ones((20, y.n_columns), np.float32)))
    margins, associations = network.ranker_parts(made, as_csr(rows), every)
    kept = ranker_of(network, made)
    lengths = np.sqrt(rows.multiply(rows).sum(axis=1))
    unit = rows.toarray() / np.where(lengths > 0, lengths, 1)
    is_known = np.diff(kept["ranker.begin"]) > 0
    bias = np.where(is_known, kept["ranker.bias"], -1)  # what examples without a label say of it
    assert 0 < is_known.sum() < len(is_known) and (bias[is_known] < 0).mean() > 0.9
    expected = bias + unit @ matrix_of(kept, "margin", x.n_columns).T.toarray()
    np.testing.assert_allclose(margins.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
    expected = np.log1p(np.abs(unit) @ matrix_of(kept, "association", x.n_columns).T.toarray() / 0.01)
    np.testing.assert_allclose(associations.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
