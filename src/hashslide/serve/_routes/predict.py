"""``/v1``: predictions, search, and what the model is."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import QueryParams
from starlette.responses import Response

from hashslide.errors import InputError
from hashslide.serve import _schemas as schemas
from hashslide.serve._http import Endpoint, Exchange, exchange_of, json_answer, to_json
from hashslide.serve._models import Options, Prediction, Query, Text
from hashslide.serve._refusals import Unprocessable
from hashslide.serve._scoring import Answer
from hashslide.serve._service import Service

__all__ = ["REFUSALS", "add", "ask", "body_of", "parameters_of", "read_json"]


def __dir__() -> list[str]:
    return __all__


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ErrorBody, "description": text}
    for status, text in {
        401: "The token is missing or wrong.",
        408: "The request did not arrive in time.",
        413: "The body is too large.",
        415: "The body is not JSON by its Content-Type.",
        422: "The input is not acceptable; the answer says where and why.",
        503: "Too much waits already; Retry-After says when to try again.",
    }.items()
}


def add(app: FastAPI, service: Service) -> dict[tuple[str, str], Endpoint]:
    """Add the routes to an app; return those that the guard may answer directly."""
    predict_form, search_form = schemas.limited(service.settings)
    description = json_answer(service.description)
    router = APIRouter(prefix="/v1", tags=["predictions"], responses=REFUSALS)

    async def predict(exchange: Exchange) -> bytes:
        wanted = await read_json(exchange, predict_form)
        options = wanted.options()
        answer = await ask(exchange, [schemas.query_of(one) for one in wanted.inputs], options)
        predictions = [_plain(one) for one in answer.predictions]
        return to_json(_common(service, answer, options) | {"predictions": predictions})

    async def search(exchange: Exchange) -> bytes:
        try:
            query = search_form.model_validate(dict(QueryParams(exchange.scope["query_string"])))
        except ValidationError as error:
            raise Unprocessable.from_validation(error) from None
        answer = await ask(exchange, [Text(query.q)], query.options())
        found = _common(service, answer, query.options()) | {"query": query.q}
        return to_json(found | _plain(answer.predictions[0]))

    @router.post(
        "/predict",
        summary="The best labels of each input",
        response_model=schemas.PredictResponse,
        openapi_extra=body_of(predict_form, {"inputs": ["words of a text"], "k": 3, "explain": 3}),
    )
    async def predict_below(request: Request) -> Response:
        return Response(await predict(exchange_of(request)), media_type="application/json")

    @router.get(
        "/search",
        summary="The best labels of a text",
        response_model=schemas.SearchResponse,
        openapi_extra=parameters_of(search_form),
    )
    async def search_below(request: Request) -> Response:
        return Response(await search(exchange_of(request)), media_type="application/json")

    @router.get("/model", summary="What the model is, and what it can be asked")
    async def model() -> Response:
        return description

    app.include_router(router)
    return {("POST", "/v1/predict"): predict, ("GET", "/v1/search"): search}


def body_of(form: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """Return what the OpenAPI document says of the body that `read_json` reads in a form."""
    schema = form.model_json_schema(ref_template=f"{schemas.COMPONENTS}{{model}}")
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": example}},
        }
    }


def parameters_of(form: type[BaseModel]) -> dict[str, Any]:
    """Return what the OpenAPI document says of the parameters in an address that have a form."""
    schema = form.model_json_schema()
    return {
        "parameters": [
            {"name": name, "in": "query", "required": name in schema["required"], "schema": field}
            for name, field in schema["properties"].items()
        ]
    }


async def read_json(exchange: Exchange, form: Any) -> Any:
    """Return the body of a request in a form.

    Raises
    ------
    Refusal
        It is not of that form.
    """
    body = await exchange.json_text()
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise Unprocessable.from_validation(error) from None


async def ask(exchange: Exchange, queries: list[Query], options: Options) -> Answer:
    """Return what the scorer says, once the queries have been found acceptable."""
    service = exchange.service
    exchange.facts["inputs"] = len(queries)
    if service.settings.log_queries:
        exchange.facts["queries"] = [_shown(query) for query in queries]
    _check(service, queries, options)
    return await service.scorer.score(queries, options)


def _check(service: Service, queries: list[Query], options: Options) -> None:
    try:
        service.model.check(options)
    except InputError as error:
        raise Unprocessable.of("body", str(error)) from None
    limit = service.settings.max_words
    problems = []
    for i, query in enumerate(queries):
        n = _length(query, limit)
        if n > limit:
            what = "words" if isinstance(query, Text) else "features"
            problem = f"it has {n:,} {what}; accepted are up to {limit:,}. Shorten it, or split it."
            problems.append({"where": f"inputs.{i}", "problem": problem})
            continue
        try:
            service.model.reader.check(query)
        except InputError as error:
            problems.append({"where": f"inputs.{i}", "problem": str(error)})
    if problems:
        raise Unprocessable(problems[:20])


def _length(query: Query, limit: int) -> int:
    """Return how many words or features a query has; words are what blanks separate."""
    if not isinstance(query, Text):
        return len(query.values)
    texts = [query.text] if isinstance(query.text, str) else query.text.values()
    return sum(len(text.split()) if len(text) > limit else 0 for text in texts)


def _shown(query: Query) -> Any:
    return query.text if isinstance(query, Text) else query.values


def _common(service: Service, answer: Answer, options: Options) -> dict[str, Any]:
    model = service.model
    return {
        "model": model.name,
        "version": model.version,
        "approximate": model.scores_candidates(options),
        "took_ms": {"waited": round(answer.waited * 1000, 3), "scored": round(answer.scored * 1000, 3)},
    }


def _plain(prediction: Prediction) -> dict[str, Any]:
    return {
        "labels": prediction.labels,
        "n_features": prediction.n_features,
        "unknown": prediction.unknown[:100],
    }
