"""Training on several processes or machines: one ordinary model file comes out; see docs/machines/index.md.

It needs the extra: ``pip install "hashslide[distributed]"``; the engine Ray that of its name as well.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .classifier import DistributedSlideClassifier

__all__ = ["DistributedSlideClassifier"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:  # imported when it is wanted: the parts of this package want each other
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.classifier"), name)
