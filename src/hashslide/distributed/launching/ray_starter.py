"""Training with the ranks as actors of Ray, on this machine or on those of its cluster."""

import sys
from functools import partial
from typing import Any

from hashslide._core import available_cpus
from hashslide.callbacks.progress import describe
from hashslide.distributed.exchange import Alone, Exchange
from hashslide.distributed.launching.counting import feature_counts
from hashslide.distributed.launching.job import Job, check_workers
from hashslide.distributed.launching.preparing import check_job, prepare
from hashslide.distributed.launching.rank import run_rank, write_json_line
from hashslide.distributed.ray import Downpour, Progress
from hashslide.distributed.ray.cluster import import_ray
from hashslide.distributed.ray.ranks import run_ranks
from hashslide.distributed.ray.store import Parameters
from hashslide.distributed.sharding import Sharding
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.fitting import Fit
from hashslide.estimator.fitting.running import plan_of
from hashslide.estimator.preparing import label_counts, label_weights, untrained_config
from hashslide.network import effective_threads

__all__ = ["start"]


def __dir__() -> list[str]:
    return __all__


def start(job: Job, workers: int, n_jobs: int | None = None) -> list[dict[str, Any]]:
    """Train with some actors; return the records of the epochs. See `engines.start`."""
    check_workers(workers, job.shards)
    import_ray()
    threads = max(1, available_cpus() // workers) if n_jobs is None else effective_threads(n_jobs)
    fit = check_job(job)
    _check_downpour(job, fit)
    if job.protocol == "downpour":
        return _train_downpour(job, workers, threads)
    program = partial(_history, job, threads)
    return run_ranks(program, workers, n_threads=threads, timeout_s=job.timeout)[0]


def _history(job: Job, n_threads: int, exchange: Exchange) -> list[dict[str, Any]]:
    model = run_rank(job, exchange, n_threads, verify=False)
    return [] if model is None else model.history_


def _check_downpour(job: Job, fit: Fit) -> None:
    """Refuse what replicas that do not wait for each other cannot do."""
    if job.protocol != "downpour":
        return
    if job.checkpoint is not None:
        raise InputError(
            "the protocol downpour makes no checkpoints: it goes on when replicas die. Leave the folder out."
        )
    if fit.given["early_stopping"]:
        raise InputError(
            "the protocol downpour has no state between two epochs, on which early stopping could decide. "
            "Leave it out, or use another protocol."
        )


def _train_downpour(job: Job, workers: int, n_threads: int) -> list[dict[str, Any]]:
    """Train with replicas that do not wait for each other; what follows the epochs is done here."""
    model = SlideClassifier(**dict(job.parameters) | {"n_jobs": n_threads, "verbose": 0})
    fit = prepare(job, model, verify=False)
    fit.warn()
    data, settings, n_rows = fit.data, fit.settings, len(fit.data.rows)
    counts = label_counts(data)
    parameters = Parameters(
        config=untrained_config(settings, data, fit.seed),
        features=Sharding.balanced(feature_counts(fit.X, n_rows, Alone()), job.shards),
        labels=Sharding.balanced(counts, job.shards),
        counts=counts,
        n_examples=n_rows,
        label_weight=label_weights(model.label_weight, counts, n_rows, settings.loss),
        wire=job.wire,
    )
    fit.begin(model, None, [])
    if job.feature_names is not None:
        model.feature_names_in_ = job.feature_names
    training = Downpour(
        pack=fit.X,
        n_rows=n_rows,
        parameters=parameters,
        plan=plan_of(model, settings, settings.epochs, 0, settings.epochs),
        n_replicas=workers,
        n_fetch=job.n_fetch,
        n_push=job.n_push,
        timeout_s=job.timeout,
        history=model.history_,
        change=fit.change,
    )
    shown = _Shown(job.show, model.history_, settings.epochs)
    network = training.train(shown.on_block)
    fit.take(model, network)
    if fit.evaluate is not None:
        model.history_[-1] |= fit.evaluate(network)
    fit.finish(model, job.reservoir)
    model.save(job.output, job.optimizer_state)
    return model.history_


class _Shown:
    """Tells of each epoch when it is over."""

    def __init__(self, how: str, history: list[dict[str, Any]], n_epochs: int) -> None:
        self._how, self._history, self._n_epochs, self._n_shown = how, history, n_epochs, 0

    def on_block(self, progress: Progress) -> None:
        for record in self._history[self._n_shown :]:
            if self._how == "lines":
                print(describe(record, self._n_epochs), file=sys.stderr)
            elif self._how == "json":
                write_json_line(record)
        self._n_shown = len(self._history)
