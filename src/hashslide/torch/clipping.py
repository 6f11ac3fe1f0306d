"""The norm of sparse gradients, which PyTorch's own `clip_grad_norm_` needs and PyTorch lacks."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["register_norm"]


def __dir__() -> list[str]:
    return __all__


_NAME = "linalg_vector_norm"


def _norm(
    self: Tensor, ord: Any = 2, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    """Return the norm of all entries: zeros that are not stored change no norm of a positive order."""
    if dim is not None or float(ord) <= 0:
        raise NotImplementedError(
            f"the norm of order {ord} along {dim} of a sparse tensor. Only norms of a positive order "
            "of the whole tensor can be computed."
        )
    return torch.linalg.vector_norm(self.coalesce().values(), ord, dtype=dtype)


def register_norm() -> Any:
    """Teach PyTorch the norm of sparse tensors, unless it knows it; returns what keeps the registration."""
    library = torch.library.Library("aten", "IMPL")
    for key in ("SparseCPU", "SparseCUDA"):
        if not torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{_NAME}", key):
            library.impl(_NAME, _norm, key)
    return library
