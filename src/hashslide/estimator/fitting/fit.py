"""One call of `SlideClassifier.fit`, apart from the training: everything before it and after it.

The network may be one of this process, or parts of one in many (`hashslide.distributed`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hashslide._locks import unbroken
from hashslide.csr import Csr
from hashslide.data.pack import Pack
from hashslide.estimator._living import keep
from hashslide.estimator._outliers import warn_of_outlier
from hashslide.estimator.auto import Decided
from hashslide.estimator.features import Standardization, feature_names, standardized
from hashslide.estimator.fitting.committing import commit
from hashslide.estimator.fitting.data import (
    check_eval_set,
    examples_of,
    hold_out,
    hold_out_for_ranker,
    judges_of,
    not_both_ways,
)
from hashslide.estimator.fitting.finishing import (
    learn_approximate,
    learn_held_out,
    learn_moments,
    learn_ranker,
    note_sample,
    tell_the_end,
    tune_approximate,
)
from hashslide.estimator.preparing import (
    check_examples,
    decide_settings,
    draw_seed,
    explain_settings,
    training_data,
)
from hashslide.network import Network
from hashslide.recommendation import both_ways
from hashslide.settings import ChosenSettings
from hashslide.targets import LabelNames
from hashslide.training import Evaluation, Examples, TrainingData

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["Fit", "prepare_fit"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True, kw_only=True)
class Fit:
    """What a fit trains on, and how.

    Attributes
    ----------
    X : object
        What `fit` was given.
    given : mapping
        The parameters, as `check_parameters` returns them.
    data : Examples
        What is trained on.
    source : Examples
        The same before `both_ways`.
    evaluate : Evaluation or None
    held_out : TrainingData or None
        Examples that decide how much a ranker counts, and are learned from last of all.
    labels : LabelNames
    multilabel : bool
    dense_dtype : dtype or None
        Of a dense indicator.
    settings : Decided
    chosen : ChosenSettings
        The same with their reasons.
    seed : int
    standardization : Standardization or None
        Of the features, which data and all other examples have undergone.
    """

    X: Any
    given: Mapping[str, Any]
    data: Examples
    source: Examples
    evaluate: Evaluation | None
    held_out: TrainingData | None
    labels: LabelNames
    multilabel: bool
    dense_dtype: np.dtype[Any] | None
    settings: Decided
    chosen: ChosenSettings
    seed: int
    standardization: Standardization | None

    @property
    def change(self) -> Callable[[Csr], Csr] | None:
        """What becomes of features as they are read."""
        return None if self.standardization is None else self.standardization.apply

    @property
    def data_key(self) -> str | None:
        """What changes with the content of a pack; None for other data."""
        return self.X.key if isinstance(self.X, Pack) else None

    def begin(self, model: "SlideClassifier", network: Network | None, history: list[dict[str, Any]]) -> None:
        """Make the model one that is trained; without a network where that is elsewhere."""

        def change() -> None:
            commit(
                model,
                self.X,
                self.labels,
                network,
                self.seed,
                self.settings.epochs,
                history,
                self.chosen,
                self.multilabel,
                self.dense_dtype,
                self.standardization,
            )

        unbroken(model._lock, change)

    def warn(self) -> None:
        """Warn of what is odd in the data."""
        warn_of_outlier(self.data.sample())

    def take(self, model: "SlideClassifier", network: Network) -> None:
        """Give the model a network that was trained elsewhere."""
        network.share_lock(model._lock)
        model.network_ = network

    def finish(self, model: "SlideClassifier", reservoir: int) -> None:
        """Learn what is learned after the last epoch, with the trained network of the model."""
        model._planned_epochs = 0
        sample = self.data.sample()
        learn_approximate(model, sample)
        judges = judges_of(self.given, self.evaluate, self.held_out)
        learn_ranker(model, self.given, self.settings, sample, judges)
        learn_held_out(model, self.settings, self.held_out, self.data.is_both_ways)
        learn_moments(model, sample, sample)
        note_sample(model, len(sample.rows), len(self.data.rows))
        tune_approximate(model, self.evaluate)
        keep(model, self.source.sample(), reservoir)
        tell_the_end(model, self.given)


def prepare_fit(
    model: "SlideClassifier",
    given: Mapping[str, Any],
    X: Any,
    y: Any = None,
    sample_weight: ArrayLike | None = None,
    eval_set: tuple[Any, Any] | None = None,
    *,
    classes: ArrayLike | None = None,
    seed: int | None = None,
    verify: bool = True,
) -> Fit:
    """Check the arguments of a fit, and decide everything; the model is unchanged.

    Parameters
    ----------
    model : SlideClassifier
    given : mapping
        Its parameters, as `check_parameters` returns them.
    X, y, sample_weight, eval_set, classes
        As in `SlideClassifier.fit`.
    seed : int, optional
        That of the training to go on with; by default one is drawn from `random_state`.

    verify : bool
        Compare a pack with its checksums, which takes as long as reading all of it.

    Raises
    ------
    InputError
        An argument is not acceptable.
    """
    data: Examples
    if isinstance(X, Pack):
        data, labels = examples_of(X, y, sample_weight, classes, verify)
        multilabel, dense_dtype = X.multilabel, None
    else:
        x, target, weight = check_examples(model, X, y, sample_weight)
        labels = LabelNames.learn(target, classes)
        data = training_data(x, labels.encode(target, classes), weight)
        multilabel, dense_dtype = target.multilabel, target.dense_dtype
    evaluate = check_eval_set(model, eval_set, labels, data.x.n_columns)
    seed = draw_seed(model.random_state) if seed is None else seed
    if given["early_stopping"] and evaluate is None:
        data, evaluate = hold_out(model, data, seed)
    data, held_out = hold_out_for_ranker(given, data, evaluate, seed)
    source = data
    if isinstance(data, TrainingData):
        data, reversal = both_ways(given["both_ways"], data, labels, feature_names(X), multilabel)
    else:
        reversal = not_both_ways(given["both_ways"])
    data, standardization = standardized(data, given["hidden"][0])
    if standardization is not None:
        source = data
        evaluate = None if evaluate is None else evaluate.transformed(standardization.apply)
        held_out = None if held_out is None else held_out.transformed(standardization.apply)
    settings = decide_settings(given, data, multilabel)
    chosen = explain_settings(model, given, settings, data, multilabel).replaced(both_ways=reversal)
    return Fit(
        X=X,
        given=given,
        data=data,
        source=source,
        evaluate=evaluate,
        held_out=held_out,
        labels=labels,
        multilabel=multilabel,
        dense_dtype=dense_dtype,
        settings=settings,
        chosen=chosen,
        seed=seed,
        standardization=standardization,
    )
