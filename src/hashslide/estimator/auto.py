"""The one place where "auto" settings are decided."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any

from hashslide import _core
from hashslide._checks import is_auto
from hashslide.settings import (
    ChosenSettings,
    HashFamily,
    Layer,
    Negatives,
    Optimizer,
    Sampler,
    Schedule,
    Setting,
)
from hashslide.settings.samplers import SAMPLERS

__all__ = [
    "AUTO",
    "AUTO_PER_EXAMPLE",
    "BUDGET_SHARE",
    "FEW_FEATURES",
    "FEW_VALUES",
    "INPUT_INIT",
    "LEARNING_RATE",
    "MAX_BUDGET",
    "MIN_BATCH_SIZE",
    "MIN_BUDGET",
    "SMALL_DROPOUT",
    "SMALL_EXAMPLES",
    "SOFT_EXAMPLES",
    "STREAM_EXAMPLES",
    "TINY_BATCHES",
    "TINY_EPOCHS",
    "TINY_EXAMPLES",
    "TINY_STEPS",
    "WHY",
    "Decided",
    "Problem",
    "decide",
    "explain",
]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the "auto" settings depend on, besides the settings that are given.

    Parameters
    ----------
    n_examples, n_features, n_labels : int
    values_per_example, labels_per_example : float
        On average.
    one_label : bool
        Whether every example has exactly one label.
    is_dense : bool
        Whether the features are measurements, pixels or an embedding rather than words.
    is_both_ways : bool
        Whether each example counts twice, the second time with features and labels exchanged.
    more_to_come : bool
        Whether the examples are the first of more.
    """

    n_examples: int
    n_features: int
    n_labels: int
    values_per_example: float
    labels_per_example: float
    one_label: bool
    is_dense: bool
    is_both_ways: bool = False
    more_to_come: bool = False


# The values of "auto", chosen on validation parts of the sets in docs/benchmarks.md.
#
# Few examples overfit without dropout: of words fewer than TINY_EXAMPLES, with FEW_VALUES in a row or more
# (of fewer, each is too large a part to be dropped), of dense features fewer than SMALL_EXAMPLES. Few
# examples also know little of most words, and softness keeps the activations of rows of such words short.
# Softmax needs the whole correction to estimate its partition function. Tiny data get smaller batches and
# more epochs: about TINY_STEPS batches altogether, with at least TINY_BATCHES an epoch and at most
# TINY_EPOCHS epochs. Adagrad's accumulators sum squared gradients, and a gradient grows with the number of
# labels that an example pulls towards, so that their first value is in proportion to its square. Dense
# features (features/learning.py) need a nonlinear layer, which takes more steps, of twice the length where an
# example has one label; those were chosen on ten tables, images and embeddings (docs/history.md). The
# settings of the hash families are their classes' defaults.
AUTO: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 256,
    "input_dropout": 0.0,
    "activation": "identity",
    "length": 5.0,
    "softness": 0.0,
    "popular": 0,
    "uniform": 250,
    "prior_correction": 0.6,
    "initial_accumulator": 0.1,
    "example_power": 0.5,
    "sampler": "scored",
    "budget": 5,
}
WHY = {
    "epochs": "so many passes are enough where they make 250 steps or more",
    "batch_size": "it is the default where an epoch then has enough steps",
    "input_dropout": "many examples do not overfit, and of few values each is too large a part to be dropped",
    "activation": "a single dense layer learns most without a nonlinearity",
    "length": "it was best on most of the sets that were measured",
    "softness": "activations of any length are told apart",
    "popular": "the labels of a batch are popular ones anyway",
    "uniform": "100 to 1,000 made no difference that counts",
    "prior_correction": "0.5 to 0.7 was best where an example may have several labels",
    "initial_accumulator": "it is what few examples need",
    "example_power": "it is between an equal weight of all labels and of all examples",
    "sampler": "it was best per second",
    "loss": "an example may have several labels",
    "precision": "this CPU has no instructions that multiply bfloat16 numbers",
}
# With sets of the examples' own: the published system (Chen et al. 2020), its sampling corrected.
AUTO_PER_EXAMPLE: dict[str, Any] = {
    "activation": "relu",
    "length": 0.0,
    "softness": 0.0,
    "loss": "softmax",
    "prior_correction": 1.0,
    "sampler": "vanilla",
}
BUDGET_SHARE, MIN_BUDGET, MAX_BUDGET = 0.01, 100, 1000  # of the labels, for each example
LEARNING_RATE = {"adagrad": 0.1, "adam": 0.01, "sgd": 0.5}  # for examples of length 1
ACCUMULATOR_OF_ONE_LABEL = 0.004
INPUT_INIT = 0.1
SMALL_EXAMPLES = 50_000
SMALL_DROPOUT = 0.1
FEW_FEATURES = 20  # dense ones
FEW_VALUES = 10
SOFT_EXAMPLES = 3000  # have the softness 1, and n others the root of SOFT_EXAMPLES / n
STREAM_EXAMPLES = 20_000  # will come at least, where there are more to come
TINY_EXAMPLES = 10_000  # below this many examples, data are tiny
TINY_STEPS = 250
TINY_BATCHES = 16
TINY_EPOCHS = 100
DENSE_STEPS = 2000  # dense features take more steps, but no more epochs than tiny data
DENSE_RATE = 2.0  # times the usual rate
MIN_BATCH_SIZE = 8


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The settings that a training has, none of them left to "auto"."""

    hidden: tuple[Layer, ...]
    epochs: int
    batch_size: int
    learning_rate: float
    loss: str
    optimizer: Optimizer
    schedule: Schedule
    input_dropout: float
    active: str
    update: str
    precision: str
    negatives: Negatives
    hash: HashFamily | None
    sampler: Sampler | None
    example_power: float


def decide(problem: Problem, given: Mapping[str, Any]) -> Decided:
    """Decide every setting that was left to "auto".

    Parameters
    ----------
    problem : Problem
    given : mapping
        The fields of `Decided`, as objects; each "auto" is replaced, everything else is kept.

    Returns
    -------
    Decided
    """
    auto = {name: setting.value for name, setting in _auto_settings(problem, given).items()}
    layers, negatives = given["hidden"], given["negatives"]
    of_negatives = {name: auto[name] for name in _PARTS["negatives"]}
    composed = {
        "hidden": tuple(layer.decided(**{name: auto[name] for name in _PARTS["hidden"]}) for layer in layers),
        "negatives": negatives.decided(**of_negatives),
        "optimizer": given["optimizer"].decided(auto["initial_accumulator"]),
        "sampler": _sampler(given["sampler"], given["hash"], auto),
    }
    plain = {name: auto[name] if is_auto(value) else value for name, value in given.items()}
    return Decided(**plain | composed)


def explain(
    problem: Problem, given: Mapping[str, Any], decided: Decided, defaults: Collection[str]
) -> ChosenSettings:
    """Return every setting with the reason for it.

    Parameters
    ----------
    problem : Problem
    given : mapping
        As in `decide`.
    decided : Decided
        What `decide` made of them.
    defaults : collection of str
        The parameters that have the value of the constructor.

    Returns
    -------
    ChosenSettings
    """
    auto = _auto_settings(problem, given)
    found = {}
    for field in fields(Decided):
        name, value = field.name, given[field.name]
        reason = "it is the default" if name in defaults else "it was given"
        if name in _PARTS:
            parts = value if name == "hidden" else [value]
            left = [n for n in _PARTS[name] if any(is_auto(getattr(part, n, None)) for part in parts)]
            whys = [f"{n} is {auto[n].value}, as {auto[n].reason}" for n in left]
            is_kept = name != "negatives" or len(left) < len(_PARTS[name])
            reason = "; ".join([reason] * is_kept + whys)
        elif name == "sampler" and is_auto(value):
            reason = auto[name].reason if given["hash"] is not None else "there are no hash tables to look up"
        elif is_auto(value):
            reason = auto[name].reason
        found[name] = Setting(getattr(decided, name), reason)
    return ChosenSettings(found)


_PARTS = {  # the fields that may be "auto", of the settings that are objects
    "hidden": ("activation", "length", "softness"),
    "negatives": ("uniform", "popular", "prior_correction"),
    "optimizer": ("initial_accumulator",),
}


def _auto_settings(problem: Problem, given: Mapping[str, Any]) -> dict[str, Setting]:
    """Return what "auto" stands for, wherever it may stand, and why."""
    n, optimizer = problem.n_examples, given["optimizer"]
    values = AUTO | {"learning_rate": LEARNING_RATE[optimizer.name], "loss": "bce", "precision": "float32"}
    auto = {name: Setting(value, WHY.get(name, "")) for name, value in values.items()}

    def change(reason: str, **values: Any) -> None:
        auto.update({name: Setting(value, reason) for name, value in values.items()})

    change(
        f"it is what {type(optimizer).__name__} needs for examples of length 1",
        learning_rate=values["learning_rate"],
    )
    if _core.build_info()["bf16_unit"] is not None:
        change("this CPU multiplies bfloat16 numbers", precision="bfloat16")
    if n >= TINY_EXAMPLES:
        mean = max(1.0, problem.labels_per_example)
        change(
            f"an example has {mean:.1f} labels, and gradients are of that size",
            initial_accumulator=float(f"{ACCUMULATOR_OF_ONE_LABEL * mean**2:.2g}"),
        )
    if problem.one_label:
        change("every example has one label", loss="softmax")
        change("a softmax needs the whole correction", prior_correction=1.0)
    expected = max(n, STREAM_EXAMPLES) if problem.more_to_come else n
    change(
        f"{expected:,} examples know so little of their rarer features",
        softness=float(f"{min(1.0, math.sqrt(SOFT_EXAMPLES / max(expected, 1))):.2g}"),
    )
    if given["active"] == "per_example":
        change("active sets of the examples' own are a published system, which has that", **AUTO_PER_EXAMPLE)
        change("sets of the examples' own make no matrix products", precision="float32")
        share = round(BUDGET_SHARE * problem.n_labels)
        change(
            f"it is {BUDGET_SHARE:.0%} of the labels, within bounds",
            budget=min(MAX_BUDGET, max(MIN_BUDGET, share)),
        )
    elif problem.is_dense:
        change(
            "dense features need a nonlinearity",
            activation="relu",
            length=0.0,
            softness=0.0,
        )
        if problem.one_label:
            change(
                "dense features with one label take longer steps",
                learning_rate=DENSE_RATE * values["learning_rate"],
            )
    if len(given["hidden"]) > 1 or not given["hidden"][0].is_dense:
        change(
            "that suits several layers, and layers that select neurons",
            activation="relu",
            length=0.0,
            softness=0.0,
        )
    if problem.is_both_ways:
        change(
            "examples that are learned both ways need half as many passes", epochs=auto["epochs"].value // 2
        )
    if problem.is_dense:
        small, has_many = SMALL_EXAMPLES, problem.n_features >= FEW_FEATURES
    else:
        small, has_many = TINY_EXAMPLES, problem.values_per_example >= FEW_VALUES
    if n < small and has_many:
        change(f"fewer than {small:,} examples ({n:,}) overfit without", input_dropout=SMALL_DROPOUT)
    if n < TINY_EXAMPLES:
        batch_size = min(AUTO["batch_size"], max(MIN_BATCH_SIZE, math.ceil(n / TINY_BATCHES)))
        if batch_size < AUTO["batch_size"]:
            change(f"{n:,} examples are to make {TINY_BATCHES} steps per epoch", batch_size=batch_size)
    if n < TINY_EXAMPLES or problem.is_dense:
        used = auto["batch_size"].value if is_auto(given["batch_size"]) else given["batch_size"]
        steps, needed = math.ceil(n / used), DENSE_STEPS if problem.is_dense else TINY_STEPS
        epochs = min(TINY_EPOCHS, math.ceil(needed / steps))
        if epochs > auto["epochs"].value:
            change(f"an epoch has {steps} steps, and about {needed:,} are needed", epochs=epochs)
    return auto


def _sampler(given: Any, family: HashFamily | None, auto: Mapping[str, Any]) -> Sampler | None:
    """Return the sampler of labels with its budget; "auto" without hash tables: none."""
    if is_auto(given):
        given = None if family is None else SAMPLERS[auto["sampler"]]()
    return given if given is None else given.with_budget(auto["budget"])
