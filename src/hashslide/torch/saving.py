"""A head as a hashslide model file: a classifier whose only hidden layer hands on the activations."""

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from hashslide import model_file
from hashslide._heads import classifier_of_head
from hashslide._os_errors import StrPath
from hashslide.errors import InputError, ModelFileError
from hashslide.estimator import SlideClassifier
from hashslide.estimator.saving import save_classifier
from hashslide.precision import BFLOAT16
from hashslide.settings.plain import from_plain, to_plain

if TYPE_CHECKING:
    from hashslide.torch.head import SlideLoss

__all__ = ["load_head", "save_head"]

Head = TypeVar("Head", bound="SlideLoss")
KEY = "torch_head"  # of the settings, in the metadata of a file


def __dir__() -> list[str]:
    return __all__


def save_head(head: "SlideLoss", path: StrPath, classes: ArrayLike | None) -> None:
    """Write a head to a model file; see `SlideLoss.save`."""
    bounds = [bound for p in head.parameters() for bound in p.detach().aminmax()]
    if not all(bool(bound.isfinite()) for bound in bounds):
        raise InputError(
            "the head has weights that are not finite, so that it predicts nothing. Train it anew."
        )
    if classes is None and head.loss == "softmax":
        classes = np.arange(head.num_classes)  # so that a vector of classes may be given to the classifier
    bias = torch.zeros(head.num_classes) if head.bias is None else head.bias.float()
    model = classifier_of_head(_array(head.weight), _array(bias), head.loss, classes)
    if head.counts is not None:
        counts = head.counts.cpu().double().round().to(torch.int64).numpy()
        model.network_.set_label_prior(counts, max(head.n_examples, int(counts.max())), False)
    settings = head.settings() | {"bias": head.bias is not None, "hash": to_plain(head.hash)}
    arrays = {} if head.class_weight is None else {f"{KEY}.weight": _array(head.class_weight)}
    if head.counts is not None:
        arrays[f"{KEY}.counts"] = _array(head.counts)
    save_classifier(model, path, optimizer_state=False, more_arrays=arrays, more_metadata={KEY: settings})


def _array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as an array of the model file, without a copy on the CPU."""
    plain = tensor.detach().cpu().contiguous()
    return plain.view(torch.int16).numpy().view(BFLOAT16) if plain.dtype == torch.bfloat16 else plain.numpy()


def load_head(cls: type[Head], path: StrPath, given: dict[str, Any]) -> Head:
    """Return the head of a model file; see `SlideLoss.load`."""
    model = SlideClassifier.load(path)
    arrays, metadata = model_file.load_model(path)
    kept = metadata.get(KEY)
    if kept is None and model.network_.has_ranker:
        raise ModelFileError(
            f"{path} has a ranker besides its output layer, which a SlideLoss does not have. Train the "
            "classifier with ranker=False."
        )
    config = model.network_.config
    settings: dict[str, Any] = {"loss": config.loss} if kept is None else dict(kept)
    settings["hash"] = from_plain(settings.get("hash"), None)
    for name in ("weight", "counts"):
        if f"{KEY}.{name}" in arrays:
            settings[name] = np.array(arrays[f"{KEY}.{name}"])
    weight, bias = arrays["network.output.weight"], arrays["network.output.bias"]
    settings["dtype"] = torch.bfloat16 if weight.dtype == BFLOAT16 else torch.float32
    try:
        head = cls(config.width, config.n_labels, **(settings | given))
    except TypeError as error:
        raise InputError(f"a SlideLoss does not take these settings: {error}.") from None
    with torch.no_grad():
        bits = np.array(weight.view(np.int16) if weight.dtype == BFLOAT16 else weight)
        rows = torch.from_numpy(bits)
        head.weight.copy_(rows.view(torch.bfloat16) if weight.dtype == BFLOAT16 else rows)
        if head.bias is not None:
            head.bias.copy_(torch.from_numpy(np.array(bias)))
    return head
