"""An output layer of PyTorch or JAX as a classifier, whose features are the activations of the trunk."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hashslide.estimator import SlideClassifier
from hashslide.network import Network
from hashslide.precision import BFLOAT16, is_bfloat16
from hashslide.settings import Dense, NetworkConfig


def classifier_of_head(
    weight: NDArray[Any], bias: NDArray[np.float32], loss: str, classes: ArrayLike | None
) -> SlideClassifier:
    """Return a classifier whose only hidden layer hands on the features to this output layer.

    Parameters
    ----------
    weight : array of shape (n_labels, width), float32 or `hashslide.precision.BFLOAT16`
        Neither it nor `bias` is copied.
    bias : float32 array of shape (n_labels,)
    loss : {"softmax", "bce"}
    classes : array-like of shape (n_labels,), optional
        Distinct names of the labels; by default 0 to n_labels - 1.

    Raises
    ------
    InputError
        `classes` are not n_labels distinct names.
    """
    n_labels, width = weight.shape
    hidden = (Dense(width, "identity", length=0.0),)
    precision = "bfloat16" if is_bfloat16(weight) else "float32"
    config = NetworkConfig(n_features=width, n_labels=n_labels, hidden=hidden, loss=loss, precision=precision)
    state = {
        "input.weight": _identity(width, precision),
        "input.bias": np.zeros(width, np.float32),
        "output.weight": weight,
        "output.bias": bias,
        "progress": np.zeros(2, np.int64),
        "label_counts": np.zeros(n_labels, np.int64),
    }
    return SlideClassifier.from_network(
        Network.from_state(config, state, copy=False),
        classes=classes,
        multilabel=loss == "bce",
        hidden=hidden,
        loss=loss,
        ranker=False,
        approximate=False,
    )


def _identity(n: int, precision: str) -> NDArray[Any]:
    ones = np.eye(n, dtype=np.float32)
    if precision == "float32":
        return ones
    return (ones.view(np.uint32) >> 16).astype(np.uint16).view(BFLOAT16)  # their upper halves
