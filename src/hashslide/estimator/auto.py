"""The one place where "auto" settings are decided."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hashslide._checks import is_auto
from hashslide.settings import HashFamily, Layer, Negatives, Optimizer, Sampler, Schedule
from hashslide.settings.samplers import SAMPLERS

__all__ = [
    "AUTO",
    "AUTO_PER_EXAMPLE",
    "BUDGET_SHARE",
    "FEW_FEATURES",
    "INPUT_INIT",
    "LEARNING_RATE",
    "MAX_BUDGET",
    "MIN_BATCH_SIZE",
    "MIN_BUDGET",
    "SMALL_DROPOUT",
    "SMALL_EXAMPLES",
    "TINY_BATCHES",
    "TINY_EPOCHS",
    "TINY_EXAMPLES",
    "TINY_STEPS",
    "Decided",
    "Problem",
    "decide",
]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the "auto" settings depend on, besides the settings that are given.

    Parameters
    ----------
    n_examples, n_features, n_labels : int
    multilabel : bool
    """

    n_examples: int
    n_features: int
    n_labels: int
    multilabel: bool


# The values of "auto", chosen on validation parts of the sets in docs/benchmarks.md. Data of fewer than
# SMALL_EXAMPLES examples overfit without dropout; of fewer than FEW_FEATURES features each is too large a
# part of its row to be dropped. Softmax needs the whole correction to estimate its partition function. Tiny
# data get smaller batches and more epochs: about TINY_STEPS batches altogether, with at least TINY_BATCHES an
# epoch and at most TINY_EPOCHS epochs. The settings of the hash families are their classes' defaults.
AUTO: dict[str, Any] = {
    "epochs": 4,
    "batch_size": 256,
    "input_dropout": 0.0,
    "activation": "identity",
    "length": 5.0,
    "popular": 0,
    "uniform": 250,
    "prior_correction": 0.6,
    "example_power": 0.5,
    "sampler": "scored",
    "budget": 5,
}
# With sets of the examples' own: the published system (Chen et al. 2020), its sampling corrected.
AUTO_PER_EXAMPLE: dict[str, Any] = {
    "activation": "relu",
    "length": 0.0,
    "loss": "softmax",
    "prior_correction": 1.0,
    "sampler": "vanilla",
}
BUDGET_SHARE, MIN_BUDGET, MAX_BUDGET = 0.01, 100, 1000  # of the labels, for each example
LEARNING_RATE = {"adagrad": 0.1, "adam": 0.01, "sgd": 0.5}  # for examples of length 1
INPUT_INIT = 0.1
SMALL_EXAMPLES = 50_000
SMALL_DROPOUT = 0.2
FEW_FEATURES = 20
TINY_EXAMPLES = 10_000  # below this many examples, data are tiny
TINY_STEPS = 250
TINY_BATCHES = 16
TINY_EPOCHS = 100
MIN_BATCH_SIZE = 8


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The settings that a training has, none of them left to "auto"."""

    epochs: int
    batch_size: int
    learning_rate: float
    loss: str
    optimizer: Optimizer
    schedule: Schedule
    input_dropout: float
    hidden: tuple[Layer, ...]
    active: str
    update: str
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
    auto = _auto_values(problem, given)
    layers, negatives = given["hidden"], given["negatives"]
    of_negatives = {name: auto[name] for name in ("uniform", "popular", "prior_correction")}
    composed = {
        "hidden": tuple(layer.decided(auto["activation"], auto["length"]) for layer in layers),
        "negatives": negatives.decided(**of_negatives),
        "sampler": _sampler(given["sampler"], given["hash"], auto),
    }
    plain = {name: auto[name] if is_auto(value) else value for name, value in given.items()}
    return Decided(**plain | composed)


def _auto_values(problem: Problem, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what "auto" stands for, wherever it may stand."""
    auto = AUTO | {
        "learning_rate": LEARNING_RATE[given["optimizer"].name],
        "loss": "bce" if problem.multilabel else "softmax",
    }
    if not problem.multilabel:
        auto["prior_correction"] = 1.0
    if given["active"] == "per_example":
        share = round(BUDGET_SHARE * problem.n_labels)
        auto |= AUTO_PER_EXAMPLE | {"budget": min(MAX_BUDGET, max(MIN_BUDGET, share))}
    if len(given["hidden"]) > 1 or not given["hidden"][0].is_dense:
        auto |= {"activation": "relu", "length": 0.0}
    if problem.n_examples < SMALL_EXAMPLES and problem.n_features >= FEW_FEATURES:
        auto["input_dropout"] = SMALL_DROPOUT
    if problem.n_examples < TINY_EXAMPLES:
        batch_size = max(MIN_BATCH_SIZE, math.ceil(problem.n_examples / TINY_BATCHES))
        auto["batch_size"] = min(AUTO["batch_size"], batch_size)
        used = auto["batch_size"] if is_auto(given["batch_size"]) else given["batch_size"]
        epochs = math.ceil(TINY_STEPS / math.ceil(problem.n_examples / used))
        auto["epochs"] = max(AUTO["epochs"], min(TINY_EPOCHS, epochs))
    return auto


def _sampler(given: Any, family: HashFamily | None, auto: Mapping[str, Any]) -> Sampler | None:
    """Return the sampler of labels with its budget; "auto" without hash tables: none."""
    if is_auto(given):
        given = None if family is None else SAMPLERS[auto["sampler"]]()
    return given if given is None else given.with_budget(auto["budget"])
