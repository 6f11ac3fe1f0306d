"""What the functions of a head are compiled for."""

from typing import NamedTuple


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
