"""Train on several processes: start them here, or be one of those that torchrun has started."""

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from hashslide.cli._console import note
from hashslide.cli._signals import exit_code
from hashslide.cli.inputs.part import Part
from hashslide.distributed.launching.checkpoints import finished
from hashslide.distributed.launching.engines import start
from hashslide.distributed.launching.job import Job
from hashslide.distributed.launching.joining import is_rank, joined
from hashslide.distributed.launching.preparing import check_job
from hashslide.distributed.launching.rank import run_rank
from hashslide.errors import InputError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.parameters import PARAMETERS

__all__ = ["OF_WORKERS", "fit", "given_without_workers", "is_follower", "is_one_of_many"]


def __dir__() -> list[str]:
    return __all__


_OF_PROCESSES = ("callbacks", "n_jobs")  # parameters that each process has for itself
OF_WORKERS = ("protocol", "engine", "shards", "timeout", "n_fetch", "n_push", "wire", "overlap")


def given_without_workers(context: typer.Context, names: Iterable[str] = OF_WORKERS) -> None:
    """Refuse options that say something of workers where there are none."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise typer.BadParameter(
                f"--{name.replace('_', '-')} goes with --workers only. Add that, or leave it out."
            )


def is_one_of_many(context: typer.Context) -> bool:
    """Tell whether this process was started as a rank: ``python -m hashslide.distributed train``."""
    if context.obj and context.params["workers"] is not None:
        raise typer.BadParameter("torchrun has started the workers. Leave --workers out.")
    return bool(context.obj)


def is_follower(context: typer.Context) -> bool:
    """Tell whether another rank speaks for this one."""
    return is_one_of_many(context) and is_rank() and os.environ["RANK"] != "0"


def fit(
    context: typer.Context,
    classifier: SlideClassifier,
    parts: dict[str, Part],
    classes: NDArray[np.object_] | None,
    feature_names: NDArray[np.object_] | None,
) -> SlideClassifier | None:
    """Train, and write the model file; return the classifier, or None on a rank that does not have it."""
    options, part, held_out = context.params, parts["train"], parts.get("validation")
    show = "json" if options["json"] else "nothing" if options["quiet"] else "lines"
    if part.pack is None:
        raise InputError(
            f"{part.path} is not a pack, from which several workers can read. Make one first: "
            f"hashslide data pack {options['source']} -o FILE.pack"
        )
    job = Job(
        pack=part.path.absolute(),
        output=Path(options["output"]).absolute(),
        parameters={name: getattr(classifier, name) for name in PARAMETERS if name not in _OF_PROCESSES},
        protocol=options["protocol"],
        shards=options["shards"],
        timeout=options["timeout"],
        n_fetch=options["n_fetch"],
        n_push=options["n_push"],
        wire=options["wire"],
        overlap=options["overlap"],
        classes=classes if part.label_names is None else None,
        feature_names=feature_names,
        eval_set=None if held_out is None else (held_out.X, held_out.Y),
        checkpoint=None if options["checkpoint"] is None else Path(options["checkpoint"]).absolute(),
        checkpoint_every=options["checkpoint_every"],
        resume=options["resume"],
        optimizer_state=options["optimizer_state"],
        reservoir=options["reservoir"],
        show=show,
    )
    try:
        return _as_rank(job, options["jobs"]) if is_one_of_many(context) else _as_starter(job, options)
    except KeyboardInterrupt as error:
        raise _interrupted(error, job.checkpoint) from None


def _as_rank(job: Job, n_jobs: int | None) -> SlideClassifier | None:
    if not is_rank():
        note("No torchrun has started this process: it trains alone.")
    with warnings.catch_warnings():
        if os.environ.get("RANK", "0") != "0":
            warnings.simplefilter("ignore")
        check_job(job)  # before the others wait: it may take long to read all of a pack
    with joined(job.timeout) as exchange:
        return run_rank(job, exchange, n_jobs, verify=False)


def _as_starter(job: Job, options: dict[str, Any]) -> SlideClassifier:
    history = start(job, options["workers"], options["engine"], options["jobs"])
    model = SlideClassifier.load(job.output)
    model.history_, model.n_jobs = history, options["jobs"]
    return model


def _interrupted(error: KeyboardInterrupt, folder: Path | None) -> typer.Exit:
    """Say what is left of a training that was interrupted; return the end of the command."""
    kept = "nothing is written (see --checkpoint)"
    if folder is not None and folder.is_dir() and (steps := finished(folder)):
        kept = f"the same command with --resume goes on from {steps[0]}"
    note(f"Interrupted: {kept}. All workers have ended.")
    return typer.Exit(exit_code(error))
