"""For whoever runs the server: is it alive, does it take requests, what has it done."""

from fastapi import APIRouter, FastAPI
from starlette.responses import Response

from hashslide.serve._http import json_answer
from hashslide.serve._metrics import CONTENT_TYPE
from hashslide.serve._routes.predict import REFUSALS
from hashslide.serve._service import Service

__all__ = ["add"]


def __dir__() -> list[str]:
    return __all__


def add(app: FastAPI, service: Service) -> None:
    """Add the routes to an app."""
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", summary="Whether the server runs")
    async def alive() -> Response:
        return json_answer({"status": "alive"})

    @router.get("/readyz", summary="Whether the server takes requests", responses={503: REFUSALS[503]})
    async def ready() -> Response:
        if service.is_closing:
            return json_answer({"status": "closing"}, 503)
        return json_answer({"status": "ready", "model": service.model.name, "version": service.model.version})

    @router.get(
        "/metrics",
        summary="Counts and times, as Prometheus reads them",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, 401: REFUSALS[401]},
    )
    async def metrics() -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    app.include_router(router)
