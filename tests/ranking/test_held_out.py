"""What is held out to judge the ranker is learned from in the end; what the user keeps apart is not."""

import numpy as np
import pytest
from estimator_helpers import fast

from hashslide import SlideClassifier, metrics
from hashslide.csr import Csr
from hashslide.estimator.fitting import fit as fitting
from hashslide.ranking import n_held_out
from hashslide.training import TrainingData

N = 4000


def held_out_rows(seed):
    """Return the rows that a fit with this seed of N examples holds out."""
    nothing = Csr(np.zeros(N + 1, np.int64), np.zeros(0, np.int32), None, 1)
    data = TrainingData(x=nothing, y=nothing, rows=np.arange(N))
    return np.setdiff1d(data.rows, data.held_out(n_held_out(N), seed)[0].rows)


def ndcg(model, X, Y):
    return metrics.ndcg_at_k(Y, model.predict_topk(X, 5)[0], 5)


def test_labels_that_only_judges_have_are_learned(pubmed, monkeypatch):
    X, Y = pubmed.X_train[:N], pubmed.Y_train[:N]
    settings = {"hidden": 32, "epochs": 4, "approximate": True}
    plain = fast(ranker="auto", **settings).fit(X, Y)
    rows = held_out_rows(plain._seed)
    counts = np.asarray((Y != 0).sum(axis=0)).ravel()
    of_judges = np.asarray((Y[rows] != 0).sum(axis=0)).ravel()
    only = np.flatnonzero((of_judges > 0) & (of_judges == counts))
    assert len(only) > 50 and not plain.network_.label_counts[only].any()
    monkeypatch.setattr(fitting, "learn_held_out", lambda *_: None)
    without = fast(ranker="auto", **settings).fit(X, Y)
    pairs = Y[rows][:, only].nonzero()
    learned, unknown = (model.decision_function(X[rows])[:, only][pairs] for model in (plain, without))
    assert np.mean(learned > unknown) > 0.95
    assert plain.score(X[rows], Y[rows]) > without.score(X[rows], Y[rows])
    assert plain.ranker_ == without.ranker_, "they judge before they teach"


def test_examples_for_early_stopping_teach_nothing(pubmed):
    X, Y = pubmed.X_train[:N], pubmed.Y_train[:N]
    kept, apart = slice(0, 3500), slice(3500, N)

    def weights(labels):
        model = SlideClassifier(
            random_state=0, hidden=16, epochs=1, early_stopping=True, ranker=True, n_jobs=2
        ).fit(X[kept], Y[kept], eval_set=(X[apart], labels))
        return model.network_.state()["output.weight"]

    mixed = Y[apart][np.random.default_rng(0).permutation(N - 3500)]
    same = weights(Y[apart]), weights(mixed)
    np.testing.assert_array_equal(*same)


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_judges_count_as_much_as_their_weights_say(pubmed, weight):
    X, Y = pubmed.X_train[:N], pubmed.Y_train[:N]
    seed = fast(ranker="auto", epochs=1).fit(X, Y)._seed
    weights = np.ones(N)
    weights[held_out_rows(seed)] = weight
    model, plain = (
        fast(ranker="auto", epochs=1).fit(X, Y, sample_weight=weights),
        fast(ranker="auto", epochs=1).fit(X, Y),
    )
    rows = held_out_rows(seed)
    gain = ndcg(model, X[rows], Y[rows]) - ndcg(plain, X[rows], Y[rows])
    assert gain > 0 if weight > 1 else gain < 0
