"""The output layer for JAX: functions whose step of training costs the same with 10⁴ and with 10⁸ classes.

docs/frameworks/jax.md shows it at work. It needs the extra: ``pip install "hashslide[jax]"``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hashslide.errors import InputError

if TYPE_CHECKING:
    from ._head import SlideHead
    from ._state import Rows, Sample, Table

__all__ = ["Rows", "Sample", "SlideHead", "Table"]


def __dir__() -> list[str]:
    return __all__


# Imported when they are wanted, as they need the extra.
_HOMES = {"Rows": "_state", "Sample": "_state", "SlideHead": "_head", "Table": "_state"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("hashslide"):
            raise
        raise InputError(
            f"the output layer for JAX needs {error.name}, which is missing. "
            'Run: pip install "hashslide[jax]"'
        ) from None
