"""The program of a rank: it trains its shards together with the others; rank 0 makes one model of them."""

import json
import sys
import warnings
from dataclasses import replace
from typing import Any

from hashslide.callbacks import Callback, Progress
from hashslide.data.pack import Pack
from hashslide.distributed.exchange import Exchange
from hashslide.distributed.launching.agreement import share
from hashslide.distributed.launching.checkpoints import ShardedCheckpoint, last_manifest, restore
from hashslide.distributed.launching.counting import feature_counts
from hashslide.distributed.launching.job import Job, check_synchronous, check_workers
from hashslide.distributed.launching.preparing import facts_of, prepare
from hashslide.distributed.launching.protocols import decide_protocol, make_network
from hashslide.distributed.reading import ReadersOfPack
from hashslide.distributed.sharding import Sharding
from hashslide.estimator import SlideClassifier
from hashslide.estimator.fitting.resuming import Start
from hashslide.estimator.fitting.running import plan_of, run
from hashslide.estimator.preparing import label_counts, tell_frequencies, untrained_config
from hashslide.estimator.saving import finite_record
from hashslide.network import effective_threads
from hashslide.training import TrainingContext

__all__ = ["JsonLines", "run_rank", "write_json_line"]


def __dir__() -> list[str]:
    return __all__


class JsonLines(Callback):
    """Writes one line of JSON to standard output for each epoch."""

    def on_epoch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Write the record of the epoch."""
        write_json_line(context.logs)


def write_json_line(record: dict[str, Any]) -> None:
    """Write the record of an epoch to standard output."""
    sys.stdout.write(json.dumps({"event": "epoch"} | finite_record(record)) + "\n")
    sys.stdout.flush()


def run_rank(
    job: Job, exchange: Exchange, n_threads: int | None = None, verify: bool = True
) -> SlideClassifier | None:
    """Train as one of the ranks of an exchange. Collective.

    Parameters
    ----------
    job : Job
        The same on all ranks.
    exchange : Exchange
    n_threads : int, optional
        Of this rank: they change the speed, never the result. By default all that this process may use.
    verify : bool
        Compare the pack with its checksums first.

    Returns
    -------
    SlideClassifier or None
        On rank 0, which has written the model file; it learns candidate lists and ranker when the others have
        ended.

    Raises
    ------
    HashslideError
        Something is not acceptable, or a file cannot be written.
    """
    check_synchronous(job)
    check_workers(exchange.size, job.shards)
    is_first = exchange.rank == 0
    with warnings.catch_warnings():
        if not is_first:  # one warning is enough
            warnings.simplefilter("ignore")
        return _train(job, exchange, n_threads, verify)


def _train(job: Job, exchange: Exchange, n_threads: int | None, verify: bool) -> SlideClassifier | None:
    is_first = exchange.rank == 0
    model = SlideClassifier(**dict(job.parameters) | {"n_jobs": n_threads, "verbose": 0})
    fit = prepare(job, model, verify)
    pack, data, settings = fit.X, fit.data, fit.settings
    assert isinstance(pack, Pack)
    if is_first:
        fit.warn()
    counts = feature_counts(pack, len(data.rows), exchange)
    features = Sharding.balanced(counts, job.shards)
    labels = Sharding.balanced(label_counts(data), job.shards)
    config = untrained_config(settings, data, fit.seed)
    threads = effective_threads(n_threads)
    protocol = decide_protocol(job, fit, config, _protocol_before(job, exchange), exchange, threads)
    network = make_network(job, protocol, config, features, labels, exchange)
    tell_frequencies(network, data, model.label_weight)
    facts, start = facts_of(job, fit, protocol), Start()
    if job.resume and job.checkpoint is not None:
        start = restore(job.checkpoint, network, facts)
    fit.begin(model, None, start.history)
    if job.feature_names is not None:
        model.feature_names_in_ = job.feature_names
    shown: list[Callback] = []
    if is_first and job.show != "nothing":
        shown = [Progress() if job.show == "lines" else JsonLines()]
    saved = []
    if job.checkpoint is not None:
        saved = [ShardedCheckpoint(job.checkpoint, job.checkpoint_every, job.checkpoint_keep, network, facts)]
    fit = replace(fit, given=dict(fit.given) | {"callbacks": [*saved, *shown]})
    readers = ReadersOfPack(len(data.rows), job.shards, exchange.rank, exchange.size, pack, fit.change)
    plan = plan_of(model, settings, settings.epochs, len(start.history), settings.epochs, start.position)
    run(model, network, fit.given, network.ahead(readers), plan, fit.evaluate, start.best_state)
    whole = network.assemble()
    exchange.barrier()  # nobody leaves while another one waits for its messages
    if whole is None:
        return None
    fit.take(model, whole)
    fit.finish(model, job.reservoir)
    model.save(job.output, job.optimizer_state)
    return model


def _protocol_before(job: Job, exchange: Exchange) -> str | None:
    """Return the protocol of the checkpoint to go on from, if there is one. Collective."""
    if not job.resume or job.checkpoint is None:
        return None
    manifest = last_manifest(job.checkpoint) if job.checkpoint.is_dir() else None
    return share(exchange, None if manifest is None or job.protocol != "auto" else manifest.facts["protocol"])
