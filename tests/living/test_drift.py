"""The record of drift: its divergence, and an alarm that is given for drops alone."""

import math

import numpy as np
import pytest

from hashslide.living.drift import RISK, Drift, divergence, moment_of_drop
from hashslide.network import Network
from hashslide.settings import NetworkConfig
from hashslide.training import Occurrences


def shift(before, now):
    """The divergence of a network that has met labels so often; now: of these labels and further ones."""
    network = Network(NetworkConfig(n_features=2, n_labels=len(before), hidden=4))
    network.set_label_prior(np.array(before), max(1, sum(before)), reset_bias=False)
    ids = np.flatnonzero(now).astype(np.int32)
    return divergence(network, Occurrences(ids, np.array(now)[ids]))


def test_divergence_by_hand():
    same, other = [50, 50], [50, 0]
    assert shift(same, same) == 0
    p, q = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    m = (p + q) / 2
    by_hand = (sum(a * math.log2(a / b) for a, b in zip(p, m, strict=True)) + math.log2(1 / m[0])) / 2
    assert shift(same, other) == pytest.approx(by_hand)
    assert shift([100, 0], [0, 100]) == shift([100, 0], [0, 0, 7]) == pytest.approx(1)
    assert math.isnan(shift([0, 0], other)) and math.isnan(shift(same, [0, 0]))


def test_rare_labels_are_taken_together():
    """A thousand labels that occur once or never in a call are no shift."""
    counts = np.full(1000, 100)
    new = np.random.default_rng(0).multinomial(1000, counts / counts.sum())
    assert shift(counts, new) == pytest.approx(0, abs=1e-12)


def test_false_alarms_are_as_rare_as_promised():
    rng, n = np.random.default_rng(0), np.full(20, 100)
    alarms = sum(moment_of_drop(n, rng.binomial(100, 0.5, 20) / 100) is not None for _ in range(2000))
    assert alarms <= 2000 * RISK


@pytest.mark.parametrize(("after", "place"), [(0.5, 10), (0.9, None)])
def test_a_drop_is_found_and_a_rise_is_none(after, place):
    rng = np.random.default_rng(1)
    means = [rng.binomial(500, p) / 500 for p in [0.7] * 10 + [after] * 3]
    found = moment_of_drop(np.full(13, 500), np.array(means))
    assert found == place


def test_the_record_starts_anew_after_an_alarm():
    def call(p):
        return {"examples": 1000, "P@1": p, "P@3": p, "P@5": p, "unknown_labels": 0.0, "prior_shift": 0.0}

    record = Drift()
    for p in (0.8, 0.8, 0.5, 0.5, 0.5):
        record = record.with_call(call(p))
    assert [r["alarm"] for r in record.records] == [False, False, True, False, False]
    assert Drift.from_plain(record.to_plain()) == record
