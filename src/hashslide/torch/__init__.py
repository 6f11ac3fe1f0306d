"""The output layer for PyTorch: the loss of very many classes from a few; see docs/frameworks/torch.md.

It needs the extra: ``pip install "hashslide[torch]"``.
"""

from hashslide.errors import InputError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise InputError(
        f'hashslide.torch needs {error.name}, which is missing. Run: pip install "hashslide[torch]"'
    ) from None

from .clipping import register_norm
from .head import SlideLoss
from .optimizers import JoinedOptimizer, RowAdagrad, RowAdam
from .profiling import Profile, profile_head

__all__ = ["JoinedOptimizer", "Profile", "RowAdagrad", "RowAdam", "SlideLoss", "profile_head"]

_norm_of_sparse_gradients = register_norm()  # for clip_grad_norm_, and so for every trainer that clips


def __dir__() -> list[str]:
    return __all__
