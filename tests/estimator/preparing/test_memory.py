"""A fit takes the data, twice the model and a fixed amount of memory, whatever its data and settings."""

import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from hashslide.csr import Csr, as_csr
from hashslide.estimator._outliers import warn_of_outlier
from hashslide.estimator.approximate import list_entries, pays_off
from hashslide.estimator.preparing import label_counts, training_data, unit_scale
from hashslide.living.new_labels import with_new_labels
from hashslide.network import Network
from hashslide.settings import NetworkConfig

TOP = Path(__file__).parents[3]
BENCHMARK = "benchmarks.speed.setup_cost"
SEVERAL = 24e6  # bytes


has_peaks = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's peaks of memory"
)


@pytest.mark.memory_of_the_process
@has_peaks
@pytest.mark.skipif(not (TOP / "benchmarks").is_dir(), reason="source distributions have no benchmarks")
@pytest.mark.parametrize("options", [[], ["--early-stopping"], ["--halves"]])
def test_the_memory_of_a_fit_keeps_its_bound(options):
    """A recommendation set: a hundred times as many pairs of feature and label as entries of the data."""
    settings = ["--shrink", "12", "--hidden", "32", "--epochs", "1", "--approximate", "--json"]
    command = [sys.executable, "-m", BENCHMARK, *settings, *options]
    done = subprocess.run(command, cwd=TOP, capture_output=True, check=True)
    result = json.loads(done.stdout)
    stages = result["stages"]
    assert {"weigh the ranker", "train an epoch", "learn the candidate lists"} <= set(stages)
    assert result["data_mb"] < 20 and result["model_mb"] < 100
    bound = result["data_mb"] + 2 * result["model_mb"] + 300
    assert result["peak_mb"] < result["bound_mb"] == pytest.approx(bound)


@pytest.mark.memory_of_the_process
@has_peaks
def test_going_back_to_a_state_holds_the_model_twice_not_three_times():
    """What early stopping does at its end."""
    network = Network(NetworkConfig(n_features=100_000, n_labels=300_000, hidden=64))
    state, rng = network.snapshot(), np.random.default_rng(0)
    for name in ("input.weight", "output.weight"):
        state[name] = rng.random(state[name].shape, np.float32)
    network.restore(state)
    megabytes = sum(array.nbytes for array in state.values()) / 1e6
    Path("/proc/self/clear_refs").write_text("5")
    before = memory_mb("VmRSS")
    network.restore(state)
    assert memory_mb("VmHWM") - before < 0.2 * megabytes
    state["output.weight"][:] = 0
    assert network.state()["output.weight"].any()


def memory_mb(field) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(field))


def peak(call) -> int:
    """Bytes that a call holds at most beside what there was, in Python's and NumPy's memory."""
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def large():
    """72 MB of features and labels, and what is left of them without some rows."""
    n, width, of_each = 60_000, 2000, 100
    ids = np.random.default_rng(0).integers(0, width // of_each, (n, of_each)) + np.arange(of_each) * (
        width // of_each
    )
    indptr = np.arange(0, n * of_each + 1, of_each)
    x = Csr(indptr, ids.astype(np.int32).ravel(), np.ones(n * of_each, np.float32), width)
    y = Csr(indptr, x.indices, None, width)
    weight = np.ones(n, np.float32)
    weight[::7] = 0
    return training_data(x, y), training_data(x, y, weight)


@pytest.mark.parametrize("part", [0, 1], ids=["all rows", "some rows"])
def test_nothing_copies_the_data(part, large):
    data = large[part]
    network = Network(NetworkConfig(n_features=2000, n_labels=2000, hidden=4))
    calls = {
        "label_counts": lambda: label_counts(data),
        "unit_scale": lambda: unit_scale(data),
        "warn_of_outlier": lambda: warn_of_outlier(data),
        "pays_off": lambda: pays_off(network, data.x, data.chosen()),
        "list_entries": lambda: list_entries(network, data.x, data.chosen()),
        "with_new_labels": lambda: with_new_labels(data, 2000),
    }
    peaks = {name: peak(call) for name, call in calls.items()}
    assert max(peaks.values()) < SEVERAL, peaks


def test_taking_rows_needs_no_more_than_the_rows(large):
    data = large[0]
    rows = np.arange(0, data.x.n_rows, 2)
    assert peak(lambda: data.x.take(rows)) < 100 * 8 * len(rows) + SEVERAL + 8e6


def test_taking_rows_is_what_scipy_does():
    rng = np.random.default_rng(0)
    matrix = sparse.random(500, 9000, 0.4, "csr", np.float32, random_state=0)
    for row in range(7, 300, 3):
        matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]] = 0
    matrix.eliminate_zeros()
    x = as_csr(matrix)
    for rows in (rng.integers(0, 500, 700), np.arange(0), np.array([7, 7, 8]), np.arange(500)):
        taken, expected = x.take(rows), matrix[rows]
        assert taken.nnz == expected.nnz
        np.testing.assert_array_equal(taken.indptr, expected.indptr)
        np.testing.assert_array_equal(taken.indices, expected.indices)
        np.testing.assert_array_equal(taken.data, expected.data)


def test_label_counts_are_those_of_the_chosen_rows(large):
    for data in large:
        expected = np.zeros(2000, np.int64)
        np.add.at(expected, data.y.to_scipy()[data.rows].indices, 1)
        np.testing.assert_array_equal(label_counts(data), expected)


def test_stored_zeros_are_left_out_wherever_they_are():
    rng = np.random.default_rng(0)
    matrix = sparse.random(300, 50, 0.3, "csr", np.float32, random_state=0)
    matrix.data[rng.random(matrix.nnz) < 0.5] = 0
    matrix.data[matrix.indptr[40] : matrix.indptr[60]] = 0
    found = as_csr(matrix)
    matrix.eliminate_zeros()
    np.testing.assert_array_equal(found.indptr, matrix.indptr)
    np.testing.assert_array_equal(found.indices, matrix.indices)
    np.testing.assert_array_equal(found.data, matrix.data)
