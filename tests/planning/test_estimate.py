"""Estimates against what then happens. Times are measured in benchmarks/speed/plans.py: no test has one."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hashslide import SlideClassifier
from hashslide.callbacks import Callback
from hashslide.csr import as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.estimator.preparing import network_config, prepare
from hashslide.network import Network
from hashslide.planning import Shape, Sizes
from hashslide.planning.estimating import _entries, _seconds
from hashslide.planning.pilot import Pilot, folded


@pytest.fixture(scope="module")
def estimated(pubmed):
    """An estimate from all of a real set."""
    return SlideClassifier(random_state=0, n_jobs=1).estimate(pubmed.X_train, pubmed.Y_train, seconds=1)


def test_the_file_is_as_large_as_estimated(estimated, pubmed, tmp_path):
    model = SlideClassifier(random_state=0, n_jobs=2).fit(pubmed.X_train, pubmed.Y_train)
    model.save(tmp_path / "m")
    assert 0.75 < estimated.file_bytes / (tmp_path / "m").stat().st_size < 1.25
    assert estimated.epochs == model.n_iter_


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell the peak")
@pytest.mark.memory_of_the_process
def test_the_peak_of_memory_is_as_estimated(estimated):
    script = """
from hashslide import SlideClassifier, data
d = data.builtin("pubmed-mesh")
SlideClassifier(random_state=0, n_jobs=1).fit(d.X_train, d.Y_train)
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""
    peak = 1024 * int(subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout)
    assert 0.75 < estimated.training_bytes / peak < 1.25


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden": (48, 32)},
        {"optimizer": "adam", "precision": "float32"},
        {"optimizer": "sgd", "precision": "bfloat16"},
    ],
    ids=str,
)
def test_the_sizes_of_models_are_exact(pubmed_small, settings):
    decided = prepare(SlideClassifier(**settings), pubmed_small.X_train, pubmed_small.Y_train).settings
    network = Network(network_config(decided, 3456, 7891))
    sizes = {"all": 0, "weights": 0}
    for array in network.schema().values():
        size = math.prod(array.shape) * array.dtype.itemsize
        sizes["all"] += size
        sizes["weights"] += size if array.role != "optimizer" else 0
    found = Sizes(lambda n_features, n_labels: network_config(decided, n_features, n_labels))
    assert found.model(3456, 7891) == sizes["all"] and found.weights(3456, 7891) == sizes["weights"]
    assert sizes["weights"] < sizes["all"] or settings.get("optimizer") == "sgd"


def test_larger_data_cost_more(pubmed_small, estimated):
    model = SlideClassifier(random_state=0, n_jobs=1)
    X, Y = pubmed_small.X_train, pubmed_small.Y_train
    small = model.estimate(X, Y, seconds=0.2)
    large = model.estimate(X, Y, seconds=0.2, total_examples=10**9, total_features=10**7, total_labels=10**8)
    assert (
        large.shape.n_examples == 10**9
        and large.shape.labels_seen == 10**8 - Y.shape[1] + small.shape.labels_seen
    )
    assert large.seconds["steps"] > 1000 * small.seconds["steps"]
    of_weights = 2 if model.precision == "auto" else 4
    assert large.memory["model"] > 10**8 * 256 * of_weights
    assert large.memory["data"] / small.memory["data"] == pytest.approx(10**9 / X.shape[0], rel=1e-6)
    assert large.prediction_bytes < large.training_bytes
    assert estimated.pilot_examples < estimated.shape.n_examples


def test_lists_are_no_longer_than_they_may_be(pubmed_small):
    model = SlideClassifier(random_state=0, n_jobs=1)
    found = model.estimate(pubmed_small.X_train, pubmed_small.Y_train, total_examples=10**12, seconds=0.1)
    of_labels = max(64, 256) * pubmed_small.Y_train.shape[1]
    of_features = 64 * pubmed_small.X_train.shape[1]
    assert 0 < found.memory["lists"] <= 8 * (of_labels + of_features)


def test_an_estimate_changes_nothing(pubmed_small):
    told = []

    class Told(Callback):
        def on_epoch_end(self, estimator, context):
            told.append(context.epoch)

    model = SlideClassifier(hidden=8, epochs=1, random_state=0, callbacks=[Told()], verbose=1)
    before = dict(vars(model))
    model.estimate(pubmed_small.X_train, pubmed_small.Y_train, seconds=0.01)
    assert vars(model).keys() - {"_model_lock"} == before.keys() and not told
    assert not model.__sklearn_is_fitted__()


def test_one_class_of_each_example(pubmed_small):
    y = pubmed_small.Y_train[:, :40].toarray().argmax(axis=1)
    found = SlideClassifier(hidden=8, random_state=0).estimate(pubmed_small.X_train, y, seconds=0.1)
    assert found.shape.labels_per_example == 1 and found.shape.n_labels == len(np.unique(y))
    assert found.training_seconds > 0 and found.prediction_seconds > 0


def test_both_ways_each_example_is_learned_twice():
    rng = np.random.default_rng(0)
    items = rng.random((600, 300)) < 0.05
    given = items & (rng.random(items.shape) < 0.5)
    model = SlideClassifier(hidden=8, both_ways=True, random_state=0)
    found = model.estimate(given * 1.0, (items & ~given) * 1, seconds=0.1)
    assert found.shape.is_both_ways and found.shape.n_learned == 1200
    assert found.shape.labels_seen == found.shape.features_seen == (items.any(axis=0)).sum()


def pilot(n, finish=0.0, epoch=0.0, entries=0):
    return Pilot(
        n_examples=n,
        prepare=0.5,
        first_epoch=epoch + 0.25,
        epoch=epoch,
        finish=finish,
        predict=1e-5,
        ranker_entries=entries,
        candidate_entries=0,
        features_seen=100,
        labels_seen=100,
    )


def test_lines_and_powers_go_on():
    pilots = [pilot(n, 1 + 0.002 * n, 0.001 * n, round(20 * n**0.3)) for n in (500, 1000, 2000, 4000)]
    found = _seconds(pilots, 4, 100_000, wider=3.0)
    assert found["steps"] == pytest.approx(4 * 100 + 3 * 0.25)
    assert found["finish"] == pytest.approx(200 + 3 * 1)
    assert found["prepare"] == pytest.approx(3 * 0.5)
    outlier = [*pilots[:1], replace(pilots[1], finish=40.0), *pilots[2:]]
    assert _seconds(outlier, 4, 100_000, 1.0)["finish"] == pytest.approx(201, rel=0.3)
    entries = _entries(pilots, "ranker_entries", "labels_seen", 1000, 100_000, longest=10**6)
    assert entries == pytest.approx(1000 / 100 * 20 * 100_000**0.3, rel=0.01)


def test_examples_that_judge_in_turn_are_learned_in_folds_too():
    with_ranker, without = (
        [pilot(n, 1 + 0.002 * n, 0.001 * n, entries) for n in (500, 1000, 2000)] for entries in (1000, 0)
    )
    for n, more in ((90, 0), (3000, 2), (4000, 0)):
        plain, found = (_seconds(pilots, 4, n, wider=1.0) for pilots in (without, with_ranker))
        assert found["steps"] == plain["steps"]
        assert found["finish"] == pytest.approx(plain["finish"] + more * (plain["steps"] + plain["finish"]))


def test_ids_beyond_a_smaller_model_begin_again():
    x = as_csr(np.array([[1.0, 0, 2, 0, 3], [0, 0, 0, 4, 0]]))
    np.testing.assert_array_equal(folded(x, 2).toarray(), [[6, 0], [0, 4]])
    y = as_pattern(np.array([[1, 0, 1, 0, 1], [0, 0, 0, 1, 0]]))
    np.testing.assert_array_equal(folded(y, 2).toarray(), [[1, 0], [0, 1]])
    np.testing.assert_array_equal(folded(y, 7).toarray(), np.pad(y.to_scipy().toarray(), ((0, 0), (0, 2))))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"total_labels": 10}, "total_labels is 10; accepted is an integer from 3"),
        ({"total_examples": 1}, "total_examples is 1; accepted is an integer from 1500"),
        ({"total_features": 1e7}, "total_features is 10000000.0; accepted is an integer"),
        ({"seconds": 0}, "seconds is 0"),
        ({"seconds": math.nan}, "seconds is nan"),
    ],
)
def test_numbers_that_cannot_be(pubmed_small, given, message):
    with pytest.raises(InputError, match=message):
        SlideClassifier().estimate(pubmed_small.X_train, pubmed_small.Y_train, **given)


def test_there_is_nothing_to_estimate_from():
    with pytest.raises(InputError):
        Shape.of(as_csr(np.zeros((0, 3))), as_pattern(np.zeros((0, 3))))
