"""The search itself, with made-up trainings and a clock that only they move."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from hashslide.errors import InputError
from hashslide.tuning import Budget, Candidate, Halves, search, slices
from hashslide.tuning.budget import OutOfTimeError
from hashslide.tuning.judging import gain_of

ROWS = 400
HALVES = Halves.of(ROWS, 0)
NOISE = np.random.default_rng(0).normal(0, 0.1, (100, ROWS))
WHOLE = [1.0]


class World:
    """Trainings that take known times and score as the sums of known effects."""

    def __init__(self, effects, seconds=1.0, diverging=(), roll=True):
        self.effects, self.seconds, self.diverging, self.roll = effects, seconds, diverging, roll
        self.time, self.runs = 0.0, []

    def clock(self):
        return self.time

    def neighbours(self, changes):
        return [
            Candidate({name: 1}, effect.cost) for name, effect in self.effects.items() if name not in changes
        ]

    def run(self, changes, share, repeat, deadline):
        self.runs.append((tuple(changes), share + repeat))  # confirming: 2
        effects = [self.effects[name] for name in changes]
        seconds = self.seconds * share * math.prod([effect.cost for effect in effects])
        if self.time + seconds > deadline:
            self.time = max(self.time, deadline)
            raise OutOfTimeError
        self.time += seconds
        if set(changes) & set(self.diverging):
            raise InputError("diverged")
        scores = np.full(ROWS, 0.5 if share == 1 else 0.3)
        for effect in effects:
            scores += effect.gain + np.roll(effect.noise, repeat * self.roll)
        return scores

    def search(self, seconds=None, trials=None, shares=WHOLE, kept=0.8):
        self.said = []
        budget = Budget(seconds, trials, self.clock)
        return search(self.run, self, budget, HALVES, shares, kept, self.said.append)


def effect(gain, number=0, cost=1.0):
    return SimpleNamespace(gain=gain, noise=NOISE[number], cost=cost)


def test_changes_that_help_are_found_one_after_the_other():
    world = World(
        {f"bad{i}": effect(-0.05, i) for i in range(6)} | {"a": effect(0.05, 7), "b": effect(0.1, 8)}
    )
    found = world.search(trials=100)
    assert found.parameters == {"b": 1, "a": 1}
    assert list(found.parameters) == ["b", "a"]  # the largest gain first
    assert found.gain.mean == pytest.approx(0.15, abs=0.03) and found.gain.standard_error < 0.02
    assert found.gains["b"].mean > found.gains["a"].mean > 0.02
    assert "no neighbour" in found.conclusion or "all neighbours" in found.conclusion
    assert [line.split(":")[0] for line in world.said] == [f"trial {i + 1}" for i in range(len(found.trials))]


def test_the_first_trial_is_what_was_given_and_stays_where_nothing_is_better():
    world = World({name: effect(-0.03, i) for i, name in enumerate("abcdefgh")})
    found = world.search(trials=100)
    assert found.parameters == {} and found.gain == (0.0, 0.0)
    assert world.runs[0] == ((), 1.0) and found.trials[0].outcome == "first"
    assert found.conclusion.startswith("Nothing better was found, after 9 trials: no neighbour")


def test_chance_is_not_taken_for_a_gain():
    """Of four changes without effect the best looks good nearly always, and is confirmed rarely."""
    chosen = 0
    for i in range(25):
        world = World({name: effect(0.0, 4 * i + j) for j, name in enumerate("abcd")})
        chosen += bool(world.search(trials=5).parameters)
    assert chosen <= 10
    leads = [gain_of(noise[HALVES.choosing], np.zeros(200)).mean for noise in NOISE]
    assert sum(max(leads[i : i + 4]) > 0 for i in range(0, 100, 4)) >= 20


def test_one_half_of_the_rows_chooses_and_the_other_confirms():
    lucky, steady, unlucky = (effect(0.0) for _ in range(3))
    for one, chosen, confirmed in ((lucky, 0.1, -0.02), (steady, 0.02, 0.02), (unlucky, -0.02, 0.1)):
        one.noise = NOISE[0] / 10
        one.noise[HALVES.choosing] += chosen
        one.noise[HALVES.confirming] += confirmed
    world = World({"lucky": lucky, "unlucky": unlucky, "steady": steady, "other": effect(-0.1)}, roll=False)
    found = world.search(trials=50)
    outcomes = {tuple(t.parameters): t.outcome for t in found.trials}
    assert outcomes["lucky",] == "not confirmed" and outcomes["unlucky",] == "dropped"
    world = World({"steady": steady, "unlucky": unlucky}, roll=False)
    assert world.search(trials=50).parameters == {"steady": 1}


@pytest.mark.parametrize("seed", range(20))
def test_what_scored_less_is_never_chosen(seed):
    gains = np.random.default_rng(seed).normal(0, 0.01, 12)
    world = World({f"c{i}": effect(gain, 12 * (seed % 8) + i) for i, gain in enumerate(gains)})
    found = world.search(trials=30)
    scores = {tuple(t.parameters): t.score for t in found.trials}
    assert scores[tuple(found.parameters)] >= scores[()]
    if found.parameters:
        assert found.gain.mean > found.gain.standard_error


def test_most_time_goes_to_promising_settings():
    world = World({f"c{i:02}": effect(-0.02 + 0.005 * i, i) for i in range(16)})
    found = world.search(trials=26, shares=[1 / 16, 1 / 4, 1.0])
    sizes = [share for changes, share in world.runs if changes]
    assert [sizes.count(share) for share in (1 / 16, 1 / 4, 1.0, 2.0)] == [16, 4, 1, 1]
    assert [share for changes, share in world.runs if not changes] == [1.0, 1 / 16, 1 / 4, 2.0]
    assert len(found.parameters) == 1
    outcomes = [trial.outcome for trial in found.trials]
    assert outcomes.count("dropped") == 15 and outcomes[-1] == "confirmed"


def test_slices_are_large_enough():
    assert slices(39_999) == [1.0]
    assert slices(40_000) == [0.25, 1.0]
    assert slices(10**7) == [1 / 16, 0.25, 1.0]


@pytest.mark.parametrize(("trials", "made"), [(1, 1), (3, 1), (4, 4), (7, 7), (9, 9), (12, 12)])
def test_the_number_of_trials_is_kept_and_used(trials, made):
    world = World({f"c{i}": effect(0.05, i) for i in range(9)})
    found = world.search(trials=trials)
    assert len(found.trials) == len(world.runs) == made
    assert (made > 1) == bool(found.parameters)
    planned = World({f"c{i}": effect(0.05, i) for i in range(9)}).search(trials=7, shares=[0.25, 1.0])
    assert len(planned.trials) <= 7 and planned.trials[-1].outcome == "confirmed"


@pytest.mark.parametrize("seconds", [1.0, 2.6, 3.5, 5.0, 10.0, 30.0])
@pytest.mark.parametrize("shares", [[1.0], [0.25, 1.0]])
def test_the_time_is_kept_with_the_last_training(seconds, shares):
    effects = {f"c{i}": effect(0.05 if i % 3 else -0.05, i, cost=1 + i % 2) for i in range(9)}
    world = World(effects)
    found = world.search(seconds=seconds, shares=shares)
    last = math.prod(effects[name].cost for name in found.parameters) * world.seconds / 0.8
    if seconds >= 2.6:
        assert found.trials[0].outcome == "first"
        assert world.time + last <= seconds
    if seconds >= 10:
        assert found.parameters
        assert world.time + last > seconds / 2


def test_a_budget_too_small_for_one_trial_leaves_everything_as_it_was():
    world = World({"a": effect(0.5)}, seconds=10.0)
    found = world.search(seconds=5.0)
    assert found.parameters == {} and [t.outcome for t in found.trials] == ["out of time"]
    assert world.time == 2.0  # ended early, so that time is left to train
    assert found.conclusion == "Nothing was searched: 5 seconds are too short for one trial. Give more."


def test_settings_that_diverge_are_left_out():
    world = World({"a": effect(0.05, 1), "b": effect(0.5, 2)}, diverging={"b"})
    found = world.search(trials=10)
    assert found.parameters == {"a": 1}
    assert [t.outcome for t in found.trials if "b" in t.parameters] == ["failed"]
    assert math.isnan(next(t.score for t in found.trials if "b" in t.parameters))


def test_what_was_given_must_not_diverge():
    world = World({})

    def diverge(*arguments):
        raise InputError("diverged")

    world.run = diverge
    with pytest.raises(InputError, match="as they are diverged"):
        world.search(trials=1)


def test_changes_that_were_clearly_worse_are_not_tried_again():
    world = World({"good": effect(0.2, 1), "better": effect(0.3, 2), "bad": effect(-0.3, 3)})
    world.search(trials=20)
    assert [changes for changes, _ in world.runs].count(("bad",)) == 1
    assert not [changes for changes, _ in world.runs if "bad" in changes and len(changes) > 1]


def test_where_the_machine_grows_slow_fewer_are_tried_and_the_best_is_confirmed():
    world = World({f"c{i:02}": effect(-0.05 if i else 0.1, i) for i in range(16)})
    own = world.run

    def slow(*arguments):
        world.seconds = 1.0 if not world.runs else 3.0
        return own(*arguments)

    world.run = slow
    found = world.search(seconds=40)
    assert found.parameters == {"c00": 1}
    assert world.time + 3 / 0.8 <= 40


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, "60", True])
def test_seconds_that_are_not_acceptable(seconds):
    with pytest.raises(InputError, match=r"seconds is .*; accepted is a number in \(0, inf\)"):
        Budget(seconds, None)


@pytest.mark.parametrize("trials", [0, -3, 1.5, "9", True])
def test_trials_that_are_not_acceptable(trials):
    with pytest.raises(InputError, match=r"trials is .*; accepted is an integer from 1"):
        Budget(None, trials)


def test_without_a_limit_there_are_five_minutes():
    assert Budget(None, None).seconds == 300
    assert Budget(None, 3).seconds == math.inf
    assert Budget(7, 3).seconds == 7
