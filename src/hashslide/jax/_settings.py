"""What the functions of a head are compiled for."""

from typing import NamedTuple

import numpy as np

from hashslide._checks import check_bool, check_choice, check_float, check_int
from hashslide.errors import InputError
from hashslide.settings.limits import MAX_IDS

_LARGEST = float(np.finfo(np.float32).max)


class HeadSettings(NamedTuple):
    """The settings of `SlideHead` that are no arrays."""

    in_features: int
    num_classes: int
    loss: str
    negatives: int
    in_batch: bool
    sampling: str
    bias: bool
    ignore_index: int
    reduction: str
    initial_accumulator: float
    init_std: float


def check_settings(
    in_features: int,
    num_classes: int,
    *,
    loss: str = "softmax",
    negatives: int = 8192,
    in_batch: bool = True,
    sampling: str = "uniform",
    bias: bool = True,
    ignore_index: int = -100,
    reduction: str = "mean",
    initial_accumulator: float = 0.1,
    init_std: float = 0.01,
) -> HeadSettings:
    """Return the settings as Python's own types, or raise `InputError`."""
    if negatives == 0 and in_batch is False:
        raise InputError(
            "negatives is 0 and in_batch is False, which leaves no negatives; set one of the two."
        )
    return HeadSettings(
        check_int("in_features", in_features, 1, MAX_IDS),
        check_int("num_classes", num_classes, 1, MAX_IDS),
        check_choice("loss", loss, ("softmax", "bce")),
        check_int("negatives", negatives, 0, MAX_IDS),
        check_bool("in_batch", in_batch),
        check_choice("sampling", sampling, ("uniform", "frequency")),
        check_bool("bias", bias),
        check_int("ignore_index", ignore_index, -(2**31), 2**31 - 1),
        check_choice("reduction", reduction, ("mean", "sum", "none")),
        check_float("initial_accumulator", initial_accumulator, 0, _LARGEST, "()"),
        check_float("init_std", init_std, 0, _LARGEST, "[)"),
    )
