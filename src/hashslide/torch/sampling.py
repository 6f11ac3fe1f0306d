"""Which classes take part in a step, and their corrections; see docs/frameworks/how_torch.md."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from hashslide.torch.labels import Labels, rows_of

__all__ = ["Prior", "Sample", "sample"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Sample:
    """The active classes of a batch.

    Attributes
    ----------
    ids : int64 tensor of shape (A,)
        Rising.
    shift : float32 tensor of shape (A,)
        log r, r the chance that the class meets an example that does not carry it; infinity: it does not.
    places : int64 tensor of shape (n,)
        Where in `ids` each label of the batch is.
    target_shift : float32 tensor of shape (n,)
        The same logarithm for the labels of the batch and the examples that carry them.
    """

    ids: Tensor
    shift: Tensor
    places: Tensor
    target_shift: Tensor


@dataclass(frozen=True)
class Prior:
    """How often each class occurs: `counts` (float64 or int64, (C,)) among `n_examples`."""

    counts: Tensor
    n_examples: int

    def frequency(self, ids: Tensor) -> Tensor:
        """Share of the examples that carry a class, add-half smoothed, as float64."""
        return (self.counts[ids].double() + 0.5) / (self.n_examples + 1.0)


def sample(
    labels: Labels,
    num_classes: int,
    drawn: Tensor,
    in_batch: bool,
    prior: Prior | None,
    found: tuple[Any, Any] | None,
) -> Sample:
    """Return the active classes: the labels of the batch, those drawn and those found, and their corrections.

    Parameters
    ----------
    labels : Labels
    num_classes : int
    drawn : int64 tensor
        Uniform draws with replacement.
    in_batch : bool
        Whether the labels of an example are negatives for the others.
    prior : Prior or None
        None: the labels of the batch are taken as given, and only the draws come by chance.
    found : (int64 array of shape (N + 1,), int32 array) or None
        Offsets and classes that hashing found for each example. They are certain, and a label is so for the
        example that found it.
    """
    device, parts = drawn.device, [labels.ids, drawn]
    if found is not None:
        begin, certain = (torch.as_tensor(part, dtype=torch.int64, device=device) for part in found)
        parts.append(certain)
    ids, inverse = torch.unique(torch.cat(parts), return_inverse=True)
    places = inverse[: len(labels.ids)]
    n_draws, others = len(drawn), labels.n_counted - 1 if in_batch else 0
    missed = n_draws * math.log1p(-1.0 / num_classes) if num_classes > 1 else -math.inf * (n_draws > 0)
    if prior is not None and (others > 0 or n_draws > 0):
        absent = max(others, 0) * torch.log1p(-prior.frequency(ids)) + (missed if n_draws else 0.0)
        shift = torch.log(-torch.expm1(absent))
        target_shift = shift[places]
    elif n_draws > 0:
        chance = math.log(-math.expm1(missed))
        shift = torch.full((len(ids),), chance, dtype=torch.float64, device=ids.device)
        target_shift = shift[places]
        if in_batch:
            carriers = torch.bincount(places, minlength=len(ids))
            shift = shift.masked_fill(carriers > 0, 0.0)
            target_shift = target_shift.masked_fill(carriers[places] > 1, 0.0)
    else:
        shift = torch.zeros(len(ids), dtype=torch.float64, device=ids.device)
        target_shift = shift[places]
    if not in_batch:
        by_chance = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        by_chance[inverse[len(labels.ids) :]] = True
        shift = shift.masked_fill(~by_chance, math.inf)
    if found is not None:
        shift[inverse[len(labels.ids) + n_draws :]] = 0.0
        pairs = rows_of(begin) * num_classes + certain
        is_own = torch.isin(labels.rows * num_classes + labels.ids, pairs)
        target_shift = target_shift.masked_fill(is_own, 0.0)
    return Sample(ids, shift.float(), places, target_shift.float())
