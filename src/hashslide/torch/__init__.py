"""The output layer for PyTorch: the loss of very many classes from a few of them; see docs/guides/torch.md.

It needs the extra: ``pip install "hashslide[torch]"``.
"""

from hashslide.errors import InputError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    raise InputError(
        f'hashslide.torch needs {error.name}, which is missing. Run: pip install "hashslide[torch]"'
    ) from None

from .head import SlideLoss
from .optimizers import JoinedOptimizer, RowAdagrad, RowAdam
from .profiling import Profile, profile_head

__all__ = ["JoinedOptimizer", "Profile", "RowAdagrad", "RowAdam", "SlideLoss", "profile_head"]


def __dir__() -> list[str]:
    return __all__
