"""The pages for people: search, the model, and the documentation; they need no other host."""

from functools import cache
from importlib.resources import files

from fastapi import FastAPI
from starlette.responses import Response

from hashslide.serve._refusals import Refusal
from hashslide.serve._service import Service

__all__ = ["add"]


def __dir__() -> list[str]:
    return __all__


_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)


def add(app: FastAPI, service: Service) -> None:
    """Add the routes to an app."""

    @app.get("/", include_in_schema=False)
    async def search_page() -> Response:
        return _file("index.html")

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> Response:
        return _file("docs.html")

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        return _file(name)


def _file(name: str) -> Response:
    kind = _TYPES.get(name.rpartition(".")[2])
    content = _contents().get(name)
    if kind is None or content is None:
        raise Refusal(404, "not_found", f"There is no file {name[:100]!r} here.")
    headers = {"Content-Type": kind, "Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return Response(content, headers=headers)


@cache
def _contents() -> dict[str, bytes]:
    folder = files("hashslide.serve").joinpath("page")
    return {
        file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in _TYPES
    }
