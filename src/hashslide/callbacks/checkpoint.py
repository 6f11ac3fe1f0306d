"""Checkpoints: a folder with the last states of a training, from which it can go on."""

import re
import time
from pathlib import Path
from typing import Any

from hashslide import model_file
from hashslide._checks import as_int, check_int
from hashslide._interface import setting
from hashslide._os_errors import StrPath, as_path, explain
from hashslide.errors import InputError, OutputError
from hashslide.training import TrainingContext

from .base import Callback

__all__ = ["Checkpoint", "checkpoint_files", "checkpoint_name", "step_folders", "step_name"]


def __dir__() -> list[str]:
    return __all__


_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0}
_EVERY = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(s|min|h|examples?|epochs?)\s*")
_STEP = re.compile(r"epoch-([0-9]+)-batch-([0-9]+)")
_SUFFIX = ".hashslide"


class Checkpoint(Callback):
    """Save the whole state of a training now and then, and at its end.

    ``fit(X, y, resume_from=folder)`` with the same data and parameters goes on from the last file, in the
    middle of an epoch too, and gives the model of the undisturbed training, bit for bit. Each file is a
    model file, and is there whole or not at all.

    Parameters
    ----------
    folder : path-like
        Where the files are; it is made if it is missing.
    every : str or int, default "5min"
        When to save: after a time ("30s", "5min", "2h"), after so many examples ("100000 examples") or after
        so many epochs ("1 epoch", or the number alone).
    keep : int or None, default 2
        How many of the last files are kept; None: all of them.

    Raises
    ------
    InputError
        `every` or `keep` is not acceptable.
    """

    def __init__(self, folder: StrPath, every: str | int = "5min", keep: int | None = 2) -> None:
        self.folder = folder
        self.every = every
        self.keep = keep if keep is None else check_int("keep", keep, 1, 2**31)
        self._amount, self._unit = _parse_every(every)
        self._last = 0.0

    def setup(self, estimator: Any, context: TrainingContext) -> None:
        """Find out now whether files can be written."""
        folder = as_path(self.folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {folder}: {explain(error)}") from error
        model_file.check_writable(folder / checkpoint_name(context.epoch, 0))
        self._last = self._progress(context, context.epoch)

    def on_batch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Save, if it is time."""
        done = self._progress(context, context.epoch)
        if self._unit != "epoch" and done - self._last >= self._amount:
            self._save(estimator, context, context.epoch)

    def on_epoch_end(self, estimator: Any, context: TrainingContext) -> None:
        """Save, if it is time or the last epoch."""
        epoch = context.epoch + 1
        is_due = self._unit == "epoch" and epoch % self._amount == 0
        if is_due or epoch == context.plan.last_epoch:
            self._save(estimator, context, epoch)

    def _progress(self, context: TrainingContext, epoch: int) -> float:
        if self._unit != "examples":
            return time.monotonic()
        return float(epoch * context.n_batches * context.plan.batch_size + context.position.examples)

    def _save(self, estimator: Any, context: TrainingContext, epoch: int) -> None:
        folder = as_path(self.folder)
        estimator.save_checkpoint(folder / checkpoint_name(epoch, context.position.batch), context)
        self._last = self._progress(context, epoch)  # the time that it took does not count
        for old in checkpoint_files(folder)[self.keep or 2**31 :]:
            old.unlink(missing_ok=True)


def checkpoint_name(epoch: int, batch: int) -> str:
    """Return the name of the file of a training after so many epochs, and batches of the next one."""
    return step_name(epoch, batch) + _SUFFIX


def checkpoint_files(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the last one first."""
    return _steps(folder, _SUFFIX)


def step_name(epoch: int, batch: int) -> str:
    """Return the name of the same checkpoint where it is a folder: that of several workers."""
    return f"epoch-{epoch:04d}-batch-{batch:08d}"


def step_folders(folder: Path) -> list[Path]:
    """Return the checkpoints of several workers in a folder, also unfinished ones, the last one first."""
    return [path for path in _steps(folder, "") if path.is_dir()]


def _steps(folder: Path, suffix: str) -> list[Path]:
    """Return what is named as a checkpoint, the last one first."""
    paths = [path for path in folder.iterdir() if path.name.endswith(suffix)]
    found = [(m, path) for path in paths if (m := _STEP.fullmatch(path.name.removesuffix(suffix)))]
    found.sort(key=lambda item: (int(item[0][1]), int(item[0][2])), reverse=True)
    return [path for _, path in found]


def _parse_every(every: str | int) -> tuple[float, str]:
    """Return an amount and its unit: "second", "examples" or "epoch"."""
    number = as_int(every)
    match = _EVERY.fullmatch(every) if isinstance(every, str) else None
    if number is not None and number > 0:
        return number, "epoch"
    if match is not None and (amount := float(match[1])) > 0:
        unit = match[2]
        if unit in _SECONDS:
            return amount * _SECONDS[unit], "second"
        if amount == int(amount):
            return amount, "epoch" if unit.startswith("epoch") else "examples"
    raise InputError(
        f"{setting('every')} is {every!r}; accepted are a time ('30s', '5min', '2h'), "
        "a number of examples ('100000 examples') or of epochs ('1 epoch')."
    )
