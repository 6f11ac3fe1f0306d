"""Answers over HTTP, and a page to search with: ``hashslide serve``; see docs/guides/serving.md.

It needs the extra: ``pip install "hashslide[serve]"``.
"""

from typing import TYPE_CHECKING, Any

from hashslide.errors import InputError

from .settings import ServerSettings, read_tokens

if TYPE_CHECKING:
    from .app import create_app
    from .processes import run

__all__ = ["ServerSettings", "create_app", "read_tokens", "run"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import what needs the extra when it is wanted."""
    if name not in ("create_app", "run"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        if name == "create_app":
            from .app import create_app

            return create_app
        from .processes import run

        return run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("hashslide"):
            raise
        raise InputError(
            f"serving needs {error.name}, which is missing. Run: pip install 'hashslide[serve]'"
        ) from None
