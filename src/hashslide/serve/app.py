"""The web application: routes around one model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

import hashslide
from hashslide._os_errors import StrPath
from hashslide.serve import schemas
from hashslide.serve.errors import Refusal, Unprocessable, problems
from hashslide.serve.http import Guard, refuse
from hashslide.serve.logs import Log
from hashslide.serve.metrics import Metrics
from hashslide.serve.models import ServedModel
from hashslide.serve.routes import kserve, operations, pages, predict
from hashslide.serve.service import Service
from hashslide.serve.settings import ServerSettings

__all__ = ["create_app"]


def __dir__() -> list[str]:
    return __all__


_CODES = {404: "not_found", 405: "method_not_allowed"}
_DESCRIPTION = """\
Labels for texts and features, from a model with very many labels.

Every answer that is not the one asked for is an object with `error`, `code`, `details` and `request_id`."""


def create_app(
    model: "StrPath | ServedModel", settings: ServerSettings | None = None, log: Log | None = None
) -> FastAPI:
    """Return a web application that answers from a model, for any ASGI server.

    Parameters
    ----------
    model : path-like or ServedModel
        A model file that `SlideClassifier.save` or ``hashslide train`` wrote.
    settings : ServerSettings, optional
        Of these, `host`, `port`, `workers` and `watch` are for what runs the application, such as `run`.
    log : Log, optional
        By default, lines of JSON go to standard error.

    Returns
    -------
    fastapi.FastAPI

    Raises
    ------
    ModelFileError
        The file is missing, damaged or of another kind.

    Examples
    --------
    >>> from hashslide.serve import ServerSettings, create_app
    >>> app = create_app("m.hashslide", ServerSettings(max_k=20))  # doctest: +SKIP
    """
    settings = settings or ServerSettings()
    if not isinstance(model, ServedModel):
        model = ServedModel.load(model, settings.jobs)
        model.warm()
    service = Service(model, settings, log or Log(), Metrics())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.scorer.start()
        try:
            yield
        finally:
            service.scorer.close()
            service.log.flush()

    app = FastAPI(
        title=f"hashslide: {model.name}",
        version=hashslide.__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    app.add_middleware(Guard, service=service)  # type: ignore[arg-type, unused-ignore]
    app.add_exception_handler(HTTPException, _refuse_address)
    app.add_exception_handler(RequestValidationError, _refuse_parameters)
    for group in (predict, kserve, operations, pages):
        group.add(app, service)
    _document(app)
    return app


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


async def _refuse_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return refuse(request, Unprocessable(problems(error.errors(), "query")))


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
                    operation.get("responses", {}).pop("422", None) if _takes_nothing(operation) else None
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _takes_nothing(operation: dict[str, Any]) -> bool:
    return not operation.get("parameters") and "requestBody" not in operation
