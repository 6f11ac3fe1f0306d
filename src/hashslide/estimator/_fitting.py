"""What happens in `SlideClassifier.fit` and `partial_fit`, step by step; `model` is the classifier."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from hashslide import metrics
from hashslide._checks import check_bool, check_choice, check_float, check_int, is_auto, random_generator
from hashslide._locks import unbroken
from hashslide._validation import blocks, check_same_rows, check_sample_weight
from hashslide.callbacks import EarlyStopping, Progress
from hashslide.callbacks.base import check_callbacks
from hashslide.config import ACTIVE, LOSSES, OPTIMIZERS, NetworkConfig
from hashslide.csr import Csr
from hashslide.errors import InputError
from hashslide.estimator import _approximate
from hashslide.estimator._features import check_features, check_first_names, check_known_features
from hashslide.estimator._new_labels import ActivationMoments, labels_to_place, place_labels
from hashslide.estimator.auto import INPUT_INIT, Problem, Settings, auto_settings, selection_of
from hashslide.network import Network, check_label_weight, effective_threads
from hashslide.selection import (
    ACTIVATIONS,
    LOOK_UPS,
    MAX_IDS,
    MAX_PARTS,
    SAMPLERS,
    Selection,
    check_family,
    check_hidden,
    is_own_name,
)
from hashslide.targets import LabelNames, Target, parse_target
from hashslide.training import SCHEDULES, Evaluation, Plan, TrainingData, train

_AUTO = tuple(field.name for field in fields(Settings))
_AUTO_PLAN = ("epochs", "batch_size", "learning_rate")
_AUTO_SELECTION = ("sampler", "budget", "tables", "hashes", "probes")
_AUTO_NETWORK = tuple(name for name in _AUTO if name not in (*_AUTO_PLAN, *_AUTO_SELECTION))
_NETWORK = ("hidden", "optimizer", "momentum", "weight_decay", "hidden_dropout")
_NETWORK += ("active", "in_batch", "update")
_ROWS_PER_BLOCK = 1024


def check_parameters(model) -> None:
    """Check the parameters that no object checks when it is made."""
    check_choice("optimizer", model.optimizer, OPTIMIZERS)
    check_choice("schedule", model.schedule, SCHEDULES)
    check_choice("loss", model.loss, ("auto", *LOSSES))
    check_choice("active", model.active, ACTIVE)
    check_choice("activation", model.activation, ("auto", *ACTIVATIONS))
    check_choice("sampler", model.sampler, ("auto", *SAMPLERS))
    check_hidden(model.hidden, "relu")
    check_selection(model)
    for name in ("epochs", "batch_size"):
        if not is_auto(getattr(model, name)):
            check_int(name, getattr(model, name), 1, 2**31)
    if not is_auto(model.learning_rate):
        check_float("learning_rate", model.learning_rate, 0, np.inf, "()")
    check_float("warmup", model.warmup, 0, 1, "[)")
    check_float("validation_fraction", model.validation_fraction, 0, 1, "()")
    check_int("patience", model.patience, 1, 2**31)
    check_int("verbose", int(model.verbose) if isinstance(model.verbose, bool) else model.verbose, 0, 2**31)
    check_bool("early_stopping", model.early_stopping)
    if not (is_auto(model.approximate) or isinstance(model.approximate, bool | np.bool_)):
        raise InputError(f'approximate is {model.approximate!r}; accepted are "auto", True and False.')
    check_callbacks(model.callbacks)
    effective_threads(model.n_jobs)


def check_selection(model) -> None:
    """Check the parameters of the output layer's sampling, also where they have no use."""
    for name, low, high in (("budget", 0, MAX_IDS), ("tables", 1, MAX_PARTS), ("hashes", 1, MAX_PARTS)):
        if not is_auto(getattr(model, name)):
            check_int(name, getattr(model, name), low, high)
    if not is_auto(model.probes):
        check_int("probes", model.probes, 1, MAX_IDS)
    if isinstance(model.hash, Selection):
        own = [name for name in _AUTO_SELECTION if not is_auto(getattr(model, name))]
        if own:
            raise InputError(f"hash is a Selection, which sets {', '.join(own)} too; leave them at 'auto'.")
    elif model.hash is not None:
        check_family(model.hash)
    elif model.sampler in LOOK_UPS:
        raise InputError(
            f"sampler is {model.sampler!r}, which looks up hash tables, but hash is None; set it, as "
            'hash="dwta".'
        )
    family = model.hash.hash if isinstance(model.hash, Selection) else model.hash
    if is_own_name(family):
        raise InputError(
            f"the hash family {family!r} is not part of a model file; to train, load the model with it: "
            "SlideClassifier.load(path, hash=...)."
        )


def check_examples(
    model, X, y, sample_weight, lists: bool | None = False, classes=None
) -> tuple[Csr, Target, NDArray[np.float32] | None]:
    """Return features, target and weights, checked against each other; for `lists` see `parse_target`."""
    n_labels = len(classes) if hasattr(classes, "__len__") else None
    x, target = check_features(model, X), parse_target(y, lists=lists, n_labels=n_labels)
    check_same_rows(x.n_rows, target.n_rows)
    return x, target, check_sample_weight(sample_weight, x.n_rows)


def training_data(x: Csr, y: Csr, weight: NDArray[np.float32] | None) -> TrainingData:
    """Return all examples of positive weight."""
    rows = np.arange(x.n_rows) if weight is None else np.flatnonzero(weight)
    return TrainingData(x=x, y=y, rows=rows, sample_weight=weight)


def check_eval_set(model, eval_set, labels: LabelNames, n_features: int) -> Evaluation | None:
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


def hold_out(model, data: TrainingData, seed: int) -> tuple[TrainingData, Evaluation]:
    """Return the training data without a random part, and the evaluation of that part."""
    n = len(data.rows)
    n_held_out = max(1, round(model.validation_fraction * n))
    if n_held_out >= n:
        raise InputError(
            f"validation_fraction={model.validation_fraction} of n_samples={n} leaves none to train on. "
            "Lower it, or pass an eval_set."
        )
    rows = data.rows[np.random.default_rng([seed, n]).permutation(n)]
    held_out, kept = np.sort(rows[:n_held_out]), np.sort(rows[n_held_out:])
    evaluate = Evaluation(data.x.take(held_out), data.y.take(held_out), effective_threads(model.n_jobs))
    return TrainingData(x=data.x, y=data.y, rows=kept, sample_weight=data.sample_weight), evaluate


def settings_for(model, data: TrainingData, multilabel: bool) -> Settings:
    """Return the settings with every "auto" decided."""
    hidden = check_hidden(model.hidden, "relu")
    problem = Problem(
        n_examples=len(data.rows),
        n_features=data.x.n_columns,
        n_labels=data.y.n_columns,
        multilabel=multilabel,
        optimizer=model.optimizer,
        active=model.active,
        hash=model.hash,
        single_dense=len(hidden) == 1 and hidden[0].selection.sampler == "all",
    )
    return auto_settings(problem, **{name: getattr(model, name) for name in _AUTO})


def draw_seed(random_state) -> int:
    """Return the seed of everything random in one model."""
    return int(random_generator(random_state).randint(2**31 - 1))


def new_network(model, data: TrainingData, settings: Settings, seed: int) -> Network:
    """Return an untrained network that knows the frequencies of the labels."""
    config = NetworkConfig(
        n_features=data.x.n_columns,
        n_labels=data.y.n_columns,
        input_init=INPUT_INIT,
        input_scale=unit_scale(data),
        seed=seed,
        **{name: getattr(model, name) for name in _NETWORK},
        **{name: getattr(settings, name) for name in _AUTO_NETWORK},
        selection=selection_of(model.hash, settings),
    )
    network = Network(config)
    counts = label_counts(data)
    network.set_label_prior(counts, len(data.rows))
    weight = label_weights(model, counts, len(data.rows), settings.loss)
    if weight is not None:
        network.set_label_weight(weight)
    if settings.direct:
        network.choose_direct_pairs(*data.kept(), effective_threads(model.n_jobs))
    return network


def unit_scale(data: TrainingData) -> float:
    """Return the factor that gives the examples the root mean square length 1: rates are tuned for that.

    It and its inverse are normal numbers of float32; it is 1 if all values are 0. O(nnz), by blocks of rows,
    so that examples that are left out change nothing, not even rounding.
    """
    x, squares = data.x, 0.0
    is_whole = len(data.rows) == x.n_rows
    for first, last in blocks(len(data.rows), _ROWS_PER_BLOCK):
        block = x.block(first, last) if is_whole else x.take(data.rows[first:last])
        squares += float(np.square(block.data, dtype=np.float64).sum())
    smallest = float(np.finfo(np.float32).tiny)
    return float(np.clip(np.sqrt(len(data.rows) / squares), smallest, 1 / smallest)) if squares > 0 else 1.0


def label_counts(data: TrainingData) -> NDArray[np.int64]:
    """Return how many of the training examples carry each label."""
    y = data.y if len(data.rows) == data.y.n_rows else data.y.take(data.rows)
    return np.bincount(y.indices, minlength=y.n_columns)


def label_weights(model, counts: NDArray[np.int64], n_examples: int, loss: str) -> NDArray[np.float32] | None:
    """Return the weights of the labels' positive terms, where the user wants any.

    A softmax has positive terms only, so that just the ratios of the weights matter: they are divided by the
    mean over the training labels, as the optimisers' constants are in units of one ordinary example.
    """
    weight = model.label_weight
    if weight is None:
        return None
    if isinstance(weight, str):
        check_choice("label_weight", weight, ("propensity",))
        weight = 1 / metrics.propensity(counts, n_examples)
    weight = check_label_weight(weight, len(counts))
    total = counts @ weight.astype(np.float64)
    return (weight * (counts.sum() / total)).astype(np.float32) if loss == "softmax" and total else weight


def commit(model, X, labels: LabelNames, target: Target, network: Network, seed: int, planned: int) -> None:
    """Make the new, untrained network that of the model; nothing fails after this but the training itself."""
    network.share_lock(model._lock)
    for name in ("n_features_in_", "feature_names_in_", "approximate_"):
        model.__dict__.pop(name, None)
    validate_data(model, X, reset=True, skip_check_array=True)
    model._labels, model._dense_dtype, model._seed = labels, target.dense_dtype, seed
    model.classes_ = labels.array()
    model.multilabel_ = target.multilabel
    model.history_, model._planned_epochs, model._moments = [], planned, None
    model.network_ = network


def grow(model, X, x: Csr, target: Target, classes, weight) -> tuple[TrainingData, int]:
    """Make room for what is new in the data; return them and the schedule length they continue."""
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
    network, counts = model.network_, label_counts(data)
    if labels.n == network.config.n_labels and _continues(model, counts, len(data.rows)):
        loss = network.config.loss
        weight = label_weights(model, counts, len(data.rows), loss)  # a loaded network has lost them
        if weight is not None:
            network.set_label_weight(weight)
        return data, model._planned_epochs
    n_seen = network.n_examples_seen + len(data.rows)
    counts[: network.config.n_labels] += network.label_counts
    weight = label_weights(model, counts, n_seen, network.config.loss)

    def change() -> None:
        network.grow(x.n_columns, labels.n)
        network.set_label_prior(counts, n_seen, reset_bias=False)
        if weight is not None:
            network.set_label_weight(weight)
        if has_new_features:
            validate_data(model, X, reset=True, skip_check_array=True)
        model._labels, model.classes_, model._planned_epochs = labels, labels.array(), 0

    with model._lock.writing:
        unbroken(change)
    return data, 0


def _continues(model, counts: NDArray[np.int64], n_examples: int) -> bool:
    """Tell whether an interrupted fit was on these data: as many examples, and each label as often."""
    network = model.network_
    same_data = n_examples == network.n_examples_seen and np.array_equal(counts, network.label_counts)
    return model.n_iter_ < model._planned_epochs and same_data


def place_new_labels(model, data: TrainingData, n_old: int) -> TrainingData:
    """Place the labels from `n_old` on that have a few examples; return the data without them."""
    x, y = data.kept()
    labels, threads = labels_to_place(y, n_old), effective_threads(model.n_jobs)
    if len(labels) == 0:
        return data
    moments = model._moments or ActivationMoments.of(model.network_, x, threads)
    place_labels(model.network_, x, y, labels, moments, threads)
    return data.without_labels(labels)


def learn_moments(model, data: TrainingData) -> None:
    """Learn what tells the first examples of a new label from all others; see `_new_labels`."""
    moments = ActivationMoments.of(model.network_, data.kept()[0], effective_threads(model.n_jobs))
    model._moments = moments if model._moments is None else model._moments.joined(moments)


def learn_approximate(model, data: TrainingData, evaluate: Evaluation | None = None) -> None:
    """Make or extend the candidate lists, where they are wanted; tune them on an evaluation set."""
    network = model.network_
    x, y = data.kept()
    wanted = model.approximate
    if not (network.has_candidates or (_approximate.pays_off(network, x) if is_auto(wanted) else wanted)):
        return
    threads, is_new = effective_threads(model.n_jobs), not network.has_candidates
    lists = network.make_candidates(x, y, threads, fresh=False)

    def set_lists() -> None:
        network.set_candidates(lists)
        if is_new and network.has_candidates:
            _approximate.use(model, _approximate.untuned(network, x))

    unbroken(set_lists)
    if evaluate is not None:
        k = min(5, network.config.n_labels)
        report = _approximate.tune(network, evaluate.x, evaluate.y, k, 0.99, threads)
        unbroken(lambda: _approximate.use(model, report))


def plan_of(model, settings: Settings, n_epochs: int, first_epoch: int, last_epoch: int) -> Plan:
    """Return the plan of some epochs of a schedule of `n_epochs`; 0: of the constant rate."""
    return Plan(
        n_epochs=n_epochs,
        first_epoch=first_epoch,
        last_epoch=last_epoch,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        schedule=model.schedule if n_epochs else "constant",
        warmup=model.warmup if n_epochs else 0.0,
        seed=model._seed,
        n_threads=effective_threads(model.n_jobs),
    )


def run(model, data: TrainingData, plan: Plan, evaluate: Evaluation | None = None) -> None:
    """Train with the callbacks that the parameters ask for."""
    callbacks = check_callbacks(model.callbacks)
    if model.early_stopping and evaluate is not None:
        monitor = "val_nDCG@5" if model.multilabel_ else "val_P@1"
        callbacks.append(EarlyStopping(monitor, model.patience))
    if model.verbose:
        callbacks.append(Progress())
    train(model.network_, data, plan, model.history_, evaluate=evaluate, callbacks=callbacks, estimator=model)
