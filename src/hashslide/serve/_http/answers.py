"""Answers as JSON."""

from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from hashslide.serve._refusals import Refusal

__all__ = ["json_answer", "refusal_answer", "refusal_body", "to_json"]


def __dir__() -> list[str]:
    return __all__


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer with a value that JSON has."""
    return Response(to_json(value), status, headers, media_type="application/json")


def refusal_body(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """Return the form that all refusals have."""
    return {
        "error": refusal.message,
        "code": refusal.code,
        "details": refusal.details,
        "request_id": request_id,
    }


def refusal_answer(refusal: Refusal, request_id: str) -> Response:
    """Return a refusal as an answer."""
    return json_answer(refusal_body(refusal, request_id), refusal.status, refusal.headers)
