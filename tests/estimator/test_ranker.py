"""The ranker in the estimator: kept in files, deterministic, continued, explained and calibrated."""

import numpy as np
import pytest
from estimator_helpers import assert_equal_models, fast

from hashslide import SlideClassifier
from hashslide.callbacks import Callback, Checkpoint
from hashslide.callbacks.checkpoint import checkpoint_name
from hashslide.csr import as_csr
from hashslide.estimator.approximate import untuned

N = 3000  # enough for a part of them to decide how much the ranker counts


@pytest.fixture(scope="module")
def examples(pubmed):
    return pubmed.X_train[:N], pubmed.Y_train[:N]


@pytest.fixture(scope="module")
def fitted(examples):
    model = fast(ranker="auto", batch_size=256, approximate=True, n_jobs=1).fit(*examples)
    assert model.ranker_.rows > 0 and model.network_.has_ranker
    return model


class StopBefore(Callback):
    """Interrupts a fit at the beginning of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, estimator, context):
        if context.epoch == self.epoch:
            raise KeyboardInterrupt


def interrupted(examples, epoch=1, **settings):
    model = fast(
        ranker="auto", batch_size=256, approximate=True, callbacks=[StopBefore(epoch)], n_jobs=2, **settings
    )
    with pytest.raises(KeyboardInterrupt):
        model.fit(*examples)
    return model.set_params(callbacks=None)


def test_a_file_keeps_it(fitted, pubmed, tmp_path):
    fitted.save(tmp_path / "m")
    loaded = SlideClassifier.load(tmp_path / "m")
    assert loaded.ranker_ == fitted.ranker_
    for probabilities in (False, True):
        for approximate in (False, True):
            pairs = [m.predict_topk(pubmed.X_test, 5, probabilities, approximate) for m in (fitted, loaded)]
            for found, expected in zip(*pairs, strict=True):
                np.testing.assert_array_equal(found, expected)


def test_the_number_of_threads_changes_nothing(fitted, examples):
    other = fast(ranker="auto", batch_size=256, approximate=True, n_jobs=2).fit(*examples)
    assert_equal_models(other, fitted)
    assert other.ranker_ == fitted.ranker_


@pytest.mark.parametrize("settings", [{"ranker": False}, {"active": "per_example", "hash": "dwta"}])
def test_there_is_none_unless_wanted(examples, settings):
    model = fast(**{"ranker": "auto", "batch_size": 256, "epochs": 1, **settings}).fit(*examples)
    assert not hasattr(model, "ranker_") and not model.network_.has_ranker


def test_an_interrupted_fit_that_goes_on_gives_the_same_model(fitted, examples):
    model = interrupted(examples)
    while model.n_iter_ < fitted.n_iter_:
        assert not hasattr(model, "ranker_")
        model.partial_fit(*examples)
    assert_equal_models(model, fitted)
    assert model.ranker_ == fitted.ranker_


def test_a_resumed_fit_gives_the_same_model(fitted, examples, tmp_path):
    fast(ranker="auto", batch_size=256, approximate=True, callbacks=[Checkpoint(tmp_path, 1, keep=None)]).fit(
        *examples
    )
    for source in (tmp_path / checkpoint_name(1, 0), interrupted(examples, 2)):
        model = fast(ranker="auto", batch_size=256, approximate=True, n_jobs=2).fit(
            *examples, resume_from=source
        )
        assert_equal_models(model, fitted)
        assert model.ranker_ == fitted.ranker_


def test_partial_fit_teaches_it(examples, tmp_path, fitted):
    fitted.save(tmp_path / "m")
    model = SlideClassifier.load(tmp_path / "m", mmap=False).partial_fit(examples[0][:300], examples[1][:300])
    weights = [m.network_.state()["ranker.margin"] for m in (fitted, model)]
    assert weights[0].shape != weights[1].shape or not np.array_equal(*weights)
    assert model.ranker_ == fitted.ranker_


def test_the_parts_of_an_explanation_add_up(fitted, pubmed):
    X = pubmed.X_test[:20]
    labels, scores = fitted.predict_topk(X, 5, approximate=False)
    used = 0
    for explanations, names, expected in zip(fitted.explain(X, k=5), labels, scores, strict=True):
        assert [e.label for e in explanations] == names.tolist()
        for explanation, score in zip(explanations, expected, strict=True):
            total = explanation.network + explanation.offset + explanation.ranker
            assert total == pytest.approx(explanation.score, abs=1e-6)
            assert total == pytest.approx(score, rel=1e-4, abs=1e-4)
            used += len(explanation.features)
    assert used > 0


@pytest.mark.parametrize("one_label", [False, True])
def test_probabilities_are_better_with_it(pubmed, examples, one_label):
    X, Y = examples
    X_test, Y_test = pubmed.X_test[:500], pubmed.Y_test[:500]
    if one_label:  # the most frequent label of each example
        counts = np.asarray(Y.sum(axis=0)).ravel()
        Y, Y_test = (np.asarray(y.multiply(counts).argmax(axis=1)).ravel() for y in (Y, Y_test))
        known = np.isin(Y_test, Y)
        X_test, Y_test = X_test[known], Y_test[known]
    losses = {}
    for ranker in (False, True):
        model = SlideClassifier(ranker=ranker, n_jobs=2, random_state=0).fit(X, Y)
        p = np.clip(model.predict_proba(X_test), 1e-12, 1 - 1e-12)
        if one_label:
            place = np.searchsorted(model.classes_, Y_test)
            losses[ranker] = -np.log(p[np.arange(len(place)), place]).mean()
        else:
            truth = Y_test[:, np.asarray(model.classes_, np.int64)].toarray()
            losses[ranker] = -np.where(truth, np.log(p), np.log1p(-p)).sum(axis=1).mean()
    assert losses[True] < losses[False], losses


def test_auto_is_what_scores_candidates_says(fitted, pubmed):
    assert fitted.scores_candidates(True) == fitted.scores_candidates()
    without = fast(approximate=False).fit(pubmed.X_train[:400], pubmed.Y_train[:400])
    assert not without.scores_candidates()
    for model in (fitted, without):
        found, expected = (
            model.predict_topk(pubmed.X_test[:50], 5, approximate=a)
            for a in ("auto", model.scores_candidates())
        )
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_early_stopping_lets_its_own_examples_decide(pubmed_small):
    d = pubmed_small
    model = fast(early_stopping=True, ranker=True).fit(d.X_train, d.Y_train, eval_set=(d.X_test, d.Y_test))
    assert 0 < model.ranker_.rows <= d.X_test.shape[0]


def test_tuning_does_not_count_the_rankers_lists_as_read(fitted, examples):
    without = fast(batch_size=256, approximate=True, ranker=False).fit(*examples)
    costs = [untuned(m.network_, as_csr(examples[0])).relative_cost for m in (fitted, without)]
    assert costs[0] == pytest.approx(costs[1], rel=0.1)


def test_predictions_follow_the_calibrated_scores(fitted, pubmed):
    """Rank, decision and probability are one: of the scores that all methods return."""
    tests = pubmed.X_test[:200]
    assert (fitted.ranker_.slope, fitted.ranker_.intercept) != (1, 0)
    scores = fitted.decision_function(tests)
    np.testing.assert_array_equal(fitted.predict(tests).toarray(), scores > 0)
    expected = 1 / (1 + np.exp(-scores.astype(np.float64)))
    np.testing.assert_allclose(fitted.predict_proba(tests), expected, rtol=1e-12)
    labels, best = fitted.predict_topk(tests, 5, approximate=False)
    np.testing.assert_array_equal(best, np.take_along_axis(scores, labels, axis=1))
