"""A dense layer over a layer that selects its neurons costs what is active, whatever lies below."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from hashslide.csr import as_csr, as_pattern
from hashslide.network import Network
from hashslide.settings import Adam, Dense, Exact, Layer, Negatives, NetworkConfig

N, D, L, BUDGET, WIDTH = 20, 30, 5, 7, 6


@pytest.fixture(scope="module")
def data():
    """Features and labels, and the rows of a batch; each example has 3 features."""
    rng = np.random.default_rng(0)
    indices = np.concatenate([rng.choice(D, 3, replace=False) for _ in range(N)])
    x = sparse.csr_matrix((rng.random(3 * N, np.float32) + 1, indices, np.arange(0, 3 * N + 1, 3)), (N, D))
    y = sparse.random(N, L, 0.4, "csr", np.float32, random_state=rng)
    return as_csr(x), as_pattern(y), np.arange(N)


def make(width_below, **settings):
    """A network of 3 layers of which the second computes 7 neurons for an example, none of which is 0."""
    selecting = Layer(width_below, "identity", sampler=Exact(budget=BUDGET))
    layers = [Dense(4, "identity"), selecting, Dense(WIDTH, "tanh")]
    negatives = Negatives(uniform=0, popular=L)
    config = NetworkConfig(n_features=D, n_labels=L, hidden=layers, negatives=negatives, seed=1, **settings)
    network = Network(config)
    network.set_label_prior(np.ones(L, np.int64), N)
    return network


@pytest.mark.parametrize("width_below", [50, 3000])
def test_multiplications_are_those_of_the_active_pairs(data, width_below):
    network = make(width_below)
    network.train_batch(*data, 0.0)
    once = network.multiplications
    choice = N * width_below * 4  # of the sampler, a reference that looks at all neurons
    pairs = 2 * N * 3 * 4 + 3 * N * 4 * BUDGET + 3 * N * BUDGET * WIDTH + 3 * N * WIDTH * L
    assert once == choice + pairs


def test_a_step_changes_the_weights_of_active_units_alone(data):
    """Neither they nor Adam's moments: weight decay and momentum would change all others too."""
    network = make(300, optimizer=Adam(weight_decay=0.3))
    for _ in range(3):  # all output weights are 0 in the first step, so that there is no gradient
        active = (network.hidden(data[0], layers=2) != 0).any(axis=0)
        before = network.snapshot()
        network.train_batch(*data, 0.01)
    after = network.state()
    assert 0 < active.sum() < 150
    for name in ("hidden2.weight", "hidden2.weight.adam_m", "hidden2.weight.adam_v"):
        assert after[name].shape == (300, WIDTH)
        np.testing.assert_array_equal((after[name] != before[name]).any(axis=1), active, err_msg=name)


def test_its_activations_are_the_sums_of_the_rows_of_active_units(data):
    network = make(300)
    for _ in range(3):
        network.train_batch(*data, 0.1)
    state, below = network.state(), network.hidden(data[0], layers=2)
    assert ((below != 0).sum(axis=1) == BUDGET).all()
    expected = np.tanh(below @ state["hidden2.weight"] + state["hidden2.bias"])
    np.testing.assert_allclose(network.hidden(data[0]), expected, rtol=1e-5, atol=1e-6)


def test_the_first_weights_have_the_deviation_of_he(data):
    weight = make(5000).state()["hidden2.weight"]
    assert weight.std() == pytest.approx(np.sqrt(2 / 5000), rel=0.02) and abs(weight.mean()) < 0.0005


PEAK = """
import resource
import numpy as np
from scipy import sparse
from hashslide.csr import as_csr, as_pattern
from hashslide.network import Network
from hashslide.settings import Dense, Hashed, NetworkConfig, SimHash

n, below = 256, 1 << 20
rng = np.random.default_rng(0)
x = as_csr(sparse.random(n, 8, 0.5, "csr", np.float32, random_state=rng))
y = as_pattern(sparse.random(n, 5, 0.4, "csr", np.float32, random_state=rng))
layers = [Dense(4), Hashed(below, 64, hash=SimHash(tables=4, hashes=8)), Dense(4, "tanh")]
network = Network(NetworkConfig(n_features=8, n_labels=5, hidden=layers))
network.set_label_prior(np.ones(5, np.int64), n)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(2):
    network.train_batch(x, y, np.arange(n), 0.01)
found = network.hidden(x, layers=3)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
assert found.any()
"""


@pytest.mark.memory_of_the_process
def test_no_memory_for_all_units_of_each_example_is_taken():
    """That would be 1,024 MB; the weights, hash tables and marks of the layers take less than 100."""
    done = subprocess.run([sys.executable, "-c", PEAK], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 200 * 1024
