"""`fit(..., resume_from=...)`: from a checkpoint to the model of the undisturbed fit."""

import numbers
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide._interface import setting, wording
from hashslide._os_errors import as_path
from hashslide.callbacks.checkpoint import Checkpoint, checkpoint_files, step_folders
from hashslide.errors import InputError, ModelFileError
from hashslide.estimator.auto import Decided
from hashslide.estimator.parameters import check_parameters
from hashslide.estimator.preparing import decide_settings, draw_seed, label_counts, label_weights, unit_scale
from hashslide.network import Network
from hashslide.settings import CustomHash
from hashslide.targets import LabelNames
from hashslide.training import Examples, Position

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier

__all__ = ["Start", "check_same_fit", "open_checkpoint", "take_over"]


def __dir__() -> list[str]:
    return __all__


def open_checkpoint(
    model: "SlideClassifier", source: Any, callbacks: Sequence[Any]
) -> "SlideClassifier | None":
    """Return the classifier that a fit of `model` is to go on from; None: from the beginning.

    Parameters
    ----------
    model : SlideClassifier
    source : path-like or SlideClassifier
        A folder of `hashslide.callbacks.Checkpoint`, a file of it or of `SlideClassifier.save`, or what was
        loaded from one.
    callbacks : sequence
        The folder of a `Checkpoint` among them may be empty or missing, as at a first start.

    Raises
    ------
    InputError
        It is of another kind, or nothing of its training is left to do.
    ModelFileError
        The file cannot be read.
    """
    cls, named = type(model), setting("resume_from")
    if isinstance(source, str | os.PathLike):
        family = check_parameters(model)["hash"]
        own = family.family if isinstance(family, CustomHash) else None
        path = as_path(source)
        own_folders = [as_path(c.folder) for c in callbacks if isinstance(c, Checkpoint)]
        if path.is_dir() or (path in own_folders and not path.exists()):
            source = _last_good(cls, path, own, path in own_folders)
            if source is None:
                return None
        else:
            source = cls.load(path, mmap=False, hash=own)
    if not isinstance(source, cls) or not source.__sklearn_is_fitted__():
        raise InputError(
            f"{named} is a {type(source).__name__}; accepted are the path of a folder of checkpoints or of a "
            f"model file, and a {cls.__name__} that was loaded from one."
        )
    if source.n_iter_ > source._planned_epochs or not source._planned_epochs:
        raise InputError(
            f"{named} holds a training that has ended, after {source.n_iter_} epochs. Use it "
            "as it is, or train it further with partial_fit in Python."
        )
    if not source._has_optimizer_state:
        raise InputError(
            f"{named} lacks the state of the optimiser, without which the training would take "
            f"another course. Save models to go on from with {setting('optimizer_state', True)}."
        )
    state = model.random_state
    if isinstance(state, numbers.Integral) and draw_seed(state) != source._seed:
        raise InputError(
            f"{named} was not trained with {setting('random_state', state)}. Give both the same settings."
        )
    return source


def _last_good(
    cls: "type[SlideClassifier]", folder: Path, family: Any, may_be_empty: bool
) -> "SlideClassifier | None":
    """Return the last checkpoint of a folder that is whole; None if there is none at all."""
    files = checkpoint_files(folder) if folder.is_dir() else []
    if not files and folder.is_dir() and step_folders(folder):
        workers = wording("DistributedSlideClassifier", "--workers N")
        raise InputError(
            f"{folder} holds checkpoints of a training with several workers. Go on with {workers}, or name "
            "another folder."
        )
    for path in files:
        try:
            return cls.load(path, mmap=False, hash=family, verify=True)
        except ModelFileError as error:
            warnings.warn(f"A checkpoint is skipped: {error}", stacklevel=2)
    if files:
        raise InputError(
            f"no checkpoint in {folder} can be read. Delete the files there to train from the beginning."
        )
    if not may_be_empty:
        raise InputError(f"there is no checkpoint in the folder {folder}. Give the folder of a Checkpoint.")
    return None


def check_same_fit(
    checkpoint: "SlideClassifier",
    settings: Decided,
    data: Examples,
    labels: LabelNames,
    multilabel: bool,
    data_key: str | None,
) -> None:
    """Refuse to go on with other settings or other data than the checkpoint's training had."""
    named = setting("resume_from")
    before = decide_settings(check_parameters(checkpoint), data, multilabel)
    for decided in fields(Decided):
        old, new = getattr(before, decided.name), getattr(settings, decided.name)
        if old != new:
            raise InputError(
                f"{named} was trained with {setting(decided.name, old)}, but this classifier "
                f"has {new!r}. Give both the same settings."
            )
    network = checkpoint.network_
    facts = [
        ("examples", network.n_examples_seen, len(data.rows)),
        ("features", network.config.n_features, data.x.n_columns),
        ("labels", network.config.n_labels, data.y.n_columns),
    ]
    for what, old, new in facts:
        if old != new:
            raise InputError(
                f"{named} was trained on {old:,} {what}, but these data have {new:,}. Give the same data."
            )
    if checkpoint._data_key != data_key:
        raise InputError(f"{named} was trained on other data: not on the same pack. Give the same data.")
    same_counts = np.array_equal(network.label_counts, label_counts(data))
    same_names = np.array_equal(checkpoint._labels.array(), labels.array())
    if not (same_counts and same_names and network.config.input_scale == unit_scale(data)):
        raise InputError(
            f"{named} was trained on other data: the labels' names or counts, or the sizes of "
            "the features, differ. Give the same data, in the same form."
        )


@dataclass(frozen=True)
class Start:
    """Where a fit begins: at the very beginning, or where a checkpoint was written.

    Attributes
    ----------
    history : list of dict
    position : Position
    best_state : mapping of str to array, or None
        The network of the best epoch so far, with early stopping.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    position: Position = field(default_factory=Position)
    best_state: Mapping[str, NDArray[Any]] | None = None


def take_over(
    checkpoint: "SlideClassifier", data: Examples, label_weight: str | ArrayLike | None, loss: str
) -> tuple[Network, Start]:
    """Return copies of the checkpoint's network, with the weights of labels, and of where it was written."""
    saved = checkpoint.network_
    network = Network.from_state(saved.config, saved.state())
    weight = label_weights(label_weight, label_counts(data), len(data.rows), loss)
    if weight is not None:
        network.set_label_weight(weight)
    history = [dict(record) for record in checkpoint.history_]
    return network, Start(history, checkpoint._position, getattr(checkpoint, "_best_state", None))
