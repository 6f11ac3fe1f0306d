"""The labels of a batch, whatever their form: one each, several padded to a rectangle, or a sparse matrix."""

from dataclasses import dataclass

import torch
from torch import Tensor

from hashslide.errors import InputError

__all__ = ["Labels", "labels_of", "rows_of"]


def __dir__() -> list[str]:
    return __all__


@dataclass(frozen=True)
class Labels:
    """The labels of N examples: those of example i are ``ids[begin[i]:begin[i + 1]]``, each once.

    Attributes
    ----------
    begin : int64 tensor of shape (N + 1,)
    ids : int64 tensor of shape (n,)
        Between 0 and the number of classes.
    rows : int64 tensor of shape (n,)
        The example of each label.
    counted : bool tensor of shape (N,)
        Whether the example has a part in the loss.
    """

    begin: Tensor
    ids: Tensor
    rows: Tensor
    counted: Tensor

    @property
    def n(self) -> int:
        """Number of examples."""
        return len(self.counted)

    @property
    def n_counted(self) -> int:
        """Number of examples that have a part in the loss."""
        return int(self.counted.sum())


_ACCEPTED = (
    "Accepted are int64 labels of the shape of the activations without their last dimension (one each), or "
    "with one further dimension padded with ignore_index (several each), or a sparse CSR matrix of shape (N, "
    "classes)."
)


def labels_of(y: Tensor, shape: torch.Size, num_classes: int, ignore_index: int, is_bce: bool) -> Labels:
    """Return the labels `y` of activations of shape `shape` and a width.

    Raises
    ------
    InputError
        `y` is no tensor of labels, has another shape, names a class that does not exist, or one class twice.
    """
    if not isinstance(y, Tensor):
        raise InputError(f"the labels are a {type(y).__name__}. {_ACCEPTED}")
    if y.layout == torch.sparse_csr:
        return _of_matrix(y, shape, num_classes)
    if y.layout != torch.strided:
        raise InputError(
            f"the labels are a {y.layout} tensor. Convert them with to_sparse_csr(). {_ACCEPTED}"
        )
    if y.dtype not in (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8):
        raise InputError(f"the labels are of {y.dtype}. {_ACCEPTED}")
    if y.shape != shape and (y.dim() != len(shape) + 1 or y.shape[:-1] != shape):
        raise InputError(
            f"the labels have the shape {tuple(y.shape)} for {tuple(shape)} examples. {_ACCEPTED}"
        )
    table = y.reshape(shape.numel(), -1 if y.shape != shape else 1).to(torch.int64)
    is_label = table != ignore_index
    _check_classes(table[is_label], num_classes, ignore_index)
    sizes = is_label.sum(1)
    if table.shape[1] > 1:
        table = table.masked_fill(~is_label, num_classes).sort(1).values  # so the labels of an example rise
        is_label = table < num_classes
        if bool(((table[:, 1:] == table[:, :-1]) & is_label[:, 1:]).any()):
            raise InputError("an example names the same label twice. Give each label of an example once.")
    several_are_allowed = y.shape != shape
    counted = torch.ones_like(sizes, dtype=torch.bool) if is_bce and several_are_allowed else sizes > 0
    return _finished(sizes, table[is_label], is_label.nonzero()[:, 0], counted)


def rows_of(begin: Tensor) -> Tensor:
    """Return the row of each entry of a CSR matrix from its offsets.

    A cumulative sum: `torch.repeat_interleave` waits for all threads, which takes long on a busy machine.
    """
    marks = begin.new_zeros(int(begin[-1]) + 1)
    marks.index_add_(0, begin[1:-1], torch.ones_like(begin[1:-1]))
    return marks.cumsum(0)[:-1]


def _of_matrix(y: Tensor, shape: torch.Size, num_classes: int) -> Labels:
    n = shape.numel()
    if len(shape) != 1 or tuple(y.shape) != (n, num_classes):
        raise InputError(
            f"the labels are a sparse matrix of shape {tuple(y.shape)}; accepted is {(n, num_classes)}."
        )
    begin, ids = y.crow_indices().to(torch.int64), y.col_indices().to(torch.int64)
    if bool((y.values() != 1).any()):
        raise InputError(
            "the sparse matrix of labels holds values that are not 1. Store only the labels, as 1."
        )
    sizes = begin.diff()
    _check_classes(ids, num_classes, None)
    rows = rows_of(begin)
    order = (rows * num_classes + ids).argsort()
    ids = ids[order]  # the rows stay as they are
    if bool(((ids[1:] == ids[:-1]) & (rows[1:] == rows[:-1])).any()):
        raise InputError("an example names the same label twice. Give each label of an example once.")
    return _finished(sizes, ids, rows, torch.ones_like(sizes, dtype=torch.bool))


def _check_classes(ids: Tensor, num_classes: int, ignore_index: int | None) -> None:
    if not len(ids):
        return
    low, high = (int(bound) for bound in ids.aminmax())
    if low < 0 or high >= num_classes:
        found = low if low < 0 else high
        beside = "" if ignore_index is None else f", and ignore_index, {ignore_index}"
        raise InputError(f"the label {found} is no class; accepted are 0 to {num_classes - 1}{beside}.")


def _finished(sizes: Tensor, ids: Tensor, rows: Tensor, counted: Tensor) -> Labels:
    begin = torch.zeros(len(sizes) + 1, dtype=torch.int64, device=sizes.device)
    torch.cumsum(sizes, 0, out=begin[1:])
    return Labels(begin, ids, rows, counted)
