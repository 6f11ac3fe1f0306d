"""The laws of the sampling correction, for every source of negatives, held over random batches.

Softmax: E[Z estimated] = Z. One-vs-all: at the true log odds the expected gradient is 0. Example 0 is in
every batch; the others are drawn with replacement, and `sample_weight` gives them no loss. Seeds are fixed.
"""

import numpy as np
import pytest
from network_settings import make_config
from scipy.sparse import csr_matrix

from hashslide import _core
from hashslide.settings import (
    DWTA,
    Exact,
    KMeans,
    Scored,
    SimHash,
    Standout,
    Threshold,
    Top,
    Uniform,
    Vanilla,
)

N, D, L, H = 300, 12, 150, 8
BATCH = 16
SIGMAS = 4.5  # 7 in a million
TABLES = {"rehash_first": 10**6}
SIMHASH = SimHash(tables=6, hashes=3, **TABLES)
SAMPLERS = {
    "none": {},
    "scored simhash": {"sampler": Scored(budget=5), "hash": SIMHASH},
    "scored kmeans": {"sampler": Scored(budget=5), "hash": KMeans(cells=8, probes=2, **TABLES)},
    "vanilla dwta": {
        "sampler": Vanilla(budget=6),
        "hash": DWTA(tables=8, hashes=2, bin_size=4, **TABLES),
    },
    "top": {"sampler": Top(budget=4), "hash": SIMHASH},
    "threshold": {"sampler": Threshold(budget=0, min_count=3), "hash": SIMHASH},
    "exact": {"sampler": Exact(budget=5)},
    "uniform sampler": {"sampler": Uniform(budget=4)},
    "standout": {"sampler": Standout(alpha=1.0, beta=-3.0)},
}
SOURCES = {
    "uniform": {"uniform": 20},
    "in batch": {"uniform": 0},
    "popular": {"uniform": 10, "popular": 8},
}


def arrays(matrix):
    m = csr_matrix(matrix)
    return m.indptr.astype(np.int64), m.indices.astype(np.int32), m.data.astype(np.float32)


class Trial:
    """A network with random weights, and data in which every label occurs."""

    def __init__(self, loss, **settings):
        rng = np.random.default_rng(5)
        self.x = rng.normal(size=(N, D)) * (rng.random((N, D)) < 0.5)
        self.y = rng.random((N, L)) < np.geomspace(0.2, 0.01, L)
        self.y[rng.integers(1, N, L), np.arange(L)] = True
        self.y[0] = np.isin(np.arange(L), (3, 40))
        sizes = {"n_features": D, "n_labels": L, "hidden": H, "prior_correction": 1.0}
        self.config = make_config(loss=loss, optimizer="sgd", **sizes | settings)
        state = {k: np.array(v) for k, v in _core.Network(self.config.to_core()).state().items()}
        state["input.weight"] = rng.normal(size=(D, H)).astype(np.float32) * 0.5
        state["output.weight"] = rng.normal(size=(L, H)).astype(np.float32) * 0.5
        state["output.bias"] = rng.normal(size=L).astype(np.float32)
        self.network = _core.Network.from_state(self.config.to_core(), state, True)
        # So many examples that smoothing the frequencies changes nothing.
        self.network.set_label_prior(self.y.sum(0).astype(np.int64) * 10**6, N * 10**6, False)
        self.network.rebuild_tables(1)
        self.data = arrays(self.x)
        # Labels that were found for no example are a little more likely to be true ones: worker.cpp says how
        # much that may be. With Hogwild, each of two threads has an active set for its half of the batch.
        others = (BATCH // 2 if self.config.update == "hogwild" else BATCH) - 1
        is_exact = self.config.active == "per_example" or self.config.sampler is None
        self.tolerance = 0.0 if is_exact else 1 / (np.e * others)
        self.weight = np.r_[1.0, np.zeros(N - 1)].astype(np.float32)
        self.rng = np.random.default_rng(6)
        self.z = self.network.logits(*arrays(self.x[:1]), 1)[0].astype(float)

    def step(self, y, rate=0.0):
        rows = np.r_[0, self.rng.integers(1, N, BATCH - 1)].astype(np.int64)
        return self.network.train_batch(*self.data, *y, rows, self.weight, rate, 2)


MODES = {
    "per batch": {"active": "per_batch"},
    "per example": {"active": "per_example"},
    "per example, not in batch": {"active": "per_example", "in_batch": False},
    "hogwild": {"active": "per_batch", "update": "hogwild"},
}
FEW = ("none", "scored simhash", "exact")
CASES = [
    pytest.param(MODES[mode] | SOURCES[source] | SAMPLERS[sampler], id=f"{mode}, {source}, {sampler}")
    for mode in MODES
    for source in SOURCES
    for sampler in SAMPLERS
    if (sampler in FEW or (source == "uniform" and mode != "hogwild"))
    and (mode, source) != ("per example, not in batch", "in batch")  # where most labels come from nowhere
]


@pytest.mark.parametrize("settings", CASES)
def test_the_partition_function_is_estimated_without_bias(settings):
    trial = Trial("softmax", **settings)
    y = arrays(trial.y)[:2]
    true = trial.z[trial.y[0]].mean()
    losses = [trial.step(y).loss for _ in range(1500)]
    ratio = np.exp(np.array(losses) + true) / np.exp(trial.z).sum()
    error = ratio.std() / np.sqrt(len(ratio))
    assert 0 < error < 0.05
    assert abs(ratio.mean() - 1) < SIGMAS * error + trial.tolerance


@pytest.mark.parametrize("settings", CASES)
def test_one_vs_all_does_not_move_the_true_log_odds(settings):
    """Example 0 gets labels by the probabilities that the network predicts for it; the biases' gradients."""
    trial = Trial("bce", **settings)
    p = 1 / (1 + np.exp(-trial.z))
    others, rate, groups, steps = arrays(trial.y[1:])[:2], 1e-3, 40, 60
    sums = np.zeros((groups, L))
    for group in sums:
        before = np.array(trial.network.state()["output.bias"], np.float64)
        for _ in range(steps):
            own = np.flatnonzero(trial.rng.random(L) < p).astype(np.int32)
            trial.step((np.r_[0, others[0] + len(own)], np.r_[own, others[1]]), rate)
        group[:] = (before - trial.network.state()["output.bias"]) / rate
    error = sums.std(0, ddof=1) / np.sqrt(groups)
    usual = p > 0.02  # others are seldom true within a group: its sums are not normal
    assert usual.sum() > L / 2 and (error[usual] > 0).all()
    bias = trial.tolerance * p * steps / BATCH
    assert (np.abs(sums.mean(0)) < SIGMAS * error + bias)[usual].all()
