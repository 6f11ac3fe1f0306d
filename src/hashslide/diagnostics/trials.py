"""Short trainings on a sample of the data, alike in all but the active set: what `advise` compares."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from hashslide.csr import Csr, as_csr, as_pattern
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.auto import Decided
from hashslide.estimator.parameters import check_parameters
from hashslide.estimator.preparing import decide_settings, encode, new_network
from hashslide.network import Network, effective_threads
from hashslide.settings import Exact, Layer, Negatives, Scored
from hashslide.settings.hash_families import HASH
from hashslide.training import Plan, TrainingData, learning_rate_at

__all__ = [
    "CURVE",
    "FIRST_BUILD",
    "MAX_MORE_STEPS",
    "MAX_VALIDATION",
    "MIN_EXAMPLES",
    "MORE_UNIFORM",
    "RANKS",
    "SHORTER",
    "SHORT_CURVE",
    "SMALLEST_SAMPLE",
    "VALIDATION_SHARE",
    "Comparison",
    "Outcome",
    "Run",
    "Sample",
    "Trained",
    "Trials",
    "Variant",
    "draw_sample",
    "parameters_of",
    "variants",
]


def __dir__() -> list[str]:
    return __all__


RANKS = (1, 3, 5)
VALIDATION_SHARE, MAX_VALIDATION = 0.2, 5000
MORE_UNIFORM = 4  # times the default's draws
CURVE = (0.001, 0.005, 0.01, 0.05, 0.2, 1.0)  # shares of the labels in the sets of single examples
SHORT_CURVE = 3  # of them come early, as they cost little
MIN_EXAMPLES = 100
SMALLEST_SAMPLE = 2000  # examples below which the sample is not cut for lack of time
SHORTER = (2, 4)  # parts of the steps after which the default is measured too: few data may need no more
MAX_MORE_STEPS = 4  # of a run at equal time, as a multiple of the steps of the others
FIRST_BUILD = 0.1  # of the tables, as a share of the steps


@dataclass(frozen=True)
class Sample:
    """A training and a validation part of the user's data, with the labels of the training part.

    `all_labels` is how many labels occur in the whole.
    """

    data: TrainingData
    x_validation: Csr
    y_validation: csr_matrix
    multilabel: bool
    all_labels: int


@dataclass(frozen=True)
class Outcome:
    """What one training came to.

    Attributes
    ----------
    steps : int
        Batches, over which the learning rate falls.
    seconds : float
        Of the training, without evaluation.
    precision : dict of int to float
        P@1, P@3, P@5 on the validation part.
    difference, standard_error : float
        Of P@k to the default after the same steps, or to its best within the same time; the error of the
        paired differences.
    """

    steps: int
    seconds: float
    precision: dict[int, float]
    difference: float = 0.0
    standard_error: float = 0.0


@dataclass(frozen=True)
class Run:
    """One way to choose the active set, tried.

    Attributes
    ----------
    name : str
        In words.
    kind : {"default", "shorter", "seed", "uniform", "more", "oracle", "hash", "full", "share"}
        "shorter": the default with fewer steps; "seed": with other random numbers; "more": with more draws.
        "share": sets of single examples, without uniform draws; all others have
        one set for a batch.
    family : str or None
        Of the hash tables: its name, or its settings as text.
    budget : int or None
        Labels that an example adds to its own.
    share : float or None
        The budget as a share of the labels.
    settings : dict
        Parameters of `SlideClassifier` that differ from its defaults.
    equal_steps, equal_time : Outcome
        After as many steps as the default (but for "shorter"); in the time that it takes for them. None where
        time does not compare, or for lack of it. "oracle": in the same time if the search were free.
    active : float
        Mean size of the active set.
    examples_per_second : float
    stage_seconds : dict of str to float
        Where the seconds of `equal_steps` went.
    """

    name: str
    kind: str
    family: str | None
    budget: int | None
    share: float | None
    settings: dict[str, Any]
    equal_steps: Outcome
    equal_time: Outcome | None
    active: float
    examples_per_second: float
    stage_seconds: dict[str, float]


@dataclass(frozen=True)
class Variant:
    """A run to make."""

    name: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    family: str | None = None
    budget: int | None = None
    share: float | None = None


@dataclass(frozen=True)
class Trained:
    """A trained network with its time and mean active set, and the hits of its predictions."""

    network: Network
    seconds: float
    active: float
    hits: NDArray[np.bool_]


def draw_sample(X: Any, Y: Any, examples: int, seed: int) -> Callable[[int], Sample]:
    """Check the data and return the function that takes a number of examples at random from them."""
    x, y, multilabel = encode(X, Y)
    if x.n_rows < MIN_EXAMPLES:
        raise InputError(f"there are {x.n_rows} examples; advice needs at least {MIN_EXAMPLES}.")
    order, all_labels = np.random.default_rng(seed).permutation(x.n_rows), len(np.unique(y.indices))

    def take(n: int) -> Sample:
        n_validation = min(MAX_VALIDATION, round(VALIDATION_SHARE * n))
        held_out, kept = np.sort(order[:n_validation]), np.sort(order[n_validation:n])
        y_train, y_validation = y.take(kept).to_scipy(), y.take(held_out).to_scipy()
        labels, features = np.unique(y_train.indices), np.unique(x.take(kept).indices)
        if len(labels) < 2:
            raise InputError(f"{len(kept)} training examples have {len(labels)} labels; advice needs two.")
        data = TrainingData(
            x=as_csr(x.take(kept).to_scipy()[:, features]),
            y=as_pattern(y_train[:, labels]),
            rows=np.arange(len(kept)),
        )
        x_validation = as_csr(x.take(held_out).to_scipy()[:, features])
        return Sample(data, x_validation, y_validation[:, labels].tocsr(), multilabel, all_labels)

    return take


class Trials:
    """Trains variants on one sample.

    Parameters
    ----------
    sample : Sample
    hidden, epochs, n_jobs
        As in `SlideClassifier`.
    seed : int
    """

    def __init__(
        self,
        sample: Sample,
        hidden: int | Layer | Sequence[int | Layer],
        epochs: int | str,
        seed: int,
        n_jobs: int | None,
    ):
        self.sample, self.seed = sample, seed
        self.hidden, self.epochs = hidden, epochs
        self.n_threads = effective_threads(n_jobs)
        settings = self.settings_of({})
        self.batch_size, self.uniform = settings.batch_size, settings.negatives.uniform
        self.batches = -(-len(sample.data.rows) // settings.batch_size)
        self.steps = settings.epochs * self.batches
        self.n_labels = sample.data.y.n_columns

    def settings_of(self, parameters: dict[str, Any]) -> Decided:
        """Return every setting of a variant, decided."""
        given = {"hidden": self.hidden, "epochs": self.epochs, "n_jobs": self.n_threads} | parameters
        checked = check_parameters(SlideClassifier(**given))
        return decide_settings(checked, self.sample.data, self.sample.multilabel)

    def train(
        self, parameters: dict[str, Any], steps: int, seed: int, stop_after: int | None = None
    ) -> Trained:
        """Make `steps` steps with a learning-rate schedule of that length, or the first of them."""
        data, settings = self.sample.data, self.settings_of(parameters)
        network = new_network(settings, data, seed)
        plan = Plan(
            n_epochs=1,
            first_epoch=0,
            last_epoch=1,
            batch_size=self.batch_size,
            learning_rate=settings.learning_rate,
            schedule=settings.schedule,
        )
        active, started, done = 0, time.perf_counter(), min(steps, stop_after or steps)
        for step, rows in zip(range(done), self._row_batches(seed), strict=False):
            rate = learning_rate_at(plan, step, steps)
            active += network.train_batch(data.x, data.y, rows, rate, None, self.n_threads)[1]
        seconds = time.perf_counter() - started
        return Trained(network, seconds, active / done, np.empty((0, 0), bool))

    def _row_batches(self, seed: int) -> Iterator[NDArray[np.int64]]:
        n, epoch = len(self.sample.data.rows), 0
        while True:
            order = np.random.default_rng([seed, epoch]).permutation(n)
            yield from np.array_split(order, self.batches)
            epoch += 1

    def evaluated(self, trained: Trained) -> Trained:
        """Return the same with, for each validation example and rank, whether the prediction is right."""
        k = min(max(RANKS), self.n_labels)
        topk, _ = trained.network.predict_topk(self.sample.x_validation, k, self.n_threads)
        y = self.sample.y_validation
        hits = np.zeros((y.shape[0], max(RANKS)), bool)
        hits[:, :k] = np.asarray(y[np.arange(y.shape[0])[:, None], topk].todense()) > 0
        return replace(trained, hits=hits)

    def seconds_a_step(self, parameters: dict[str, Any], pilot: int = 3) -> float:
        """Measure a few steps after a first one that warms up."""
        first = self.train(parameters, self.steps, self.seed, 1).seconds
        return max(self.train(parameters, self.steps, self.seed, 1 + pilot).seconds - first, 1e-6) / pilot


def variants(trials: Trials, shares: tuple[float, ...], families: tuple[Any, ...]) -> list[Variant]:
    """Return what to compare with the default, the most telling first."""
    n = trials.n_labels
    budgets = sorted({max(1, round(share * n)) for share in shares})
    more = MORE_UNIFORM * trials.uniform
    result = [
        Variant("default, other seed", "seed"),
        Variant("labels of batch only", "uniform", {"negatives": Negatives(uniform=0)}),
        Variant("uniform, uncorrected", "uniform", {"negatives": Negatives(prior_correction=0.0)}),
        Variant(f"uniform, {MORE_UNIFORM} times more", "more", {"negatives": Negatives(uniform=more)}),
    ]
    for b in budgets:
        settings = {"sampler": Exact(budget=b)}
        result.append(Variant(f"+ exact top {b:,}", "oracle", settings, None, b, b / n))
    hashed = [_hashed(family, b, n) for b in budgets for family in families]
    own = [_hashed_alone(trials, family, budgets[0]) for family in families if budgets]
    every = {"negatives": Negatives(uniform=0, popular=n)}
    whole = Variant("all labels", "full", every, None, None, 1.0)
    sizes = {max(1, round(share * n)): share for share in CURVE}  # few labels: of equal sizes the last
    curve = [_alone(trials, share) for share in sizes.values()]
    many = len(families)
    return [*result, *hashed[:many], *own, *curve[:SHORT_CURVE], whole, *hashed[many:], *curve[SHORT_CURVE:]]


def _hashed(family: Any, budget: int, n_labels: int) -> Variant:
    settings = {"hash": family, "sampler": Scored(budget=budget)}
    return Variant(f"+ {family} top {budget:,}", "hash", settings, str(family), budget, budget / n_labels)


def _hashed_alone(trials: Trials, family: Any, budget: int) -> Variant:
    """Return the training in which what an example finds is a negative for it alone."""
    hashed = _hashed(family, budget, trials.n_labels)
    given = {"negatives": trials.settings_of({}).negatives} | _per_example(trials)
    return replace(hashed, name=f"{hashed.name}, per example", settings=hashed.settings | given)


def _per_example(trials: Trials) -> dict[str, Any]:
    """Return the settings of sets of single examples that keep all else as it is by default."""
    default = trials.settings_of({})
    return {"active": "per_example", "loss": default.loss, "hidden": default.hidden}


def _alone(trials: Trials, share: float) -> Variant:
    """Return the training with the top share of the labels as each example's only negatives."""
    n = trials.n_labels
    budget = max(1, round(share * n))
    settings: dict[str, Any] = {"ranker": False, "negatives": Negatives(uniform=0, popular=n)}
    if share < 1:
        settings |= _per_example(trials)
        settings |= {"negatives": Negatives(uniform=0, in_batch=False), "sampler": Exact(budget=budget)}
    return Variant(f"only top {share:.1%}", "share", settings, None, budget, budget / n)


def parameters_of(variant: Variant, trials: Trials) -> dict[str, Any]:
    """Return the parameters of a variant; tables are built early enough for a short training."""
    if variant.family is None:
        return variant.settings
    early = {"rehash_first": max(1, round(FIRST_BUILD * trials.steps))}
    return variant.settings | {"hash": replace(HASH.check("hash", variant.settings["hash"]), **early)}


class Comparison:
    """Runs the default first, then others against it.

    Parameters
    ----------
    trials : Trials
    k : int
        Rank of the P@k whose differences are judged.
    """

    def __init__(self, trials: Trials, k: int):
        self.trials, self.k = trials, k
        trained = trials.evaluated(trials.train({}, trials.steps, trials.seed))
        self.hits = self.best = trained.hits
        self.seconds = trained.seconds
        self.search = trained.network.stage_seconds["active_set"]
        self.defaults = [self._run(Variant("default (uniform)", "default"), trials.steps, trained, None)]
        for part in SHORTER:
            steps = max(1, trials.steps // part)
            trained = trials.evaluated(trials.train({}, steps, trials.seed))
            variant = Variant(f"default, 1/{part} the steps", "shorter")
            self.defaults.append(self._run(variant, steps, trained, None))
            self.best = max(self.best, trained.hits, key=lambda hits: hits[:, :k].mean())

    def run(self, variant: Variant, has_time: Callable[[float], bool]) -> Run | None:
        """Train a variant at equal steps and in equal time; None if there is no time for it."""
        trials, parameters = self.trials, parameters_of(variant, self.trials)
        expected = trials.seconds_a_step(parameters) * trials.steps
        if not has_time(expected * (2 if variant.kind == "hash" else 1)):
            return None
        seed = trials.seed + (variant.kind == "seed")
        trained = trials.evaluated(trials.train(parameters, trials.steps, seed))
        equal_time = None
        if variant.kind not in ("seed", "share") and has_time(self.seconds):
            equal_time = self._equal_time(variant, parameters, trained)
        return self._run(variant, trials.steps, trained, equal_time)

    def _equal_time(self, variant: Variant, parameters: dict[str, Any], trained: Trained) -> Outcome:
        seconds, steps = trained.seconds, self.trials.steps
        if variant.kind == "oracle":
            seconds -= max(0.0, trained.network.stage_seconds["active_set"] - self.search)
        wanted = round(steps * min(MAX_MORE_STEPS, self.seconds / max(seconds, 1e-6)))
        again = self.trials.evaluated(self.trials.train(parameters, max(1, wanted), self.trials.seed))
        return self._outcome(again, max(1, wanted), self.best)

    def _run(self, variant: Variant, steps: int, trained: Trained, equal_time: Outcome | None) -> Run:
        return Run(
            variant.name,
            variant.kind,
            variant.family,
            variant.budget,
            variant.share,
            variant.settings,
            self._outcome(trained, steps, self.hits),
            equal_time,
            trained.active,
            steps / self.trials.batches * len(self.trials.sample.data.rows) / max(trained.seconds, 1e-9),
            trained.network.stage_seconds,
        )

    def _outcome(self, trained: Trained, steps: int, reference: NDArray[np.bool_]) -> Outcome:
        """Paired differences: their standard error is that of a mean over the validation examples."""
        differences = trained.hits[:, : self.k].mean(axis=1) - reference[:, : self.k].mean(axis=1)
        error = float(differences.std() / np.sqrt(max(1, len(differences) - 1)))
        precision = {k: float(trained.hits[:, :k].mean()) for k in RANKS}
        return Outcome(steps, trained.seconds, precision, float(differences.mean()), error)
