"""The one place where "auto" settings are decided."""

import math
from dataclasses import dataclass

from hashslide._checks import is_auto
from hashslide.selection import Selection


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the "auto" settings depend on.

    Parameters
    ----------
    n_examples, n_features, n_labels : int
    multilabel : bool
    optimizer : {"adagrad", "adam", "sgd"}
    active : {"per_batch", "per_example"}
    hash : None, str, object or Selection
        Hash family of the output layer.
    single_dense : bool
        Whether there is one hidden layer, and a dense one.
    """

    n_examples: int
    n_features: int
    n_labels: int
    multilabel: bool
    optimizer: str
    active: str = "per_batch"
    hash: object = None
    single_dense: bool = True


# The values of "auto", chosen on validation parts of the sets in docs/benchmarks.md. Data of fewer than
# SMALL_EXAMPLES examples overfit without dropout; of fewer than FEW_FEATURES features each is too large a
# part of its row to be dropped. Softmax needs the whole correction to estimate its partition function. Tiny
# data get smaller batches and more epochs: about TINY_STEPS batches altogether, with at least TINY_BATCHES an
# epoch and at most TINY_EPOCHS epochs.
AUTO = {
    "epochs": 4,
    "batch_size": 256,
    "input_dropout": 0.0,
    "activation": "identity",
    "popular": 0,
    "uniform": 250,
    "direct": 64,
    "hidden_length": 5.0,
    "example_power": 0.5,
    "prior_correction": 0.6,
    "sampler": "scored",
    "budget": 5,
    "tables": 50,
    "hashes": 6,
    "probes": 1,
}
# With sets of the examples' own: the published system (Chen et al. 2020), its sampling corrected.
AUTO_PER_EXAMPLE = {
    "activation": "relu",
    "loss": "softmax",
    "direct": 0,
    "prior_correction": 1.0,
    "hidden_length": 0.0,
    "sampler": "vanilla",
}
BUDGET_SHARE, MIN_BUDGET, MAX_BUDGET = 0.01, 100, 1000  # of the labels, for each example
HASHES = {"simhash": 9, "sparse_simhash": 9, "fast_simhash": 9, "minhash": 4}  # K, where it is not 6
AUTO_KMEANS = {"tables": 1, "probes": 4}
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
    activation: str
    popular: int
    uniform: int
    direct: int
    hidden_length: float
    example_power: float
    prior_correction: float
    sampler: str
    budget: int
    tables: int
    hashes: int
    probes: int


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
    if problem.active == "per_example":
        share = round(BUDGET_SHARE * problem.n_labels)
        auto |= AUTO_PER_EXAMPLE | {"budget": min(MAX_BUDGET, max(MIN_BUDGET, share))}
    if not problem.single_dense:
        auto |= {"activation": "relu", "hidden_length": 0.0}
    auto |= auto_tables(problem.hash)
    if problem.n_examples < SMALL_EXAMPLES and problem.n_features >= FEW_FEATURES:
        auto["input_dropout"] = SMALL_DROPOUT
    if problem.n_examples < TINY_EXAMPLES:
        batch_size = max(MIN_BATCH_SIZE, math.ceil(problem.n_examples / TINY_BATCHES))
        auto["batch_size"] = min(AUTO["batch_size"], batch_size)
        used = auto["batch_size"] if is_auto(given["batch_size"]) else given["batch_size"]
        epochs = math.ceil(TINY_STEPS / math.ceil(problem.n_examples / used))
        auto["epochs"] = max(AUTO["epochs"], min(TINY_EPOCHS, epochs))
    return Settings(**{name: auto[name] if is_auto(value) else value for name, value in given.items()})


def auto_tables(family) -> dict[str, int]:
    """Return the settings of the tables that fit a hash family."""
    if not isinstance(family, str):
        return {}
    return AUTO_KMEANS if family == "kmeans" else {"hashes": HASHES.get(family, AUTO["hashes"])}


def selection_of(family, settings: Settings) -> Selection:
    """Return how labels are sampled: by a family's tables, by a `Selection` as it is, or not at all."""
    if isinstance(family, Selection):
        return family
    if family is None:
        if settings.sampler in ("exact", "uniform", "standout"):
            return Selection(sampler=settings.sampler, budget=settings.budget)
        return Selection()
    names = ("sampler", "budget", "tables", "hashes", "probes")
    return hashed_selection(family, **{name: getattr(settings, name) for name in names})


def hashed_selection(family, **settings) -> Selection:
    """Return a choice of labels by a family's tables, with what its buckets need."""
    is_learned = isinstance(family, str) and family == "kmeans"
    learned = {"centre": True, "bucket_size": 0, "rehash_every": 20} if is_learned else {}
    return Selection(hash=family, **learned, **settings)
