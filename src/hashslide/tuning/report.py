"""The record of a search."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hashslide.errors import InputError
from hashslide.settings.chosen import value_text

__all__ = ["Trial", "TuningReport", "settings_text", "teller"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A training on a part of the data, judged on rows held out.

    Attributes
    ----------
    number : int
        Counted from 1. The first one has the parameters as they were.
    parameters : dict
        What differs from them.
    share : float
        How much of the rows to train on it had.
    repeat : int
        0: with the seed of the classifier; 1: with another one, to confirm.
    score : float
        The metric on all rows held out; NaN if the training came to no end.
    gain, standard_error : float
        How much better that is than the best setting so far, trained on the same rows; and the standard error
        of this difference, which is a mean over paired rows. NaN where there is nothing to compare with.
    seconds : float
    outcome : str
        What became of it: "first", "reference" (the best setting so far, to compare others with), "dropped",
        "goes on" (to more rows, or to be confirmed), "not confirmed", "confirmed", "out of time" or "failed".
    """

    number: int
    parameters: Mapping[str, Any]
    share: float
    repeat: int
    score: float
    gain: float
    standard_error: float
    seconds: float
    outcome: str

    def __str__(self) -> str:
        figures = [f"score {self.score:.4f}"]
        if self.gain == self.gain:
            figures.append(f"gain {self.gain:+.4f} ± {self.standard_error:.4f}")
        share = "" if self.share == 1 else f" on {self.share:.2g} of the rows"
        share += " once more" * self.repeat
        facts = [settings_text(self.parameters) + share, *figures, f"{self.seconds:.1f} s", self.outcome]
        return f"trial {self.number}: {', '.join(filter(None, facts))}"


@dataclass(frozen=True, kw_only=True, repr=False)
class TuningReport:
    """What a search tried and chose; `SlideClassifier.tuning_` is one.

    Attributes
    ----------
    monitor : str
        The metric.
    rows : int
        Held out, half of them to choose by, half to confirm.
    trials : tuple of Trial
        In the order in which they were made.
    parameters : dict
        What was chosen, as far as it differs from the parameters as they were; empty: nothing better was
        found.
    gain, standard_error : float
        How much better the choice is on the rows that had no say in it.
    seconds : float
        Of the whole search, the last training included.
    conclusion : str
        In one sentence.
    """

    monitor: str
    rows: int
    trials: tuple[Trial, ...]
    parameters: Mapping[str, Any]
    gain: float
    standard_error: float
    seconds: float
    conclusion: str

    def __repr__(self) -> str:
        return "\n".join([*map(str, self.best_first()), self.conclusion])

    def best_first(self) -> list[Trial]:
        """Return the trials, those on all rows first, and among equal ones those of higher scores."""
        return sorted(self.trials, key=lambda t: (-t.share, -_number(t.score), t.number))


def teller(progress: Any, verbose: int) -> Callable[[str], None]:
    """Return the function that says what happens: the user's own, or one that prints where that is wanted.

    Raises
    ------
    InputError
        `progress` is no function.
    """
    if progress is None:
        return (lambda line: print(line, file=sys.stderr)) if verbose else (lambda line: None)
    if not callable(progress):
        raise InputError(f"progress is {progress!r}; accepted are None and a function of a line of text.")
    told: Callable[[str], None] = progress
    return told


def settings_text(parameters: Mapping[str, Any]) -> str:
    """Return some parameters as text."""
    if not parameters:
        return "as given"
    return ", ".join(f"{name}={value_text(value)}" for name, value in parameters.items())


def _number(score: float) -> float:
    return score if score == score else -1.0
