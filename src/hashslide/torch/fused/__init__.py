"""Triton kernels that do in one pass over the memory of a GPU what torch operations do in several.

They are tested on the CPU in Triton's interpreter, against the same functions in torch operations. Nobody has
measured them on a GPU yet, so that nothing uses them unless it is told to: ``SlideLoss(fused=True)``,
``RowAdagrad(fused=True)``, ``RowAdam(fused=True)``, ``Codes(fused=True)``. PyTorch for NVIDIA GPUs brings
Triton with it.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hashslide.errors import InputError

if TYPE_CHECKING:
    from .codes import distances
    from .losses import sampled_losses
    from .rows import adagrad_rows, adam_rows

__all__ = ["adagrad_rows", "adam_rows", "check", "distances", "sampled_losses"]


def __dir__() -> list[str]:
    return __all__


def check() -> None:
    """Refuse to go on without Triton.

    Raises
    ------
    InputError
    """
    if find_spec("triton") is None:
        raise InputError(
            'fused=True needs Triton, which is missing. Run: pip install triton, or leave "fused" out.'
        )


# Imported when they are wanted: Triton is slow to import, and most do without.
_HOMES = {
    "adagrad_rows": "rows",
    "adam_rows": "rows",
    "distances": "codes",
    "sampled_losses": "losses",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
