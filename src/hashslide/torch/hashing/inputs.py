"""What the tensors given to families, tables and memories have to be."""

import torch
from torch import Tensor

from hashslide.errors import InputError

__all__ = ["check_integers", "check_rows", "check_vectors"]


def __dir__() -> list[str]:
    return __all__


def check_vectors(name: str, x: Tensor, width: int) -> Tensor:
    """Return floating point vectors (n, width) as float32, without their graph, or refuse them."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.ndim != 2 or x.shape[1] != width:
        raise InputError(f"{name} is {_described(x)}; accepted is a floating point tensor (n, {width}).")
    x = x.detach().float()
    if not torch.isfinite(x).all():
        raise InputError(f"{name} holds NaN or infinite values, which have no place among the others.")
    return x


def check_integers(name: str, x: Tensor, shape: tuple[int | None, ...], low: int, high: int) -> Tensor:
    """Return integers from `low` to `high` as int64, or refuse them; None in a shape is any length."""
    fits = isinstance(x, Tensor) and x.dtype in (
        torch.int64,
        torch.int32,
        torch.int16,
        torch.uint8,
        torch.int8,
    )
    if fits and x.ndim == len(shape):
        fits = all(wanted in (None, found) for found, wanted in zip(x.shape, shape, strict=True))
    else:
        fits = False
    if not fits:
        wanted = ", ".join("n" if length is None else str(length) for length in shape)
        raise InputError(f"{name} is {_described(x)}; accepted is a tensor ({wanted}) of integers.")
    if x.numel() and not bool(((x >= low) & (x <= high)).all()):
        raise InputError(f"{name} holds {int(x.min())} to {int(x.max())}; accepted is {low} to {high}.")
    return x.detach().long()


def check_rows(rows: Tensor, size: int) -> Tensor:
    """Return different rows of `size` as int64, or refuse them."""
    rows = check_integers("rows", rows, (None,), 0, size - 1)
    if len(torch.unique(rows)) < len(rows):
        raise InputError("rows names a row twice; name each row once, with what it shall become.")
    return rows


def _described(x: object) -> str:
    if not isinstance(x, Tensor):
        return f"a {type(x).__name__}"
    return f"a tensor {tuple(x.shape)} of {str(x.dtype).removeprefix('torch.')}"
