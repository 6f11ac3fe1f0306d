"""SlideClassifier: the network as a scikit-learn estimator."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from hashslide._checks import check_bool, check_float, check_int
from hashslide._core import ModelLock
from hashslide._locks import reading, training, unbroken
from hashslide._os_errors import StrPath
from hashslide._validation import check_same_rows
from hashslide.callbacks import Callback, EarlyStopping
from hashslide.errors import InputError
from hashslide.estimator._history_plot import draw_history
from hashslide.estimator._living import (
    check_size,
    keep,
    teach_ranker,
    with_replay,
)
from hashslide.estimator.approximate import CandidateReport, tune, untuned, use
from hashslide.estimator.features import standardized
from hashslide.estimator.fitting import prepare_fit
from hashslide.estimator.fitting.committing import adopt, commit
from hashslide.estimator.fitting.data import blocks_of, check_eval_set, judges_of
from hashslide.estimator.fitting.finishing import (
    learn_approximate,
    learn_held_out,
    learn_moments,
    learn_ranker,
)
from hashslide.estimator.fitting.growing import grow, of_calls, place_new_labels
from hashslide.estimator.fitting.resuming import Start, check_same_fit, open_checkpoint, take_over
from hashslide.estimator.fitting.running import plan_of, run
from hashslide.estimator.fitting.searching import planned, take_note, tuning_task
from hashslide.estimator.living_labels import LivingLabels
from hashslide.estimator.parameters import check_parameters
from hashslide.estimator.preparing import (
    check_examples,
    decide_settings,
    draw_seed,
    explain_settings,
    new_network,
    training_data,
)
from hashslide.estimator.saving import load_classifier, save_classifier
from hashslide.network import Network, effective_threads
from hashslide.planning import Estimate, estimate
from hashslide.settings import Layer, Negatives, Optimizer, Sampler, Schedule
from hashslide.settings.limits import MAX_IDS
from hashslide.targets import LabelNames, check_classes
from hashslide.training import Position, TrainingContext
from hashslide.tuning import Budget, Halves, search, slices, teller

__all__ = ["SlideClassifier"]


def __dir__() -> list[str]:
    return __all__


class SlideClassifier(LivingLabels, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Classifier for enormous numbers of labels: a network that is trained on a small active set of labels.

    Multi-label (an indicator matrix or lists of labels) and single-label (a vector of classes) targets. Each
    batch updates only its own labels and a sample of others, so that the time of a step does not depend on
    the number of labels [1]_, [2]_. On one kind of machine the model is the
    same, bit for bit, for any number of threads; other instruction sets add up in another order.

    Wherever settings are composed, a plain name stands for their defaults: ``hash="dwta"`` is
    ``hash=DWTA()``. "auto" settings are decided by `hashslide.estimator.auto.decide` from the data.

    Parameters
    ----------
    hidden : int, Layer, or sequence of them, default 256
        Hidden layers, from the input to the output: widths of dense layers, or layers such as
        ``Dense(256, "identity", length=5.0, dropout=0.2)`` and ``Hashed(1000, 50)``. Where a layer's
        activation is "auto": identity for a single dense layer over words with active sets per batch, else
        relu.
    epochs : int or "auto"
        Passes over the data.
    batch_size : int or "auto"
    learning_rate : float or "auto"
    loss : {"auto", "bce", "softmax"}
        "auto": one-vs-all binary cross-entropy for multi-label, softmax cross-entropy for single-label
        targets.
    optimizer : {"adagrad", "adam", "sgd"}, `Adagrad`, `Adam` or `SGD`, default "adagrad"
        Row-wise Adagrad, lazy Adam, or stochastic gradient descent, as ``SGD(momentum=0.9)``.
    schedule : {"linear", "cosine", "constant"}, `Linear`, `Cosine` or `Constant`, default "linear"
        How the learning rate falls over the epochs of `fit`; ``Linear(warmup=0.1)`` first lets it rise.
    input_dropout : float in [0, 1) or "auto"
        Share of the features that a training step leaves out.
    active : {"per_batch", "per_example"}, default "per_batch"
        One active set for all examples of a batch, whose products are those of dense matrices; or what an
        example finds in the hash tables joins the set of that example alone [1]_.
    update : {"owner", "hogwild"}, default "owner"
        Each touched row is updated by one thread, with the same result for any number of threads; or each
        thread takes steps of its own without locks [3]_, which is not deterministic.
    precision : {"auto", "float32", "bfloat16"}
        How the weights of the layers are stored (docs/how/precision.md). bfloat16 halves their memory and
        file; all sums are float32. "auto": bfloat16 where the CPU multiplies such numbers, which is faster.
    negatives : "auto", int or `Negatives`, default "auto"
        Labels of an active set that are nobody's own: how many are drawn at random for each batch, or
        ``Negatives(uniform=..., popular=..., in_batch=..., prior_correction=...)``.
    hash : None, str, `HashFamily` or object, default None
        Hash tables over the output neurons, which each example looks up for labels that may score high
        without being its own: a family by its name ("simhash", "sparse_simhash", "fast_simhash", "wta",
        "dwta", "minhash", "kmeans"), with settings, as ``DWTA(tables=20)``, or one of your own
        (docs/how/hash_families.md), perhaps as ``CustomHash(family, bucket_size=64)``. None: no tables.
    sampler : "auto", str or `Sampler`, default "auto"
        How labels are chosen among those in the tables: "vanilla", "top", "threshold" or "scored"
        (docs/how/samplers.md), or with settings, as ``Vanilla(budget=1000)``. Without `hash`: "exact",
        "uniform" or "standout", as references.
    ranker : {"auto", True, False}
        Sparse linear classifiers over the features, which are added to the network's logits
        (docs/how/ranker.md). "auto": as much as they help on 4 % of the training data (at most 1,000
        examples), which are held out for that, or, of fewer than 3,750 examples, on each third in turn;
        none of fewer than 100 examples, nor with ``active="per_example"``. True: also where they
        gain nothing, unless they do harm.
    both_ways : {"auto", True, False}
        Whether `fit` also learns each example the other way round, its labels as features and its features
        as labels: for recommendation, where feature j and label j are the same item
        (docs/guides/recommendation.md).
        "auto": where the data show that they are, as no item is both in one example.
    example_power : float >= 0 or "auto"
        Examples with many labels weigh less: ``(mean number of labels / own number) ** example_power``.
    label_weight : None, "propensity" or array of shape (n_labels,)
        Weight of each label's positive term in the loss; "propensity" favours rare labels by the inverse of
        `hashslide.metrics.propensity`. With the softmax loss only the ratios of the weights matter.
    early_stopping : bool or `EarlyStopping`, default False
        Stop when the metric on `eval_set`, or on a random part of the training data, has not improved for
        two epochs, and return to the best weights. ``EarlyStopping(monitor, patience)`` of
        `hashslide.callbacks` says otherwise; it is copied.
    validation_fraction : float in (0, 1), default 0.1
        Size of that part, where there is no `eval_set`.
    approximate : {"auto", True, False}
        Whether fit makes the lists of ``predict_topk(..., approximate=True)`` from its training data. "auto":
        if there are so many labels that they make predictions faster.
    callbacks : list of `hashslide.callbacks.Callback`, optional
    verbose : int, default 0
        1: show progress.
    n_jobs : int or None, default None
        Threads. None: all CPUs that the process may use (but at most ``OMP_NUM_THREADS``); -1: all; -2: all
        but one. Changes the speed, never the result.
    random_state : int, RandomState or None, default None

    Attributes
    ----------
    classes_ : array of shape (n_labels,)
        Name of each label, in the order of the columns of `decision_function`; 0 .. n_labels - 1 for an
        indicator without names.
    multilabel_ : bool
    n_features_in_ : int
    feature_names_in_ : array of str
        Only if X was a data frame with string column names.
    standardization_ : `hashslide.estimator.features.Standardization` or None
        What becomes of dense features before the network sees them (docs/guides/own_data.md); None: nothing,
        as with features of words. `network_features` does it.
    network_ : `hashslide.network.Network`
    settings_ : `hashslide.settings.ChosenSettings`
        What every setting was when the training began, or became in it, and why: a mapping from the name of
        the parameter to a `hashslide.settings.Setting`, a value and a reason.
    tuning_ : `hashslide.tuning.TuningReport`
        Only after `tune`, and not in a model file: what was tried, and what it gained.
    history_ : list of dict
        One record for each epoch; see `hashslide.training.TrainingContext`.
    n_iter_ : int
        Epochs trained.
    best_epoch_ : int
        Only after early stopping: the epoch, counted from 1, whose weights the model has.
    ranker_ : `hashslide.ranking.RankerReport`
        Only after a `fit` with a ranker: how much it counts, and what it gained where that was decided.
    drift_ : `hashslide.living.Drift`
        Only after `partial_fit` of a model that was there before: how well each call's examples were
        predicted before they were learned, and whether that has become worse.
    hidden_labels_ : array
        Names of the labels that `hide_labels` has hidden.
    approximate_ : `hashslide.estimator.CandidateReport`
        Only if there are candidates for approximate prediction: whether they are used, what they cost, and
        after tuning how much of exact prediction they keep.

    Notes
    -----
    Ctrl-C ends a fit within half a second with `KeyboardInterrupt`. The classifier is then fitted and
    consistent: it can predict and be saved, and `partial_fit` with the same data goes on with the schedule,
    one epoch a call.

    References
    ----------
    .. [1] Chen et al., "SLIDE: in defense of smart algorithms over hardware acceleration for large-scale
       deep learning systems", MLSys 2020.
    .. [2] Spring & Shrivastava, "Scalable and sustainable deep learning via randomized hashing", KDD 2017.
    .. [3] Niu, Recht, Ré & Wright, "Hogwild!: a lock-free approach to parallelizing stochastic gradient
       descent", NeurIPS 2011.

    Examples
    --------
    >>> from hashslide import SlideClassifier
    >>> X = [[1, 0], [0, 1], [1, 1]]
    >>> model = SlideClassifier(random_state=0).fit(X, [["left"], ["right"], ["left", "right"]])
    >>> labels, scores = model.predict_topk(X, k=1)
    >>> labels[:2, 0].tolist()
    ['left', 'right']
    """

    _may_judge_in_turn = True  # the pilots of a plan may not

    def __init__(
        self,
        hidden: int | Layer | Sequence[int | Layer] = 256,
        *,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        loss: str = "auto",
        optimizer: str | Optimizer = "adagrad",
        schedule: str | Schedule = "linear",
        input_dropout: float | str = "auto",
        active: str = "per_batch",
        update: str = "owner",
        precision: str = "auto",
        negatives: int | str | Negatives = "auto",
        hash: Any = None,
        sampler: str | Sampler = "auto",
        ranker: bool | str = "auto",
        both_ways: bool | str = "auto",
        example_power: float | str = "auto",
        label_weight: str | ArrayLike | None = None,
        early_stopping: bool | EarlyStopping = False,
        validation_fraction: float = 0.1,
        approximate: bool | str = "auto",
        callbacks: Sequence[Callback] | None = None,
        verbose: int = 0,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.loss = loss
        self.optimizer = optimizer
        self.schedule = schedule
        self.input_dropout = input_dropout
        self.active = active
        self.update = update
        self.precision = precision
        self.negatives = negatives
        self.hash = hash
        self.sampler = sampler
        self.ranker = ranker
        self.both_ways = both_ways
        self.example_power = example_power
        self.label_weight = label_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.approximate = approximate
        self.callbacks = callbacks
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.random_state = random_state

    @training
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        eval_set: tuple[Any, Any] | None = None,
        *,
        classes: ArrayLike | None = None,
        resume_from: "StrPath | SlideClassifier | None" = None,
        reservoir: int = 0,
    ) -> Self:
        """Train a new model, or go on with a training from a checkpoint.

        Parameters
        ----------
        X : sparse matrix, array-like or data frame of shape (n, n_features), or `hashslide.data.Pack`
            Finite numbers. CSR with sorted int32 indices and float32 data is used in place, other forms are
            converted. A pack stays on the disk, and is trained on in memory that does not depend on its size.
        y : sparse matrix, array-like or list of length n
            A sparse 0/1 indicator (n x labels), a dense one, a vector of classes (integers or strings), or a
            list of lists or sets of label names. Left out with a pack, which holds the labels.
        sample_weight : array-like of shape (n,), optional
            Weight of each example in the loss, 0 or more; examples of weight 0 are left out. Only the ratios
            of the weights matter.
        eval_set : (X, y), optional
            Data whose metrics are recorded after each epoch. Labels unknown to the training data are left out
            of them.
        classes : array-like, optional
            Names of the columns of an indicator, or all classes in the wanted order.
        resume_from : path-like or SlideClassifier, optional
            The folder, or a file in it, that `hashslide.callbacks.Checkpoint` wrote in a fit with the same
            parameters and data; or a model of a fit that was interrupted. What is missing is trained, on any
            number of threads, and gives the model that the undisturbed fit would have given, bit for bit. Of
            a folder, the last file that is whole is used; the folder of a `Checkpoint` in `callbacks` may
            still be empty.
        reservoir : int, default 0
            Training examples that the model keeps at most, for `partial_fit` to replay: a random sample that
            holds as many examples of a rare label as of a frequent one (docs/how/living_models.md). They are
            part of the model file.

        Returns
        -------
        self

        Raises
        ------
        InputError
            An argument or parameter is not acceptable; the model is then unchanged. Also if training
            diverges.
        ModelFileError
            The file of `resume_from` cannot be read.
        KeyboardInterrupt
            On Ctrl-C; the model is usable.
        """
        given = check_parameters(self)
        check_int("reservoir", reservoir, 0, MAX_IDS)
        checkpoint = None
        if resume_from is not None:
            checkpoint = open_checkpoint(self, resume_from, given["callbacks"])
        seed = None if checkpoint is None else checkpoint._seed
        fit = prepare_fit(self, given, X, y, sample_weight, eval_set, classes=classes, seed=seed)
        settings, data, start = fit.settings, fit.data, Start()
        if checkpoint is None:
            network = new_network(settings, data, fit.seed, self.label_weight)
        else:
            check_same_fit(checkpoint, settings, data, fit.labels, fit.multilabel, fit.data_key)
            network, start = take_over(checkpoint, data, self.label_weight, settings.loss)
        fit.begin(self, network, start.history)
        epochs = settings.epochs
        plan = plan_of(self, settings, epochs, len(start.history), epochs, start.position)
        try:
            run(self, network, given, data, plan, fit.evaluate, start.best_state)
        except BaseException:
            if self.early_stopping:  # has gone back to the best epoch: there is nothing to go on from
                self._planned_epochs, self._position = 0, Position()
            raise
        fit.finish(self, reservoir)
        return self

    @training
    def tune(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        eval_set: tuple[Any, Any] | None = None,
        *,
        classes: ArrayLike | None = None,
        seconds: float | None = None,
        trials: int | None = None,
        monitor: str | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Self:
        """Search for settings that fit the data, then train on all data with the best ones.

        The first trial has the parameters as they are. The others change those parameters that have the value
        of the constructor; what was set to anything else stays. All are trained on the same part of the data
        and judged on the rest, and the parameters change only for a gain of more than one standard error on
        examples that had no say in the choice (docs/guides/tuning.md). Afterwards the parameters of the
        classifier are the chosen ones.

        Parameters
        ----------
        X, y, sample_weight, classes
            As in `fit`.
        eval_set : (X, y), optional
            Data to judge the trials by, which are then trained on all of X; by default a fifth of X, at most
            10,000 examples. The last training records its metrics, as in `fit`.
        seconds : float, optional
            For all of it, the last training included. By default 300, or with `trials` without limit. What
            cannot end in time is not begun; but there is always a trained model in the end.
        trials : int, optional
            Trainings on parts of the data, of whatever size. Without `seconds`, the same trials give the same
            model for a `random_state`, bit for bit.
        monitor : str, optional
            The metric, a mean over examples: "P@k", "R@k", "nDCG@k", "PSP@k" or "PSnDCG@k" with a number for
            k. By default "nDCG@5" where an example may have several labels, else "P@1".
        progress : callable, optional
            Called with a line of text after each trial. By default, with `verbose`, they are printed.

        Returns
        -------
        self

        Raises
        ------
        InputError
            An argument or parameter is not acceptable; the model is then unchanged. Also if the training with
            the parameters as they are diverges.
        KeyboardInterrupt
            On Ctrl-C; before the last training the model and its parameters are unchanged, and in it as in
            `fit`.
        """
        budget = Budget(seconds, trials)
        given = check_parameters(self)
        x, target, weight = check_examples(self, X, y, sample_weight)
        labels = LabelNames.learn(target, classes)
        data = training_data(x, labels.encode(target, classes), weight)
        evaluate = check_eval_set(self, eval_set, labels, x.n_columns)
        say = teller(progress, given["verbose"])
        task, space = tuning_task(self, data, target.multilabel, evaluate, monitor, budget.clock)
        kept = len(task.data.rows) / len(data.rows)
        halves = Halves.of(task.n_held_out, len(data.rows))
        found = search(task.run, space, budget, halves, slices(len(task.data.rows)), kept, say)
        say(found.conclusion)
        self.set_params(**found.parameters)
        self.fit(X, y, sample_weight, eval_set, classes=classes)
        report = found.report(task.judge.monitor, task.n_held_out, budget.elapsed)
        unbroken(self._lock, lambda: take_note(self, report, found.gains))
        return self

    def estimate(
        self,
        X: Any,
        y: Any,
        *,
        total_examples: int | None = None,
        total_features: int | None = None,
        total_labels: int | None = None,
        seconds: float = 2.0,
    ) -> Estimate:
        """Estimate the time and the memory that `fit` and predictions need on this machine.

        Some of the examples are trained on for `seconds`; the model itself is unchanged. What the whole
        training costs is worked out from that and from the shapes (docs/how/planning.md).

        Parameters
        ----------
        X, y
            As in `fit`: all the data, or a random sample of them.
        total_examples, total_features, total_labels : int, optional
            Of all the data, where X and y are a sample. Of features and labels beyond those of the sample all
            are taken to occur.
        seconds : float
            For the short trainings, about.

        Returns
        -------
        hashslide.planning.Estimate

        Raises
        ------
        InputError
            As in `fit`, or a number is smaller than that of the sample.
        """
        x, target, _ = check_examples(self, X, y, None)
        encoded = LabelNames.learn(target, None).encode(target, None)
        totals = {"examples": total_examples, "features": total_features, "labels": total_labels}
        totals = {f"total_{name}": total for name, total in totals.items()}
        found = planned(self, x, encoded, target.multilabel, **totals)
        return estimate(self, found, x, encoded, target.multilabel, seconds)

    @training
    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        replay: float = 4.0,
        decay: float = 0.0,
        reservoir: int | None = None,
    ) -> Self:
        """Train for one more epoch, on these data, with the constant learning rate.

        A label never seen before that has at most 32 examples here is placed instead of trained: its output
        neuron is set to what tells these examples from all others, and the old labels stay as they are.

        The model grows for labels never seen before, and for more features than before if X has further
        columns. If the last `fit` was interrupted and the data are the same, this is its next epoch instead,
        with the rates of its schedule: once for each missing epoch gives the model of the uninterrupted fit.

        Parameters
        ----------
        X : sparse matrix, array-like or data frame of shape (n, n_features or more), or iterator
            An iterator yields blocks ``(X, y)`` of a stream, of which one is held at a time, as
            `hashslide.data.Pack.blocks` does; it is as if there were a call for each.
        y : as in `fit`; left out for a stream
            An indicator has one column for each label of the model, and more for new ones. Nested lists are
            read as the model has learned them: after label lists as such, also if they hold only 0 and 1.
        classes : array-like, optional
            Names of labels that may come up later, or of the columns of an indicator (in any order).
        sample_weight : array-like of shape (n,), optional
            Their mean within one call counts as 1.
        replay : float >= 0, default 4.0
            Kept examples that are learned once more for each new one, drawn at random, so that what is new
            does not push out what is old. Only a model with a reservoir has any.
        decay : float in [0, 1), default 0.0
            Share of the labels' old counts that is forgotten in this call, so that the frequencies by which
            negative examples are drawn follow the recent past.
        reservoir : int, optional
            Begin to keep up to so many examples, as in `fit`; 0: drop those that are kept. Where all examples
            are kept, the ranker is learned anew from them whenever their number has grown by half.

        Returns
        -------
        self

        Raises
        ------
        InputError
            As in `fit`.
        KeyboardInterrupt
            On Ctrl-C; the model is usable.
        """
        if isinstance(X, Iterator):
            for block in blocks_of(X, y, sample_weight):
                self.partial_fit(*block, classes=classes, replay=replay, decay=decay, reservoir=reservoir)
            return self
        given = check_parameters(self)
        check_float("replay", replay, 0, 1000, "[]")
        check_float("decay", decay, 0, 1, "[)")
        check_size(self, reservoir)
        lists = self._labels.from_lists if self.__sklearn_is_fitted__() else None
        x, target, weight = check_examples(self, X, y, sample_weight, lists, classes)
        if self.__sklearn_is_fitted__():
            n_old = self._labels.n
            data, held_out, planned = grow(self, given, X, x, target, classes, weight, decay)
            settings = decide_settings(given, data, self.multilabel_, more_to_come=True)
            taught = place_new_labels(self, data, n_old)
            if not planned:
                taught = with_replay(self, taught, replay)
        else:
            labels = LabelNames.learn(target, classes)
            data = training_data(x, labels.encode(target, classes), weight)
            data, standardization = standardized(data, given["hidden"][0])
            taught = data
            seed = draw_seed(self.random_state)
            settings = decide_settings(given, data, target.multilabel, more_to_come=True)
            network = new_network(settings, data, seed, self.label_weight)
            planned, held_out = 0, None
            chosen = of_calls(
                explain_settings(self, given, settings, data, target.multilabel, more_to_come=True)
            )
            kind = target.multilabel, target.dense_dtype, standardization
            unbroken(self._lock, lambda: commit(self, X, labels, network, seed, planned, [], chosen, *kind))
        if len(taught.rows):
            run(
                self,
                self.network_,
                given,
                taught,
                plan_of(self, settings, planned, self.n_iter_, self.n_iter_ + 1),
            )
        if planned == self.n_iter_:
            learn_approximate(self, data)
            learn_ranker(self, given, settings, data, judges_of(given, None, held_out))
            learn_held_out(self, settings, held_out, data.is_both_ways)
        elif not planned:
            learn_approximate(self, data)
        learn_moments(self, data, taught)
        if planned in (0, self.n_iter_):
            keep(self, data, reservoir)
        if not planned:
            teach_ranker(self, data)
        return self

    @training
    def build_approximate(self, X: Any, y: Any) -> Self:
        """Make the lists of approximate prediction anew, with default settings.

        For a model that has none, or whose lists have grown old over many calls of `partial_fit`.

        Parameters
        ----------
        X, y : as in `fit`
            Training data, the more the better. Labels that the model does not have are left out.

        Returns
        -------
        self
        """
        x, target = self.network_features(X), self._labels.parse(y)
        check_same_rows(x.n_rows, target.n_rows)
        labels = self._labels.encode(target, drop_unknown=True)
        lists = self.network_.make_candidates(x, labels, effective_threads(self.n_jobs))

        def set_lists() -> None:
            self.network_.set_candidates(lists)
            use(self, untuned(self.network_, x))

        unbroken(self._lock, set_lists)
        return self

    @training
    def tune_approximate(self, X: Any, y: Any = None, k: int = 5, share: float = 0.99) -> CandidateReport:
        """Find the fastest approximate prediction that is good enough on validation data.

        Parameters
        ----------
        X, y : as in `fit`
            Data that the model was not trained on; 1,000 rows are used. Without y, the exact best labels
            count as the true ones.
        k : int, default 5
        share : float in (0, 1]
            Of the exact P@1 and P@k, or without y of the exact labels, that has to be kept.

        Returns
        -------
        `hashslide.estimator.CandidateReport`
            Also kept as `approximate_`. If nothing cheaper than exact prediction reaches the share, its
            `uses_candidates` is False and ``predict_topk(..., approximate=True)`` is exact.

        Raises
        ------
        InputError
            Also if there are no lists: see `build_approximate`.
        """
        check_int("k", k, 1, 2**31)
        check_float("share", share, 0, 1, "(]")
        x, target = self.network_features(X), None if y is None else self._labels.parse(y)
        self._check_approximate()
        truth = None
        if target is not None:
            check_same_rows(x.n_rows, target.n_rows)
            truth = self._labels.encode(target, drop_unknown=True).to_scipy()
        k, threads = min(k, self._labels.n), effective_threads(self.n_jobs)
        report = tune(self.network_, x, truth, k, share, threads)
        unbroken(self._lock, lambda: use(self, report))
        return report

    @reading
    def save(self, path: StrPath, optimizer_state: bool = True) -> None:
        """Write the model to a file, atomically; see docs/how/model_file.md.

        Parameters
        ----------
        path : path-like
        optimizer_state : bool, default True
            False makes a smaller file; `partial_fit` then starts with a fresh optimiser. The hash tables are
            part of the file in any case.

        Raises
        ------
        ModelFileError
            The file cannot be written.
        """
        check_is_fitted(self)
        save_classifier(self, path, optimizer_state)

    @reading
    def save_checkpoint(self, path: StrPath, context: TrainingContext) -> None:
        """Write the state of a training that goes on, for `fit(..., resume_from=path)`.

        `hashslide.callbacks.Checkpoint` calls it. The file is a model file too.

        Parameters
        ----------
        path : path-like
        context : `hashslide.training.TrainingContext`
            As the hooks of callbacks get it.

        Raises
        ------
        ModelFileError
            The file cannot be written.
        """
        save_classifier(self, path, optimizer_state=True, context=context)

    @classmethod
    def load(cls, path: StrPath, mmap: bool = True, hash: Any = None, verify: bool = False) -> Self:
        """Return the model that `save` wrote.

        Callbacks, a RandomState object and a hash family of your own are not part of the file.

        Parameters
        ----------
        path : path-like
        mmap : bool, default True
            Leave the weights in the file, from where they are read at their first use; training copies them.
        hash : object, optional
            The hash family of your own that the model was trained with, in the state in which it was then
            made. Without it the model predicts but does not train, and cannot be loaded if a hidden layer
            needs it.
        verify : bool, default False
            Read the whole file and compare every array with its checksum.

        Raises
        ------
        InputError
            `hash` lacks a part of the protocol of hash families.
        ModelFileError
            The file is missing, damaged or of another kind, does not go together with `hash`, or there is not
            enough memory for it.
        """
        return load_classifier(cls, path, mmap, hash, verify)

    @classmethod
    def from_network(
        cls, network: Network, *, classes: ArrayLike | None = None, multilabel: bool = True, **parameters: Any
    ) -> Self:
        """Return a fitted classifier around a network that was trained elsewhere.

        Parameters
        ----------
        network : `hashslide.network.Network`
            Becomes the classifier's; nothing is copied.
        classes : array-like of shape (n_labels,), optional
            Distinct names of the labels; by default 0 to n_labels - 1.
        multilabel : bool, default True
            False: an example has one class, as `predict` returns it.
        **parameters
            Of the classifier.

        Raises
        ------
        InputError
            `classes` are not as many distinct names as the network has labels.
        """
        model, config = cls(**parameters), network.config
        names = None if classes is None else check_classes(classes)
        if names is not None and len(names) != config.n_labels:
            raise InputError(
                f"classes holds {len(names)} names for {config.n_labels} labels. Give one for each."
            )
        labels = LabelNames(config.n_labels, names)
        unbroken(model._lock, lambda: adopt(model, network, labels, check_bool("multilabel", multilabel)))
        return model

    def plot_history(self, x: str = "epoch", y: str | Sequence[str] | None = None, ax: Any = None) -> Any:
        """Draw how the training went; needs matplotlib, ``pip install 'hashslide[plot]'``.

        Parameters
        ----------
        x : {"epoch", "seconds"}, default "epoch"
            Against the number of the epoch, or against the seconds of training up to its end, evaluation
            excluded.
        y : str or sequence of str, optional
            Names in the records of `history_`, such as "loss" or "val_P@1". By default the metrics of the
            validation data, or the loss where there are none.
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default in a new figure.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        InputError
            There is no such record, or matplotlib is not installed.
        """
        check_is_fitted(self)
        return draw_history(self.history_, x, y, ax)

    @property
    def n_iter_(self) -> int:
        """Epochs trained."""
        return len(self.history_)

    @property
    def _lock(self) -> ModelLock:
        lock = self.__dict__.get("_model_lock")
        return self.__dict__.setdefault("_model_lock", ModelLock()) if lock is None else lock

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        copied.__setstate__(self.__getstate__())
        return copied

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_model_lock"}

    @reading
    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        function, arguments, state, *rest = super().__reduce_ex__(protocol)
        if "network_" in state:
            state["network_"] = state["network_"].frozen()
        return function, arguments, state, *rest

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags
