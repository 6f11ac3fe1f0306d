"""What the arrays of a network's state must be: they come from files, and the core uses some as indices."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from hashslide._checks import check_int
from hashslide.errors import InputError
from hashslide.settings import NetworkConfig
from hashslide.settings.limits import MAX_IDS


@dataclass(frozen=True)
class CandidateSettings:
    """How much of the lists of candidates approximate prediction reads for an example.

    Parameters
    ----------
    feature_labels : int >= 0
        Labels with the largest sums over the lists of the example's features.
    cell_labels : int >= 0
        First labels of the list of each cell.
    probes : int >= 0
        Cells.
    """

    feature_labels: int
    cell_labels: int
    probes: int

    def __post_init__(self):
        for field in fields(self):
            check_int(field.name, getattr(self, field.name), 0, MAX_IDS)


def check_counts(name: str, counts: NDArray[np.int64], n_examples: int) -> None:
    """Refuse label counts that n_examples examples cannot have."""
    if ((counts < 0) | (counts > n_examples)).any():
        raise InputError(f"{name} must lie between 0 and the number of examples, {n_examples}.")


def state_shapes(config: NetworkConfig) -> dict[str, tuple[type, tuple[int, ...]]]:
    """Return dtype and shape of each array that a state of such a network must hold."""
    shapes = {"label_counts": (np.int64, (config.n_labels,)), "progress": (np.int64, (2,))}
    width_in = config.n_features
    for i, layer in enumerate(config.hidden):
        is_input = i == 0 and layer.is_dense
        name = "input" if is_input else f"hidden{i}"
        shape = (width_in, layer.width) if is_input else (layer.width, width_in)
        shapes |= {f"{name}.weight": (np.float32, shape), f"{name}.bias": (np.float32, (layer.width,))}
        width_in = layer.width
    return shapes | {
        "output.weight": (np.float32, (config.n_labels, width_in)),
        "output.bias": (np.float32, (config.n_labels,)),
    }


def check_state(config: NetworkConfig, state: dict[str, NDArray]) -> dict[str, NDArray]:
    """Return the arrays of a state, contiguous, if they are whole and fit the settings."""
    shapes = state_shapes(config)
    for name, (dtype, shape) in shapes.items():
        _check_array(state, name, dtype, shape)
    if (state["progress"] < 0).any():
        raise InputError("the array 'progress' of the network's state holds negative counts.")
    check_counts("label_counts", state["label_counts"], int(state["progress"][1]))
    if "direct.labels" in state:
        _check_direct(config, state)
    if "candidates.settings" in state:
        _check_candidates(config, state)
    integers = {*shapes, "direct.begin", "direct.labels", *_CANDIDATE_INTEGERS}
    for name, array in state.items():
        if name not in integers and ".index." not in name and array.dtype != np.float32:
            raise InputError(f"the array {name!r} is {array.dtype}; this network needs float32.")
    return {name: np.ascontiguousarray(array) for name, array in state.items()}


def _check_direct(config: NetworkConfig, state: dict[str, NDArray]) -> None:
    """Check the arrays of the direct term, which the core uses as indices."""
    begin, labels = state.get("direct.begin"), state["direct.labels"]
    if begin is None or begin.dtype != np.int64 or begin.shape != (config.n_features + 1,):
        raise InputError(
            f"the network's state lacks 'direct.begin', int64 of shape ({config.n_features + 1},)."
        )
    if begin[0] != 0 or begin[-1] != len(labels) or (begin[1:] < begin[:-1]).any():
        raise InputError(f"the array 'direct.begin' does not rise from 0 to the {len(labels)} pairs.")
    if labels.dtype != np.int32 or labels.ndim != 1 or ((labels < 0) | (labels >= config.n_labels)).any():
        raise InputError(
            f"the array 'direct.labels' holds other things than label ids below {config.n_labels}."
        )
    falls = np.flatnonzero(labels[1:] <= labels[:-1]) + 1
    if not np.isin(falls, begin).all():
        raise InputError("the labels of a feature in 'direct.labels' are not in ascending order.")
    if "direct.weight" not in state:
        raise InputError("the network's state lacks the array 'direct.weight'.")


_CANDIDATE_INTEGERS = {
    "candidates.settings",
    "candidates.features.examples",
    *(f"candidates.{lists}.{name}" for lists in ("features", "cells") for name in ("begin", "labels")),
}


def _check_candidates(config: NetworkConfig, state: dict[str, NDArray]) -> None:
    """Check the lists of candidates, which the core uses as indices."""
    _check_array(state, "candidates.settings", np.int64, (3,))
    CandidateSettings(*state["candidates.settings"].tolist())
    n_cells = len(state.get("candidates.cells.offsets", ()))
    if n_cells == 0:
        raise InputError("the network's state has candidates without cells.")
    _check_array(state, "candidates.cells.offsets", np.float32, (n_cells,))
    _check_array(state, "candidates.cells.centres", np.float32, (n_cells, config.width))
    _check_lists(config, state, "candidates.cells", n_cells)
    if "candidates.features.begin" in state:
        n_features = len(state["candidates.features.begin"]) - 1
        if n_features > config.n_features:
            raise InputError(
                f"the network's state has candidates of {n_features} features; it has {config.n_features}."
            )
        _check_array(state, "candidates.features.examples", np.int64, (n_features,))
        if (state["candidates.features.examples"] < 0).any():
            raise InputError("the array 'candidates.features.examples' holds negative counts.")
        _check_lists(config, state, "candidates.features", n_features)


def _check_lists(config: NetworkConfig, state: dict[str, NDArray], name: str, n: int) -> None:
    _check_array(state, f"{name}.begin", np.int64, (n + 1,))
    begin = state[f"{name}.begin"]
    if begin[0] != 0 or (begin[1:] < begin[:-1]).any():
        raise InputError(f"the array '{name}.begin' does not rise from 0.")
    _check_array(state, f"{name}.labels", np.int32, (int(begin[-1]),))
    _check_array(state, f"{name}.counts", np.float32, (int(begin[-1]),))
    labels = state[f"{name}.labels"]
    if ((labels < 0) | (labels >= config.n_labels)).any():
        raise InputError(
            f"the array '{name}.labels' holds other things than label ids below {config.n_labels}."
        )


def _check_array(state: dict[str, NDArray], name: str, dtype: type, shape: tuple[int, ...]) -> None:
    if name not in state:
        raise InputError(f"the network's state lacks the array {name!r}.")
    array = state[name]
    if array.dtype != dtype or array.shape != shape:
        raise InputError(
            f"the array {name!r} is {array.dtype} of shape {array.shape}; "
            f"this network needs {np.dtype(dtype)} of shape {shape}."
        )
