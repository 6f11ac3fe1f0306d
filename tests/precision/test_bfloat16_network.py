"""Networks of bfloat16 weights, against the specification, on any number of threads and every CPU."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from network_settings import make_config, sparse_problem
from numpy.testing import assert_array_equal
from scipy import sparse

from hashslide import _core, reference
from hashslide.csr import as_csr
from hashslide.errors import InputError
from hashslide.network import Network
from hashslide.precision import BFLOAT16, to_float32
from hashslide.settings import DWTA, SGD, Adam, Dense, Hashed, NetworkConfig, Vanilla

RELEASE = platform.release().split(".")[:2]
HAS_POPULATE = platform.system() == "Linux" and [int("".join(filter(str.isdigit, n))) for n in RELEASE] >= [
    5,
    14,
]


def problem():
    """120 examples of 40 features and 70 labels."""
    return sparse_problem(np.random.default_rng(5), (120, 40, 70), 0.05)


def train(network, batch=30, steps=8, rate=0.1, threads=1):
    """Train on the problem; return the losses."""
    arrays, counts = problem()
    network.set_label_prior(counts, 120)
    rows = np.arange(batch * steps, dtype=np.int64) % 120
    return [
        network.train_batch(*arrays, part, None, rate, threads).loss for part in rows.reshape(steps, batch)
    ]


def config(**settings):
    defaults = {"hidden": 12, "uniform": 10, "input_init": 0.3, "precision": "bfloat16", "seed": 9}
    return make_config(n_features=40, n_labels=70, **defaults | settings)


HASHED = Hashed(40, 20, hash=DWTA(tables=8, hashes=2, bin_size=4))
CASES = {
    "defaults": ({}, 0.1),
    "softmax": ({"loss": "softmax"}, 0.1),
    "adam": ({"optimizer": Adam(weight_decay=0.1)}, 0.01),
    "momentum": ({"optimizer": SGD(momentum=0.8)}, 0.2),
    "a length": ({"hidden": Dense(37, length=3.0)}, 0.1),
    "dense, dense": ({"hidden": (Dense(9, "relu"), Dense(33, "tanh"))}, 0.01),
    "hashed first": ({"hidden": (HASHED, 11)}, 0.01),
    "hashed second": ({"hidden": (9, HASHED), "active": "per_example"}, 0.1),
    "sets of their own": (
        {"active": "per_example", "sampler": Vanilla(budget=9), "hash": DWTA(tables=8, hashes=2, bin_size=4)},
        0.1,
    ),
}


@pytest.mark.parametrize(("settings", "rate"), CASES.values(), ids=CASES.keys())
def test_core_and_specification_round_the_same_way(settings, rate):
    """Sums in another order round a few weights to the other neighbour, which is at most 1/128 away."""
    one = config(**settings)
    core, specification = _core.Network(one.to_core()), reference.Network(one)
    np.testing.assert_allclose(train(core, rate=rate), train(specification, rate=rate), rtol=3e-3)
    expected, found = specification.state(), core.state()
    assert found.keys() == expected.keys()
    for name in expected:
        if not name.endswith(".weight"):
            continue
        ours, theirs = to_float32(found[name].view(BFLOAT16)), to_float32(expected[name])
        assert np.any(ours), name
        different = ours != theirs
        assert different.mean() < 0.2, name
        close = np.abs(ours - theirs) <= 3 * np.maximum(np.abs(ours), np.abs(theirs)) / 128 + 1e-4
        assert close.mean() > 0.995, name


@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 31, 32, 33, 48, 70, 255, 256, 257])
@pytest.mark.parametrize("batch", [1, 3, 9, 64, 120])
def test_products_are_exact_where_the_numbers_have_few_bits(width, batch):
    """Whatever packs, multiplies and adds them then has the losses of float32, but for the order of sums."""
    rng = np.random.default_rng(width)
    losses = []
    for precision in ("float32", "bfloat16"):
        settings = make_config(n_features=40, n_labels=70, hidden=width, precision=precision, uniform=40)
        network = Network(settings)
        state = network.snapshot()
        rng = np.random.default_rng(width)
        for name in ("input.weight", "output.weight"):
            numbers = rng.integers(-3, 4, state[name].shape).astype(np.float32) / 8
            halves = reference.rounding.bfloat16_bits(numbers)
            state[name] = halves if precision == "bfloat16" else numbers
        network.restore(state)
        arrays, counts = problem()
        arrays[2] = np.ones_like(arrays[2])
        x = sparse.csr_matrix((arrays[2], arrays[1], arrays[0]), shape=(120, 40))
        y = sparse.csr_matrix((np.ones(len(arrays[4])), arrays[4], arrays[3]), shape=(120, 70))
        network.set_label_prior(counts, 120)
        losses.append(network.train_batch(as_csr(x), as_csr(y), np.arange(batch), 0.0)[0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6) and losses[0] > 0


@pytest.mark.parametrize(
    "settings",
    [{}, {"hidden": 256, "loss": "softmax"}, CASES["hashed first"][0], CASES["hashed second"][0]],
)
def test_the_number_of_threads_changes_no_bit(settings):
    results = []
    for threads in (1, 2, 3):
        network = _core.Network(config(**settings).to_core())
        losses = train(network, batch=120, threads=threads)
        results.append((losses, {name: np.array(a) for name, a in network.state().items()}))
    for losses, state in results[1:]:
        assert losses == results[0][0]
        for name, array in state.items():
            assert_array_equal(array, results[0][1][name], err_msg=name)


def test_scores_are_those_of_the_stored_weights():
    network = Network(config(hidden=(9, Dense(13, "tanh"))))
    train(network._core, steps=12)
    x = sparse.random(50, 40, 0.2, "csr", np.float32, random_state=1)
    state = network.state()
    weight, bias = to_float32(state["output.weight"]), state["output.bias"]
    expected = network.hidden(x) @ weight.T + bias
    np.testing.assert_allclose(network.logits(x), expected, rtol=1e-4, atol=1e-4)
    labels, scores = network.predict_topk(x, 5)
    assert_array_equal(scores, np.take_along_axis(network.logits(x), labels, axis=1))
    assert_array_equal(labels, np.argsort(-network.logits(x), axis=1, kind="stable")[:, :5])
    for row in range(3):
        assert_array_equal(network.predict_topk(x[row], 5)[0][0], labels[row])


def test_growth_and_states_keep_every_bit():
    network = Network(config())
    train(network._core)
    again = Network.from_state(network.config, network.snapshot(), copy=False)
    for other in (network, again):
        other.grow(45, 90)
        assert other.state()["output.weight"].shape == (90, 12)
    before = to_float32(network.state()["input.weight"])
    assert before[40:].any() and not to_float32(network.state()["output.weight"])[70:].any()
    arrays = problem()[0]
    for other in (network, again):
        other._core.train_batch(*arrays, np.arange(60, dtype=np.int64), None, 0.1, 2)
    for name, array in network.state().items():
        assert_array_equal(array, again.state()[name], err_msg=name)
    assert (to_float32(network.state()["input.weight"]) != before).any()


def test_a_state_of_the_other_precision_is_refused():
    half, single = (Network(config(precision=p)) for p in ("bfloat16", "float32"))
    for network, other, message in (
        (half, single, "is float32 of shape .*; this network needs bfloat16 of shape"),
        (single, half, "is uint16 of shape .*; this network needs float32 of shape"),
    ):
        with pytest.raises(InputError, match=message):
            Network.from_state(network.config, other.state())


SCRIPT = """
import numpy as np, hashslide, test_bfloat16_network as t
from hashslide import _core
network = _core.Network(t.config(hidden=70).to_core())
losses = t.train(network, batch=60, steps=12)
other = _core.Network(t.config(hidden=70).to_core())
assert t.train(other, batch=60, steps=12, threads=3) == losses, "bits depend on the number of threads"
print(hashslide.build_info()["isa"], *losses)
"""


def test_every_instruction_set_learns_the_same_but_for_rounding():
    paths = os.pathsep.join(
        [os.path.dirname(__file__), os.path.dirname(os.path.dirname(__file__)), *sys.path]
    )
    results = []
    for isa in _core.build_info()["isa_supported"]:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "HASHSLIDE_ISA": isa, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        name, *losses = done.stdout.split()
        assert name == isa
        results.append(np.array(losses, float))
    for losses in results[1:]:
        np.testing.assert_allclose(losses, results[0], rtol=5e-3)


def test_settings_name_the_precisions():
    with pytest.raises(InputError, match="precision is 'float16'; accepted are 'float32' and 'bfloat16'"):
        NetworkConfig(n_features=1, n_labels=1, precision="float16")


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.memory_of_the_process
@pytest.mark.skipif(not HAS_POPULATE, reason="Linux hands out memory on request from 5.14 on")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_memory_of_new_weights_is_there_before_the_first_step(precision):
    before = resident_bytes()
    network = _core.Network(
        NetworkConfig(n_features=1, n_labels=2**20, hidden=64, precision=precision).to_core()
    )
    assert resident_bytes() - before > 0.95 * network.state()["output.weight"].nbytes > 2**26
