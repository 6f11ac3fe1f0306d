"""What a model learns after the last epoch: candidate lists, a ranker, moments of the activations."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hashslide._checks import is_auto
from hashslide._locks import unbroken
from hashslide.callbacks import Progress
from hashslide.callbacks.progress import DECIDED_LAST
from hashslide.estimator import approximate
from hashslide.estimator.auto import Decided
from hashslide.estimator.fitting.data import Judges, wants_ranker
from hashslide.estimator.fitting.folds import can_be_folded, in_both_ways, judged_in_folds, ranker_of
from hashslide.estimator.fitting.running import plan_of
from hashslide.living.new_labels import ActivationMoments
from hashslide.network import effective_threads
from hashslide.ranking import Judged, weigh
from hashslide.settings import Setting
from hashslide.training import Evaluation, TrainingData, train

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = [
    "learn_approximate",
    "learn_held_out",
    "learn_moments",
    "learn_ranker",
    "note_sample",
    "tell_the_end",
    "tune_approximate",
]


def __dir__() -> list[str]:
    return __all__


HELD_OUT_PASSES = 2
HELD_OUT_RATE = 0.3  # of the learning rate
_OWN_SETS = "active sets of the examples' own are a published system, which has none"


def learn_approximate(model: "SlideClassifier", data: TrainingData) -> None:
    """Make or extend the candidate lists, where they are wanted."""
    network, wanted, rows = model.network_, model.approximate, data.chosen()
    reason = "it was given"
    if is_auto(wanted):
        wanted = approximate.pays_off(network, data.x, rows)
        reason = f"candidates would cost more than half of scoring all {network.config.n_labels:,} labels"
    if not (network.has_candidates or wanted):
        chosen = Setting(False, reason)
        unbroken(model._lock, lambda: _replace_settings(model, approximate=chosen))
        return
    threads, is_new = effective_threads(model.n_jobs), not network.has_candidates
    lists = network.make_candidates(data.x, data.y, threads, fresh=False, rows=rows)

    def set_lists() -> None:
        network.set_candidates(lists)
        if is_new and network.has_candidates:
            approximate.use(model, approximate.untuned(network, data.x, rows))

    unbroken(model._lock, set_lists)


def learn_ranker(
    model: "SlideClassifier",
    given: Mapping[str, Any],
    settings: Decided,
    data: TrainingData,
    judges: Judges | None,
) -> None:
    """Learn a ranker, where one is wanted, and let examples that it has not seen decide how much it counts.

    These are the judges, or all in turn where there are none. "auto" with too few examples for that: none.
    """
    network, threads = model.network_, effective_threads(model.n_jobs)
    in_turn = judges is None and can_be_folded(model, given, data)
    made, report = None, None
    if not wants_ranker(given):
        chosen = Setting(False, _OWN_SETS if is_auto(given["ranker"]) else "it was given")
    elif judges is None and not in_turn and is_auto(given["ranker"]):
        chosen = Setting(False, f"{len(data.rows):,} examples are too few to measure what it gains")
    else:
        judged: Iterable[Judged]
        if in_turn:
            judged = judged_in_folds(model, settings, data)
        else:
            made = ranker_of(network, data, threads)
            judged = [] if judges is None else [Judged(network, made, *judges)]
        is_wanted = not is_auto(given["ranker"])
        report = weigh(judged, network.config.loss, model._seed, threads, is_wanted)
        report = replace(report, n_examples=len(data.rows))
        chosen = Setting(report.is_needed, report.reason)
        if made is None and report.is_needed:
            made = ranker_of(network, data, threads)

    def use() -> None:
        if report is not None:
            if made is not None and report.is_needed:
                network.set_ranker(made, report.blend)
            model.ranker_ = report
        _replace_settings(model, ranker=chosen)

    unbroken(model._lock, use)


def learn_held_out(
    model: "SlideClassifier", settings: Decided, held_out: TrainingData | None, is_both_ways: bool
) -> None:
    """Let the network learn from the examples that have judged the ranker, in a few passes at a low rate.

    They are a twenty-fifth of small data, which cannot spare them. The ranker stays as it was judged.
    """
    if held_out is None:
        return
    network, threads = model.network_, effective_threads(model.n_jobs)
    data = in_both_ways(model, held_out) if is_both_ways else held_out
    plan = plan_of(model, settings, HELD_OUT_PASSES, 0, HELD_OUT_PASSES)
    train(network, data, replace(plan, learning_rate=HELD_OUT_RATE * plan.learning_rate), [])
    if network.has_candidates:
        lists = network.make_candidates(data.x, data.y, threads, fresh=False)
        unbroken(model._lock, lambda: network.set_candidates(lists))


def learn_moments(model: "SlideClassifier", data: TrainingData, taught: TrainingData) -> None:
    """Learn what tells the first examples of a new label from all others; see `hashslide.living.new_labels`.

    What was placed says nothing of how high trained labels score, so that only `taught` is asked for that.
    """
    network, old, threads = model.network_, model._moments, effective_threads(model.n_jobs)
    new = ActivationMoments.of(network, data, threads)
    new = replace(new, score=new.score if old is None else old.score).scored(network, taught, threads)
    with model._lock.writing:
        model._moments = new if old is None else old.joined(new)


def note_sample(model: "SlideClassifier", n_sampled: int, n_examples: int) -> None:
    """Say in the settings what the stages after the training have learned from."""
    if n_sampled == n_examples:
        return
    part = f"learned from {n_sampled:,} of {n_examples:,} examples, which fit the window of the pack"
    settings = {
        name: Setting(model.settings_[name].value, f"{model.settings_[name].reason} ({part})")
        for name in ("ranker", "approximate")
    }
    unbroken(model._lock, lambda: _replace_settings(model, **settings))


def tune_approximate(model: "SlideClassifier", evaluate: Evaluation | None) -> None:
    """Tune the candidate lists, if there are some, on an evaluation set."""
    network = model.network_
    if evaluate is not None and network.has_candidates:
        threads = effective_threads(model.n_jobs)
        k = min(5, network.config.n_labels)
        report = approximate.tune(network, evaluate.x, evaluate.y, k, 0.99, threads)
        unbroken(model._lock, lambda: approximate.use(model, report))


def _replace_settings(model: "SlideClassifier", **settings: Setting) -> None:
    model.settings_ = model.settings_.replaced(**settings)


def tell_the_end(model: "SlideClassifier", given: Mapping[str, Any]) -> None:
    """Say what was decided after the last epoch, wherever the progress is shown."""
    shown = [callback for callback in given["callbacks"] if isinstance(callback, Progress)]
    for progress in shown + [Progress()] * bool(given["verbose"]):
        progress.tell(model, DECIDED_LAST)
