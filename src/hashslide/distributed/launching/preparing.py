"""What every rank decides alike before the training, and the starter before there are any ranks."""

import hashlib
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashslide import model_file
from hashslide._interface import wording
from hashslide.callbacks.checkpoint import checkpoint_files
from hashslide.data.pack import Pack, is_pack
from hashslide.distributed.launching.checkpoints import check_same_facts, finished, last_manifest
from hashslide.distributed.launching.job import Job
from hashslide.distributed.sharded.network import check_network
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.auto import Decided
from hashslide.estimator.fitting import Fit, prepare_fit
from hashslide.estimator.parameters import check_parameters
from hashslide.estimator.preparing import untrained_config
from hashslide.settings.plain import to_plain

__all__ = ["check_folder", "check_job", "facts_of", "prepare"]


def __dir__() -> list[str]:
    return __all__


def prepare(job: Job, model: SlideClassifier, verify: bool = True) -> Fit:
    """Return what a classifier with the job's parameters will be trained on, and how.

    Parameters
    ----------
    job : Job
    model : SlideClassifier
    verify : bool
        Read all of the pack and compare it with its checksums.

    Raises
    ------
    InputError, DataFileError
        Something of the job is not acceptable.
    """
    if not is_pack(job.pack):
        raise InputError(
            f"{job.pack} is not a pack, from which several workers can read. Make one first: "
            "hashslide data pack, or hashslide.data.Pack.build."
        )
    fit = prepare_fit(
        model,
        check_parameters(model),
        Pack.open(job.pack),
        eval_set=job.eval_set,
        classes=job.classes,
        verify=verify,
    )
    check_network(untrained_config(fit.settings, fit.data, fit.seed))
    return fit


def check_job(job: Job) -> Fit:
    """Refuse a job that cannot be done, before any process is started for it.

    Raises
    ------
    HashslideError
        Something of it is not acceptable, or the model file could not be written.
    """
    model_file.check_writable(job.output)
    fit = prepare(job, SlideClassifier(**job.parameters))
    check_folder(job, fit)
    return fit


def check_folder(job: Job, fit: Fit) -> None:
    """Refuse a folder of checkpoints that belong to another training, or that would be in the way.

    Raises
    ------
    InputError
    """
    folder = job.checkpoint
    if folder is None or not folder.is_dir():
        return
    if job.resume and checkpoint_files(folder):
        raise InputError(
            f"{folder} holds checkpoints of a training in one process, with which several workers cannot go "
            "on. Name another folder."
        )
    if not finished(folder):
        return
    if not job.resume:
        raise InputError(
            f"{folder} holds checkpoints of another training. To go on with it, give "
            f"{wording('resume_from=FOLDER', '--resume')}; to train from the beginning, name another folder."
        )
    manifest = last_manifest(folder)
    if manifest is not None:
        check_same_facts(manifest.facts, facts_of(job, fit, str(manifest.facts.get("protocol"))))


def facts_of(job: Job, fit: Fit, protocol: str) -> dict[str, Any]:
    """Return what two trainings have in common if one may go on with the other's checkpoint, as JSON.

    Parameters
    ----------
    job : Job
    fit : Fit
    protocol : str
        That which "auto" stands for.
    """
    weight = fit.given["label_weight"]
    is_short = isinstance(weight, str | None)
    facts = {
        "data": fit.data_key,
        "label_names": _digest(fit.labels.array()),
        "examples": len(fit.data.rows),
        "protocol": protocol if job.protocol == "auto" else job.protocol,
        "shards": job.shards,
        "n_fetch": job.n_fetch,
        "n_push": job.n_push,
        "wire": job.wire,
        "seed": fit.seed,
        "label_weight": weight if is_short else _digest(np.asarray(weight, np.float32)),
    }
    return facts | {field.name: to_plain(getattr(fit.settings, field.name)) for field in fields(Decided)}


def _digest(array: NDArray[Any]) -> str:
    """Return a digest of numbers or names."""
    if array.dtype.kind not in "OU":
        return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
    digest = hashlib.sha256()
    for name in array:
        digest.update(str(name).encode() + b"\0")
    return digest.hexdigest()
