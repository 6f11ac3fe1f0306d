"""The simulation against closed forms, and its laws by statistics."""

import numpy as np
import pytest
from scipy.special import gammaln

from hashslide.distributed.costs.compute import Compute
from hashslide.distributed.costs.link import Link
from hashslide.distributed.costs.phases import Phase, activations_phases, rows_phases, step_seconds
from hashslide.distributed.costs.simulation import simulate_downpour, simulate_synchronous
from hashslide.distributed.costs.stragglers import NONE, Stragglers
from hashslide.distributed.costs.traffic import StepSize
from hashslide.errors import InputError

LINK = Link(bandwidth=1e9, delay=1e-3, message=1e-5)
FAST = Link(bandwidth=1e15, delay=0.0, message=0.0)
COMPUTE = Compute(hidden=0.002, output=0.02, update=0.003)
HEAVY = Stragglers(share=0.3, exponent=3.0)


def phases_of(protocol, machines, batch=1024):
    """The steps of a protocol."""
    step = StepSize(
        machines=machines,
        batch=batch,
        width=256,
        features=40,
        labels=5,
        feature_rows=3000,
        label_rows=900,
        n_features=10**6,
        n_labels=10**7,
    )
    return (
        activations_phases(step, COMPUTE) if protocol == "activations" else rows_phases(step, COMPUTE, 1e-7)
    )


@pytest.mark.parametrize("machines", [1, 2, 16, 128])
@pytest.mark.parametrize("protocol", ["activations", "rows"])
def test_without_stragglers_a_step_takes_the_sum_of_its_phases(protocol, machines):
    phases = phases_of(protocol, machines)
    run = simulate_synchronous(phases, LINK, machines, 1024, steps=20)
    assert 1024 / run.examples_per_second == pytest.approx(step_seconds(phases, LINK, machines))
    assert run.busy == pytest.approx(sum(p.compute for p in phases) / step_seconds(phases, LINK, machines))


def test_a_step_by_hand():
    phases = [Phase(compute=0.5, n_bytes=2e9, messages=2), Phase(compute=0.25)]
    assert step_seconds(phases, LINK, 3) == pytest.approx(0.5 + (2.0 + 0.001 + 2 * 2 * 1e-5) + 0.25)
    assert step_seconds(phases, LINK, 1) == 0.75


@pytest.mark.parametrize("simulate", [simulate_synchronous, simulate_downpour])
def test_one_machine_has_the_mean_of_its_slow_and_fast_steps(simulate):
    phases = phases_of("rows", 1)
    found = 1024 / simulate(phases, LINK, 1, 1024, stragglers=HEAVY).examples_per_second
    compute = sum(phase.compute for phase in phases)
    own = compute if simulate is simulate_synchronous else phases[2].compute
    expected = compute - own + own * HEAVY.mean
    # X is 1 but for a share p of Pareto numbers: E[X^2] = 1 + 2 p / (a - 2).
    deviation = own * np.sqrt((1 + 2 * 0.3 / 1 - HEAVY.mean**2) / 200)
    assert abs(found - expected) < 4.5 * deviation
    assert 1024 / simulate(phases, LINK, 1, 1024).examples_per_second == pytest.approx(compute)


@pytest.mark.parametrize("machines", [2, 20, 300])
def test_everybody_waits_for_the_slowest(machines):
    steps = 3000
    run = simulate_synchronous(
        [Phase(compute=1.0, messages=1)], FAST, machines, 1.0, steps=steps, stragglers=HEAVY
    )
    slowest = HEAVY.draw(np.random.default_rng(7), steps * machines).reshape(steps, machines).max(1)
    error = np.hypot(slowest.std(), slowest.std()) / np.sqrt(steps)
    assert abs(1 / run.examples_per_second - slowest.mean()) < 4.5 * error
    assert abs(HEAVY.slowest(machines) - slowest.mean()) < 4.5 * error


@pytest.mark.parametrize("machines", [1, 5, 512])
@pytest.mark.parametrize("exponent", [1.5, 3.0])
def test_the_mean_of_the_slowest_of_pareto_numbers(machines, exponent):
    """If all steps are slow, the largest of n Pareto numbers has a known mean (David & Nagaraja 2003)."""
    n, power = machines, 1 - 1 / exponent
    known = np.exp(gammaln(n + 1) + gammaln(power) - gammaln(n + power))  # n B(n, 1 - 1 / a)
    assert Stragglers(share=1.0, exponent=exponent).slowest(machines) == pytest.approx(known, rel=1e-3)
    assert NONE.slowest(machines) == 1.0


def test_downpour_does_not_wait_for_the_slow():
    machines, learning = 32, Phase(compute=1.0, messages=1)
    phases = [Phase(compute=0.0), Phase(compute=0.0), learning, Phase(compute=0.0)]
    slow = Stragglers(share=0.2, exponent=3.0)
    even = simulate_downpour(phases, FAST, machines, 1.0, batches=50)
    uneven = simulate_downpour(phases, FAST, machines, 1.0, batches=50, stragglers=slow)
    together = simulate_synchronous(phases, FAST, machines, machines, steps=50, stragglers=slow)
    assert even.examples_per_second == pytest.approx(machines)
    assert uneven.examples_per_second == pytest.approx(machines / slow.mean, rel=0.05)
    assert uneven.busy == pytest.approx(1, abs=0.02) and uneven.busy <= 1
    assert together.examples_per_second < 0.8 * uneven.examples_per_second


def test_the_staleness_of_downpour_is_about_the_other_machines():
    """In the time of one batch of its own, each of the others pushes one."""
    phases = [Phase(compute=0.0), Phase(compute=0.0), Phase(compute=1.0), Phase(compute=0.0)]
    for machines in (2, 32):
        slow = Stragglers(share=1.0, exponent=8.0)
        run = simulate_downpour(phases, FAST, machines, 1.0, stragglers=slow)
        assert run.staleness == pytest.approx(machines - 1, rel=0.05)


def test_owners_that_cannot_serve_more_bound_the_speed():
    """Each batch costs every owner a message to take its push: the throughput of the owners is the limit."""
    link = Link(bandwidth=1e15, delay=0.0, message=0.01)
    phases = [Phase(compute=0.0), Phase(compute=0.0), Phase(compute=0.05), Phase(compute=0.0)]
    machines = 64
    run = simulate_downpour(phases, link, machines, 1.0, batches=30)
    assert run.examples_per_second == pytest.approx(1 / (2 * link.message), rel=0.1)


def test_the_same_seed_gives_the_same_run():
    phases = phases_of("rows", 8)
    for simulate in (simulate_synchronous, simulate_downpour):
        runs = [simulate(phases, LINK, 8, 1024, stragglers=HEAVY, seed=seed) for seed in (3, 3, 4)]
        assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("share, exponent", [(-0.1, 2), (1.1, 2), (0.1, 1), (0.1, np.inf), (np.nan, 2)])
def test_no_such_stragglers(share, exponent):
    with pytest.raises(InputError, match="accepted are a share from 0 to 1"):
        Stragglers(share=share, exponent=exponent)
