"""One training step of the C++ core against an independent NumPy computation in double precision."""

import network_settings
import numpy as np
import pytest
from network_settings import hidden_tables
from scipy.special import expit, logsumexp

from hashslide import _core, reference
from hashslide.reference.layers import InputLayer
from hashslide.settings import (
    SGD,
    AdaptiveDropout,
    Dense,
    Dropout,
    Exact,
    Hashed,
    Layer,
    NetworkConfig,
    Standout,
    Uniform,
    WinnerTakeAll,
)

N, D, L, H = 12, 9, 14, 5


def make_config(**settings) -> NetworkConfig:
    sizes = dict(n_features=D, n_labels=L, hidden=H, uniform=0, popular=L)
    defaults = dict(optimizer="sgd", input_init=0.5, prior_correction=0.0, **sizes)
    return network_settings.make_config(**defaults | settings)


def make_network(config, state=None):
    if state is None:
        return _core.Network(config.to_core())
    return _core.Network.from_state(config.to_core(), state, True)


@pytest.fixture
def batch():
    """A small dense-ish batch: x (N, D), targets (N, L) with 0 to 3 labels an example."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, D)) * (rng.random((N, D)) < 0.6)
    t = (rng.random((N, L)) < 0.15).astype(float)
    t[0] = 0
    t[1, :2] = 1
    return x.astype(np.float32), t


def csr(dense):
    indptr = np.concatenate([[0], np.cumsum((dense != 0).sum(1))]).astype(np.int64)
    indices = np.nonzero(dense)[1].astype(np.int32)
    return indptr, indices, dense[dense != 0].astype(np.float32)


def random_network(config, seed=0):
    rng = np.random.default_rng(seed)
    state = {k: np.array(v) for k, v in make_network(config).state().items()}
    for name in state:
        if name.endswith((".weight", ".bias")):
            state[name] = rng.normal(size=state[name].shape).astype(np.float32) * 0.5
    return make_network(config, state)


ACTIVATIONS = {"identity": lambda z: z, "relu": lambda z: np.maximum(z, 0), "tanh": np.tanh}


def loss_of(parameters, x, t, config, shift, row_weight, label_weight):
    """The loss that a step should descend, from its definition; float64."""
    w1, b1, w2, b2 = parameters
    h = ACTIVATIONS[config.hidden[0].activation](x @ w1 + b1)
    length, softness = config.hidden[0].length, config.hidden[0].softness
    if length:
        h = length * h / np.sqrt((h**2).sum(axis=1, keepdims=True) + (softness * length) ** 2)
    z = h @ w2.T + b2
    if config.loss == "bce":
        z = z - shift
        rows = (np.logaddexp(0, z) * (1 - t) + label_weight * np.logaddexp(0, -z) * t).sum(1)
    else:
        z = z - shift * (1 - t)
        n_true = np.maximum(t.sum(1), 1)
        rows = (t * label_weight * (logsumexp(z, axis=1)[:, None] - z)).sum(1) / n_true
    return (rows * row_weight).sum()


def masked_loss(parameters, x, t, config, masks):
    """The loss of several layers, given which units of each are active: masks hold 0 or what they count.

    A dense layer over features or over a layer that selects its neurons has one row of weights an input.
    """
    h, below = x, "features"
    for i, (layer, mask) in enumerate(zip(config.hidden, masks[:-1], strict=True)):
        w, b = parameters[2 * i], parameters[2 * i + 1]
        by_input = layer.is_dense and not isinstance(below, None | Uniform | Standout)
        h = ACTIVATIONS[layer.activation](h @ (w if by_input else w.T) + b) * mask
        below = layer.sampler
    w, b = parameters[-2:]
    z, active = h @ w.T + b, masks[-1] > 0
    if config.loss == "bce":
        return ((np.logaddexp(0, z) - t * z) * active).sum()
    log_sum = logsumexp(np.where(active, z, -np.inf), axis=1, keepdims=True)
    return (t / np.maximum(t.sum(1, keepdims=True), 1) * (log_sum - z)).sum()


def numeric_gradient(f, p, eps=1e-5):
    g = np.zeros_like(p)
    for i in np.ndindex(p.shape):
        old = p[i]
        p[i] = old + eps
        up = f()
        p[i] = old - eps
        g[i] = (up - f()) / (2 * eps)
        p[i] = old
    return g


def train(network, x, t, rows=None, sample_weight=None, rate=1.0, n_threads=1):
    rows = np.arange(len(x), dtype=np.int64) if rows is None else rows
    return network.train_batch(*csr(x), *csr(t)[:2], rows, sample_weight, rate, n_threads)


NAMES = ("input.weight", "input.bias", "output.weight", "output.bias")


def parameters_of(network):
    state = network.state()
    return [np.array(state[name], dtype=np.float64) for name in NAMES]


@pytest.mark.parametrize("loss", ["bce", "softmax"])
@pytest.mark.parametrize("activation", ["identity", "relu", "tanh"])
@pytest.mark.parametrize(("length", "softness"), [(0, 0), (3, 0), (3, 0.8)])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_of_sgd_follows_the_numeric_gradient(batch, loss, activation, weighted, length, softness):
    x, t = batch
    config = make_config(loss=loss, hidden=Dense(H, activation, length=length, softness=softness))
    network = random_network(config)
    network.set_label_prior(t.sum(0).astype(np.int64), N, False)  # the popular head makes every label active
    rng = np.random.default_rng(1)
    row_weight = rng.random(N).astype(np.float32) if weighted else np.ones(N, np.float32)
    label_weight = rng.uniform(0.5, 2, L).astype(np.float32) if weighted else np.ones(L, np.float32)
    if weighted:
        network.set_label_weight(label_weight)
    before = parameters_of(network)
    stats = train(network, x, t, sample_weight=row_weight if weighted else None, rate=0.01)
    after = parameters_of(network)

    def f():
        return loss_of(before, x.astype(float), t, config, np.zeros(L), row_weight, label_weight)

    assert stats.active == L
    assert stats.loss == pytest.approx(f(), rel=1e-5)
    for p, q in zip(before, after, strict=True):
        np.testing.assert_allclose((p - q) * N / 0.01, numeric_gradient(f, p), rtol=2e-3, atol=3e-3)


RANDOM = Uniform(budget=6)
LAYERS = {
    "dense": (Dense(6, "tanh"), Layer(5, "tanh"), Dense(4, "tanh")),
    "dropout": (Dropout(8, 5), Dropout(7, 4, "tanh")),
    "adaptive dropout": (Dense(4, "tanh"), AdaptiveDropout(8, 0.5), AdaptiveDropout(7, activation="tanh")),
    "winner take all": (WinnerTakeAll(9, 4, "tanh"), WinnerTakeAll(8, 3)),
    "hashed": (
        Dense(5, "tanh"),
        Hashed(12, 6, hash=hidden_tables(tables=4, hashes=2)),
        Hashed(10, 5, "tanh", hash=hidden_tables(tables=4, hashes=2)),
    ),
    "hashed, dense": (Hashed(12, 6, hash=hidden_tables(tables=4, hashes=2)), Dense(6, "tanh")),
    "dense between hashed": (
        Dense(5, "tanh"),
        Hashed(12, 6, hash=hidden_tables(tables=4, hashes=2)),
        Dense(6, "tanh"),
        Hashed(10, 5, "tanh", hash=hidden_tables(tables=4, hashes=2)),
    ),
    "winner take all, dense": (WinnerTakeAll(9, 4, "tanh"), Dense(6)),
    "dense after dropout": (Dropout(8, 5), Dense(6, "tanh"), AdaptiveDropout(7, 0.5), Dense(5, "tanh")),
}


def masks_of(config, network, x, t):
    """Which units and labels the specification makes active in the next step, and what they count."""
    twin = reference.Network.from_state(config, network.state())
    twin.set_label_prior(np.zeros(L, np.int64), N, False)
    twin.train_batch(*csr(x), *csr(t)[:2], np.arange(N), None, 0.0, 1)
    masks = [1 if isinstance(a, InputLayer) else a.outputs.active * a.training_factor for a in twin.layers]
    labels = np.zeros((N, L))
    for row, chosen in zip(labels, twin.sets.labels, strict=True):
        row[chosen] = 1
    return [*masks, labels]


@pytest.mark.parametrize("loss", ["bce", "softmax"])
@pytest.mark.parametrize("active", ["per_batch", "per_example"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_step_through_several_layers_follows_the_numeric_gradient(batch, name, active, loss):
    x, t = batch
    settings = {"active": active, "popular": 3, "sampler": RANDOM, "seed": 2}
    config = make_config(hidden=LAYERS[name], loss=loss, **settings)
    network = random_network(config)
    masks = masks_of(config, network, x, t)
    network.set_label_prior(np.zeros(L, np.int64), N, False)
    names = [key for key in network.state() if key.endswith((".weight", ".bias"))]
    before = [np.array(network.state()[key], np.float64) for key in names]
    stats = train(network, x, t, rate=0.01)

    def f():
        return masked_loss(before, x.astype(float), t, config, masks)

    assert stats.loss == pytest.approx(f(), rel=1e-5)
    for key, p in zip(names, before, strict=True):
        step = (p - network.state()[key]) * N / 0.01
        np.testing.assert_allclose(step, numeric_gradient(f, p), rtol=2e-3, atol=3e-3, err_msg=key)
        assert step.any()


@pytest.mark.parametrize("loss", ["bce", "softmax"])
def test_prior_correction_shifts_the_logits_by_log_inclusion(batch, loss):
    x, t = batch
    config = make_config(loss=loss, prior_correction=1.0, popular=0, uniform=3)
    network = random_network(config)
    counts = t.sum(0).astype(np.int64)
    network.set_label_prior(counts, N, False)
    before = parameters_of(network)
    stats = train(network, x, t, rate=0.01)
    active = network.active_labels
    f = (counts[active] + 0.5) / (N + 1)
    r = 1 - (1 - f) ** (N - 1) * (1 - 1 / L) ** 3  # the example itself brings its labels for certain
    restricted = [before[0], before[1], before[2][active], before[3][active]]
    ones = np.ones(N), np.ones(len(active))
    expected = loss_of(restricted, x.astype(float), t[:, active], config, np.log(r), *ones)
    assert stats.loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ["bce", "softmax"])
@pytest.mark.parametrize("active", ["per_batch", "per_example"])
def test_where_no_label_comes_by_chance_nothing_is_corrected(batch, active, loss):
    """A batch of one example without uniform draws: its labels, and those that it finds, are all certain."""
    x, t = batch[0][1:2], batch[1][1:2]
    losses = []
    for correction in (0.0, 1.0):
        settings = {"prior_correction": correction, "popular": 0, "sampler": Exact(budget=4)}
        network = random_network(make_config(loss=loss, active=active, **settings))
        network.set_label_prior(batch[1].sum(0).astype(np.int64), N, False)
        losses.append(train(network, x, t, rate=0.01).loss)
        assert all(np.isfinite(array).all() for array in network.state().values())
    assert losses[0] == losses[1] > 0


@pytest.mark.parametrize("in_batch", [True, False])
def test_sets_of_the_examples_own_estimate_the_partition_function_without_bias(in_batch, batch):
    """Found labels are certain, drawn ones count 1 / r; 4.5 standard errors over 3,000 draws."""
    settings = {"loss": "softmax", "active": "per_example", "popular": 2, "uniform": 6, "in_batch": in_batch}
    config = make_config(n_labels=40, sampler=Exact(budget=4), prior_correction=1.0, **settings)
    network = random_network(config)
    network.set_label_prior(np.zeros(40, np.int64), 10**9, False)  # the batch alone would bring none of them
    x, t = batch[0][:1], np.eye(40)[[17]]
    z = network.logits(*csr(x), 1)[0].astype(float)
    found = np.exp(z[17]) * np.exp([train(network, x, t, rate=0.0).loss for _ in range(3000)])
    assert found.std() > 0
    assert abs(found.mean() - np.exp(z).sum()) < 4.5 * found.std() / np.sqrt(len(found))


def test_only_active_labels_and_present_features_change(batch):
    x, t = batch
    config = make_config(popular=0)
    network = random_network(config)
    before = parameters_of(network)
    rows = np.array([1, 4], dtype=np.int64)
    train(network, x, t, rows=rows)
    after = parameters_of(network)
    active = set(network.active_labels)
    assert active == set(np.nonzero(t[rows].sum(0))[0])
    assert set(np.nonzero((before[2] != after[2]).any(1))[0]) == active
    assert set(np.nonzero((before[0] != after[0]).any(1))[0]) == set(np.nonzero((x[rows] != 0).any(0))[0])


def dense_adagrad(w, g, s, rate):
    s += (g**2).mean(1)
    return w - rate * g / np.sqrt(0.1 + s)[:, None]


@pytest.mark.parametrize("optimizer", ["adagrad", "adam", "momentum"])
def test_optimizers_against_their_formulas(batch, optimizer):
    """Two steps on the output bias and weights; the gradient comes from SGD steps of the same network."""
    x, t = batch
    rate = 0.05
    config = make_config(optimizer=SGD(momentum=0.9) if optimizer == "momentum" else optimizer)
    network = random_network(config)
    network.set_label_prior(t.sum(0).astype(np.int64), N, False)
    expected = [p[:, None] if p.ndim == 1 else p for p in parameters_of(network)]
    moments = [np.zeros_like(p) for p in expected], [np.zeros_like(p) for p in expected]
    rows = [np.zeros(len(p)) for p in expected]
    rows[1], expected[1] = np.zeros(1), expected[1].reshape(1, -1)
    moments[0][1], moments[1][1] = np.zeros((1, H)), np.zeros((1, H))
    for step in (1, 2):
        probe = make_network(make_config(), network.state(["weight", "count"]))
        probe.set_label_prior(t.sum(0).astype(np.int64), N, False)
        p0 = parameters_of(probe)
        train(probe, x, t, rate=1.0)
        for i, (a, b) in enumerate(zip(p0, parameters_of(probe), strict=True)):
            g = ((a - b) * N).reshape(expected[i].shape)
            if optimizer == "adagrad":
                expected[i] = dense_adagrad(expected[i], g, rows[i], rate)
            elif optimizer == "adam":
                moments[0][i][:] = 0.9 * moments[0][i] + 0.1 * g
                moments[1][i][:] = 0.999 * moments[1][i] + 0.001 * g**2
                m, v = moments[0][i] / (1 - 0.9**step), moments[1][i] / (1 - 0.999**step)
                touched = (moments[1][i] > 0).any(1, keepdims=True)
                expected[i] = expected[i] - np.where(touched, rate * m / (np.sqrt(v) + 1e-8), 0)
            else:
                moments[0][i][:] = 0.9 * moments[0][i] + g / N
                expected[i] = expected[i] - rate * moments[0][i]
        train(network, x, t, rate=rate)
    for name, p, q in zip(NAMES, expected, parameters_of(network), strict=True):
        np.testing.assert_allclose(q.reshape(p.shape), p, rtol=2e-3, atol=2e-4, err_msg=name)


def test_weight_decay_shrinks_touched_rows_only(batch):
    x, t = batch
    nets = [random_network(make_config(popular=0, optimizer=SGD(weight_decay=d))) for d in (0.0, 0.5)]
    before = parameters_of(nets[0])
    rows = np.array([1], dtype=np.int64)
    for network in nets:
        train(network, x, t, rows=rows, rate=0.1)
    plain, decayed = (parameters_of(network)[2] for network in nets)
    touched = t[1] > 0
    expected = plain[touched] - 0.1 * 0.5 * before[2][touched]
    np.testing.assert_allclose(decayed[touched], expected, rtol=1e-5, atol=1e-6)
    assert (decayed[~touched] == before[2][~touched]).all()


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_dropout_keeps_the_mean_and_drops_its_share(p):
    """With one label and no hidden bias the logit is linear in x: its mean shows the scale of dropout."""
    n = 4000
    x = np.ones((n, 1), np.float32)
    t = np.zeros((n, 1))
    for settings in ({"hidden": 1, "input_dropout": p}, {"hidden": Dense(1, dropout=p)}):
        config = make_config(n_features=1, n_labels=1, popular=1, **settings)
        state = {k: np.array(v) for k, v in make_network(config).state().items()}
        state["input.weight"][:] = 1.0
        state["output.weight"][:] = 1e-3
        network = make_network(config, state)
        stats = train(network, x, t, rate=0.0)
        kept = (stats.loss / n - np.log(2)) / (0.5 * 1e-3 / (1 - p))  # softplus(z) ~ log 2 + z / 2
        assert kept == pytest.approx(1 - p, abs=4 * np.sqrt(p * (1 - p) / n) + 1e-3)


def test_the_bias_starts_at_the_log_odds(batch):
    _, t = batch
    counts = t.sum(0).astype(np.int64)
    f = (counts + 0.5) / (N + 1)
    for loss, expected in (("bce", np.log(f / (1 - f))), ("softmax", np.log(f))):
        network = make_network(make_config(loss=loss))
        network.set_label_prior(counts, N, True)
        np.testing.assert_allclose(network.state()["output.bias"], expected, rtol=1e-5)


def test_uniform_negatives_are_drawn_without_bias():
    """Each of 50 labels is drawn with probability 1 - (1 - 1/50)^10; 4 deviations over 2,000 batches."""
    config = make_config(n_labels=50, popular=0, uniform=10)
    network = make_network(config)
    x, t = np.ones((1, D), np.float32), np.zeros((1, 50))
    hits = np.zeros(50)
    n = 2000
    for _ in range(n):
        train(network, x, t, rate=0.0)
        hits[network.active_labels] += 1
    p = 1 - (1 - 1 / 50) ** 10
    assert np.abs(hits / n - p).max() < 4.5 * np.sqrt(p * (1 - p) / n)


def test_sigmoid_loss_is_exact_at_extreme_logits():
    config = make_config(n_labels=7, popular=7)
    state = {k: np.array(v) for k, v in make_network(config).state().items()}
    z = np.array([-200, -30, -1e-3, 0, 1e-3, 30, 200], np.float32)
    state["output.bias"] = z
    for target in (0, 1):
        network = make_network(config, {k: v.copy() for k, v in state.items()})
        network.set_label_prior(np.zeros(7, np.int64), 1, False)
        t = np.full((1, 7), float(target))
        stats = train(network, np.zeros((1, D), np.float32), t, rate=1.0)
        z64 = z.astype(float)
        assert stats.loss == pytest.approx(np.logaddexp(0, z64 * (1 - 2 * target)).sum(), rel=1e-6)
        np.testing.assert_allclose(z - network.state()["output.bias"], expit(z64) - target, atol=2e-5)
