"""The web application: routes around one model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

import hashslide
from hashslide._os_errors import StrPath
from hashslide.serve import _schemas as schemas
from hashslide.serve._http import Endpoint, Guard, refuse
from hashslide.serve._logs import Log
from hashslide.serve._metrics import Metrics
from hashslide.serve._models import ServedModel
from hashslide.serve._refusals import Refusal
from hashslide.serve._routes import kserve, operations, pages, predict
from hashslide.serve._service import Service
from hashslide.serve.settings import ServerSettings

__all__ = ["application", "create_app"]


def __dir__() -> list[str]:
    return __all__


_CODES = {404: "not_found", 405: "method_not_allowed"}
_DESCRIPTION = """\
Labels for texts and features, from a model with very many labels.

Every answer that is not the one asked for is an object with `error`, `code`, `details` and `request_id`."""


def create_app(model: StrPath, settings: ServerSettings | None = None) -> FastAPI:
    """Return a web application that answers from a model, for any ASGI server.

    Parameters
    ----------
    model : path-like
        A model file that `SlideClassifier.save` or ``hashslide train`` wrote.
    settings : ServerSettings, optional
        Of these, `host`, `port`, `workers` and `watch` are for what runs the application, such as `run`.

    Returns
    -------
    fastapi.FastAPI
        Its log goes to standard error, as lines of JSON.

    Raises
    ------
    ModelFileError
        The file is missing, damaged or of another kind.
    """
    settings = settings or ServerSettings()
    loaded = ServedModel.load(model, settings.jobs)
    loaded.warm()
    service = Service(loaded, settings, Log(), Metrics())
    app, direct = _routed(service)
    app.add_middleware(Guard, service=service, direct=direct)
    return app


def application(model: ServedModel, settings: ServerSettings, log: Log) -> Guard:
    """Return the web application around a model that is loaded already.

    It is quicker than that of `create_app`, because the guard stands before the framework's own layers.
    """
    service = Service(model, settings, log, Metrics())
    app, direct = _routed(service)
    outermost: Any = app.build_middleware_stack()  # answers faults, which the guard does in our form
    app.middleware_stack = outermost.app
    return Guard(app, service, direct)


def _routed(service: Service) -> tuple[FastAPI, dict[tuple[str, str], Endpoint]]:
    """Return an application of all routes, still without a guard, and what the guard may answer directly."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.scorer.start()
        try:
            yield
        finally:
            service.scorer.close()
            service.log.flush()

    app = FastAPI(
        title=f"hashslide: {service.model.name}",
        version=hashslide.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(HTTPException, _refuse_address)
    direct = predict.add(app, service)
    for group in (kserve, operations, pages):
        group.add(app, service)
    _document(app)
    return app, direct


async def _refuse_address(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        message = f"There is nothing at {request.url.path[:100]!r} here. /docs lists what there is."
    elif error.status_code == 405:
        message = f"{request.method} is not for this address. /docs tells what is."
    else:
        message = str(error.detail)
    refusal = Refusal(
        error.status_code,
        _CODES.get(error.status_code, "refused"),
        message,
        headers=dict(error.headers or {}),
    )
    return refuse(request, refusal)


def _document(app: FastAPI) -> None:
    """Let the OpenAPI document hold the forms of bodies, which the routes read by themselves."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            components = document.setdefault("components", {}).setdefault("schemas", {})
            for path in document["paths"].values():
                for operation in path.values():
                    for content in operation.get("requestBody", {}).get("content", {}).values():
                        schema = content["schema"]
                        components |= schema.pop("$defs", {})
                        components[schema["title"]] = schema
                        content["schema"] = {"$ref": schemas.COMPONENTS + schema["title"]}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
