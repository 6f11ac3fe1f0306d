"""The losses in torch operations, for any device; the core does the same on the CPU."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from hashslide.torch.labels import Labels
from hashslide.torch.sampling import Sample

__all__ = [
    "coalesced_after_backward",
    "exact_losses",
    "exact_topk",
    "is_rising",
    "sampled_losses",
    "shares_of",
    "sparse_rows",
]


def __dir__() -> list[str]:
    return __all__


_BLOCK = 8192  # classes that are scored at once


def sparse_rows(ids: Tensor, values: Tensor, n_rows: int) -> Tensor:
    """Return the gradient of a matrix or vector whose rows `ids` (rising) alone are not 0."""
    shape = (n_rows, *values.shape[1:])
    return torch.sparse_coo_tensor(ids[None], values, shape, is_coalesced=True, check_invariants=False)


def is_rising(gradient: Tensor) -> bool:
    """Tell whether the rows of a sparse gradient rise, each once."""
    return bool((gradient._indices()[0].diff() > 0).all())


def coalesced_after_backward(*parameters: Tensor | None) -> None:
    """Have the gradients marked as coalesced once they have been made: PyTorch drops the mark on the way."""

    def mark() -> None:
        for parameter in parameters:
            gradient = None if parameter is None else parameter.grad
            if gradient is not None and gradient.layout == torch.sparse_coo and is_rising(gradient):
                gradient._coalesced_(True)

    torch.autograd.Variable._execution_engine.queue_callback(mark)


class _Rows(torch.autograd.Function):
    """The rows `ids` of a parameter, whose gradient is sparse."""

    @staticmethod
    def forward(ctx: Any, parameter: Tensor, ids: Tensor) -> Tensor:
        ctx.parameter = parameter
        ctx.save_for_backward(ids)
        return parameter.index_select(0, ids)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        coalesced_after_backward(ctx.parameter)
        return sparse_rows(ids, gradients[0].contiguous(), len(ctx.parameter)), None


def _rows(parameter: Tensor, ids: Tensor) -> Tensor:
    return _Rows.apply(parameter, ids).float()  # type: ignore[no-untyped-call]


def sampled_losses(
    h: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Labels,
    drawn: Sample,
    class_weight: Tensor | None,
    is_bce: bool,
) -> Tensor:
    """Return the loss of each example (N,) from the active classes alone.

    The gradients of `weight` and `bias` are sparse.
    """
    with torch.autocast(h.device.type, enabled=False):
        rows = _rows(weight, drawn.ids)
        z = h.float() @ rows.T
        if bias is not None:
            z = z + _rows(bias, drawn.ids)
        z_of_labels = z[labels.rows, drawn.places]
        z = z - drawn.shift
        if is_bce:
            z = z.index_put((labels.rows, drawn.places), z_of_labels - drawn.target_shift)
            losses = torch.nn.functional.softplus(z).sum(1)
            return _add_positives(losses, z[labels.rows, drawn.places], labels, class_weight)
        z = z.index_put((labels.rows, drawn.places), z_of_labels)
        return _cross_entropy(torch.logsumexp(z, 1), z_of_labels, labels, class_weight)


def _add_positives(losses: Tensor, z: Tensor, labels: Labels, class_weight: Tensor | None) -> Tensor:
    """Replace what each label lost as a negative: a log(1 + exp(-z)) instead of log(1 + exp(z))."""
    softplus = torch.nn.functional.softplus
    positive = softplus(-z) if class_weight is None else class_weight[labels.ids] * softplus(-z)
    return losses.index_add(0, labels.rows, positive - softplus(z))


def shares_of(labels: Labels, class_weight: Tensor | None) -> Tensor:
    """How much each label of an example counts: its weight over the number of the example's labels."""
    sizes = labels.begin.diff()[labels.rows].float()
    return 1.0 / sizes if class_weight is None else class_weight[labels.ids] / sizes


def _cross_entropy(log_z: Tensor, z: Tensor, labels: Labels, class_weight: Tensor | None) -> Tensor:
    """Mean over the labels of an example of log Z - z; 0 without labels."""
    parts = shares_of(labels, class_weight) * (log_z[labels.rows] - z)
    return torch.zeros_like(log_z).index_add(0, labels.rows, parts)


class _ExactLosses(torch.autograd.Function):
    """Both losses over all classes, block by block: nothing of size N x C at any time."""

    @staticmethod
    def forward(
        ctx: Any,
        h: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        labels: Labels,
        class_weight: Tensor | None,
        is_bce: bool,
    ) -> Tensor:
        x = h.float()
        log_z = torch.full((len(x),), -torch.inf, device=x.device)
        losses = torch.zeros(len(x), device=x.device)
        for _, z in _blocks(x, weight, bias):
            if is_bce:
                losses += torch.nn.functional.softplus(z).sum(1)
            else:
                log_z = torch.logaddexp(log_z, torch.logsumexp(z, 1))
        z = (x[labels.rows] * weight[labels.ids].float()).sum(1)
        if bias is not None:
            z = z + bias[labels.ids].float()
        ctx.save_for_backward(h, weight, bias, log_z, z)
        ctx.labels, ctx.class_weight, ctx.is_bce = labels, class_weight, is_bce
        if is_bce:
            return _add_positives(losses, z, labels, class_weight)
        return _cross_entropy(log_z, z, labels, class_weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        h, weight, bias, log_z, z_of_labels = ctx.saved_tensors
        labels, class_weight, g = ctx.labels, ctx.class_weight, gradients[0].float()
        x, g_of_labels = h.float(), g[labels.rows]
        if ctx.is_bce:
            a = 1.0 if class_weight is None else class_weight[labels.ids]
            sigmoid = torch.sigmoid(z_of_labels)
            at_labels = g_of_labels * (a * (sigmoid - 1) - sigmoid)
        else:
            shares = shares_of(labels, class_weight)
            at_labels = -g_of_labels * shares
            g = g * torch.zeros_like(g).index_add(0, labels.rows, shares)
        dh = torch.zeros_like(x)
        dw = torch.empty_like(weight) if ctx.needs_input_grad[1] else None
        db = torch.empty_like(bias) if bias is not None and ctx.needs_input_grad[2] else None
        for first, z in _blocks(x, weight, bias):
            last = first + z.shape[1]
            dz = (torch.sigmoid(z) if ctx.is_bce else torch.exp(z - log_z[:, None])) * g[:, None]
            here = (labels.ids >= first) & (labels.ids < last)
            dz.index_put_((labels.rows[here], labels.ids[here] - first), at_labels[here], accumulate=True)
            dh += dz @ weight[first:last].float()
            if dw is not None:
                dw[first:last] = (dz.T @ x).to(dw.dtype)
            if db is not None:
                db[first:last] = dz.sum(0).to(db.dtype)
        return dh.to(h.dtype), dw, db, None, None, None


def _blocks(x: Tensor, weight: Tensor, bias: Tensor | None) -> Iterator[tuple[int, Tensor]]:
    """Yield the first class and the logits (N, block) of each block of classes."""
    for first in range(0, len(weight), _BLOCK):
        z = x @ weight[first : first + _BLOCK].float().T
        if bias is not None:
            z += bias[first : first + _BLOCK].float()
        yield first, z


def exact_losses(
    h: Tensor, weight: Tensor, bias: Tensor | None, labels: Labels, class_weight: Tensor | None, is_bce: bool
) -> Tensor:
    """Return the loss of each example (N,) over all classes; O(N C) time, O(N) and a block of memory.

    The gradients of `weight` and `bias` are dense, as every class has one.
    """
    with torch.autocast(h.device.type, enabled=False):
        return _ExactLosses.apply(  # type: ignore[no-untyped-call]
            h, weight, bias, labels, class_weight, is_bce
        )


@torch.no_grad()
def exact_topk(h: Tensor, weight: Tensor, bias: Tensor | None, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest logits of each example and their classes, both (N, k), best first."""
    values = torch.empty((len(h), 0), device=h.device)
    ids = torch.empty((len(h), 0), dtype=torch.int64, device=h.device)
    with torch.autocast(h.device.type, enabled=False):
        for first, z in _blocks(h.float(), weight, bias):
            best = z.topk(min(k, z.shape[1]))
            values, ids = torch.cat([values, best.values], 1), torch.cat([ids, best.indices + first], 1)
            kept = values.topk(min(k, values.shape[1]))
            values, ids = kept.values, ids.gather(1, kept.indices)
    return values, ids
