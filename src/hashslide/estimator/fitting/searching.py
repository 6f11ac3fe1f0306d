"""What a search for settings, and an estimate of costs, need of a classifier."""

import numbers
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from hashslide._checks import is_auto
from hashslide.csr import Csr, as_pattern
from hashslide.estimator.auto import Problem, decide
from hashslide.estimator.features import is_dense
from hashslide.estimator.fitting.data import wants_ranker
from hashslide.estimator.parameters import check_parameters, left_at_default
from hashslide.estimator.preparing import (
    decidable,
    decide_settings,
    draw_seed,
    has_one_label,
    label_counts,
    network_config,
    training_data,
)
from hashslide.planning import Planned, Shape, Sizes
from hashslide.ranking import FEWEST_HELD_OUT
from hashslide.recommendation import both_ways
from hashslide.settings import Setting
from hashslide.targets import LabelNames
from hashslide.training import Evaluation, TrainingData
from hashslide.tuning import Gain, Space, Task, TuningReport

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["planned", "take_note", "tuning_task"]


def __dir__() -> list[str]:
    return __all__


_BY_DATA = ("epochs", "batch_size", "input_dropout", "loss", "optimizer")  # what "auto" makes of all examples


def tuning_task(
    model: "SlideClassifier",
    data: TrainingData,
    multilabel: bool,
    evaluate: Evaluation | None,
    monitor: str | None,
    clock: Callable[[], float],
) -> tuple[Task, Space]:
    """Return what a search tries its settings on, and where it goes.

    What "auto" makes of the examples is that of all of them, for all trials alike.
    """
    given = check_parameters(model)
    by_place = LabelNames(data.y.n_columns)  # trials are given numbers
    whole, _ = both_ways(given["both_ways"], data, by_place, None, multilabel)
    settings = decide_settings(given, whole, multilabel)
    free = left_at_default(model)
    fixed = {name: getattr(settings, name) for name in _BY_DATA if name in free}
    seed = draw_seed(given["random_state"])
    first = model.random_state if isinstance(model.random_state, numbers.Integral) else seed

    def make(changes: Mapping[str, Any], repeat: int) -> "SlideClassifier":
        own = {"verbose": 0, "callbacks": None, "random_state": seed + repeat if repeat else first}
        return clone(model).set_params(**{**fixed, **own, **changes})

    held_out = None if evaluate is None else (evaluate.x, as_pattern(evaluate.y))
    task = Task.cut(make, data, multilabel, held_out, monitor, label_counts(data), seed, clock)
    values = vars(settings) | {"label_weight": model.label_weight}
    return task, Space(values, frozenset(free), data.x.n_columns, multilabel, task.judge.monitor)


def planned(model: "SlideClassifier", x: Csr, y: Csr, multilabel: bool, **totals: int | None) -> Planned:
    """Return what follows from the parameters and from data of which x and y are all or a sample."""
    given = check_parameters(model)
    data, _ = both_ways(given["both_ways"], training_data(x, y), LabelNames(y.n_columns), None, multilabel)
    shape = Shape.of(x, y, **totals, is_both_ways=data.is_both_ways)
    problem = Problem(
        n_examples=shape.n_learned,
        n_features=shape.n_features,
        n_labels=shape.n_labels,
        values_per_example=shape.features_per_example,
        labels_per_example=shape.labels_per_example,
        one_label=not multilabel or has_one_label(data.y),
        is_dense=is_dense(data),
        is_both_ways=data.is_both_ways,
    )
    settings = decide(problem, decidable(given))
    fixed = {name: getattr(settings, name) for name in _BY_DATA if name != "epochs"}
    fixed |= {"early_stopping": False, "random_state": 0}
    if is_auto(given["ranker"]):
        fixed["ranker"] = wants_ranker(given) and shape.n_examples >= FEWEST_HELD_OUT
    sizes = Sizes(lambda n_features, n_labels: network_config(settings, n_features, n_labels))
    width = settings.hidden[-1].width if settings.hidden else shape.n_features
    return Planned(shape=shape, epochs=settings.epochs, width=width, sizes=sizes, fixed=fixed)


def take_note(model: "SlideClassifier", report: TuningReport, gains: Mapping[str, Gain]) -> None:
    """Keep the report of a search, which is the reason for the settings that it changed."""
    changed = {
        name: Setting(model.settings_[name].value, f"tuning gained {gain} {report.monitor} by it")
        for name, gain in gains.items()
    }
    model.tuning_, model.settings_ = report, model.settings_.replaced(**changed)
