"""Threads (the same bits for any number, forks, concurrent callers) and the choice of the instruction set."""

import multiprocessing
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import hashslide
from hashslide import _core
from hashslide.settings import Dense, Hashed, Negatives, NetworkConfig


def problem(n=600, d=200, n_labels=900, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 30, n)
    x_indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    x_indices = np.concatenate([np.sort(rng.choice(d, k, replace=False)) for k in lengths]).astype(np.int32)
    x_data = rng.random(len(x_indices), dtype=np.float32)
    y_indptr = np.arange(0, 3 * n + 1, 3, dtype=np.int64)
    y_indices = np.concatenate([np.sort(rng.choice(n_labels, 3, replace=False)) for _ in range(n)])
    return (x_indptr, x_indices, x_data), (y_indptr, y_indices.astype(np.int32)), d, n_labels


def trained(n_threads, activation="identity", n_labels=900, **settings):
    x, y, d, n_labels = problem(n_labels=n_labels)
    defaults = dict(n_features=d, n_labels=n_labels, hidden=Dense(48, activation, dropout=0.1))
    defaults |= dict(negatives=Negatives(uniform=40, popular=10), input_dropout=0.1, seed=7)
    network = _core.Network(NetworkConfig(**{**defaults, **settings}).to_core())
    n = len(x[0]) - 1
    network.set_label_prior(np.bincount(y[1], minlength=n_labels), n)
    losses = [
        network.train_batch(*x, *y, np.arange(i, i + 100, dtype=np.int64), None, 0.1, n_threads).loss
        for i in range(0, n, 100)
    ]
    return network, x, losses


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"loss": "softmax", "activation": "relu"},
        {"optimizer": "adam", "activation": "tanh"},
        {"hidden": (Dense(16, "tanh"), Hashed(900, 60), Dense(24, "tanh", dropout=0.1))},
    ],
)
def test_models_are_identical_by_bits_for_any_number_of_threads(settings):
    reference, x, losses = trained(1, **settings)
    expected = reference.predict_topk(*x, 7, 1)
    for n_threads in (2, 3, 8):
        network, _, same_losses = trained(n_threads, **settings)
        assert same_losses == losses
        for name, array in reference.state().items():
            assert array.tobytes() == network.state()[name].tobytes(), name
        for a, b in zip(expected, network.predict_topk(*x, 7, n_threads), strict=True):
            assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("n_labels", [900, 9000])
def test_threads_share_examples_or_labels_and_predict_the_same(n_labels):
    """900 labels are one piece of work, so that threads share the examples; 9,000 are three."""
    network, x, _ = trained(2, n_labels=n_labels)
    n = len(x[0]) - 1
    labels, scores = network.predict_topk(*x, 9, 1)
    best = np.arange(n + 1, dtype=np.int64), labels[:, 0].astype(np.int32)
    for n_threads in (1, 2, 3, 8):
        found = network.predict_topk(*x, 9, n_threads)
        assert found[0].tobytes() == labels.tobytes() and found[1].tobytes() == scores.tobytes()
        others = network.predict_topk(*x, 8, n_threads, best)  # without the best label
        np.testing.assert_array_equal(others[0], labels[:, 1:])
        np.testing.assert_array_equal(others[1], scores[:, 1:])


def test_another_seed_gives_another_model():
    a, b = (trained(1, seed=seed)[0].state()["output.weight"] for seed in (1, 2))
    assert (a != b).any()


@pytest.mark.parametrize("rows", [1, 3, 5, 300])
@pytest.mark.parametrize("k", [1, 10, 900])
def test_topk_is_exact(rows, k):
    """A few rows are scored in full, others screened by 8-bit bounds; both find what a full sort finds."""
    network, x, _ = trained(2)
    part = (x[0][: rows + 1], x[1][: x[0][rows]], x[2][: x[0][rows]])
    labels, scores = network.predict_topk(*part, k, 2)
    logits = network.logits(*part, 2)
    np.testing.assert_array_equal(np.take_along_axis(logits, labels, axis=1), scores)
    np.testing.assert_array_equal(-np.sort(-logits, axis=1)[:, :k], scores)
    assert all(len(set(row)) == k for row in labels.tolist())


@pytest.mark.parametrize("rows", [1, 6])
def test_ties_go_to_the_smaller_id(rows):
    network = _core.Network(NetworkConfig(n_features=3, n_labels=5000, hidden=8).to_core())
    x = np.arange(rows + 1, dtype=np.int64), np.zeros(rows, np.int32), np.ones(rows, np.float32)
    labels, scores = network.predict_topk(*x, 4, 2)
    assert labels.tolist() == [[0, 1, 2, 3]] * rows
    assert (scores == 0).all()


@pytest.mark.parametrize("magnitude", [1e-30, 1e19, 1e30, 3e38])
def test_single_rows_find_what_many_rows_find_at_extreme_weights(magnitude):
    """Where the bounds of the screen overflow, it steps aside."""
    config = NetworkConfig(n_features=3, n_labels=300, hidden=4).to_core()
    state = {k: np.array(v) for k, v in _core.Network(config).state().items()}
    rng = np.random.default_rng(0)
    state["output.weight"] = (rng.uniform(-1, 1, (300, 4)) * magnitude).astype(np.float32)
    network = _core.Network.from_state(config, state, True)
    rows = 6
    x = np.arange(rows + 1, dtype=np.int64), np.zeros(rows, np.int32), np.ones(rows, np.float32)
    many = network.predict_topk(*x, 10, 1)[0]
    one = network.predict_topk(x[0][:2], x[1][:1], x[2][:1], 10, 1)[0]
    assert ((one >= 0) & (one < 300)).all() and len(set(one[0].tolist())) == 10
    if magnitude < 1e38:
        assert one[0].tolist() == many[0].tolist()


def test_a_prediction_sees_the_weights_of_the_last_step():
    """The screen of single-row predictions is rebuilt after training."""
    network, x, _ = trained(1)
    _, y, _, _ = problem()
    row = (x[0][:2], x[1][: x[0][1]], x[2][: x[0][1]])
    network.predict_topk(*row, 3, 1)
    network.train_batch(*x, *y, np.arange(600, dtype=np.int64), None, 0.5, 1)
    labels, scores = network.predict_topk(*row, 3, 1)
    logits = network.logits(*row, 1)
    np.testing.assert_array_equal(np.take_along_axis(logits, labels, axis=1), scores)
    np.testing.assert_array_equal(scores[0], -np.sort(-logits[0])[:3])


def train_in_child(queue):
    queue.put(trained(2)[2])


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_can_train():
    expected = trained(2)[2]  # starts the parent's threads
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=train_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=600) == expected
    child.join()
    assert child.exitcode == 0


def test_python_threads_may_train_and_predict_at_once():
    expected = trained(2)[2]
    results = []
    threads = [threading.Thread(target=lambda: results.append(trained(2)[2])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity on this system")
def test_available_cpus_respects_the_affinity_mask():
    mask = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mask)})
        assert hashslide.available_cpus() == 1
    finally:
        os.sched_setaffinity(0, mask)
    assert 1 <= hashslide.available_cpus() <= len(mask)


ISA_SCRIPT = """
import numpy as np, hashslide, test_core_parallel as t
network, x, losses = t.trained(1)
one, three = network.state(), t.trained(3)[0].state()
assert all(np.array_equal(one[name], three[name]) for name in one), "bits depend on the number of threads"
labels, scores = network.predict_topk(*x, 5, 1)
again = network.predict_topk(*x, 5, 3)
assert np.array_equal(labels, again[0]) and np.array_equal(scores, again[1])
print(hashslide.build_info()["isa"], *losses, *labels[:, 0][:50])
"""


def run_with_isa(isa, **environment):
    return subprocess.run(
        [sys.executable, "-c", ISA_SCRIPT],
        env={**os.environ, "HASHSLIDE_ISA": isa} | environment,
        cwd=os.path.dirname(__file__),
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_every_instruction_set_of_this_cpu_learns_the_same():
    """The same but for the last bits, which are the same for any number of threads on each of them."""
    results = []
    supported = hashslide.build_info()["isa_supported"]
    blas = {"OPENBLAS_CORETYPE": "Prescott"}  # kernels that every x86-64 CPU has
    for isa, environment in [*((isa, {}) for isa in supported), (supported[0], blas)]:
        done = run_with_isa(isa, **environment)
        assert done.returncode == 0, done.stderr
        name, *numbers = done.stdout.split()
        assert name == isa
        results.append(np.array(numbers, dtype=float))
    for result in results[1:]:
        np.testing.assert_allclose(result[:6], results[0][:6], rtol=1e-3)
        assert (result[6:] == results[0][6:]).mean() >= 0.9


def test_an_instruction_set_that_is_not_there_fails_loudly():
    done = run_with_isa("avx1024")
    assert done.returncode != 0
    message = "CpuError: HASHSLIDE_ISA is 'avx1024', but this CPU and this build offer baseline"
    assert f"hashslide.errors.{message}" in done.stderr


def test_build_info_tells_what_was_built_and_what_runs():
    info = hashslide.build_info()
    assert info["isa"] in info["isa_supported"]
    assert set(info["isa_supported"]) <= set(info["isa_built"])
    assert info["version"] == hashslide.__version__
    assert "OpenBLAS" in info["gemm"]
