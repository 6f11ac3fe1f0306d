"""Labels that come, are hidden and go, and examples that are kept; `model` is the classifier."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hashslide._checks import check_int
from hashslide._locks import unbroken
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.living.drift import LABELS_PER_OCCURRENCE, MOST_SCORED, SAMPLE, Drift, divergence, hits_at
from hashslide.living.forgetting import without_labels
from hashslide.living.new_labels import ActivationMoments, place_described, spread
from hashslide.living.reservoir import Reservoir, stacked
from hashslide.network import effective_threads
from hashslide.settings.limits import MAX_IDS
from hashslide.targets import LabelNames, parse_target
from hashslide.training import Occurrences, TrainingData

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier


RELEARNED_GROWTH = 1.5  # of the examples since the ranker was learned


def as_names(names: Any) -> list[Any]:
    """Return label names as a list; one string is no list of them."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InputError(f"names is {names!r}; accepted is a list of label names.")
    found = [name.item() if isinstance(name, np.generic) else name for name in names]
    if not found:
        raise InputError("names is empty; accepted is a list of one label name or more.")
    if len(set(found)) < len(found):
        twice = next(name for i, name in enumerate(found) if name in found[:i])
        raise InputError(f"names holds {twice!r} twice. Give each label once.")
    return found


def hide(model: "SlideClassifier", ids: NDArray[np.int64]) -> None:
    """Add labels to those that no prediction gives."""
    hidden = np.union1d(model._hidden_labels, ids)
    if len(hidden) == model._labels.n:
        raise InputError("names holds all labels that are not hidden yet. Leave one that can be predicted.")
    with model._lock.writing:
        model._hidden_labels = hidden


def unhide(model: "SlideClassifier", ids: NDArray[np.int64] | None) -> None:
    """Let labels be predicted again; None: all."""
    none = np.empty(0, np.int64)
    hidden = none if ids is None else np.setdiff1d(model._hidden_labels, ids)
    with model._lock.writing:
        model._hidden_labels = hidden


def forget(model: "SlideClassifier", ids: NDArray[np.int64]) -> None:
    """Take labels out of everything that the model consists of."""
    is_kept = np.ones(model._labels.n, bool)
    is_kept[ids] = False
    kept, threads = np.flatnonzero(is_kept), effective_threads(model.n_jobs)
    hidden = np.flatnonzero(np.isin(kept, model._hidden_labels))
    if len(hidden) == len(kept):
        what = "that is not hidden" if len(kept) else "of the model"
        raise InputError(f"names holds every label {what}. Leave one that can be predicted.")
    network = without_labels(model.network_, kept, threads)
    reservoir = None if model._reservoir is None else model._reservoir.without(kept)
    moments = None
    if reservoir is not None and len(reservoir.tickets):
        data = kept_examples(reservoir)
        moments = ActivationMoments.of(network, data, threads).scored(network, data, threads)
    labels = LabelNames(len(kept), model._labels.array()[kept], model._labels.from_lists)
    weight = model.label_weight

    def change() -> None:
        network.share_lock(model._lock)
        model.network_, model._labels, model.classes_ = network, labels, labels.array()
        model._hidden_labels, model._reservoir, model._moments = hidden, reservoir, moments
        model._planned_epochs = 0
        if weight is not None and not isinstance(weight, str):
            model.label_weight = np.asarray(weight)[kept]

    unbroken(model._lock, change)


def add(model: "SlideClassifier", names: list[Any], x: Csr) -> None:
    """Add labels that rows of features describe."""
    target = parse_target([[name] for name in names], lists=True)
    known = {name for name in names if model._labels._find(name) >= 0}
    if known:
        raise InputError(f"names holds {min(known, key=str)!r}, which the model has already. Leave it out.")
    labels = model._labels.grown(target)
    n_old, threads = model._labels.n, effective_threads(model.n_jobs)
    y = labels.encode(target)
    order = np.argsort(y.indices)  # described labels in the order of their ids
    x, y = x.take(order), y.take(order)
    network = model.network_

    def change() -> None:
        network.grow(x.n_columns, labels.n)
        model._labels, model.classes_, model._planned_epochs = labels, labels.array(), 0
        if model._reservoir is not None:
            model._reservoir = model._reservoir.widened(x.n_columns, labels.n)

    unbroken(model._lock, change)
    place_described(network, x, np.arange(n_old, labels.n, dtype=np.int32), model._moments, threads)
    if network.has_candidates:
        lists = network.make_candidates(x, y, threads, fresh=False)
        unbroken(model._lock, lambda: network.set_candidates(lists))


def kept_examples(reservoir: Reservoir) -> TrainingData:
    """Return the kept examples as what can be trained on."""
    return TrainingData(x=reservoir.x, y=reservoir.y, rows=np.arange(len(reservoir.tickets)))


def check_size(model: "SlideClassifier", size: int | None) -> None:
    """Refuse another size of the reservoir than it has."""
    if size is None or check_int("reservoir", size, 0, MAX_IDS) == 0:
        return
    old = getattr(model, "_reservoir", None)
    if old is not None and size != old.size:
        raise InputError(
            f"reservoir is {size}, but the model keeps up to {old.size} examples. Leave reservoir out, or "
            "drop them with reservoir=0 first."
        )


def keep(model: "SlideClassifier", data: TrainingData, size: int | None) -> None:
    """Let the reservoir sample the data; a size begins one, 0 drops it, None leaves it as it is."""
    old = model._reservoir
    if size == 0 or (old is None and size is None):
        found = None
    else:
        if old is None:
            old = Reservoir.empty(size or 0, data.x.n_columns, data.y.n_columns)
        found = old.extended(data.x, data.y, data.rows, model._seed)
    with model._lock.writing:
        model._reservoir = found


def teach_ranker(model: "SlideClassifier", data: TrainingData) -> None:
    """Let the ranker learn from new examples; learn it anew where all examples are kept and many are new.

    Its weights move with each example, but their number stays: labels and features that came later have
    none. What its parts count stays as it was weighed.
    """
    network, reservoir, threads = model.network_, model._reservoir, effective_threads(model.n_jobs)
    if not network.has_ranker:
        return
    report, n_kept = model.ranker_, 0 if reservoir is None else len(reservoir.tickets)
    is_whole = n_kept == network.n_examples_seen and not model.settings_["both_ways"].value
    if reservoir is None or not is_whole or n_kept < RELEARNED_GROWTH * report.n_examples:
        network.update_ranker(data.x, data.y, threads, data.chosen())
        return
    made = network.make_ranker(reservoir.x, reservoir.y, threads)

    def use() -> None:
        network.set_ranker(made, report.blend)
        model.ranker_ = replace(report, n_examples=n_kept)

    unbroken(model._lock, use)


def with_replay(model: "SlideClassifier", data: TrainingData, replay: float) -> TrainingData:
    """Return the data and `replay` times as many kept examples, of mean weight."""
    reservoir = model._reservoir
    if reservoir is None or replay == 0:
        return data
    drawn = reservoir.draw(round(replay * len(data.rows)), model._seed, reservoir.n_seen)
    if len(drawn) == 0:
        return data
    x, y = stacked(data.x, reservoir.x.take(drawn)), stacked(data.y, reservoir.y.take(drawn))
    weight = data.sample_weight
    if weight is not None:
        mean = weight[data.rows].mean() if len(data.rows) else 1
        weight = np.concatenate([weight, np.full(len(drawn), mean, np.float32)])
    rows = np.concatenate([data.rows, data.x.n_rows + np.arange(len(drawn))])
    return replace(data, x=x, y=y, rows=rows, sample_weight=weight)


def observed_rows(model: "SlideClassifier", data: TrainingData) -> NDArray[np.int64]:
    """Return the rows of data that are predicted before they are learned, spread evenly over all calls.

    Predicting all would take longer than learning them where every label has to be scored.
    """
    share = 1.0 if model.scores_candidates() else min(1.0, MOST_SCORED / model.network_.config.n_labels)
    due = np.floor(share * (model.network_.n_examples_seen + np.arange(len(data.rows) + 1)))
    return spread(data.rows[np.diff(due) > 0], SAMPLE)


def observe(model: "SlideClassifier", data: TrainingData, labels: Occurrences) -> Drift:
    """Return the record of drift with examples that the model has not learned yet, and what they carry.

    Their labels may be new, and so may features: these are left out, as the model cannot see them.
    """
    network = model.network_
    n_features, n_old = network.config.n_features, network.config.n_labels
    rows = observed_rows(model, data)
    x, y = data.x.take(rows), data.y.take(rows)
    if x.n_columns > n_features:
        known = x.indices < n_features
        indptr = np.concatenate([[0], np.cumsum(known, dtype=np.int64)])[x.indptr]
        x = Csr(indptr, x.indices[known], x.values[known], n_features)
    k = min(5, n_old)
    has_labels = np.flatnonzero(np.diff(y.indptr))
    x, y = x.take(has_labels), y.take(has_labels)
    record: dict[str, float] = {"examples": x.n_rows}
    ids = model._predictor().topk(x, k, False, approximate=model.scores_candidates())[0]
    record |= hits_at(ids, y)
    n_new = int(labels.counts.sum())
    unknown = labels.counts[labels.ids >= n_old].sum()
    record["unknown_labels"] = float(unknown / n_new) if n_new else math.nan
    can_tell = n_new * LABELS_PER_OCCURRENCE >= n_old
    record["prior_shift"] = divergence(network, labels) if can_tell else math.nan
    return getattr(model, "drift_", Drift()).with_call(record)
