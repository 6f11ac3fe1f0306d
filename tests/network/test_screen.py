"""The exact top k, screened by 8-bit copies: the same bits as a full sort of all scores."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

import hashslide
from hashslide import _core
from hashslide.csr import as_csr, as_pattern
from hashslide.network import Network
from hashslide.precision import is_bfloat16
from hashslide.ranking import Blend
from hashslide.settings import Dense, NetworkConfig

N_FEATURES, N_ROWS = 40, 129

ISA_SCRIPT = """
import test_screen as t
t.check_products()
t.check_topk(t.network_with(t.ordinary, 3000, 37), t.examples(50), 20, n_threads=2)
"""


def check_products():
    """The kernel against NumPy's integers, the largest ones included."""
    rng = np.random.default_rng(0)
    for width in [*range(1, 71), 255, 256]:
        for n_queries, n_labels in [(1, 70), (2, 33), (13, 47), (48, 16), (31, 1)]:
            queries = rng.integers(-63, 64, (n_queries, width), np.int8)
            labels = rng.integers(-127, 128, (n_labels, width), np.int8)
            queries[0], labels[0], labels[-1] = 63, 127, -127
            found = _core.products_int8(queries, labels).reshape(n_queries, -1)[:, :n_labels]
            np.testing.assert_array_equal(found, queries.astype(np.int32) @ labels.T.astype(np.int32))


def examples(n_rows):
    """Some rows of features."""
    return as_csr(sparse.random(n_rows, N_FEATURES, 0.2, "csr", np.float32, np.random.default_rng(1)))


def ordinary(rng, n_labels, width):
    return rng.normal(size=(n_labels, width)), rng.normal(size=n_labels)


def equal_rows(rng, n_labels, width):
    """Every score occurs many times."""
    weight, bias = ordinary(rng, 7, width)
    rows = rng.integers(0, 7, n_labels)
    return weight[rows], bias[rows]


def all_equal(rng, n_labels, width):
    return np.full((n_labels, width), 0.3), np.zeros(n_labels)


def giant_coordinates(rng, n_labels, width):
    """Rows whose other coordinates round to 0."""
    weight, bias = ordinary(rng, n_labels, width)
    rows = np.arange(n_labels)
    weight[rows, rows % width] = rng.choice([-1e6, 1e6], n_labels)
    return weight, bias


def tiny(rng, n_labels, width):
    weight, bias = ordinary(rng, n_labels, width)
    return weight * 1e-30, bias * 1e-30


def denormal_squares(rng, n_labels, width):
    weight, bias = ordinary(rng, n_labels, width)
    return weight * 1e-21, bias * 1e-21


def all_magnitudes(rng, n_labels, width):
    weight, bias = ordinary(rng, n_labels, width)
    return weight * 10.0 ** rng.uniform(-12, 12, (n_labels, 1)), bias


def cancelling(rng, n_labels, width):
    """Scores that are small beside their summands."""
    weight = rng.normal(size=(1, width)) + 1e-6 * rng.normal(size=(n_labels, width))
    return weight, 1e5 + 1e-2 * rng.normal(size=n_labels)


def overflowing(rng, n_labels, width):
    weight, bias = ordinary(rng, n_labels, width)
    return weight * 1e30, bias


def some_infinite(rng, n_labels, width):
    weight, bias = ordinary(rng, n_labels, width)
    bias[::50] = -np.inf
    bias[7] = np.inf
    return weight, bias


WEIGHTS = [
    ordinary,
    equal_rows,
    all_equal,
    giant_coordinates,
    tiny,
    denormal_squares,
    all_magnitudes,
    cancelling,
    overflowing,
    some_infinite,
]


def network_with(weights, n_labels, width, ranker=False, precision="float32"):
    """A network with the given output weights."""
    rng = np.random.default_rng(0)
    config = NetworkConfig(
        n_features=N_FEATURES, n_labels=n_labels, hidden=Dense(width, "identity"), precision=precision
    )
    network = Network(config)
    if ranker:
        y = as_pattern(sparse.random(N_ROWS, n_labels, 3 / n_labels, "csr", np.float32, rng))
        network.set_label_prior(np.bincount(y.indices, minlength=n_labels), N_ROWS)
        network.set_ranker(
            network.make_ranker(examples(N_ROWS), y), Blend(prior=0.5, margin=1.5, association=0.3)
        )
    state = network.snapshot()
    weight, bias = weights(rng, n_labels, width)
    state["output.weight"], state["output.bias"] = weight.astype(np.float32), bias.astype(np.float32)
    state["input.weight"] = rng.normal(size=state["input.weight"].shape).astype(np.float32)
    if precision == "bfloat16":
        for name in ("input.weight", "output.weight"):
            state[name] = (state[name].view(np.uint32) >> 16).astype(np.uint16)
    state = {name: a.view(np.uint16) if is_bfloat16(a) else a for name, a in state.items()}
    network._core = _core.Network.from_state(config.to_core(), state, True)  # users cannot set infinity
    return network


def sorted_topk(logits, k, excluded=None):
    """The k best of all scores, ties by the smaller id; what is left out comes last and has the label -1."""
    labels, scores = [], []
    for row, z in enumerate(logits):
        left_out = excluded.to_scipy()[row].indices if excluded is not None else []
        kept = np.setdiff1d(np.arange(len(z)), left_out)
        best = kept[np.lexsort((kept, -z[kept]))][:k]
        missing = k - len(best)
        labels.append(np.append(best, np.full(missing, -1)))
        scores.append(np.append(z[best], np.full(missing, -np.inf, np.float32)))
    return np.array(labels), np.array(scores)


def check_topk(network, x, k, excluded=None, n_threads=1):
    """Of one row and of all, before there is a screen and after."""
    labels, scores = sorted_topk(network.logits(x), k, excluded)
    for first, n in [(0, 1), (0, x.n_rows), (x.n_rows - 1, 1), (0, 1)]:
        left_out = None if excluded is None else excluded.block(first, first + n)
        found = network.predict_topk(x.block(first, first + n), k, n_threads, exclude=left_out)
        np.testing.assert_array_equal(found[0], labels[first : first + n])
        assert found[1].tobytes() == scores[first : first + n].tobytes()


@pytest.mark.parametrize("isa", hashslide.build_info()["isa_supported"])
def test_integer_products_and_predictions_of_every_instruction_set(isa):
    done = subprocess.run(
        [sys.executable, "-c", ISA_SCRIPT],
        env={**os.environ, "HASHSLIDE_ISA": isa},
        cwd=os.path.dirname(__file__),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("width", [1, 6, 64])
def test_the_best_are_those_of_a_full_sort(weights, width):
    network = network_with(weights, 2500, width)
    check_topk(network, examples(20), 9)


@pytest.mark.parametrize("n_rows", [1, 3, 4, 5, 127, 129])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_any_number_of_rows_and_threads(n_rows, n_threads):
    network = network_with(ordinary, 9001, 19)
    check_topk(network, examples(n_rows), 5, n_threads=n_threads)


@pytest.mark.parametrize("large", ["input.weight", "output.weight"])
def test_bounds_hold_where_all_of_a_score_is_lost_in_rounding(large):
    """The first coordinate is large on one side and 0 on the other; beside it the second one rounds to 0.

    There the bounds are as tight as they can be. Other labels have only a bias of 0.7 of those scores.
    """
    network = network_with(ordinary, 1000, 2)
    state = network.snapshot()
    state["input.weight"][:] = [1e4, 1] if large == "input.weight" else [0, 1]
    weight, bias = np.zeros((1000, 2)), np.full(1000, 0.7)
    weight[::2] = [0, 1] if large == "input.weight" else [1e4, 1]
    bias[::2] = 0
    state["output.weight"], state["output.bias"] = weight.astype(np.float32), bias.astype(np.float32)
    network.restore(state)
    x = as_csr(np.eye(3, N_FEATURES, dtype=np.float32))
    for _ in range(3):
        labels, scores = network.predict_topk(x, 9)
        assert labels.tolist() == [list(range(0, 18, 2))] * 3
        assert (scores == 1).all()


@pytest.mark.parametrize("weights", [ordinary, all_equal, overflowing])
@pytest.mark.parametrize("k", [1, 7, 300])
def test_labels_that_are_left_out(weights, k):
    """The last row may get only five labels."""
    network, n_rows = network_with(weights, 300, 9), 60
    rng = np.random.default_rng(2)
    share = np.linspace(0, 0.9, n_rows)[:, None]
    left_out = rng.random((n_rows, 300)) < share
    left_out[-1] = np.arange(300) % 60 > 0
    check_topk(network, examples(n_rows), k, as_pattern(left_out.astype(np.float32)), n_threads=2)


@pytest.mark.parametrize("weights", [ordinary, equal_rows, cancelling, overflowing])
@pytest.mark.parametrize("n_labels", [30, 700])
def test_the_offsets_and_margins_of_a_ranker(weights, n_labels):
    network, x = network_with(weights, n_labels, 11, ranker=True), examples(N_ROWS)
    check_topk(network, x, 10)
    left_out = as_pattern((np.random.default_rng(3).random((N_ROWS, n_labels)) < 0.3).astype(np.float32))
    scored = network_with(weights, n_labels, 11, ranker=True)
    expected = scored.predict_topk(x.block(0, 1), 10, exclude=left_out.block(0, 1))  # without a screen
    found = network.predict_topk(x, 10, exclude=left_out)
    for one, many in zip(expected, found, strict=True):
        assert one[0].tobytes() == many[0].tobytes()


@pytest.mark.parametrize("weights", [ordinary, equal_rows, overflowing])
def test_weights_of_bfloat16(weights):
    check_topk(network_with(weights, 2500, 22, precision="bfloat16"), examples(50), 9, n_threads=2)


def test_any_number_of_labels():
    for n_labels in [1, 2, 15, 16, 17, 127, 128, 129, 4097]:
        check_topk(network_with(ordinary, n_labels, 5), examples(9), min(n_labels, 6))
