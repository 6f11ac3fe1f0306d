"""Whether hashing pays on the user's data: measured on a sample, before a long training."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from hashslide._checks import check_float, check_int
from hashslide.diagnostics.trials import (
    MIN_EXAMPLES,
    SMALLEST_SAMPLE,
    Comparison,
    Run,
    Trials,
    draw_sample,
    variants,
)
from hashslide.diagnostics.verdict import conclude, of_sample
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.parameters import check_parameters
from hashslide.estimator.preparing import draw_seed
from hashslide.settings import Exact, Layer
from hashslide.settings.base import Settings
from hashslide.settings.hash_families import HASH_FAMILIES, Hash

__all__ = ["Advice", "advise"]


def __dir__() -> list[str]:
    return __all__


SHARES = (0.0005, 0.005)
FAMILIES = ("kmeans", "dwta", "simhash")
MANY_LABELS = {5: 4.0, 3: 2.0}  # the rank that is judged, by the mean number of labels of an example
SCREENING = 0.5  # of the time: for the runs that are always wanted


@dataclass(frozen=True)
class Advice:
    """What `advise` found.

    Attributes
    ----------
    verdict : str
        One sentence.
    settings : dict
        Parameters of `SlideClassifier` to set; empty: the defaults are best.
    reasons : list of str
        The findings, with their figures.
    facts : dict
        The sample: "examples", "validation_examples", "features", "labels", "all_labels" (that occur in
        the whole data), "labels_per_example", "steps", "batch_size", "threads", "k", "seconds".
    runs : list of Run
        What was tried, the default first.
    skipped : list of str
        What was not, for lack of time.
    """

    verdict: str
    settings: dict[str, Any]
    reasons: list[str]
    facts: dict[str, Any]
    runs: list[Run]
    skipped: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return plain Python values; settings as text that the command line reads."""
        runs = [replace(run, settings=_as_text(run.settings)) for run in self.runs]
        return asdict(replace(self, settings=_as_text(self.settings), runs=runs))


def _as_text(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: repr(v) if isinstance(v, Settings | tuple) else v for name, v in settings.items()}


def advise(
    X: Any,
    Y: Any,
    *,
    examples: int = 20_000,
    seconds: float = 120.0,
    shares: Sequence[float] = SHARES,
    families: Sequence[Any] = FAMILIES,
    hidden: int | Layer | Sequence[int | Layer] = 256,
    epochs: int | str = "auto",
    random_state: int | np.random.RandomState | None = 0,
    n_jobs: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Advice:
    """Train on a sample of the data with different active sets, and say which is worth its time.

    Everything else is as `SlideClassifier` would do it. A part of the sample is held out; the labels are
    those of the rest. Differences of P@k are those of the same examples (paired); within two of their
    standard errors, or within what other random numbers change, they are called noise.

    Parameters
    ----------
    X : sparse matrix or array-like of shape (n, n_features)
    Y : sparse indicator of shape (n, n_labels), or as in `SlideClassifier.fit`
    examples : int, default 20,000
        Size of the sample, at most; 100 or more.
    seconds : float, default 120
        Time to take, about. The sample is made smaller, and what is least telling left out, to keep to it.
    shares : sequence of float in (0, 1], default (0.0005, 0.005)
        Hard negatives of an example, as shares of the labels.
    families : sequence, default ("kmeans", "dwta", "simhash")
        Hash families to try, by name or as `HashFamily`.
    hidden : int, Layer or sequence of them, default 256
        As in `SlideClassifier`.
    epochs : int or "auto"
        Passes over the sample.
    random_state : int, RandomState or None, default 0
        The same advice but for what depends on times: the runs in equal time, and what there was no time for.
    n_jobs : int or None
        Threads.
    progress : callable, optional
        Called with a line of text before each run.

    Returns
    -------
    Advice

    Raises
    ------
    InputError
        An argument is not acceptable, or there are fewer than 100 examples or two labels.
    """
    started = time.perf_counter()
    check_int("examples", examples, MIN_EXAMPLES, 2**31 - 1)
    check_float("seconds", seconds, 0, np.inf, "()")
    shares = tuple(check_float("a share", share, 0, 1, "(]") for share in _items("shares", shares))
    families = tuple(_family(family) for family in _items("families", families))
    check_parameters(SlideClassifier(hidden, epochs=epochs, n_jobs=n_jobs))
    if progress is not None and not callable(progress):
        raise InputError(f"progress is {progress!r}; accepted are None and a function of a line of text.")
    tell = progress or (lambda line: None)
    seed = draw_seed(random_state)
    trials = _choose_sample(X, Y, examples, seconds, shares, (hidden, epochs, seed, n_jobs), tell)

    k = _rank(trials)
    tell("default (uniform)")
    comparison = Comparison(trials, k)
    runs, skipped = list(comparison.defaults), []
    for variant in variants(trials, shares, families):
        tell(variant.name)
        run = comparison.run(variant, lambda more: time.perf_counter() - started + more < seconds)
        if run is None:
            skipped.append(variant.name)
        else:
            runs.append(run)
    facts = _facts(trials, k) | {"seconds": time.perf_counter() - started}
    verdict, settings, reasons = conclude(runs, k)
    reasons += of_sample(facts["labels"], facts["all_labels"])
    return Advice(verdict, settings, reasons, facts, runs, skipped)


def _family(family: Any) -> Any:
    """Return a family as it is, if it is one."""
    Hash(HASH_FAMILIES).check("a family", family)
    return family


def _items(name: str, values: Any) -> Iterable[Any]:
    if isinstance(values, str) or not np.iterable(values):
        raise InputError(f"{name} is {values!r}; accepted is a sequence. Put a single value into a list.")
    return values


def _choose_sample(
    X: Any,
    Y: Any,
    examples: int,
    seconds: float,
    shares: Sequence[float],
    settings: tuple[Any, ...],
    tell: Callable[[str], None],
) -> Trials:
    """Return the largest sample on which the first runs leave time for the others."""
    take = draw_sample(X, Y, examples, settings[2])
    n = min(examples, _n_rows(X))
    while True:
        tell(f"sample of {n:,} examples")
        trials = Trials(take(n), *settings)
        budget = max(1, round(max(shares, default=0.0) * trials.n_labels))
        default = trials.seconds_a_step({})
        exact = trials.seconds_a_step({"sampler": Exact(budget=budget)}) if shares else 0.0
        expected = trials.steps * (10 * default + len(shares) * (exact + 6 * default))
        if expected < SCREENING * seconds or n <= SMALLEST_SAMPLE:
            return trials
        n = max(SMALLEST_SAMPLE, n // 2)


def _n_rows(X: Any) -> int:
    return X.shape[0] if hasattr(X, "shape") else len(X)


def _rank(trials: Trials) -> int:
    y = trials.sample.data.y
    mean = len(y.indices) / y.n_rows
    return next((k for k, least in MANY_LABELS.items() if mean >= least), 1)


def _facts(trials: Trials, k: int) -> dict[str, Any]:
    data, sample = trials.sample.data, trials.sample
    return {
        "examples": data.x.n_rows,
        "validation_examples": sample.x_validation.n_rows,
        "features": data.x.n_columns,
        "labels": data.y.n_columns,
        "all_labels": sample.all_labels,
        "labels_per_example": len(data.y.indices) / data.y.n_rows,
        "steps": trials.steps,
        "batch_size": trials.batch_size,
        "threads": trials.n_threads,
        "k": k,
    }
