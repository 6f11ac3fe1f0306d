"""Settings of a network, and the one place where "auto" settings are decided."""

import math
from dataclasses import dataclass, fields

import numpy as np

from hashslide import _core
from hashslide.errors import InputError

ACTIVATIONS = ("identity", "relu", "tanh")
LOSSES = ("bce", "softmax")
OPTIMIZERS = ("adagrad", "adam", "sgd")
MAX_IDS = 2**31 - 1  # ids of features and labels are 32-bit in the core


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Everything that fixes a network's shape and its training step.

    Flat and copied attribute by attribute into ``_core.NetworkConfig``.

    Parameters
    ----------
    n_features, n_labels : int
        Size of the input and of the output, 1 to 2^31 - 1.
    hidden : int, default 256
        Width of the hidden layer.
    activation : {"identity", "relu", "tanh"}
    loss : {"bce", "softmax"}
        One-vs-all binary cross-entropy, or cross-entropy over all labels (targets ``1 / |labels|``).
    optimizer : {"adagrad", "adam", "sgd"}
        Row-wise Adagrad, lazy Adam, or stochastic gradient descent.
    momentum : float in [0, 1)
        Of "sgd".
    beta1, beta2 : float in [0, 1)
        Decay of the moments of "adam".
    epsilon : float > 0
        Added to the denominators of "adam".
    initial_accumulator : float > 0
        First value of the accumulators of "adagrad": the larger, the smaller the first steps.
    weight_decay : float >= 0
        A touched row shrinks by ``learning_rate * weight_decay`` a step.
    input_scale : float > 0
        All feature values are multiplied by it.
    input_init : float >= 0
        Standard deviation of the first input weights; output weights start at 0.
    hidden_length : float >= 0
        Euclidean length to which every hidden activation is scaled; 0: none.
    example_power : float >= 0
        The loss of an example is weighted by ``(mean number of labels / its number of labels) **
        example_power``.
    input_dropout, hidden_dropout : float in [0, 1)
        Share of the input features, or hidden units, that a training step leaves out.
    prior_correction : float in [0, 1]
        Share of the log inclusion probability that is taken off the logits of sampled labels in training.
    uniform : int >= 0
        Negatives drawn from all labels for each batch.
    popular : int >= 0
        The most frequent labels, active in every batch.
    hard : int >= 0
        Hard negatives of each example: the best-scoring wrong labels that it finds in the hash tables. 0: no
        tables.
    cells : int >= 0
        Cells of the tables; 0: twice the square root of `n_labels`.
    probes : int >= 1
        Cells that an example looks up.
    hard_share : int >= 1
        Every `hard_share`-th example of a batch looks up.
    rehash_first : int >= 1
        Step of the first build of the tables; each full rebuild comes after twice as many steps.
    rehash_every : int >= 1
        Steps between two re-hashes of the labels that have changed.
    direct : int >= 0
        Sparse linear term beside the network: at most so many labels for each feature; 0: none.
    direct_min_count : int >= 1
        A pair of a feature and a label counts only if it occurs in so many examples.
    direct_rate : float > 0
        Learning rate of the term as a multiple of the network's.
    direct_accumulator : float > 0
        First value of its Adagrad accumulators.
    seed : int in [0, 2^64)
        Of all random numbers of the network.

    Raises
    ------
    InputError
        A value is of the wrong type or out of its range.
    """

    n_features: int
    n_labels: int
    hidden: int = 256
    activation: str = "identity"
    loss: str = "bce"
    optimizer: str = "adagrad"
    momentum: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    initial_accumulator: float = 0.1
    weight_decay: float = 0.0
    input_scale: float = 1.0
    input_init: float = 0.05
    hidden_length: float = 0.0
    example_power: float = 0.0
    input_dropout: float = 0.0
    hidden_dropout: float = 0.0
    prior_correction: float = 1.0
    uniform: int = 250
    popular: int = 0
    hard: int = 0
    cells: int = 0
    probes: int = 4
    hard_share: int = 1
    rehash_first: int = 50
    rehash_every: int = 20
    direct: int = 0
    direct_min_count: int = 3
    direct_rate: float = 10.0
    direct_accumulator: float = 0.5
    seed: int = 0

    def __post_init__(self):
        for name in ("n_features", "n_labels", "hidden", "probes", "hard_share", "direct_min_count"):
            check_int(name, getattr(self, name), 1, MAX_IDS)
        for name in ("rehash_first", "rehash_every"):
            check_int(name, getattr(self, name), 1, MAX_IDS)
        for name in ("uniform", "popular", "hard", "cells", "direct"):
            check_int(name, getattr(self, name), 0, MAX_IDS)
        check_int("seed", self.seed, 0, 2**64 - 1)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("loss", self.loss, LOSSES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        for name in ("momentum", "beta1", "beta2", "input_dropout", "hidden_dropout"):
            check_float(name, getattr(self, name), 0, 1, "[)")
        check_float("prior_correction", self.prior_correction, 0, 1)
        for name in ("epsilon", "initial_accumulator", "direct_rate", "direct_accumulator", "input_scale"):
            check_float(name, getattr(self, name), 0, math.inf, "()")
        for name in ("weight_decay", "input_init", "hidden_length", "example_power"):
            check_float(name, getattr(self, name), 0, math.inf, "[)")

    def to_core(self) -> "_core.NetworkConfig":
        """Return the same settings as the C++ core wants them."""
        core = _core.NetworkConfig()
        for field in fields(self):
            value = getattr(self, field.name)
            setattr(core, field.name, field.type(value))
        return core

    def to_dict(self) -> dict:
        """Return plain Python values, for metadata."""
        return {field.name: field.type(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, values: dict) -> "NetworkConfig":
        """Return the settings that `to_dict` wrote.

        Raises
        ------
        InputError
            A key is unknown or missing, or a value is not acceptable.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise InputError(f"network settings hold the unknown {unknown}; accepted are {sorted(known)}.")
        if missing := sorted({"n_features", "n_labels"} - set(values)):
            raise InputError(f"network settings lack {missing}.")
        return cls(**values)


def check_int(name: str, value, low: int, high: int) -> int:
    """Return `value` as an int in [low, high]; NumPy integers are accepted, booleans are not."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or not low <= value <= high:
        raise InputError(f"{name} is {value!r}; accepted is an integer from {low} to {high}.")
    return int(value)


def check_float(name: str, value, low: float, high: float, brackets: str = "[]") -> float:
    """Return `value` as a float in the interval from `low` to `high`; round brackets leave an end out."""
    is_number = isinstance(value, int | float) or (hasattr(value, "__float__") and not isinstance(value, str))
    if is_number and not isinstance(value, bool):
        single = _single_precision(float(value))  # what the core works with
        above = min(value, single) > low or (brackets[0] == "[" and value >= low)
        below = max(value, single) < high or (brackets[1] == "]" and value <= high)
        if above and below:
            return float(value)
    interval = f"{brackets[0]}{low}, {high}{brackets[1]}"
    raise InputError(f"{name} is {value!r}; accepted is a number in {interval}.")


def _single_precision(value: float) -> float:
    """Round to float32; magnitudes below its normal numbers become 0."""
    with np.errstate(over="ignore", under="ignore"):
        single = float(np.float32(value))
    return single if abs(single) >= np.finfo(np.float32).tiny else 0.0


def check_choice(name: str, value, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{name} is {value!r}; accepted are {', '.join(map(repr, choices))}.")
    return value


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the "auto" settings depend on.

    Parameters
    ----------
    n_examples, n_features, n_labels : int
    multilabel : bool
    optimizer : {"adagrad", "adam", "sgd"}
    """

    n_examples: int
    n_features: int
    n_labels: int
    multilabel: bool
    optimizer: str


# The values of "auto", chosen on validation parts of the sets in docs/benchmarks.md. Data of fewer than
# SMALL_EXAMPLES examples overfit without dropout; of fewer than FEW_FEATURES features each is too large a
# part of its row to be dropped. Softmax needs the whole correction to estimate its partition function. Tiny
# data get smaller batches and more epochs: about TINY_STEPS batches altogether, with at least TINY_BATCHES an
# epoch and at most TINY_EPOCHS epochs.
AUTO = {
    "epochs": 4,
    "batch_size": 256,
    "input_dropout": 0.0,
    "popular": 0,
    "hard": 0,
    "direct": 64,
    "hidden_length": 5.0,
    "example_power": 0.5,
    "prior_correction": 0.6,
}
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
class Settings:
    """The settings that the user may leave to "auto", decided."""

    epochs: int
    batch_size: int
    learning_rate: float
    loss: str
    input_dropout: float
    popular: int
    hard: int
    direct: int
    hidden_length: float
    example_power: float
    prior_correction: float


def auto_settings(problem: Problem, **given) -> Settings:
    """Decide every setting that was left to "auto".

    Parameters
    ----------
    problem : Problem
    **given
        The fields of `Settings`; each "auto" is replaced, everything else is kept.

    Returns
    -------
    Settings
    """
    auto = AUTO | {
        "learning_rate": LEARNING_RATE[problem.optimizer],
        "loss": "bce" if problem.multilabel else "softmax",
    }
    if not problem.multilabel:
        auto["prior_correction"] = 1.0
    if problem.n_examples < SMALL_EXAMPLES and problem.n_features >= FEW_FEATURES:
        auto["input_dropout"] = SMALL_DROPOUT
    if problem.n_examples < TINY_EXAMPLES:
        batch_size = max(MIN_BATCH_SIZE, math.ceil(problem.n_examples / TINY_BATCHES))
        auto["batch_size"] = min(AUTO["batch_size"], batch_size)
        used = auto["batch_size"] if is_auto(given["batch_size"]) else given["batch_size"]
        epochs = math.ceil(TINY_STEPS / math.ceil(problem.n_examples / used))
        auto["epochs"] = max(AUTO["epochs"], min(TINY_EPOCHS, epochs))
    return Settings(**{name: auto[name] if is_auto(value) else value for name, value in given.items()})


def is_auto(value) -> bool:
    """Tell whether a setting was left to "auto"."""
    return isinstance(value, str) and value == "auto"
