"""`fit(..., resume_from=...)`: from a checkpoint at an epoch's end to the model of the undisturbed fit."""

import os
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from hashslide._interface import setting
from hashslide.errors import InputError
from hashslide.estimator.auto import Decided
from hashslide.estimator.parameters import check_parameters
from hashslide.estimator.preparing import decide_settings, label_counts, label_weights, unit_scale
from hashslide.network import Network
from hashslide.settings import CustomHash
from hashslide.targets import LabelNames
from hashslide.training import TrainingData

if TYPE_CHECKING:
    from hashslide.estimator.classifier import SlideClassifier


def open_checkpoint(model: "SlideClassifier", source: Any) -> "SlideClassifier":
    """Return the classifier that a fit of `model` is to go on from.

    Parameters
    ----------
    model : SlideClassifier
    source : path-like or SlideClassifier
        A file of `SlideClassifier.save`, or what was loaded from one.

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
        source = cls.load(source, mmap=False, hash=own)
    if not isinstance(source, cls) or not source.__sklearn_is_fitted__():
        raise InputError(
            f"{named} is a {type(source).__name__}; accepted are the path of a model file and a "
            f"{cls.__name__} that was loaded from one."
        )
    if source.n_iter_ >= source._planned_epochs:
        raise InputError(
            f"{named} holds a training that has ended, after {source.n_iter_} epochs. Use it "
            "as it is, or train it further with partial_fit in Python."
        )
    if not source._has_optimizer_state:
        raise InputError(
            f"{named} lacks the state of the optimiser, without which the training would take "
            f"another course. Save models to go on from with {setting('optimizer_state', True)}."
        )
    return source


def check_same_fit(
    checkpoint: "SlideClassifier", settings: Decided, data: TrainingData, labels: LabelNames, multilabel: bool
) -> None:
    """Refuse to go on with other settings or other data than the checkpoint's training had."""
    named = setting("resume_from")
    before = decide_settings(check_parameters(checkpoint), data, multilabel)
    for field in fields(Decided):
        old, new = getattr(before, field.name), getattr(settings, field.name)
        if old != new:
            raise InputError(
                f"{named} was trained with {setting(field.name, old)}, but this classifier "
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
    same_counts = np.array_equal(network.label_counts, label_counts(data))
    same_names = np.array_equal(checkpoint._labels.array(), labels.array())
    if not (same_counts and same_names and network.config.input_scale == unit_scale(data)):
        raise InputError(
            f"{named} was trained on other data: the labels' names or counts, or the sizes of "
            "the features, differ. Give the same data, in the same form."
        )


def take_over(
    checkpoint: "SlideClassifier", data: TrainingData, label_weight: str | ArrayLike | None, loss: str
) -> tuple[Network, list[dict[str, Any]]]:
    """Return copies of the checkpoint's network, with the weights of labels, and of its history."""
    saved = checkpoint.network_
    network = Network.from_state(saved.config, saved.state())
    weight = label_weights(label_weight, label_counts(data), len(data.rows), loss)
    if weight is not None:
        network.set_label_weight(weight)
    return network, [dict(record) for record in checkpoint.history_]
