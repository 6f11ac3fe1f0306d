"""Local search with successive halving (Jamieson & Talwalkar 2016); docs/guides/tuning.md explains it.

A round tries the neighbours of the best setting so far. All of them are trained on a small slice of the rows,
the best quarter of them on a slice four times as large, and so on up to all rows. The best quarter of the
last ones, as far as they are better than the best setting, is trained once more, and that with it, with
another seed. One takes its place if it is then better by more than one standard error (Breiman et al. 1984)
on rows that had no say in the choice. The search ends when no neighbour is left, or with the budget.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from hashslide._interface import setting
from hashslide.errors import InputError
from hashslide.tuning.budget import Budget, OutOfTimeError
from hashslide.tuning.judging import Gain, Halves, gain_of
from hashslide.tuning.report import Trial, TuningReport, settings_text
from hashslide.tuning.space import Candidate

__all__ = ["CHOOSING", "CONFIRMING", "Found", "Runner", "Searched", "Stage", "search", "slices"]


def __dir__() -> list[str]:
    return __all__


ETA = 4  # one of so many goes on to a slice so many times as large
SMALLEST_SLICE = 10_000  # rows; what is best on much smaller slices is often not so on all rows
MOST_SLICES = 3
FIRST_SHARE = 0.4  # of the seconds: the first trial takes no more, so that all rows can be trained after it
SAFETY = 1.2  # times the expected seconds must be left
RECENT = 8  # trials by whose pace the next ones are expected to go: the machine may have other work, too


class Runner(Protocol):
    """Trains a setting and measures it."""

    def __call__(
        self, changes: Mapping[str, Any], share: float, repeat: int, deadline: float
    ) -> NDArray[np.float64]:
        """Return the score of each row held out, after training with some changes on a share of the rows.

        Each `repeat` has a seed of its own.

        Raises
        ------
        OutOfTimeError
            The deadline, a moment of the budget's clock, has passed.
        InputError
            The training diverged.
        """
        ...


class Searched(Protocol):
    """Where the neighbours of a setting come from: a `Space`."""

    def neighbours(self, changes: Mapping[str, Any]) -> list[Candidate]:
        """Return the neighbours of the setting with some changes, the most promising first."""
        ...


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found.

    Attributes
    ----------
    trials : list of Trial
    parameters : dict
        The changes to make; empty: none.
    gains : dict of str to Gain
        For each of the changes, what the step gained that made it.
    gain : Gain
        Of all changes, on the rows that had no say in the choice.
    conclusion : str
    """

    trials: list[Trial]
    parameters: dict[str, Any]
    gains: dict[str, Gain]
    gain: Gain
    conclusion: str

    def report(self, monitor: str, rows: int, seconds: float) -> TuningReport:
        """Return the record of the search."""
        return TuningReport(
            monitor=monitor,
            rows=rows,
            trials=tuple(self.trials),
            parameters=self.parameters,
            gain=self.gain.mean,
            standard_error=self.gain.standard_error,
            seconds=seconds,
            conclusion=self.conclusion,
        )


class Stage(NamedTuple):
    """A training of a setting: on how much of the rows, and which of several with seeds of their own."""

    share: float
    repeat: int = 0


CHOOSING, CONFIRMING = Stage(1.0), Stage(1.0, 1)


class _Result(NamedTuple):
    scores: NDArray[np.float64]
    seconds: float


def slices(n_rows: int) -> list[float]:
    """Return the shares of the rows on which settings are compared, ascending up to 1."""
    shares = [1.0]
    while len(shares) < MOST_SLICES and n_rows * shares[0] / ETA >= SMALLEST_SLICE:
        shares.insert(0, shares[0] / ETA)
    return shares


def search(
    run: Runner,
    space: Searched,
    budget: Budget,
    halves: Halves,
    shares: list[float],
    kept: float = 1.0,
    say: Callable[[str], None] = lambda line: None,
) -> Found:
    """Return the best setting that was found within a budget.

    Parameters
    ----------
    run : Runner
    space : Searched
    budget : Budget
    halves : Halves
        Of the rows held out.
    shares : list of float
        From `slices`.
    kept : float
        Share of all rows that the trials may train on: the last training, on all of them, takes 1 / kept as
        long.
    say : callable
        Called with a line for each trial.
    """
    return _Search(run, space, budget, halves, shares, kept, say).go()


@dataclass
class _Search:
    run: Runner
    space: Searched
    budget: Budget
    halves: Halves
    shares: list[float]
    kept: float
    say: Callable[[str], None]
    trials: list[Trial] = field(default_factory=list)
    results: dict[tuple[str, Stage], _Result] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)  # settings
    pace: list[float] = field(
        default_factory=list
    )  # seconds on all rows, of trainings as dear as the best one
    promise: dict[str, float] = field(default_factory=dict)  # by how much a change was better when last tried
    ruled_out: set[str] = field(default_factory=set)  # changes that were worse by more than chance

    @property
    def stages(self) -> list[Stage]:
        return [*(Stage(share) for share in self.shares), CONFIRMING]

    def go(self) -> Found:
        best: dict[str, Any] = {}
        gains: dict[str, Gain] = {}
        if not self._first():
            limit = f"{self.budget.seconds:g} seconds are too short for one trial"
            return self._found({}, {}, f"Nothing was searched: {limit}. Give more.")
        end = "no neighbour of the best setting is better by more than one standard error"
        while candidates := self._candidates(best):
            planned = self._planned(best, candidates)
            if not planned:
                end = "the budget is used up"
                break
            step = self._round(best, planned)
            if step is not None:
                candidate, gain = step
                best = {**best, **candidate.changes}
                gains |= dict.fromkeys(candidate.changes, gain)
        found = f"{settings_text(best)} is better than what was given" if best else "Nothing better was found"
        trials = "1 trial" if len(self.trials) == 1 else f"{len(self.trials)} trials"
        return self._found(best, gains, f"{found}, after {trials}: {end}.")

    def _found(self, best: dict[str, Any], gains: dict[str, Gain], conclusion: str) -> Found:
        gain = self._gain(best, {}, CONFIRMING, self.halves.confirming) if best else Gain(0.0, 0.0)
        return Found(trials=self.trials, parameters=best, gains=gains, gain=gain, conclusion=conclusion)

    def _first(self) -> bool:
        """Train the setting as it was given, with which the others are compared; False: there is no time."""
        deadline = self.budget.clock() + FIRST_SHARE * self.budget.seconds_left
        outcome = self._train({}, CHOOSING, deadline)
        if outcome == "failed":
            raise InputError(
                f"the training with the settings as they are diverged. Lower {setting('learning_rate')}."
            )
        self._record({}, CHOOSING, outcome or "first")
        return not outcome

    def _candidates(self, best: dict[str, Any]) -> list[Candidate]:
        """Return the neighbours that are worth a trial, those first that did well before."""
        found = [
            candidate
            for candidate in self.space.neighbours(best)
            if _key(candidate.changes) not in self.ruled_out
            and _key({**best, **candidate.changes}) not in self.tried
        ]
        return sorted(found, key=lambda candidate: -self.promise.get(_key(candidate.changes), 0.0))

    def _planned(self, best: dict[str, Any], candidates: list[Candidate]) -> list[Candidate]:
        """Return as many of the candidates as the budget has room for, all stages included."""
        possible = [candidate for candidate in candidates if self._fits(best, [candidate])]
        sizes = range(len(possible), 0, -1)
        return next((possible[:n] for n in sizes if self._fits(best, possible[:n])), [])

    def _fits(self, best: dict[str, Any], candidates: list[Candidate]) -> bool:
        """Tell whether a round of some candidates, and the last training after it, are within the budget."""
        trials, work, left = 0, 0.0, len(candidates)
        cost = sum(candidate.cost for candidate in candidates) / left
        for stage in self.stages:
            is_new = (_key(best), stage) not in self.results
            trials += left + is_new
            work += stage.share * (left * cost + is_new)
            left = math.ceil(left / ETA)
        dearest = max(candidate.cost for candidate in candidates)
        return trials <= self.budget.trials and self._has_time(best, work, dearest)

    def _round(self, best: dict[str, Any], candidates: list[Candidate]) -> tuple[Candidate, Gain] | None:
        """Return the neighbour that takes the place of the best setting, and its gain; None: none does."""
        self.tried |= {_key({**best, **candidate.changes}) for candidate in candidates}
        for stage in self.stages[:-1]:
            candidates = self._best_quarter(best, candidates, stage)
        if not candidates:
            return None
        steps = []
        for candidate, place in self._trained(best, candidates, CONFIRMING):
            gain = self._gain({**best, **candidate.changes}, best, CONFIRMING, self.halves.confirming)
            is_better = gain.mean > gain.standard_error
            self._settle(place, "confirmed" if is_better else "not confirmed")
            if is_better:
                steps.append((candidate, gain))
        return max(steps, key=lambda step: self._mean({**best, **step[0].changes}), default=None)

    def _best_quarter(
        self, best: dict[str, Any], candidates: list[Candidate], stage: Stage
    ) -> list[Candidate]:
        """Train some neighbours and return those that go on to the next stage."""
        gains = []
        for candidate, place in self._trained(best, candidates, stage):
            gain = self._gain({**best, **candidate.changes}, best, stage, self.halves.choosing)
            gains.append((-gain.mean, place, candidate))
            self.promise[_key(candidate.changes)] = gain.mean
            if gain.mean < -gain.standard_error:
                self.ruled_out.add(_key(candidate.changes))
        gains.sort(key=lambda one: one[:2])
        kept: list[Candidate] = []
        for loss, place, candidate in gains:
            goes_on = len(kept) < math.ceil(len(gains) / ETA) and (loss < 0 or stage != CHOOSING)
            self._settle(place, "goes on" if goes_on else "dropped")
            if goes_on:
                kept.append(candidate)
        return kept

    def _trained(
        self, best: dict[str, Any], candidates: list[Candidate], stage: Stage
    ) -> Iterator[tuple[Candidate, int]]:
        """Train the best setting, unless that was done, and neighbours of it; yield each with its place."""
        if candidates and (_key(best), stage) not in self.results:
            outcome = self._train(best, stage, self._deadline(best))
            self._record(best, stage, outcome or "reference")
            if outcome:
                return
        for n, candidate in enumerate(candidates, start=1):
            work = candidate.cost * stage.share + self._later_work(best, stage, n)
            if self.budget.trials < 1 or not self._has_time(best, work, candidate.cost):
                return
            changes = {**best, **candidate.changes}
            outcome = self._train(changes, stage, self._deadline(best))
            self._record(changes, stage, outcome, best)
            if outcome:
                self.ruled_out.add(_key(candidate.changes))
            else:
                if stage.share == 1:
                    self.pace.append(self.results[_key(changes), stage].seconds / candidate.cost)
                yield candidate, len(self.trials) - 1

    def _train(self, changes: Mapping[str, Any], stage: Stage, deadline: float) -> str:
        """Train a setting and keep what came out; return why nothing did, if so."""
        self.budget.trials -= 1
        started = self.budget.clock()
        try:
            scores = self.run(changes, stage.share, stage.repeat, deadline)
        except OutOfTimeError:
            return "out of time"
        except InputError:
            return "failed"
        self.results[_key(changes), stage] = _Result(scores, self.budget.clock() - started)
        return ""

    def _record(
        self,
        changes: Mapping[str, Any],
        stage: Stage,
        outcome: str,
        reference: Mapping[str, Any] | None = None,
    ) -> None:
        result, gain = self.results.get((_key(changes), stage)), Gain(math.nan, math.nan)
        if result is not None and reference is not None:
            gain = self._gain(changes, reference, stage, np.arange(len(result.scores)))
        trial = Trial(
            number=len(self.trials) + 1,
            parameters=dict(changes),
            share=stage.share,
            repeat=stage.repeat,
            score=math.nan if result is None else float(result.scores.mean()),
            gain=gain.mean,
            standard_error=gain.standard_error,
            seconds=math.nan if result is None else result.seconds,
            outcome=outcome,
        )
        self.trials.append(trial)
        self.say(str(trial))

    def _settle(self, place: int, outcome: str) -> None:
        self.trials[place] = replace(self.trials[place], outcome=outcome)

    def _gain(
        self, changes: Mapping[str, Any], reference: Mapping[str, Any], stage: Stage, rows: NDArray[np.int64]
    ) -> Gain:
        scores, others = (self.results[_key(each), stage].scores[rows] for each in (changes, reference))
        return gain_of(scores, others)

    def _mean(self, changes: Mapping[str, Any]) -> float:
        return float(
            sum(self.results[_key(changes), stage].scores.mean() for stage in (CHOOSING, CONFIRMING))
        )

    def _full_seconds(self, best: Mapping[str, Any]) -> float:
        """Return the seconds that the best setting takes on all rows, at the pace of late."""
        recent = self.pace[-RECENT:]
        measured = self.results[_key(best), CHOOSING].seconds
        return max(measured, sum(recent) / len(recent)) if recent else measured

    def _last(self, best: Mapping[str, Any], cost: float) -> float:
        """Return the seconds that the training on all rows takes at last."""
        return max(1.0, cost) * self._full_seconds(best) / self.kept

    def _deadline(self, best: Mapping[str, Any]) -> float:
        return self.budget.clock() + self.budget.seconds_left - self._last(best, 1.0)

    def _later_work(self, best: Mapping[str, Any], stage: Stage, n: int) -> float:
        """Return how many trainings on all rows the stages after this one of n neighbours are worth."""
        work = 0.0
        for later in self.stages[self.stages.index(stage) + 1 :]:
            n = math.ceil(n / ETA)
            work += later.share * (n + ((_key(best), later) not in self.results))
        return work

    def _has_time(self, best: Mapping[str, Any], work: float, cost: float) -> bool:
        """Tell whether there is time for some trainings, and for the last one, of a setting of some cost."""
        needed = SAFETY * work * self._full_seconds(best) + self._last(best, cost)
        return needed <= self.budget.seconds_left


def _key(changes: Mapping[str, Any]) -> str:
    return repr(sorted((name, repr(value)) for name, value in changes.items()))
