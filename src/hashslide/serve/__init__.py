"""Answers over HTTP, and a page to search with: ``hashslide serve``; see docs/guides/serving.md.

It needs the extra: ``pip install "hashslide[serve]"``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hashslide.errors import InputError

from .settings import ServerSettings, read_tokens

if TYPE_CHECKING:
    from ._app import create_app
    from ._processes import run

__all__ = ["ServerSettings", "create_app", "read_tokens", "run"]


def __dir__() -> list[str]:
    return __all__


_HOMES = {"create_app": "_app", "run": "_processes"}  # imported when they are wanted, as they need the extra


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("hashslide"):
            raise
        raise InputError(
            f"serving needs {error.name}, which is missing. Run: pip install 'hashslide[serve]'"
        ) from None
