"""What happens in `SlideClassifier.fit` and `partial_fit`, step by step; `model` is the classifier."""

import numbers
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils.validation import validate_data

from hashslide._checks import is_auto
from hashslide._interface import setting, wording
from hashslide._locks import unbroken
from hashslide._validation import check_same_rows
from hashslide.callbacks import Callback, EarlyStopping, Progress
from hashslide.callbacks.progress import DECIDED_LAST
from hashslide.csr import Csr, as_pattern
from hashslide.data.pack import Pack
from hashslide.data.pack.order import PackedExamples
from hashslide.errors import InputError
from hashslide.estimator import approximate
from hashslide.estimator._features import (
    check_features,
    check_first_names,
    check_known_features,
    feature_names,
)
from hashslide.estimator._living import observe
from hashslide.estimator.auto import Decided, Problem, decide
from hashslide.estimator.parameters import check_parameters, left_at_default
from hashslide.estimator.preparing import (
    decidable,
    decide_settings,
    draw_seed,
    label_counts,
    label_weights,
    network_config,
    training_data,
)
from hashslide.living.new_labels import (
    ActivationMoments,
    labels_to_place,
    place_labels,
    with_new_labels,
)
from hashslide.network import Network, effective_threads
from hashslide.planning import Planned, Shape, Sizes
from hashslide.ranking import FEWEST_HELD_OUT, RankerReport, n_held_out, weigh
from hashslide.recommendation import both_ways
from hashslide.settings import ChosenSettings, Constant, Setting
from hashslide.targets import LabelNames, Target, check_classes
from hashslide.training import (
    BatchSource,
    Evaluation,
    Examples,
    Plan,
    Position,
    TrainingContext,
    TrainingData,
    train,
)
from hashslide.tuning import Gain, Space, Task, TuningReport

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier


Judges = tuple[Csr, Csr]  # examples that were held out, x and y
_BY_SIZE = ("epochs", "batch_size", "input_dropout")  # what "auto" makes of the number of examples
_OWN_SETS = "active sets of the examples' own are a published system, which has none"


def check_eval_set(
    model: "SlideClassifier", eval_set: Any, labels: LabelNames, n_features: int
) -> Evaluation | None:
    """Return the evaluation of an (X, y) pair."""
    if eval_set is None:
        return None
    if not isinstance(eval_set, tuple | list) or len(eval_set) != 2:
        raise InputError(f"eval_set is a {type(eval_set).__name__}; accepted is one pair (X, y).")
    x, target = check_features(model, eval_set[0], name="eval_set X"), labels.parse(eval_set[1])
    check_same_rows(x.n_rows, target.n_rows, "X and y of eval_set")
    if x.n_columns != n_features:
        raise InputError(
            f"eval_set X has {x.n_columns} features, but X has {n_features}. Give both the same columns."
        )
    return Evaluation(x, labels.encode(target, drop_unknown=True), effective_threads(model.n_jobs))


def hold_out(model: "SlideClassifier", data: Examples, seed: int) -> tuple[Examples, Evaluation]:
    """Return the training data without a random part, and the evaluation of that part."""
    n = len(data.rows)
    n_held_out = max(1, round(model.validation_fraction * n))
    if n_held_out >= n:
        share = setting("validation_fraction", model.validation_fraction)
        other = wording("pass an eval_set", "give other data with --validation")
        raise InputError(f"{share} of n_samples={n} leaves none to train on. Lower it, or {other}.")
    kept, x, y = data.held_out(min(n_held_out, len(data.sample().rows)), seed)
    return kept, Evaluation(x, y, effective_threads(model.n_jobs))


def blocks_of(stream: Iterator[Any], y: Any, sample_weight: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the blocks of a stream, each of which has to be a pair."""
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise InputError(f"{name} is given beside a stream, which yields pairs (X, y). Leave {name} out.")
    for number, block in enumerate(stream):
        if not isinstance(block, tuple | list) or len(block) != 2:
            raise InputError(
                f"block {number} of the stream is a {type(block).__name__}; accepted are pairs (X, y)."
            )
        yield block[0], block[1]


def examples_of(
    pack: Pack, y: Any, sample_weight: Any, classes: ArrayLike | None
) -> tuple[PackedExamples, LabelNames]:
    """Return the examples of a pack that is whole, and its labels."""
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise InputError(f"{name} is given beside a pack, which holds the labels. Leave {name} out.")
    if pack.n_labels == 0 or pack.n_features == 0:
        raise InputError(f"{pack.path} has {pack.n_features} features and {pack.n_labels} labels. Add some.")
    pack.verify()
    names = pack.label_names if classes is None else check_classes(classes)
    if (
        names is not None
        and names is not pack.label_names
        and (pack.label_names is not None or len(names) != pack.n_labels)
    ):
        raise InputError(
            f"classes holds {len(names)} names, but the pack has {pack.n_labels} labels"
            f"{'' if pack.label_names is None else ' with names of their own'}. "
            "Name labels without names, one for each."
        )
    return PackedExamples(pack, pack.n_rows), LabelNames(pack.n_labels, names, pack.label_names is not None)


def not_both_ways(wanted: bool | str) -> Setting:
    """Return the setting of `both_ways` for a pack."""
    if not is_auto(wanted) and wanted:
        raise InputError(
            f"{setting('both_ways', True)} needs X and y in memory; a pack is learned one way only. "
            "Leave it out, or pack each example the other way round as well."
        )
    return Setting(False, "it was given" if not is_auto(wanted) else "a pack is learned one way only")


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


def commit(
    model: "SlideClassifier",
    X: Any,
    labels: LabelNames,
    network: Network,
    seed: int,
    planned: int,
    history: list[dict[str, Any]],
    settings: ChosenSettings,
    multilabel: bool,
    dense_dtype: np.dtype[Any] | None = None,
) -> None:
    """Make the network that is to be trained that of the model; after this only the training may fail."""
    network.share_lock(model._lock)
    for name in (
        "n_features_in_",
        "feature_names_in_",
        "approximate_",
        "best_epoch_",
        "ranker_",
        "tuning_",
        "drift_",
    ):
        model.__dict__.pop(name, None)
    model._hidden_labels, model._reservoir = np.empty(0, np.int64), None
    if isinstance(X, Pack):
        model.n_features_in_ = X.n_features
        if X.feature_names is not None:
            model.feature_names_in_ = X.feature_names
    else:
        validate_data(model, X, reset=True, skip_check_array=True)
    model._labels, model._dense_dtype, model._seed = labels, dense_dtype, seed
    model.classes_ = labels.array()
    model.multilabel_ = multilabel
    model.history_, model._planned_epochs, model._moments = history, planned, None
    model._has_optimizer_state = True
    model._position, model._data_key = Position(), X.key if isinstance(X, Pack) else None
    model.settings_ = settings
    model.network_ = network


def adopt(model: "SlideClassifier", network: Network, labels: LabelNames, multilabel: bool) -> None:
    """Make a network that was trained elsewhere that of the model."""
    row = np.zeros((1, network.config.n_features), np.float32)
    commit(model, row, labels, network, network.config.seed % 2**63, 0, [], ChosenSettings({}), multilabel)
    model._has_optimizer_state = False


def tuning_task(
    model: "SlideClassifier",
    data: TrainingData,
    multilabel: bool,
    evaluate: Evaluation | None,
    monitor: str | None,
    clock: Callable[[], float],
) -> tuple[Task, Space]:
    """Return what a search tries its settings on, and where it goes.

    What "auto" makes of the number of examples is that of all examples, for all trials alike.
    """
    given = check_parameters(model)
    by_place = LabelNames(data.y.n_columns)  # trials are given numbers
    whole, _ = both_ways(given["both_ways"], data, by_place, None, multilabel)
    settings = decide_settings(given, whole, multilabel)
    free = left_at_default(model)
    fixed = {name: getattr(settings, name) for name in _BY_SIZE if name in free}
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
        multilabel=multilabel,
        is_both_ways=data.is_both_ways,
    )
    settings = decide(problem, decidable(given))
    fixed = {name: getattr(settings, name) for name in _BY_SIZE if name != "epochs"}
    fixed |= {"early_stopping": False, "random_state": 0}
    if is_auto(given["ranker"]):
        fixed["ranker"] = _wants_ranker(given) and n_held_out(shape.n_examples) > 0
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


def of_calls(settings: ChosenSettings) -> ChosenSettings:
    """Return the settings of a training by `partial_fit` alone."""
    call = "each call of partial_fit is an epoch"
    return settings.replaced(
        epochs=Setting(1, call),
        schedule=Setting(Constant(), f"{call}, and there may be more of them"),
        ranker=Setting(False, "partial_fit learns none; fit does"),
        both_ways=Setting(False, "partial_fit trains on what it is given"),
    )


def hold_out_for_ranker(
    given: Mapping[str, Any], data: Examples, evaluate: Evaluation | None, seed: int
) -> tuple[Examples, Judges | None]:
    """Return the training data without the examples that decide how much a ranker counts, and these.

    Early stopping has examples of its own, which can decide that too. None: no ranker is wanted, or it counts
    as much as the network, as there are too few examples.
    """
    if not _wants_ranker(given):
        return data, None
    if given["early_stopping"] and evaluate is not None:
        return data, (evaluate.x, as_pattern(evaluate.y)) if evaluate.x.n_rows >= FEWEST_HELD_OUT else None
    n = n_held_out(len(data.rows))
    if n == 0:
        return data, None
    kept, x, y = data.held_out(n, seed)
    return kept, (x, y)


def _wants_ranker(given: Mapping[str, Any]) -> bool:
    """Tell whether a ranker is to be learned; "auto": not beside the published system."""
    wanted: bool | str = given["ranker"]
    return given["active"] == "per_batch" if is_auto(wanted) else bool(wanted)


def learn_ranker(
    model: "SlideClassifier", given: Mapping[str, Any], data: TrainingData, judges: Judges | None
) -> None:
    """Learn a ranker, where one is wanted, and let the examples that were held out decide how much it counts.

    "auto" without such examples: none.
    """
    network, threads = model.network_, effective_threads(model.n_jobs)
    made, report = None, None
    if not _wants_ranker(given):
        chosen = Setting(False, _OWN_SETS if is_auto(given["ranker"]) else "it was given")
    elif judges is None and is_auto(given["ranker"]):
        chosen = Setting(False, f"{len(data.rows):,} examples are too few to measure what it gains")
    else:
        weight = None if data.sample_weight is None else data.sample_weight[data.rows]
        made = network.make_ranker(data.x, data.y, threads, data.chosen(), weight)
        report = RankerReport.fixed()
        if judges is not None:
            report = weigh(network, made, *judges, model._seed, threads)
        chosen = Setting(report.is_needed, report.reason)

    def use() -> None:
        if made is not None and report is not None:
            if report.is_needed:
                network.set_ranker(made, report.blend)
            model.ranker_ = report
        _replace_settings(model, ranker=chosen)

    unbroken(model._lock, use)


def grow(
    model: "SlideClassifier",
    given: Mapping[str, Any],
    X: Any,
    x: Csr,
    target: Target,
    classes: ArrayLike | None,
    weight: NDArray[np.float32] | None,
    decay: float = 0.0,
) -> tuple[TrainingData, Judges | None, int]:
    """Make room for what is new in the data.

    Returns
    -------
    data : TrainingData
    judges : (x, y) or None
        Where an interrupted `fit` goes on: the examples that it held out.
    planned : int
        Epochs of that fit; 0: these are new data.
    """
    if target.multilabel != model.multilabel_:
        form = {True: "several labels for each example", False: "one class for each example"}
        raise InputError(
            f"y has {form[target.multilabel]}, but the model was trained on {form[model.multilabel_]}."
        )
    has_new_features = x.n_columns > model.n_features_in_
    if has_new_features:
        check_first_names(model, X)
    else:
        check_known_features(model, X, x)
    labels = model._labels.grown(target, classes)
    data = training_data(x, labels.encode(target, classes), weight)
    network = model.network_
    if model.n_iter_ < model._planned_epochs and labels.n == network.config.n_labels:
        whole, judges = hold_out_for_ranker(given, data, None, model._seed)
        kept, _ = both_ways(given["both_ways"], whole.sample(), labels, feature_names(X), model.multilabel_)
        if _is_known(network, kept):
            weight = label_weights(  # a loaded network has lost them
                model.label_weight, network.label_counts, len(kept.rows), network.config.loss
            )
            if weight is not None:
                network.set_label_weight(weight)
            return kept, judges, model._planned_epochs
    drift = observe(model, data)
    counts = label_counts(data)
    n_seen = int((1 - decay) * network.n_examples_seen) + len(data.rows)
    counts[: network.config.n_labels] += ((1 - decay) * network.label_counts).astype(np.int64)
    weight = label_weights(model.label_weight, counts, n_seen, network.config.loss)

    def change() -> None:
        network.grow(x.n_columns, labels.n)
        network.set_label_prior(counts, n_seen, reset_bias=False)
        if weight is not None:
            network.set_label_weight(weight)
        if has_new_features:
            validate_data(model, X, reset=True, skip_check_array=True)
        model._labels, model.classes_, model._planned_epochs = labels, labels.array(), 0
        model.drift_ = drift
        if model._reservoir is not None:
            model._reservoir = model._reservoir.widened(x.n_columns, labels.n)

    unbroken(model._lock, change)
    return data, None, 0


def _is_known(network: Network, data: TrainingData) -> bool:
    """Tell whether the network has seen these data and no others: as many examples, each label as often."""
    if len(data.rows) != network.n_examples_seen:
        return False
    return np.array_equal(label_counts(data), network.label_counts)


def place_new_labels(model: "SlideClassifier", data: TrainingData, n_old: int) -> TrainingData:
    """Place the labels from `n_old` on that have a few examples; return the data without them."""
    x, y = with_new_labels(data, n_old)
    labels, threads = labels_to_place(y, n_old), effective_threads(model.n_jobs)
    if len(labels) == 0:
        return data
    others, network = data.without_labels(labels), model.network_
    moments = model._moments
    if moments is None:
        moments = ActivationMoments.of(network, data, threads).scored(network, others, threads)
    place_labels(network, x, y, labels, moments, threads)
    return others


def learn_moments(model: "SlideClassifier", data: TrainingData, taught: TrainingData) -> None:
    """Learn what tells the first examples of a new label from all others; see `hashslide.living.new_labels`.

    What was placed says nothing of how high trained labels score, so that only `taught` is asked for that.
    """
    network, old, threads = model.network_, model._moments, effective_threads(model.n_jobs)
    new = ActivationMoments.of(network, data, threads)
    new = replace(new, score=new.score if old is None else old.score).scored(network, taught, threads)
    with model._lock.writing:
        model._moments = new if old is None else old.joined(new)


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


def _replace_settings(model: "SlideClassifier", **settings: Setting) -> None:
    model.settings_ = model.settings_.replaced(**settings)


def tell_the_end(model: "SlideClassifier", given: Mapping[str, Any]) -> None:
    """Say what was decided after the last epoch, wherever the progress is shown."""
    shown = [callback for callback in given["callbacks"] if isinstance(callback, Progress)]
    for progress in shown + [Progress()] * bool(given["verbose"]):
        progress.tell(model, DECIDED_LAST)


def tune_approximate(model: "SlideClassifier", evaluate: Evaluation | None) -> None:
    """Tune the candidate lists, if there are some, on an evaluation set."""
    network = model.network_
    if evaluate is not None and network.has_candidates:
        threads = effective_threads(model.n_jobs)
        k = min(5, network.config.n_labels)
        report = approximate.tune(network, evaluate.x, evaluate.y, k, 0.99, threads)
        unbroken(model._lock, lambda: approximate.use(model, report))


def plan_of(
    model: "SlideClassifier",
    settings: Decided,
    n_epochs: int,
    first_epoch: int,
    last_epoch: int,
    position: Position | None = None,
) -> Plan:
    """Return the plan of some epochs of a schedule of `n_epochs`; 0: of the constant rate."""
    return Plan(
        n_epochs=n_epochs,
        first_epoch=first_epoch,
        last_epoch=last_epoch,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        schedule=settings.schedule if n_epochs else Constant(),
        seed=model._seed,
        n_threads=effective_threads(model.n_jobs),
        position=position or Position(),
    )


class _Whereabouts(Callback):
    """Keeps how far an epoch has come when the training is broken off, so that it can go on there."""

    def teardown(self, estimator: Any, context: TrainingContext) -> None:
        """Take note."""
        estimator._position = context.position


def run(
    model: "SlideClassifier",
    given: Mapping[str, Any],
    data: BatchSource,
    plan: Plan,
    evaluate: Evaluation | None = None,
    best_state: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Train with the callbacks that the parameters ask for."""
    callbacks, stopping = [*given["callbacks"], _Whereabouts()], None
    if given["early_stopping"] and evaluate is not None:
        wanted = given["early_stopping"]
        stopping = EarlyStopping() if wanted is True else copy(wanted)
        callbacks.append(stopping)
    if given["verbose"]:
        callbacks.append(Progress())
    try:
        train(
            model.network_,
            data,
            plan,
            model.history_,
            evaluate=evaluate,
            callbacks=callbacks,
            estimator=model,
            best_state=best_state,
        )
    finally:
        if stopping is not None and stopping.best_epoch_ is not None:
            model.best_epoch_ = stopping.best_epoch_
