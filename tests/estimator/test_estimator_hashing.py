"""Hash tables and other selections of neurons in the estimator, on real data."""

import itertools
import pickle
import subprocess
import sys

import numpy as np
import pytest
from estimator_helpers import assert_equal_models, state
from hash_helpers import Signs
from network_settings import hidden_tables
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from hashslide import metrics
from hashslide.callbacks import Callback
from hashslide.errors import InputError, ModelFileError
from hashslide.estimator import SlideClassifier
from hashslide.settings import (
    DWTA,
    WTA,
    AdaptiveDropout,
    CustomHash,
    Dense,
    Dropout,
    Hashed,
    KMeans,
    LowRank,
    MissingFamily,
    SimHash,
    Top,
    Vanilla,
    WinnerTakeAll,
)
from hashslide.settings.base import fields_of
from hashslide.settings.hash_families import HASH_FAMILIES
from hashslide.settings.samplers import SAMPLERS

LOOK_UPS = [name for name, kind in SAMPLERS.items() if kind.looks_up]
MODES = list(itertools.product(("per_batch", "per_example"), ("owner", "hogwild")))


@pytest.fixture(scope="module")
def small(pubmed_small):
    """A part of the same problem with the 136 labels of medium frequency: no answer suits everyone."""
    d = pubmed_small
    counts = np.asarray(d.Y_train[:600].sum(axis=0)).ravel()
    kept = np.flatnonzero((counts >= 6) & (counts <= 60))
    return d.X_train[:600], d.Y_train[:600][:, kept], d.X_test[:200], d.Y_test[:200][:, kept]


@pytest.fixture(scope="module")
def digits():
    """Real images of 8 x 8 pixels: few, dense features and 10 classes; 1,200 to train on."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return X[:1200], y[:1200], X[1200:], y[1200:]


def family_of(name, **settings):
    """A few small tables of a family."""
    small = {"tables": 8, "hashes": 2, "cells": 32} | settings
    kind = HASH_FAMILIES[name]
    return kind(**{field.name: small[field.name] for field in fields_of(kind) if field.name in small})


def quick(family, look_up="top", active="per_batch", update="owner", **settings):
    """A model that hashes, early and often."""
    if isinstance(family, str):
        family = family_of(family, rehash_first=2, rehash_every=3)
    else:
        family = CustomHash(family, rehash_first=2, rehash_every=3)
    fixed = {"hidden": 32, "epochs": 6, "batch_size": 30, "learning_rate": 0.3, "random_state": 0}
    chosen = SAMPLERS[look_up](budget=20)
    modes = {"n_jobs": 2, "sampler": chosen, "hash": family, "active": active, "update": update}
    return SlideClassifier(**fixed | modes | settings)


WIDE = """
import resource
import numpy as np
from scipy.sparse import csr_matrix
from hashslide import Hashed, SlideClassifier
from hashslide.settings.hash_families import HASH_FAMILIES

n, n_features, rng = 512, 1_000_000, np.random.default_rng(0)
y = rng.integers(0, 10, n)
indices = np.sort(y[:, None] * 50_000 + rng.integers(0, 50_000, (n, 20)))
X = csr_matrix((np.ones(n * 20, np.float32), indices.ravel(), np.arange(0, n * 20 + 1, 20)), (n, n_features))
X.sum_duplicates()
family = HASH_FAMILIES[{family!r}](tables=20, hashes=2, rehash_first=1, rehash_every=2)
layer = Hashed(12, 8, hash=family)
model = SlideClassifier(hidden=[layer], epochs=3, batch_size=256, ranker=False, n_jobs=2, random_state=0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model.fit(X, y).predict(X)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.memory_of_the_process
@pytest.mark.parametrize("family", ["dwta", "minhash", "sparse_simhash"])
def test_a_hashed_layer_never_makes_examples_dense(family):
    """Those of one batch would take 1,024 MB; the layer's weights take 48."""
    script = WIDE.replace("{family!r}", repr(family))
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 700 * 1024


def frequency_ndcg(data):
    """The nDCG@5 of the same answer for everyone: the most frequent labels."""
    counts = np.asarray(data[1].sum(axis=0)).ravel()
    best = np.argsort(-counts, kind="stable")[:5]
    return metrics.ndcg_at_k(data[3], np.tile(best, (data[2].shape[0], 1)), 5)


@pytest.mark.parametrize(("active", "update"), MODES)
@pytest.mark.parametrize("sampler", LOOK_UPS)
@pytest.mark.parametrize("family", HASH_FAMILIES)
def test_all_combinations_learn(family, sampler, active, update, small):
    model = quick(family, sampler, active, update).fit(*small[:2])
    found = model.predict_topk(small[2], 5)[0]
    assert model.network_.state()["output.index.progress"][1] > 1, "the tables were never rebuilt"
    assert metrics.ndcg_at_k(small[3], found, 5) > 1.5 * frequency_ndcg(small)


@pytest.mark.parametrize("active", ["per_batch", "per_example"])
@pytest.mark.parametrize("sampler", LOOK_UPS)
@pytest.mark.parametrize("family", HASH_FAMILIES)
def test_owner_updates_give_the_same_bits_for_any_number_of_threads(family, sampler, active, small):
    models = [
        quick(
            family,
            sampler,
            active,
            epochs=1,
            n_jobs=n,
            hidden=[16, Hashed(24, 6, hash=family_of(family, tables=4))],
        )
        for n in (1, 2, 3)
    ]
    for model in models:
        model.fit(*small[:2])
    for model in models[1:]:
        assert_equal_models(models[0], model)


def test_the_published_system_in_one_line(pubmed_small):
    d = pubmed_small
    model = SlideClassifier(hash="dwta", active="per_example", random_state=0)
    model.fit(d.X_train, d.Y_train)
    config = model.network_.config
    assert config.hash == DWTA(tables=50, hashes=6) and config.sampler == Vanilla(budget=100)
    assert config.loss == "softmax"
    assert model.score(d.X_test, d.Y_test) > 0.62  # the most frequent label alone: .607; all labels: .70


SIMHASH = dict(hash=SimHash(tables=30, hashes=4, rehash_first=10, rehash_every=20))
LAYERS = {
    "dense": (64, 64),
    "dense, hashed": [Dense(64, "relu"), Hashed(128, 32, **SIMHASH)],
    "hashed, hashed": [Hashed(128, 32, **SIMHASH), Hashed(64, 16, **SIMHASH)],
    "dropout": [Dense(64), Dropout(64, 32)],
    "adaptive dropout": [Dense(64), AdaptiveDropout(64)],
    "winner take all": [Dense(64), WinnerTakeAll(64, 16)],
    "low rank": [Dense(64), *LowRank(64, 8)],
}


@pytest.mark.parametrize(("active", "update"), MODES)
@pytest.mark.parametrize("hidden", LAYERS.values(), ids=LAYERS.keys())
def test_layers_of_every_kind_learn_digits(hidden, active, update, digits):
    X, y, X_test, y_test = digits
    # At the default rate, Hogwild's races on so small a network now and then undo most of the training.
    settings = dict(ranker=False, epochs=12, learning_rate=0.05, random_state=0, n_jobs=2)
    model = SlideClassifier(hidden, active=active, update=update, **settings)
    assert model.fit(X, y).score(X_test, y_test) > 0.5  # chance: 0.1


TOP = Top(budget=9)
SAVED = {
    "dwta": dict(family="dwta"),
    "kmeans": dict(family="kmeans"),
    "fifo": dict(family="wta", sampler=TOP, hash=WTA(bucket_policy="fifo")),
    "ranges": dict(
        family="wta",
        sampler=TOP,
        hash=DWTA(centre=True, augment=True, norm_ranges=3, rehash_first=5),
    ),
    "hashed layers": dict(
        family="simhash", hidden=[16, Hashed(40, 8, hash=KMeans(tables=3, rehash_first=3)), Hashed(24, 6)]
    ),
    "queries centred": dict(
        family="simhash",
        hidden=[16, Hashed(40, 8, hash=SimHash(centre_queries=True)), Hashed(24, 6, hash="kmeans")],
        sampler=TOP,
        hash=KMeans(centre_queries=True, rehash_first=5),
    ),
    "own": dict(family=Signs()),
}


class Interrupt(Callback):
    """Ctrl-C after the first epoch."""

    def on_epoch_end(self, estimator, context):
        raise KeyboardInterrupt


@pytest.mark.parametrize("active", ["per_batch", "per_example"])
@pytest.mark.parametrize("settings", SAVED.values(), ids=SAVED.keys())
def test_a_fit_goes_on_after_saving_with_the_same_bits(settings, active, small, tmp_path):
    X, y = small[:2]
    whole = quick(**settings, active=active, epochs=3).fit(X, y)
    part = clone(whole).set_params(callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        part.fit(X, y)
    part.set_params(callbacks=None)
    part.save(tmp_path / "model")
    own = settings["family"] if isinstance(settings["family"], Signs) else None
    restored = [SlideClassifier.load(tmp_path / "model", mmap, own) for mmap in (True, False)]
    for model in (*restored, pickle.loads(pickle.dumps(part))):
        assert_equal_models(model, part)
        model.set_params(n_jobs=2).partial_fit(X, y).partial_fit(X, y)
        assert_equal_models(model, whole)


def test_tables_are_saved_without_the_optimiser_too(small, tmp_path):
    model = quick("dwta", hidden=[16, Hashed(24, 6, hash=hidden_tables(rehash_first=2))]).fit(*small[:2])
    model.save(tmp_path / "model", optimizer_state=False)
    loaded = SlideClassifier.load(tmp_path / "model")
    kept = {name for name in state(model) if ".index." in name}
    assert kept and kept <= set(state(loaded))
    np.testing.assert_array_equal(loaded.decision_function(small[2]), model.decision_function(small[2]))


PARAMETERS = [
    dict(hidden=[16, 8]),
    dict(hidden=[16, Hashed(8, 3, hash="wta")]),
    dict(hidden=Dense(16, "tanh")),
    dict(hash="dwta", sampler=Top(budget=5), hidden=np.int64(16)),
]


@pytest.mark.parametrize("settings", PARAMETERS)
def test_parameters_survive_a_file_a_pickle_and_a_clone(settings, small, tmp_path):
    model = SlideClassifier(epochs=1, **settings)
    assert clone(model).get_params() == model.get_params()
    model.fit(*small[:2]).save(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model")
    assert loaded.get_params() == pickle.loads(pickle.dumps(model)).get_params() == model.get_params()
    assert loaded.network_.config == model.network_.config


def test_a_grid_over_layers(digits):
    grid = {"hidden": [8, (16, 16), [Dense(16), Hashed(32, 8)]], "hash": [None, "simhash"]}
    search = GridSearchCV(SlideClassifier(epochs=2, random_state=0), grid, cv=2, error_score="raise")
    search.fit(*digits[:2])
    assert len(search.cv_results_["params"]) == 6


def test_a_family_of_ones_own_is_only_named_in_the_file(small, tmp_path):
    model = quick(Signs()).fit(*small[:2])
    model.save(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.decision_function(small[2]), model.decision_function(small[2]))
    with pytest.raises(InputError, match="the hash family 'Signs' of your own is not part of a model file"):
        loaded.partial_fit(*small[:2])
    loaded.save(tmp_path / "again")
    SlideClassifier.load(tmp_path / "again", hash=Signs()).partial_fit(*small[:2])
    short = SlideClassifier(hash=Signs(), epochs=1).fit(*small[:2])
    short.save(tmp_path / "short")
    assert SlideClassifier.load(tmp_path / "short").hash == CustomHash(MissingFamily("Signs"))
    own = Signs()
    assert SlideClassifier.load(tmp_path / "short", hash=own).hash.family is own


def test_a_hidden_layer_needs_its_family_to_load(small, tmp_path):
    model = quick(
        "dwta", hidden=[16, Hashed(24, 6, hash=CustomHash(Signs(), rehash_first=2, rehash_every=20))]
    ).fit(*small[:2])
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="needs the hash family 'Signs', which it only names"):
        SlideClassifier.load(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model", hash=Signs())
    np.testing.assert_array_equal(loaded.decision_function(small[2]), model.decision_function(small[2]))
    SlideClassifier(epochs=1).fit(*small[:2]).save(tmp_path / "plain")
    with pytest.raises(ModelFileError, match="names no hash family of your own"):
        SlideClassifier.load(tmp_path / "plain", hash=Signs())
    with pytest.raises(InputError, match="hash is a list without n_tables"):
        SlideClassifier.load(tmp_path / "model", hash=[])


class Means(Signs):
    """A family that learns: it subtracts the mean of the neurons."""

    mean = 0.0

    def learn(self, vectors):
        self.mean = vectors.mean(axis=0)

    def learned(self):
        return self.mean

    def restore(self, values):
        self.mean = values

    def hash(self, vectors):
        return super().hash(vectors - self.mean)


def test_what_a_family_has_learned_is_saved(small, tmp_path):
    hidden = [16, Hashed(24, 6, hash=CustomHash(Means(), rehash_first=2, rehash_every=20))]
    model = quick("dwta", hidden=hidden).fit(*small[:2])
    model.save(tmp_path / "model")
    loaded = SlideClassifier.load(tmp_path / "model", hash=Means())
    np.testing.assert_array_equal(loaded.decision_function(small[2]), model.decision_function(small[2]))


class Wrong(Signs):
    """A family that answers `hash` with whatever it was given."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def hash(self, vectors):
        return self.answer(super().hash(vectors))


def broken(codes):
    raise RuntimeError("out of order")


HALF = type("Half", (Signs,), {"learn": print})()
WRONG = {
    "object": (dict(hash=3.5), "hash is a float without n_tables, n_buckets, draw, hash, probe"),
    "half": (dict(hash=HALF), "hash is a Half without learned, restore"),
    "missing": (dict(hash=CustomHash(MissingFamily("Signs"))), "'Signs' of your own is not part of a"),
    "class": (dict(hash=DWTA), "hash is <class .*; accepted are None, 'simhash'"),
    "no tables": (dict(sampler="vanilla"), r"Vanilla\(\) looks up hash tables, but hash is None"),
    "unused": (
        dict(hash="dwta", sampler="exact"),
        r"hash is DWTA\(\), but sampler is Exact\(\), which",
    ),
    "shape": (dict(hash=Wrong(lambda codes: codes[:, 1:])), "hash.. is of shape"),
    "type": (dict(hash=Wrong(lambda codes: codes * 1.0)), "hash.. is of type float64"),
    "range": (dict(hash=Wrong(lambda codes: codes + 99)), "hash.. is the bucket"),
    "negative": (dict(hash=Wrong(lambda codes: codes - 99)), "hash.. is the bucket"),
}


@pytest.mark.parametrize(("settings", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_settings_are_refused(settings, message):
    X = sparse.csr_matrix((np.ones(300, np.float32), (np.arange(300), np.arange(300))), (300, 300))
    with pytest.raises(InputError, match=message):
        SlideClassifier(**{"hidden": 8, **settings}, batch_size=3, epochs=2).fit(X, np.arange(300) % 7)


def test_errors_of_ones_own_family_come_through(small):
    with pytest.raises(RuntimeError, match="out of order"):
        quick(Wrong(broken)).fit(*small[:2])
